"""The exchange rate between training and thinking, where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from o1_assets.experiments.thinking.exchange import Surface, rising

TRAINING = 2.0 ** np.arange(12)
CHAINS = 2.0 ** np.arange(7)


def surface(rate: float, problems: int = 400) -> Surface:
    """One doubling of thinking is `rate` doublings of training: a problem is solved above its own bound of both."""
    compute = np.log2(TRAINING)[:, None] + rate * np.log2(CHAINS)[None]
    bounds = np.linspace(0, 20, problems)
    return Surface(TRAINING, CHAINS, (compute[..., None] > bounds).astype(float))


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_the_rate_is_found_with_its_interval(rate: float) -> None:
    made = surface(rate)
    found = made.exchange_rate(made.between(0.75), resamples=50, seed=0)
    assert found is not None and found.mean == pytest.approx(rate, abs=0.02)
    assert found.low <= rate + 0.01 and found.high >= rate - 0.01 and found.high - found.low < 0.1


def test_a_line_ends_where_the_first_version_is_beyond_it_or_none_gets_there() -> None:
    made = surface(1.0)
    line = made.iso_line(made.between(0.25))
    assert np.isnan(line[3:]).all() and line[0] == pytest.approx(11 / 4, abs=0.1)
    assert np.isnan(made.iso_line(0.99)).all() and made.exchange_rate(0.99, 10, 0) is None


def test_versions_that_fall_are_pooled_with_those_before() -> None:
    assert rising(np.array([1.0, 3.0, 2.0, 2.0, 5.0])) == pytest.approx([1, 7 / 3, 7 / 3, 7 / 3, 5])
    assert rising(np.array([3.0, 2.0, 1.0])) == pytest.approx([2, 2, 2])
