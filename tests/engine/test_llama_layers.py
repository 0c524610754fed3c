from copy import deepcopy
from typing import Any

import pytest
import torch

from o1_assets.engine import llama_layers
from o1_assets.engine.fused_llama import FusedLlama, fuse
from o1_assets.engine.kv_cache import BufferCache
from o1_assets.engine.llama_layers import Layers
from tests.engine.models import engine
from tests.engine.test_llama_step import llama

ROWS, NEW = 4, 9


def masks() -> dict[str, Any]:
    padded = torch.ones(ROWS, NEW, dtype=torch.long)
    padded[0, :3] = padded[2, :5] = 0
    tree = torch.rand(ROWS, 1, NEW, NEW) < 0.4
    tree = (tree | torch.eye(NEW, dtype=torch.bool)).tril()
    of_tree = torch.where(tree, 0.0, torch.finfo(torch.float32).min)
    return {"none": None, "padded": padded, "tree": of_tree, "seen": tree}


@pytest.mark.parametrize("kind", ("none", "padded", "tree", "seen"))
def test_its_logits_and_its_gradients_are_the_models(kind: str):
    plain, mask = llama(), masks()[kind]
    fused = fuse(deepcopy(plain))
    torch.manual_seed(1)
    ids = torch.randint(29, (ROWS, NEW))
    weight = torch.randn(ROWS, NEW, 29) * (mask[..., None] if kind == "padded" else 1)
    logits = []
    for model in (plain, fused):
        logits.append(model(ids, attention_mask=mask).logits * (weight != 0))
        (logits[-1] * weight).sum().backward()
    assert type(fused.model) is FusedLlama
    assert "Layers" in str(fused.model(ids, attention_mask=mask).last_hidden_state.grad_fn)
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-5)
    for (name, theirs), mine in zip(plain.named_parameters(), fused.parameters(), strict=True):
        assert theirs.grad is not None and mine.grad is not None
        error = (theirs.grad - mine.grad).abs().max() / theirs.grad.abs().max()
        assert error < 1e-4, name


def test_what_it_does_not_compute_the_model_computes(monkeypatch: pytest.MonkeyPatch):
    fused, ids = fuse(llama()), torch.randint(29, (2, 5))
    expected = fused(ids).logits
    monkeypatch.setattr(Layers, "apply", None)
    with pytest.raises(TypeError):
        fused(ids)
    for same in (
        fused(ids, past_key_values=BufferCache(fused.config, 5)),
        fused(ids, use_cache=True),
        fused(ids, output_hidden_states=True),
    ):
        torch.testing.assert_close(same.logits, expected, rtol=1e-4, atol=1e-5)
    fused.double()(ids)


def test_autocast_multiplies_in_bfloat16_and_changes_little_else(monkeypatch: pytest.MonkeyPatch):
    fused = fuse(llama())
    torch.manual_seed(1)
    ids, weight = torch.randint(29, (16, NEW)), torch.randn(16, NEW, 29)

    def computed(able: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        monkeypatch.setattr(llama_layers, "multiplies_bfloat16", lambda: able)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = fused.model(ids).last_hidden_state
        assert hidden.dtype == torch.float32 and "Layers" in str(hidden.grad_fn)
        loss = (fused.lm_head(hidden) * weight).sum()
        return hidden, list(torch.autograd.grad(loss, list(fused.parameters())))

    expected, of_float32 = computed(False)
    assert torch.equal(expected, fused.model(ids).last_hidden_state)
    hidden, of_bfloat16 = computed(True)
    assert 1e-4 < (hidden - expected).abs().max() / expected.abs().max() < 0.03
    for theirs, mine in zip(of_float32, of_bfloat16, strict=True):
        assert torch.nn.functional.cosine_similarity(theirs.flatten(), mine.flatten(), dim=0) > 0.995


def test_a_few_sizes_of_products_serve_all_numbers_of_rows():
    rows = range(llama_layers.FEWEST_ROWS, 4096)
    sizes = [llama_layers.padded(n, torch.bfloat16) for n in rows]
    assert all(n <= size < 1.25 * n + 1 for n, size in zip(rows, sizes, strict=True))
    assert len(set(sizes)) == 5 * llama_layers.SIZES_AN_OCTAVE + 1
    assert [llama_layers.padded(n, torch.float32) for n in rows] == list(rows)


def test_rows_that_fill_up_a_product_change_nothing(monkeypatch: pytest.MonkeyPatch):
    # Bfloat16's rounding would hide a small fault: the rows are added to products in float32 instead.
    fused = fuse(llama())
    torch.manual_seed(1)
    ids, weight = torch.randint(29, (ROWS, NEW)), torch.randn(ROWS, NEW, 29)
    results = []
    for more in (0, 7):
        monkeypatch.setattr(llama_layers, "padded", lambda rows, products, more=more: rows + more)
        logits = fused(ids, attention_mask=masks()["padded"]).logits
        gradients = torch.autograd.grad((logits * weight).sum(), list(fused.parameters()))
        results.append([logits.detach(), *gradients])
    for alone, filled_up in zip(*results, strict=True):
        torch.testing.assert_close(filled_up, alone, rtol=1e-5, atol=1e-5)


def test_a_head_multiplies_in_float32():
    fused = fuse(llama())
    hidden = torch.randn(5, fused.config.hidden_size)
    with torch.autocast("cpu", torch.bfloat16):
        logits = fused.lm_head(hidden)
    assert logits.dtype == torch.float32 and torch.equal(logits, hidden @ fused.lm_head.weight.T)


def test_gradients_are_those_of_float32_where_autocast_was_left_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(llama_layers, "multiplies_bfloat16", lambda: False)
    fused, ids = fuse(llama()), torch.randint(29, (4, NEW))
    gradients = []
    for left_on in (False, True):
        total = fused.model(ids).last_hidden_state.sum()
        with torch.autocast("cpu", torch.bfloat16, enabled=left_on):
            gradients.append(torch.autograd.grad(total, list(fused.model.parameters())))
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_only_a_plain_llama_is_fused():
    others = [llama(2), llama(attention_bias=True), llama(hidden_act="gelu"), engine("qwen2").model]
    assert not any(isinstance(fuse(model).base_model, FusedLlama) for model in others)
