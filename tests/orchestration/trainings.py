"""The three trainings that several GPUs can share, tiny, in as many processes as it is started in.

    accelerate launch --multi_gpu --num_processes 2 -m tests.orchestration.trainings FOLDER

Process 0 writes what they came to: FOLDER/<training>.safetensors and FOLDER/trainings.json.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import torch
from safetensors.torch import save_file
from transformers import Trainer

from o1_assets.core.artifact import Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig
from o1_assets.engine.training.processes import all_gather_object, processes, rank
from o1_assets.generator.config import SftConfig
from o1_assets.generator.sft import make_generator
from o1_assets.policy.config import GroupSearchConfig, PolicyConfig
from o1_assets.policy.train import train_policy
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.train import make_prm
from tests.policy.world import QUESTIONS, ExactRewards, tiny_policy
from tests.reward.conftest import make_labels

POLICY = PolicyConfig(
    updates=3,
    problems_per_update=4,
    group_size=6,
    learning_rate=2e-3,
    prompt=PromptFormat(max_tokens=24),
    search=GroupSearchConfig(share=0.5),
)


SFT = SftConfig(batch_size=8, learning_rate=2e-3)


PRM = PRMConfig(updates=6, batch_size=4, muon_lr=0.02)


IN_PIECES = {"prm": TuningConfig(micro_batch=1), "policy": TuningConfig(micro_batch=2)}
"""Each process's share, of 2 rows and of 12, in 2 pieces and in 6; a policy's share is always cut into 4."""


def run(folder: Path) -> None:
    torch.set_num_threads(1)
    found: dict[str, Any] = {"processes": processes()}
    model, tokenizer = tiny_policy()
    base, sft_set, uneven_set, labels = (folder / name for name in ("base", "sft_set", "uneven", "labels"))
    if rank() == 0:
        for made in (base, sft_set, uneven_set, labels):
            made.mkdir()
        model.save_pretrained(base)
        tokenizer.save_pretrained(base)
        rows = [
            {"question": f"Calculate {i} + {i % 3}.", "text": f"{i}+{i % 3}={i + i % 3}"} for i in range(44)
        ]
        pl.DataFrame(rows).write_parquet(sft_set / "sft_set.parquet")
        # No two are equally long, so that no two batches are.
        uneven = [{**row, "text": row["text"] + "\n" + "1" * 4 * i} for i, row in enumerate(rows[:43])]
        pl.DataFrame(uneven).write_parquet(uneven_set / "sft_set.parquet")
        make_labels(40).write_parquet(labels / "labels.parquet")
    all_gather_object("process 0 has written them")

    inputs = {"base": base, "sft_set": sft_set}
    found["sft"] = _trained(folder / "sft", lambda task: make_generator(task, SFT), inputs)
    inputs = {"base": base, "sft_set": uneven_set}
    found["uneven"] = _trained(folder / "uneven_sft", lambda task: make_generator(task, SFT), inputs)
    inputs = {"generator": base, "init": base, "labels_00": labels}
    found["prm"] = _trained(folder / "prm", lambda task: make_prm(task, PRM), inputs)
    cut = PRM.model_copy(update={"tuning": IN_PIECES["prm"]})
    found["prm_in_pieces"] = _trained(folder / "prm_in_pieces", lambda task: make_prm(task, cut), inputs)

    problems = [{"question": QUESTIONS[i % len(QUESTIONS)]} for i in range(12)]
    in_pieces = POLICY.model_copy(update={"tuning": IN_PIECES["policy"]})
    for name, config in (("policy", POLICY), ("policy_in_pieces", in_pieces)):
        own = copy.deepcopy(model)
        with _watched() as seen, _most_rows() as most:
            curve, _, tokens = train_policy(own, tokenizer, ExactRewards(tokenizer), problems, config, 5)
        found[name] = {"batches": seen, "curve": curve, "tokens": tokens, "most_rows": max(most)}
        if rank() == 0:
            weights = {name: value.contiguous().clone() for name, value in own.state_dict().items()}
            weights.pop("lm_head.weight", None)  # tied
            save_file(weights, folder / f"{name}.safetensors")
    if rank() == 0:
        (folder / "trainings.json").write_text(json.dumps(found))


def _trained(to: Path, train: Callable[[Task], Any], inputs: dict[str, Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out, _watched() as seen, _most_rows() as most:
        outcome = train(Task(inputs, Path(out), 5, _no_engine))
        if rank() == 0:
            Path(out, "model.safetensors").rename(to.with_suffix(".safetensors"))
    return {"figures": outcome.figures, "batches": seen, "most_rows": max(most)}


@contextmanager
def _watched() -> Iterator[list[list[Any]]]:
    """The rows of each update, of all processes in their order: prompts, or tokens without padding."""
    seen: list[list[Any]] = []
    draw = Trainer.get_batch_samples

    def noting(self: Any, *arguments: Any) -> Any:
        batches, count = draw(self, *arguments)
        for batch in batches:
            own = [row["prompt"] for row in batch] if isinstance(batch, list) else _rows(batch["input_ids"])
            seen.append([row for part in all_gather_object(own) for row in part])
        return batches, count

    Trainer.get_batch_samples = noting
    try:
        yield seen
    finally:
        Trainer.get_batch_samples = draw


@contextmanager
def _most_rows() -> Iterator[list[int]]:
    """How many sequences went through a model at once, each time that it was trained on some."""
    found: list[int] = []

    def note(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Embedding) and module.training and torch.is_grad_enabled():
            found.append(len(arguments[0]))

    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield found
    finally:
        hook.remove()


def _rows(ids: torch.Tensor) -> list[str]:
    """Padding is token 0, at the end."""
    return [re.sub("( 0)+$", "", " ".join(map(str, row))) for row in ids.tolist()]


def _no_engine(path: Path) -> Any:
    raise AssertionError("these trainings open no engine")


if __name__ == "__main__":
    from accelerate import PartialState

    PartialState(cpu=True)
    run(Path(sys.argv[1]))
