"""On-policy distillation: a student writes solutions, and is pulled towards the teacher at each of its own tokens.

As Agarwal et al. (GKD, arXiv:2306.13649) and Qwen3 (arXiv:2505.09388, section 4.5) have it: the student meets the
states that its own mistakes lead to, and the teacher says there what it would write. It needs no answers and no reward.
TRL's DistillationTrainer computes the same loss, and was not taken because it samples with `generate`, whose draws
depend on the batch and on torch's state: a killed training would not go on to equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from o1_assets.base.pretrain import Pair, collate
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate, flops_score, flops_train, non_embedding_parameters
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.one_pass import one_pass, smoothed
from o1_assets.experiments.mini.chains import train_problems
from o1_assets.experiments.mini.config import OnPolicyConfig

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from o1_assets.core.engine import Engine


class StudentsSolutions(Sequence[list[Pair]]):
    """The batches of a training, each written by the student as it is when the batch is asked for.

    prompts: token ids of all updates' problems, in order. seeds: of each solution, so that an update that is made again
    after a kill draws the same. tokens: written so far, and read with the prompts, by all updates.
    """

    def __init__(
        self, engine: Engine, prompts: Sequence[list[int]], seeds: Sequence[int], config: OnPolicyConfig
    ) -> None:
        self.engine, self.prompts, self.seeds, self.config = engine, prompts, seeds, config
        self.tokens = {"written": 0, "read": 0}

    def __len__(self) -> int:
        return len(self.prompts) // self.config.solutions

    @overload
    def __getitem__(self, update: int) -> list[Pair]: ...
    @overload
    def __getitem__(self, update: slice) -> Sequence[list[Pair]]: ...
    def __getitem__(self, update: int | slice) -> list[Pair] | Sequence[list[Pair]]:
        size = self.config.solutions
        if isinstance(update, slice):
            first = (update.start or 0) * size
            rest = StudentsSolutions(self.engine, self.prompts[first:], self.seeds[first:], self.config)
            rest.tokens = self.tokens  # one count, however the batches are cut
            return rest
        if update >= len(self):
            raise IndexError(update)
        rows = slice(update * size, (update + 1) * size)
        params = SamplingParams(self.config.prompt.max_tokens, self.config.temperature)
        samples = self.engine.sample(self.prompts[rows], params, self.seeds[rows])
        pairs = [(list(p), s.token_ids) for p, s in zip(self.prompts[rows], samples, strict=True)]
        written = sum(len(solution) for _, solution in pairs)
        self.tokens["written"] += written
        self.tokens["read"] += written + sum(len(prompt) for prompt, _ in pairs)
        return pairs


class CountingCheckpoints(Checkpoints):
    """Checkpoints that also hold the tokens of the updates before a kill."""

    def __init__(self, solutions: StudentsSolutions, task: Task) -> None:
        super().__init__(task.unfinished, task.progress)
        self.solutions = solutions

    def save(self, update: int, state: Mapping[str, Any]) -> None:
        super().save(update, {**state, "tokens": self.solutions.tokens})

    def load(self) -> tuple[int, dict[str, Any]] | None:
        checkpoint = super().load()
        if checkpoint is not None:
            self.solutions.tokens.update(checkpoint[1]["tokens"])
        return checkpoint


def reverse_kl(
    student: PreTrainedModel, teacher: PreTrainedModel, solutions: Sequence[Pair], total: int
) -> torch.Tensor:
    """A share of a batch's loss: KL(student | teacher) in nats, summed over the solutions' tokens, divided by `total`.

    Over the whole vocabulary: the sampled token alone would give an unbiased estimate with much more noise.
    """
    import torch

    ids, labels = collate(list(solutions), student.config.pad_token_id)
    ids, written = ids.to(student.device), (labels[:, 1:] != -100).to(student.device)
    # (batch, tokens, vocabulary) -> (solution tokens, vocabulary). Padding is on the right: no attention mask.
    log_p = student(input_ids=ids, use_cache=False).logits[:, :-1][written].log_softmax(-1)
    with torch.no_grad():
        log_q = teacher(input_ids=ids, use_cache=False).logits[:, :-1][written].log_softmax(-1)
    # The gradient is that of the KL at the states that were reached, not of which states are reached (GKD, section 3).
    return (log_p.exp() * (log_p - log_q)).sum() / total


def make_on_policy(task: Task, config: OnPolicyConfig) -> Outcome:
    """Inputs: student, teacher, train (problems, of which neither answer nor solution is read). Writes a checkpoint.

    Raises ValueError if the two have different vocabularies.
    """
    import torch

    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.engine.transformers_engine import TransformersEngine

    student, teacher = (load_causal_lm(task.inputs[name]) for name in ("student", "teacher"))
    tokenizer = load_tokenizer(task.inputs["student"])
    if tokenizer.get_vocab() != load_tokenizer(task.inputs["teacher"]).get_vocab():
        raise ValueError(
            "student and teacher have different vocabularies: their distributions do not compare"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    student, teacher = student.to(device), teacher.to(device).eval().requires_grad_(False)
    problems, _ = train_problems(read_parquet(task.inputs["train"] / "problems.parquet"))
    rng = np.random.default_rng(derive_seed(task.seed, "problems"))
    count = config.updates * config.solutions
    # Whole passes over the problems: none is drawn twice more often than another.
    passes = [rng.permutation(problems.height) for _ in range(-(-count // problems.height))]
    order = np.concatenate(passes)[:count]
    encoded = config.prompt.encode(tokenizer, problems["question"].to_list())
    engine = TransformersEngine(student, tokenizer)
    seeds = [derive_seed(task.seed, "solutions", i) for i in range(count)]
    batches = StudentsSolutions(engine, [encoded[i] for i in order], seeds, config)

    def loss_of(batch: list[Pair], part: list[Pair]) -> torch.Tensor:
        return reverse_kl(student, teacher, part, sum(len(solution) for _, solution in batch))

    losses = one_pass(
        student,
        [p for p in student.model.layers.parameters() if p.ndim == 2],
        batches,
        loss_of,
        muon_lr=config.muon_lr,
        adamw_lr=config.adamw_lr,
        warmup=config.warmup,
        max_grad_norm=config.max_grad_norm,
        progress=task.progress,
        checkpoints=CountingCheckpoints(batches, task),
    )
    student.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("KL", *smoothed(losses))],
        Axis("On-policy distillation from baby-o1", "update", "KL(student | teacher), nats", percent=False),
    )
    quarter = max(1, len(losses) // 4)
    parameters, written, read = engine.parameters, batches.tokens["written"], batches.tokens["read"]
    return Outcome(
        figures={
            "updates": len(losses),
            "kl_first": sum(losses[:quarter]) / quarter,
            "kl_last": sum(losses[-quarter:]) / quarter,
        },
        cost=Cost(
            flops_generate(parameters, written)
            + flops_train(parameters, read)
            + flops_score(non_embedding_parameters(teacher), read),
            tokens_generated=written,
            tokens_scored=read,
            tokens_trained=read,
        ),
        rows=count,
    )
