"""The recipe's block of code is run as it stands, with small models of random weights."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from o1_assets.core.settings import PROJECT
from tests.digits import digit_tokenizer

RECIPE = PROJECT / "docs" / "recipes" / "grpo-with-your-prm.md"


@pytest.mark.parametrize("classes", [2, 3])
def test_the_recipe_trains_a_policy_with_a_prm_in_a_folder(
    classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

    [block] = re.findall(r"```python\n(.*?)```", RECIPE.read_text(), re.DOTALL)
    tokenizer = digit_tokenizer(128)
    ids: dict[str, Any] = {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, max_position_embeddings=128, num_labels=classes, **ids,
    )  # fmt: skip
    torch.manual_seed(0)
    for name, model in (("policy", LlamaForCausalLM(config)), ("prm", LlamaForTokenClassification(config))):
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "questions.jsonl").write_text(json.dumps({"question": "What is 3 * 4 - 5?"}) + "\n")
    small = block.replace("max_tokens=256", "max_tokens=24").replace(
        "problems_per_update=8", "problems_per_update=2"
    )
    folders = [str(tmp_path / name) for name in ("policy", "prm", "questions.jsonl", "out")]
    monkeypatch.setattr(sys, "argv", ["recipe.py", *folders, "2"])
    exec(compile(small, str(RECIPE), "exec"), {"__name__": "__main__"})
    curve = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert len(curve) == 2 and 0 < curve[0]["prm_score"] < 1
    before, after = (LlamaForCausalLM.from_pretrained(tmp_path / name) for name in ("policy", "out"))
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))
