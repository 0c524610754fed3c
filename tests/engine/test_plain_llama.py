"""A Llama without transformers' models gives the bits of transformers' Llama, and is taken only where it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForTokenClassification

from o1_assets.core.flops import non_embedding_parameters
from o1_assets.engine.checkpoint import load_causal_lm, load_token_classifier
from o1_assets.engine.kv_cache import BufferCache
from o1_assets.engine.llama_step import LlamaStep
from o1_assets.engine.plain_llama import open_plain_llama
from tests.engine.test_llama_layers import NEW, ROWS, masks
from tests.engine.test_llama_step import llama


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("plain")
    writer = llama()
    classifier = LlamaForTokenClassification(llama(num_labels=3).config)
    for name, model in (("writer", writer), ("classifier", classifier)):
        model.save_pretrained(root / name)
    return {"writer": root / "writer", "classifier": root / "classifier"}


def opened(folders: dict[str, Path], name: str) -> tuple[Any, Any]:
    if name == "writer":
        return open_plain_llama(folders[name], "LlamaForCausalLM"), load_causal_lm(folders[name])
    plain = open_plain_llama(folders[name], "LlamaForTokenClassification")
    return plain, load_token_classifier(folders[name], attn_implementation="sdpa")


@torch.inference_mode()
@pytest.mark.parametrize("name", ["writer", "classifier"])
def test_its_bits_are_those_of_transformers_with_any_mask_and_after_a_cache(
    folders: dict[str, Path], name: str
) -> None:
    plain, theirs = opened(folders, name)
    assert non_embedding_parameters(plain) == non_embedding_parameters(theirs)
    torch.manual_seed(3)
    ids = torch.randint(29, (ROWS, NEW))
    for mask in masks().values():
        logits = [m(input_ids=ids, attention_mask=mask, use_cache=False).logits for m in (plain, theirs)]
        assert torch.equal(*logits)
    columns = NEW + 2
    seen = torch.where(torch.rand(ROWS, 1, 2, columns) < 0.7, 0.0, torch.finfo(torch.float32).min)
    kept = []
    for model in (plain, theirs):
        cache = BufferCache(model.config, columns)
        full = torch.zeros(ROWS, 1, NEW, NEW)
        first = model(input_ids=ids, attention_mask=full, past_key_values=cache, use_cache=True).logits
        after = model(
            input_ids=ids[:, :2],
            position_ids=torch.tensor([[NEW, 4]] * ROWS),
            attention_mask=seen,
            past_key_values=cache,
            use_cache=True,
        ).logits
        # As the sampler continues prefixes: masks of 0 and 1, with padding and without.
        cache = BufferCache(model.config, columns)
        padded = torch.ones(ROWS, columns, dtype=torch.long)
        parts = [first, after]
        for width, new in ((NEW, NEW), (NEW + 1, 1), (columns, 1)):
            options = {"past_key_values": cache, "use_cache": True}
            positions = torch.arange(width - new, width)[None].expand(ROWS, new)
            made = model(ids[:, :new], attention_mask=padded[:, :width], position_ids=positions, **options)
            parts.append(made.logits)
            padded[1, :4] = 0
        cache = BufferCache(model.config, columns)
        left = padded[:, :NEW].flip(1)
        made = model(
            ids,
            attention_mask=left,
            position_ids=positions[:, :1] + ids * 0,
            past_key_values=cache,
            use_cache=True,
        )
        kept.append(torch.cat([*parts, made.logits], dim=1))
    assert torch.equal(*kept)
    if name == "writer":
        steps = [LlamaStep(model) for model in (plain, theirs)]
        assert LlamaStep.fits(plain) and torch.equal(steps[0].cos, steps[1].cos)
        assert plain.generation_config.eos_token_id == theirs.generation_config.eos_token_id


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"num_key_value_heads": 1},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 100.0}},
        {"tie_word_embeddings": True},
        {"dtype": "bfloat16"},
        {"architectures": ["MistralForCausalLM"]},
        {"quantization_config": {}},
        {"head_dim": None},
    ],
)
def test_what_it_would_compute_otherwise_is_left_to_transformers(
    folders: dict[str, Path], tmp_path: Path, changed: dict[str, Any]
) -> None:
    config = json.loads((folders["writer"] / "config.json").read_text()) | changed
    kept = {key: value for key, value in config.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    (tmp_path / "model.safetensors").write_bytes((folders["writer"] / "model.safetensors").read_bytes())
    assert open_plain_llama(folders["writer"], "LlamaForCausalLM") is not None
    assert open_plain_llama(tmp_path, "LlamaForCausalLM") is None
