"""The memory that docs/qwen.md states is what the profile's numbers come to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from o1_assets.core.shape import DecoderShape
from o1_assets.engine.transformers_engine import GPU_CACHE_BYTES
from o1_assets.plan.memory import SHAPES, gib, policy_bytes, training_bytes
from o1_assets.profiles.load import load_profile

COLUMNS = ("weights", "gradients", "optimizer", "activations", "logits", "reward models", "kv cache")


DOC = Path(__file__).parents[2] / "docs" / "qwen.md"


LONGEST, IN_RL = 2048, 1280


def rows() -> Iterator[str]:
    for name, size, tuning in (
        ("qwen", "1.5B", "lora"),
        ("qwen-full", "1.5B", "full"),
        ("qwen-7b", "7B", "lora"),
    ):
        profile, shape = load_profile(name, ""), SHAPES[size]
        held = {
            "SFT": training_bytes(shape, profile.sft.tuning, LONGEST),
            "PRM, ORM": training_bytes(shape, profile.first_prm.tuning, LONGEST, with_logits=False),
            "policy": policy_bytes(shape, profile.policy.tuning, IN_RL, GPU_CACHE_BYTES),
        }
        for stage, parts in held.items():
            shown = [f"{parts[name] / 2**30:.1f}" if parts.get(name) else "" for name in COLUMNS]
            yield f"| {' | '.join([stage, size, tuning, *shown, f'{gib(parts):.1f}'])} |"


def test_the_table_is_what_the_numbers_come_to_and_fits_one_gpu() -> None:
    stated = [
        line for line in DOC.read_text().splitlines() if line.startswith(("| SFT", "| PRM", "| policy"))
    ]
    assert stated == list(rows())
    assert all(float(line.split("|")[-2]) < 0.9 * 80e9 / 2**30 for line in stated)


@pytest.mark.parametrize(("size", "parameters"), [("1.5B", 1_543_714_304), ("7B", 7_615_616_512)])
def test_a_shape_counts_every_parameter_of_the_real_architecture(size: str, parameters: int) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    def built(shape: DecoderShape) -> int:
        config = Qwen2Config(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            tie_word_embeddings=shape.tied,
        )
        with torch.device("meta"):
            model = Qwen2ForCausalLM(config)
        return sum(p.numel() for p in model.parameters())

    assert built(SHAPES[size]) == SHAPES[size].total == parameters


if __name__ == "__main__":
    print(*rows(), sep="\n")
