"""`make check-gpu`: whether a GPU computes what the CPU does, how fast, and with how much memory. Five minutes at most.

One random Llama of 100M parameters samples, is scored, becomes a PRM on made-up labels and is trained by GRPO for some
updates: by the stages of the graph themselves, in bfloat16 on the GPU and in float32 on the CPU. Log-probabilities and
losses of both have to agree within TOLERANCES. Each device computes in a process of its own, because what a process
sees of CUDA is decided when it starts. Figures go to benchmarks/gpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from o1_assets.core.files import json_bytes, replace_file

RESULTS = Path(__file__).with_name("gpu.json")
NO_GPU = (
    "there is no GPU here that torch can use: `make check-gpu` compares one with the CPU, so run it on a machine with "
    "one, or `python -m benchmarks.check_gpu --tiny` for a few seconds on the CPU alone, which proves the script"
)
# Seconds of each device. Both together, with the start of their processes, stay below five minutes.
LIMIT = {"gpu": 120, "cpu": 150}


@dataclass(frozen=True)
class Size:
    """samples: of the sampler; scored: sequences whose log-probabilities are compared, of `tokens` tokens as samples
    are. prm_updates, grpo_updates: with `batch` solutions an update; a training logs its loss after 1 and 10."""

    layers: int
    hidden: int
    samples: int
    scored: int
    tokens: int
    prm_updates: int
    grpo_updates: int
    batch: int


# The GPU computes more of what is not compared: its kernels take some rounds to reach their speed.
SIZES = {
    "gpu": Size(12, 768, samples=1024, scored=64, tokens=64, prm_updates=10, grpo_updates=3, batch=16),
    "cpu": Size(12, 768, samples=32, scored=64, tokens=64, prm_updates=10, grpo_updates=1, batch=16),
    "tiny": Size(1, 64, samples=8, scored=8, tokens=16, prm_updates=10, grpo_updates=1, batch=4),
}

# How far bfloat16 (8 bits of fraction, so 0.4% a number) may be from float32. logprob: mean difference of a token's,
# with logits that are several units apart. prm_loss: of each logged loss of the PRM's training, relative.
# prm_score: mean P(right) that the samples of GRPO's first update get, which are other samples in another precision.
TOLERANCES = {"logprob": 0.05, "prm_loss": 0.05, "prm_score": 0.1}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check_gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="both precisions on the CPU, a tiny model")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("--part", nargs=3, metavar=("SIZE", "DTYPE", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.part:
        size, dtype, folder = given.part
        measure(SIZES[size], dtype, Path(folder))
        return
    if not given.tiny:
        import torch

        if not torch.cuda.is_available():
            raise SystemExit(NO_GPU)
    with tempfile.TemporaryDirectory(prefix="check-gpu-") as name:
        figures = compare(Path(name), given.tiny)
    replace_file(given.out, json_bytes(figures))
    for line in report(figures):
        print(line)
    if not figures["agrees"]:
        raise SystemExit("the GPU computes something else than the CPU: see `compared` above")


def compare(folder: Path, tiny: bool) -> dict[str, Any]:
    """Both devices in turn, and whether they agree."""
    prepare(folder, SIZES["tiny" if tiny else "gpu"])
    parts = {"gpu": ("tiny" if tiny else "gpu", "bfloat16"), "cpu": ("tiny" if tiny else "cpu", "float32")}
    measured = {}
    for device, (size, dtype) in parts.items():
        out = folder / device
        out.mkdir()
        started = time.perf_counter()
        if tiny:
            measure(SIZES[size], dtype, out)
        else:
            _measure_apart(device, size, dtype, out)
        measured[device] = json.loads((out / "figures.json").read_text())
        measured[device]["seconds"] = round(time.perf_counter() - started, 1)
    compared = differences(measured["gpu"], measured["cpu"])
    agrees = all(row["difference"] <= row["tolerance"] for row in compared.values())
    return {"tiny": tiny, "agrees": agrees, "compared": compared, **measured}


def _measure_apart(device: str, size: str, dtype: str, out: Path) -> None:
    """In a process of its own, which sees the GPU or does not."""
    part = [sys.executable, "-W", "ignore", "-m", "benchmarks.check_gpu", "--part", size, dtype, str(out)]
    seen = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    try:
        subprocess.run(part, check=True, env={**os.environ, **seen}, timeout=LIMIT[device])
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"the part on the {device} did not end: {error}") from None


def differences(gpu: Mapping[str, Any], cpu: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    pairs = [
        (a, b)
        for x, y in zip(gpu["logprobs"], cpu["logprobs"], strict=True)
        for a, b in zip(x, y, strict=True)
    ]
    first, second = gpu["prm"], cpu["prm"]
    found = {
        "logprob": sum(abs(a - b) for a, b in pairs) / len(pairs),
        "prm_loss": max(abs(first[n] - second[n]) / second[n] for n in ("loss_first", "loss_last")),
        "prm_score": abs(gpu["grpo"]["prm_score_first"] - cpu["grpo"]["prm_score_first"]),
    }
    # What is no number must not pass for a small difference.
    return {
        name: {"difference": value if value == value else 1e9, "tolerance": TOLERANCES[name]}
        for name, value in found.items()
    }


def report(figures: Mapping[str, Any]) -> list[str]:
    gpu = figures["gpu"]
    lines = [
        f"{gpu['device']}, {gpu['parameters'] / 1e6:.0f}M parameters without embeddings, {gpu['dtype']}:"
    ]
    for stage, row in gpu["stages"].items():
        share = "" if row["utilisation"] is None else f", {row['utilisation']:.1%} of its peak"
        lines.append(
            f"  {stage:7} {row['tokens_a_second']:12,.0f} tokens/s{share}, {row['memory_gib']:.2f} GiB at most"
        )
    for name, row in figures["compared"].items():
        lines.append(
            f"  {name:10} differs from the CPU's by {row['difference']:.4f}, {row['tolerance']} allowed"
        )
    return lines


# -- what both devices start from ------------------------------------------------------------------------------


def prepare(folder: Path, size: Size) -> None:
    """A random policy and reward models of its size, problems, and labels that follow a rule one can learn."""
    import polars as pl
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from o1_assets.base.tokenizer import ARITHMETIC, make_tokenizer
    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model

    tokenizer = make_tokenizer(256, ARITHMETIC)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=size.hidden, intermediate_size=4 * size.hidden,
            num_hidden_layers=size.layers, num_attention_heads=size.hidden // 32, max_position_embeddings=256,
            tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    with torch.no_grad():
        # Random weights say nearly the same of every token, and then no precision would be too coarse.
        model.lm_head.weight.mul_(5.0)
    # Rounded once, so that both devices hold the same weights.
    cast(Any, model).to(torch.bfloat16).to(torch.float32).save_pretrained(folder / "policy")
    tokenizer.save_pretrained(folder / "policy")
    for name, classes in (("prm", PRM_CLASSES), ("orm", ORM_CLASSES)):
        started = start_reward_model(folder / "policy", classes, None)
        save_reward_model(started, folder / "policy", folder / name)
    rng = Random(0)
    rows = []
    for i in range(64):
        question = f"Calculate {rng.randint(2, 9)} * {rng.randint(2, 9)} - {rng.randint(2, 9)}."
        rows.append(
            {
                "problem_id": f"{i:016x}",
                "question": question,
                "answer": "2",
                "grader": "math",
                "metadata": "{}",
            }
        )
    for name, table in (("train", pl.DataFrame(rows)), ("labels", _labels(rows, rng))):
        (folder / name).mkdir()
        table.write_parquet(folder / name / ("problems.parquet" if name == "train" else "labels.parquet"))


def _labels(problems: list[dict[str, Any]], rng: Random) -> Any:
    """labels.parquet: a step whose sum begins with a 7 is wrong, which a model of any precision can learn."""
    import polars as pl

    rows = []
    for number in range(4 * len(problems)):
        problem, prefix = problems[number % len(problems)], list[str]()
        for step in range(4):
            text = f"{rng.randint(0, 9)} + {rng.randint(0, 9)} = {rng.randint(0, 9)}"
            rows.append(
                {
                    "solution_id": f"{number:016x}", "problem_id": problem["problem_id"],
                    "question": problem["question"], "step": step, "completion": 0, "text": text,
                    "prefix": list(prefix), "rating": -1 if text.startswith("7") else 1,
                }
            )  # fmt: skip
            if text.startswith("7"):
                break
            prefix.append(text)
    return pl.DataFrame(rows, schema_overrides={"step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8})


# -- what one device does --------------------------------------------------------------------------------------


def measure(size: Size, dtype: str, out: Path) -> None:
    """All stages on what this process sees; writes figures.json into `out`, beside which `prepare` wrote."""
    import torch

    from o1_assets.core.flops import flops_generate, flops_score, non_embedding_parameters
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.engine.transformers_engine import TransformersEngine

    gpu = torch.cuda.is_available()
    inputs = {name: out.parent / name for name in ("policy", "prm", "orm", "train", "labels")}
    stages: dict[str, dict[str, Any]] = {}
    model = load_causal_lm(inputs["policy"], dtype).to("cuda" if gpu else "cpu").eval()
    engine, parameters = (
        TransformersEngine(model, load_tokenizer(inputs["policy"])),
        non_embedding_parameters(model),
    )

    def timed(name: str, work: Callable[[], tuple[Any, int, float]]) -> Any:
        """work: its result, the tokens that went through a model, and their FLOPs."""
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        result, tokens, flops = work()
        if gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        peak = _peak()
        stages[name] = {
            "seconds": round(seconds, 3),
            "tokens_a_second": round(tokens / seconds, 1),
            "utilisation": None if peak is None else round(flops / seconds / peak, 5),
            "memory_gib": round(_memory(gpu), 3),
        }
        return result

    def sample() -> tuple[Any, int, float]:
        from o1_assets.core.engine import SamplingParams

        prompts = [engine.tokenizer.encode(q, add_special_tokens=False) for q in _prompts(inputs["train"])]
        asked = [prompts[i % len(prompts)] for i in range(size.samples)]
        drawn = engine.sample(asked, SamplingParams(size.tokens), range(size.samples))
        tokens = sum(len(one.token_ids) for one in drawn)
        return drawn, tokens, flops_generate(parameters, tokens)

    def score() -> tuple[Any, int, float]:
        rng, words = Random(1), len(engine.tokenizer)
        texts = [[rng.randrange(words) for _ in range(size.tokens)] for _ in range(size.scored)]
        tokens = size.tokens * size.scored
        return engine.logprobs(texts, [1] * len(texts)), tokens, flops_score(parameters, tokens)

    sample()  # the first call starts kernels up
    timed("sample", sample)
    logprobs = timed("score", score)
    del model
    engine.close()
    prm = timed("prm", lambda: _train_prm(inputs, out / "prm", size, dtype))
    grpo = timed("grpo", lambda: _train_policy(inputs, out / "grpo", size, dtype))
    figures = {
        "device": torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads",
        "dtype": dtype,
        "torch": torch.__version__,
        "parameters": parameters,
        "size": asdict(size),
        "stages": stages,
        "logprobs": [[round(value, 5) for value in row] for row in logprobs],
        "prm": prm,
        "grpo": grpo,
    }
    (out / "figures.json").write_bytes(json_bytes(figures))


def _prompts(train: Path) -> list[str]:
    import polars as pl

    return [question + "\n" for question in pl.read_parquet(train / "problems.parquet")["question"]]


def _task(inputs: Mapping[str, Path], out: Path) -> Any:
    from o1_assets.core.artifact import Task

    def no_engine(path: Path) -> Any:
        raise AssertionError(f"nothing here samples with an engine of its own: {path}")

    out.mkdir()
    return Task(dict(inputs), out, 7, no_engine)


def _tuning(dtype: str) -> Any:
    """As qwen is trained on a GPU with all weights: held in float32, multiplied in bfloat16."""
    from o1_assets.engine.training.config import TuningConfig

    return TuningConfig(autocast=dtype == "bfloat16")


def _train_prm(inputs: Mapping[str, Path], out: Path, size: Size, dtype: str) -> tuple[Any, int, float]:
    from o1_assets.reward.config import PRMConfig
    from o1_assets.reward.train import make_prm

    config = PRMConfig(
        updates=size.prm_updates, batch_size=size.batch, probability_feature=False, optimizer="adamw",
        adamw_lr=1e-4, tuning=_tuning(dtype),
    )  # fmt: skip
    done = make_prm(
        _task({"init": inputs["policy"], "generator": inputs["policy"], "labels_00": inputs["labels"]}, out),
        config,
    )
    kept = {name: done.figures[name] for name in ("loss_first", "loss_last", "held_out_auc")}
    return kept, done.cost.tokens_trained + done.cost.tokens_scored, done.cost.flops


def _train_policy(inputs: Mapping[str, Path], out: Path, size: Size, dtype: str) -> tuple[Any, int, float]:
    from o1_assets.core.prompt_format import PromptFormat
    from o1_assets.policy.config import PolicyConfig
    from o1_assets.policy.train import make_policy

    config = PolicyConfig(
        updates=size.grpo_updates, problems_per_update=size.batch // 4, group_size=4, learning_rate=1e-5,
        prompt=PromptFormat(max_tokens=size.tokens), tuning=_tuning(dtype),
    )  # fmt: skip
    roles = {name: inputs[name] for name in ("policy", "prm", "orm", "train")} | {
        "generator": inputs["policy"]
    }
    done = make_policy(_task(roles, out), config)
    cost = done.cost
    tokens = cost.tokens_generated + cost.tokens_scored + cost.tokens_trained
    return {"prm_score_first": done.figures["prm_score_first"]}, tokens, cost.flops


def _peak() -> float | None:
    """FLOP/s of this GPU's tensor cores, as its maker states it; None for one that `o1 plan` does not know."""
    import torch

    from o1_assets.plan.hardware import GPUS

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name().lower().replace(" ", "")
    # The longest name first: "h100-pcie" before "h100".
    known = (
        gpu for gpu in sorted(GPUS, key=len, reverse=True) if gpu.replace("-", "") in name.replace("-", "")
    )
    return next((GPUS[gpu].peak for gpu in known), None)


def _memory(gpu: bool) -> float:
    """The most that the stage held, in GiB: of the GPU's memory, or of this process so far."""
    import resource

    import torch

    if gpu:
        return float(torch.cuda.max_memory_allocated()) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main(sys.argv[1:])
