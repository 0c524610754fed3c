from __future__ import annotations

import numpy as np
import pytest

from o1_assets.evaluation.statistics import resampled_means, trend

SIZES = (0.2e6, 0.7e6, 2e6, 5e6)


def models(
    rng: np.random.Generator, gain: float, seeds: tuple[int, ...] = (3, 3, 3, 3), problems: int = 60
) -> list[np.ndarray]:
    """Values that grow by `gain` a doubling, and vary with the problem (.3), the training (.02) and by themselves."""
    shared = 0.3 * rng.normal(size=(1, problems))
    return [
        0.3
        + gain * np.log2(size / SIZES[0])
        + shared
        + 0.02 * rng.normal(size=(n, 1))
        + 0.1 * rng.normal(size=(n, problems))
        for size, n in zip(SIZES, seeds, strict=True)
    ]


def test_a_line_is_found_with_what_it_gains_for_each_doubling() -> None:
    values = [np.full((2, 5), 0.1 * np.log2(size)) for size in SIZES]
    found = trend(SIZES, values, 50, 0)
    assert [found.gain, found.low, found.high] == pytest.approx([0.1] * 3)
    assert found.r2 == pytest.approx(1.0) and found.verdict == "stronger"
    assert trend(SIZES, [-one for one in values], 50, 0).verdict == "weaker"


def test_the_verdict_follows_from_the_interval() -> None:
    assert trend(SIZES, models(np.random.default_rng(0), 0.05), 300, 0).verdict == "stronger"
    found = trend(SIZES, models(np.random.default_rng(0), 0.0), 300, 0)
    assert found.low < 0 < found.high and found.verdict == "no trend beyond noise"


@pytest.mark.parametrize("seeds", [(3, 3, 3, 3), (3, 3, 2, 1)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(seeds: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    found = [trend(SIZES, models(rng, 0.02, seeds), 100, 0) for _ in range(80)]
    assert 0.85 <= np.mean([one.low <= 0.02 <= one.high for one in found]) <= 1.0


def test_a_model_trained_once_is_as_uncertain_as_the_others_were() -> None:
    rng = np.random.default_rng(2)
    often = [0.5 + 0.1 * rng.normal(size=(8, 1)) + np.zeros((8, 40)) for _ in range(3)]
    drawn = resampled_means([*often, np.full((1, 40), 0.5)], 500, 0)
    assert drawn[:, 3].std() == pytest.approx(0.1, rel=0.3)
    assert drawn[:, 3].std() > 2 * drawn[:, 0].std()


def test_one_size_has_no_trend() -> None:
    with pytest.raises(ValueError, match="at least two sizes"):
        trend((1e6, 1e6), [np.zeros((2, 4))] * 2, 10, 0)


def test_the_noise_of_arithmetic_is_no_trend() -> None:
    equal = [np.full((3, 7), 0.9) for _ in SIZES]
    found = trend(SIZES, equal, 50, 0)
    assert (found.gain, found.low, found.high, found.verdict) == (0.0, 0.0, 0.0, "no trend beyond noise")
