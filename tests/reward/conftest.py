"""A causal checkpoint of a few thousand random weights, and labels that follow a rule one can learn."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.digits import digit_tokenizer

    folder = tmp_path_factory.mktemp("generator")
    tokenizer = digit_tokenizer(256)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=256,
            initializer_range=0.2,
            tie_word_embeddings=False,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(generator: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(generator)


def rule(step: str) -> int:
    """The made-up world of these tests: a step with a 7 in it is wrong, one with a check is neutral."""
    return -1 if "7" in step else 0 if step.startswith("check") else 1


def random_step(rng: Random) -> str:
    text = f"{rng.randint(0, 9)}+{rng.randint(0, 9)}={rng.randint(0, 9)}"
    return f"check {text}" if rng.random() < 0.2 else text


def make_labels(solutions: int, seed: int = 0, problems: int | None = None) -> pl.DataFrame:
    """labels.parquet of dense labels: every step has its own completion and two alternatives."""
    rng = Random(seed)
    rows = []
    for s in range(solutions):
        problem = f"{s % (problems or solutions):016x}"
        prefix: list[str] = []
        for step in range(4):
            texts = [random_step(rng) for _ in range(3)]
            for completion, text in enumerate(texts):
                rows.append(
                    {
                        "solution_id": f"{seed:04x}{s:012x}",
                        "problem_id": problem,
                        "question": f"Calculate {int(problem, 16) % 10} + {s % 7}.",
                        "step": step,
                        "completion": completion,
                        "text": text,
                        "prefix": list(prefix),
                        "rating": rule(text),
                    }
                )
            prefix.append(texts[0])
            if rule(texts[0]) < 0:
                break
    return pl.DataFrame(rows, schema_overrides={"step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8})
