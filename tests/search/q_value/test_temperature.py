from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from o1_assets.search.q_value.calibration import Scaling, calibration, calibration_error, fit_scaling, scale


def overconfident(seed: int, steps: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """predicted, happened, weight: the model's logits are 3 times the true ones, and 1 too high."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=steps)
    weight = rng.integers(1, 9, size=steps)
    happened = rng.binomial(weight, 1 / (1 + np.exp(-logits))) / weight
    return 1 / (1 + np.exp(-(3 * logits + 1))), happened, weight.astype(float)


def test_a_scaling_fitted_on_some_steps_makes_the_chances_of_others_come_true() -> None:
    scaling = fit_scaling(*overconfident(0))
    assert scaling.slope == pytest.approx(1 / 3, abs=0.02) and scaling.shift == pytest.approx(
        -1 / 3, abs=0.05
    )
    predicted, happened, weight = overconfident(1)
    before = calibration_error(calibration(predicted, happened, weight, 10))
    after = calibration_error(calibration(scaling(predicted), happened, weight, 10))
    assert before is not None and after is not None and before > 0.1 > 0.03 > after


def test_a_calibrated_model_is_left_as_it_is() -> None:
    predicted, happened, weight = overconfident(0)
    true = 1 / (1 + np.exp(-(np.log(predicted / (1 - predicted)) - 1) / 3))
    scaling = fit_scaling(true, happened, weight)
    assert scaling.slope == pytest.approx(1, abs=0.05) and scaling.shift == pytest.approx(0, abs=0.05)


def test_nothing_to_fit_changes_nothing_and_one_kind_of_outcome_stays_finite() -> None:
    none = np.zeros(0)
    assert fit_scaling(none, none, none) == Scaling()
    always = fit_scaling(np.array([0.2, 0.9]), np.ones(2), np.ones(2))
    assert 0 < always.slope < 100 and 0 < always.shift < 100
    assert np.isfinite(always(np.array([0.0, 1.0]))).all()


def test_the_saved_model_says_the_scaled_chances(tmp_path: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.reward.model import ORM_CLASSES, load_reward_model, save_reward_model, start_reward_model

    tokenizer = make_tokenizer(64)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **sizes)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "policy")
    tokenizer.save_pretrained(tmp_path / "policy")
    model = start_reward_model(tmp_path / "policy", ORM_CLASSES, None)
    inputs = {
        "input_ids": torch.arange(5, 17).view(2, 6),
        "position_ids": torch.arange(6).expand(2, 6),
        "attention_mask": torch.ones(6, 6, dtype=torch.bool).tril().expand(2, 1, 6, 6),
    }

    def chances(of: torch.nn.Module) -> np.ndarray:
        with torch.no_grad():
            logits: torch.Tensor = of(**inputs)["logits"]
        return np.asarray(logits.double().softmax(-1)[..., 1].numpy())

    scaling = Scaling(0.4, -0.7)
    expected = scaling(chances(model))
    assert np.abs(expected - chances(model)).max() > 0.05
    scale(model, scaling)
    save_reward_model(model, tmp_path / "policy", tmp_path / "scaled")
    np.testing.assert_allclose(chances(load_reward_model(tmp_path / "scaled")), expected, atol=1e-5)
