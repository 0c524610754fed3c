"""base/model of a world: a corpus, and a Llama that is pre-trained on it in one pass.

Muon for the layers' matrices, AdamW for the rest, linear decay, loss on the solution only; on one GPU where there is
one. The same seed and number of threads give the same bytes. Deliberately left out: compilation, packing and several
devices, because at this size none of them pays for its start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.base.config import LlamaConfig, TrainedBase
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.lengths import fitting
from o1_assets.engine.training.one_pass import batches_by_length, one_pass, smoothed
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.problems.worlds.world import Solved, Vocabulary, World

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast


Pair = tuple[list[int], list[int]]
"""Token ids of a prompt and of its solution (end token included)."""


def make_base(task: Task, config: TrainedBase) -> Outcome:
    """Inputs "test" and "longer": problems that must not occur in the corpus. Writes a checkpoint."""
    return pretrain(task, config, draw_corpus(task, config), WORLDS[config.world].vocabulary)


def draw_corpus(task: Task, config: TrainedBase) -> list[Solved]:
    """The worked solutions of a corpus, without the held-out problems."""
    world = WORLDS[config.world]
    return list(world.draw_corpus(config.corpus, task.seed, kept_out(task.inputs, world)))


def kept_out(inputs: Mapping[str, Path], world: World[Any, Any, Any, Any]) -> set[str]:
    """The contents of the inputs "test" and "longer" (as far as there are such), which no corpus may hold."""
    contents: set[str] = set()
    for name in ("test", "longer"):
        if name in inputs:
            table = read_parquet(inputs[name] / "problems.parquet", columns=["metadata"])
            contents |= world.contents(table["metadata"])
    return contents


def pretrain(task: Task, config: TrainedBase, corpus: list[Solved], vocabulary: Vocabulary) -> Outcome:
    """Writes the checkpoint of a Llama that has read the corpus once."""
    import torch

    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.core.plots import Axis, Series, save_png

    tokenizer = make_tokenizer(config.max_positions, vocabulary)
    encoded = encode(tokenizer, corpus)
    lengths = [len(prompt) + len(solution) for prompt, solution in encoded]
    fits = fitting(
        lengths, config.max_positions, "solutions of the corpus", "base.max_positions", task.progress
    )
    pairs = [encoded[i] for i in fits]
    task.progress(f"corpus: {len(pairs)} solutions")

    model = build_model(config, tokenizer, task.seed)
    torch.nn.Module.to(model, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    losses = train(model, pairs, config, task.seed, task.progress, Checkpoints.of(task))
    save(model, tokenizer, task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", *smoothed(losses))],
        Axis("Pre-training on the corpus", "update", "loss on solution tokens", percent=False),
    )
    tokens = sum(len(prompt) + len(solution) for prompt, solution in pairs)
    parameters = non_embedding_parameters(model)
    return Outcome(
        figures={
            "parameters": parameters,
            "updates": len(losses),
            "corpus_solutions": len(pairs),
            "too_long": len(encoded) - len(pairs),
            "corpus_tokens": tokens,
            "loss_last_50": sum(losses[-50:]) / len(losses[-50:]),
        },
        cost=Cost(flops=flops_train(parameters, tokens), tokens_trained=tokens),
        rows=len(pairs),
        sample=[{"question": q, "solution": "\n".join(steps)} for q, steps in corpus[:5]],
    )


def encode(tokenizer: PreTrainedTokenizerBase, corpus: list[Solved]) -> list[Pair]:
    """Prompts and solutions, encoded apart, as sampling and fine-tuning will see them."""
    prompts = tokenizer([question + "\n" for question, _ in corpus], add_special_tokens=False)["input_ids"]
    texts = ["".join(step + "\n" for step in steps) for _, steps in corpus]
    solutions = tokenizer(texts, add_special_tokens=False)["input_ids"]
    end = [tokenizer.eos_token_id]
    return [(prompt, solution + end) for prompt, solution in zip(prompts, solutions, strict=True)]


def build_model(config: LlamaConfig, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A freshly initialised Llama; transformers and vLLM load it without code of ours."""
    import torch
    from transformers import GenerationConfig, LlamaForCausalLM
    from transformers import LlamaConfig as LlamaShape

    from o1_assets.engine.fused_llama import fuse

    torch.manual_seed(seed)
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    llama = LlamaShape(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=False,  # 29 tokens: there is next to nothing to save
        dtype="float32",
        **special,
    )
    model: LlamaForCausalLM = fuse(LlamaForCausalLM(llama))
    model.generation_config = GenerationConfig(do_sample=True, temperature=1.0, **special)
    return model


def batches(pairs: list[Pair], batch_size: int, seed: int) -> Iterator[list[Pair]]:
    """One pass over the pairs, in batches of prompts of near equal length."""
    # By the prompt's length, never the solution's. A batch of short solutions is all direct answers and one of long
    # solutions all corrections, so each update pulls towards one kind: the base then wrote three times as many bare
    # answers as its corpus has.
    return batches_by_length(pairs, lambda pair: len(pair[0]), batch_size, seed)


def collate(batch: list[Pair], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """ids and labels, both (batch, tokens), padded on the right; labels are -100 outside the solution."""
    import torch

    width = max(len(p) + len(s) for p, s in batch)
    ids = [p + s + [pad] * (width - len(p) - len(s)) for p, s in batch]
    # -100 is what cross_entropy ignores.
    labels = [[-100] * len(p) + s + [-100] * (width - len(p) - len(s)) for p, s in batch]
    return torch.tensor(ids), torch.tensor(labels)


def train(
    model: LlamaForCausalLM,
    pairs: list[Pair],
    config: LlamaConfig,
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
    checkpoints: Checkpoints | None = None,
) -> list[float]:
    """One pass over the pairs, in place, from the last checkpoint on. Returns the loss of every update."""
    # Muon orthogonalises the update of a matrix (Jordan et al. 2024); embeddings, norms and head have no such meaning.
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]

    def loss_of(batch: list[Pair], part: list[Pair]) -> torch.Tensor:
        return solution_loss(model, part, sum(len(solution) for _, solution in batch))

    return one_pass(
        model,
        matrices,
        list(batches(pairs, config.batch_size, seed)),
        loss_of,
        muon_lr=config.muon_lr,
        adamw_lr=config.adamw_lr,
        warmup=config.warmup,
        max_grad_norm=config.max_grad_norm,
        autocast=config.autocast,
        progress=progress,
        checkpoints=checkpoints,
    )


def solution_loss(model: LlamaForCausalLM, batch: list[Pair], total: int) -> torch.Tensor:
    """A share of a batch's loss: summed over its solutions' tokens, divided by those of the whole batch."""
    import torch

    ids, labels = collate(batch, model.config.pad_token_id)  # type: ignore[arg-type]
    # No attention mask: padding is on the right, where a causal model never looks.
    # (batch, tokens, vocabulary) -> (batch * (tokens - 1), vocabulary): position t predicts token t + 1.
    logits = model(input_ids=ids.to(model.device), use_cache=False).logits[:, :-1].flatten(0, 1)
    targets = labels[:, 1:].flatten().to(model.device)
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / total


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """A Hugging Face folder: config, generation config, safetensors, tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
