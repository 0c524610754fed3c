from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from o1_assets.engine.kv_cache import BufferCache
from o1_assets.engine.llama_step import LlamaStep
from tests.engine.models import engine


def llama(shared: int = 4, **options: Any) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=29,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=shared,
        rms_norm_eps=1e-2,  # large enough to be seen
        **options,
    )
    made = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.copy_(torch.rand_like(weight) + 0.5 if "norm" in name else torch.randn_like(weight) * 0.2)
    return made


@pytest.mark.parametrize("shared", (4, 2))
@pytest.mark.parametrize("padded", (False, True))
def test_its_logits_and_its_cache_are_the_models(shared: int, padded: bool):
    model = llama(shared)
    torch.manual_seed(1)
    ids = torch.randint(29, (5, 9))
    mask = torch.ones(5, 9, dtype=torch.long)
    if padded:
        mask[0, :3] = mask[3, :5] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    caches = [BufferCache(model.config, 12), BufferCache(model.config, 12)]
    with torch.inference_mode():
        for cache in caches:
            model(
                ids[:, :6], attention_mask=mask[:, :6], position_ids=positions[:, :6], past_key_values=cache
            )
        step = LlamaStep(model)
        for at in range(6, 9):
            seen, where = mask[:, : at + 1], positions[:, at]
            theirs = model(
                ids[:, at : at + 1],
                attention_mask=seen,
                position_ids=where[:, None],
                past_key_values=caches[0],
            ).logits[:, -1]
            bias = torch.zeros(seen.shape).masked_fill_(seen == 0, float("-inf")) if padded else None
            mine = step(
                ids[:, at : at + 1], where[:, None], None if bias is None else bias[:, None], caches[1]
            )
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    for mine, other in zip(caches[1].buffers, caches[0].buffers, strict=True):
        assert mine.keys is not None and other.keys is not None
        torch.testing.assert_close(mine.keys[:, :, :9], other.keys[:, :, :9], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shared", (4, 2))
def test_several_tokens_at_once_are_what_one_after_another_are(shared: int):
    model = llama(shared)
    torch.manual_seed(2)
    ids = torch.randint(29, (3, 7))
    places = torch.arange(7).expand(3, 7)
    causal = torch.full((7, 7), float("-inf")).triu(1).expand(3, 7, 7)
    with torch.inference_mode():
        step = LlamaStep(model)
        together, apart = BufferCache(model.config, 8), BufferCache(model.config, 8)
        logits = step(ids, places, causal, together)
        for at in range(7):
            last = step(ids[:, at : at + 1], places[:, at : at + 1], None, apart)
        torch.testing.assert_close(logits, last, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits, model(ids).logits[:, -1], rtol=1e-4, atol=1e-5)


def test_only_a_small_plain_llama_in_float32_is_computed_by_it():
    assert LlamaStep.fits(llama())
    assert not LlamaStep.fits(llama(attention_bias=True))
    assert not LlamaStep.fits(llama(hidden_act="gelu"))
    assert not LlamaStep.fits(llama().double())
    assert [LlamaStep.fits(engine(kind).model) for kind in ("llama", "qwen2", "gpt2")] == [True, False, False]
