"""A small world to evaluate in: real problems, random checkpoints, a solver that is right at times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from o1_assets.core.engine import Sample, SamplingParams
from o1_assets.problems.expression import Expression

EXPRESSIONS = ("3 * 4 - 5", "7 - 2 - 1", "2 + 3 * 3", "9 - 4 + 1", "6 * 2 + 2", "5 - 8 + 4")


@pytest.fixture(scope="session")
def test_problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test_problems")
    rows = []
    for i, text in enumerate(EXPRESSIONS):
        question, answer = f"Calculate {text}.", str(Expression.parse(text).value())
        metadata = {"source_dataset": "basic_arithmetic", "expression": text}
        entry = {"question": question, "answer": answer, "metadata": metadata}
        rows.append(
            {
                "problem_id": f"{i:016x}", "question": question, "answer": answer, "source": "reasoning_gym",
                "grader": "reasoning_gym:basic_arithmetic", "difficulty": 3, "metadata": json.dumps(entry),
            }
        )  # fmt: skip
    pl.DataFrame(rows, schema_overrides={"difficulty": pl.Int32}).write_parquet(folder / "problems.parquet")
    return folder


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """generator, prm_00, prm_01 and orm: a few thousand random weights each."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model

    root, tokenizer = tmp_path_factory.mktemp("checkpoints"), make_tokenizer(256)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.2,
        tie_word_embeddings=False, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(root / "generator")
    tokenizer.save_pretrained(root / "generator")
    for name, classes in (("prm_00", PRM_CLASSES), ("prm_01", PRM_CLASSES), ("orm", ORM_CLASSES)):
        model = start_reward_model(root / "generator", classes, [-8.0, -2.0, 0.0])
        save_reward_model(model, root / "generator", root / name)
    return {path.name: path for path in sorted(root.iterdir())}


class Pupil:
    """An Engine that solves expressions, sometimes wrongly, sometimes correcting itself; greedy is right."""

    parameters = 1000

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        return [self._solve(list(p), params.temperature == 0, s) for p, s in zip(prompts, seeds, strict=True)]

    def _solve(self, prompt: list[int], greedy: bool, seed: int) -> Sample:
        rng, text = Random(seed), self.tokenizer.decode(prompt)
        state, lines = Expression.parse(text.split("Calculate ")[1].split(".")[0]), []
        while state.ops:
            i = state.next_index()
            a, op, b = state.numbers[i], state.ops[i], state.numbers[i + 1]
            right = state.reduce(i).numbers[i]
            slip = not greedy and rng.random() < 0.3
            lines.append(f"{a}{op}{b}={right + slip}")
            if slip and rng.random() < 0.5:
                lines.append(f"wait {a}{op}{b}={right}")
                slip = False
            state = state.reduce(i, right + slip)
        lines.append(f"answer {state.numbers[0]}")
        tokens = self.tokenizer("".join(line + "\n" for line in lines))["input_ids"]
        return Sample([*tokens, self.tokenizer.eos_token_id], [0.0] * (len(tokens) + 1), True)

    def close(self) -> None: ...
