"""Sums over problems give the figures that the evaluations give, and their intervals are those of new problems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from o1_assets.core.plots import heat_map_png
from o1_assets.evaluation.best_of_n import Pool, fooled_on_pool, fooled_under_best_of_n
from o1_assets.evaluation.statistics import f1, interval, interval_of_sums, mean_parts, share
from o1_assets.evaluation.steps import NO_ERROR, cross_fitted_f1
from o1_assets.experiments.measure import fooled_fresh_parts, fooled_on_pool_parts, step_parts
from o1_assets.experiments.rounds.shown import arms_table, falls, steadiness
from o1_assets.reward.score import load_scorer, load_scorers


def test_the_fooled_rates_are_those_of_the_evaluations() -> None:
    rng = np.random.default_rng(0)
    correct = rng.random((30, 12)) < rng.random((30, 1))
    scores = np.round(rng.random((30, 12)) + 0.4 * correct, 1)
    pool = Pool(tuple(map(str, range(30))), correct, np.zeros((30, 12), dtype=np.int64), {"s": scores})
    parts = fooled_fresh_parts(pool, "s", 4, 3000, seed=1)
    assert share(parts.sum(0)) == pytest.approx(fooled_under_best_of_n(pool, "s", 4, 3000, 2), abs=0.01)
    problem = np.repeat(np.arange(30), 12)
    fixed = fooled_on_pool_parts(scores.ravel(), correct.ravel(), problem, 30)
    assert share(fixed.sum(0)) == pytest.approx(fooled_on_pool(scores.ravel(), correct.ravel()))
    assert fixed[3, 1] == (~correct[3]).sum()


def test_step_f1_is_that_of_the_evaluations() -> None:
    rng = np.random.default_rng(0)
    problem = np.sort(rng.integers(20, size=200))
    truth = [int(t) for t in rng.integers(-1, 4, size=200)]
    p_right = [np.where(np.arange(4) == t, 0.3, 0.8) + 0.3 * rng.normal(size=4) for t in truth]
    assert NO_ERROR in truth
    expected, _ = cross_fitted_f1(p_right, truth, [f"{p:02d}" for p in problem])
    parts = step_parts(p_right, truth, problem, 20)
    assert f1(parts.sum(0)) == pytest.approx(expected.f1) and 0.2 < expected.f1 < 0.9


def test_an_interval_of_a_mean_is_the_interval_of_the_mean() -> None:
    values = np.random.default_rng(0).random((3, 40))
    parts = np.stack([mean_parts(one) for one in values])
    own, other = interval_of_sums(parts, share, 400, 7), interval(values, 400, 7)
    assert own is not None
    assert (own.mean, own.low, own.high) == pytest.approx((other.mean, other.low, other.high))


def test_a_ratios_interval_covers_it_over_problems_alone() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(100):
        size = rng.integers(1, 20, 60).astype(float)
        hits = rng.binomial(size.astype(int), 0.3)
        found = interval_of_sums(np.stack([hits, size], axis=1)[None], share, 200, 0)
        assert found is not None
        inside += found.low <= 0.3 <= found.high
    assert 88 <= inside <= 100
    assert interval_of_sums(np.zeros((1, 5, 2)), share, 10, 0) is None
    with pytest.raises(ValueError, match="two problems, not 1"):
        interval_of_sums(np.zeros((3, 1, 2)), share, 10, 0)


def test_a_worse_arm_is_shown_worse_and_the_control_has_no_difference() -> None:
    rng = np.random.default_rng(0)
    good = np.stack([mean_parts(rng.random(50)) for _ in range(3)])
    bad = good - np.array([0.1, 0.0])
    table = arms_table({"pass@1": {"good": good, "bad": bad}}, "good", 200, 0)
    first, second = table.to_dicts()
    assert first["minus good"] is None and second["minus good"] == pytest.approx(-0.1)
    assert second["difference, high"] < 0 and first["low"] < first["value"] < first["high"]


def test_an_unsteady_curve_falls_also_where_its_seeds_cancel() -> None:
    assert falls([0.1, 0.4, 0.3, 0.5, 0.1]) == pytest.approx(0.5) and falls([0.1, 0.2, 0.2]) == 0

    def rounds(values: list[list[float]]) -> list[np.ndarray]:
        return [np.stack([mean_parts(np.full(9, v)) for v in of_round]) for of_round in values]

    unsteady, steady = rounds([[0.5, 0.2], [0.2, 0.5], [0.5, 0.2]]), rounds([[0.3, 0.3]] * 3)
    found = steadiness(unsteady, steady, share, 50, 0)
    assert found is not None and found.mean == pytest.approx(0.3) and found.low > 0


def test_models_read_together_say_what_each_says_alone(checkpoints: dict[str, Path]) -> None:
    names = ("prm_00", "prm_01", "orm")
    together = load_scorers([checkpoints[name] for name in names], checkpoints["generator"])
    prompt = together.tokenizer("Calculate 3 * 4 - 5.\n")["input_ids"]
    texts = ["3*4=12\n12-5=7\nanswer 7\n", "3*4=13\nanswer 8\n", ""]
    completions = [together.tokenizer(text)["input_ids"] for text in texts]
    found, cost = together.score_all([prompt] * 3, completions)
    alone = [load_scorer(checkpoints[name], checkpoints["generator"]) for name in names]
    for own, scorer in zip(found[:2], alone[:2], strict=True):
        for a, b in zip(own, scorer.step_probabilities([prompt] * 3, completions), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
    outcomes = alone[2].outcome_probabilities([prompt] * 3, completions)
    assert [float(c[-1, 1]) if len(c) else 0.0 for c in found[2]] == pytest.approx(outcomes)
    assert not np.allclose(found[0][0], found[1][0])
    # Each alone reads the generator once more.
    assert 0 < cost.tokens_scored == sum(s.tokens_scored for s in alone[:1]) * 2


def test_a_heat_map_depends_on_its_data_alone_and_knows_its_shape() -> None:
    values = np.array([[0.1, np.nan], [0.9, 1.0]])
    drawn = heat_map_png(values, ["a", "b"], ["v0", "v1"], "shares", "round")
    assert drawn == heat_map_png(values, ["a", "b"], ["v0", "v1"], "shares", "round")
    assert drawn != heat_map_png(values.T, ["a", "b"], ["v0", "v1"], "shares", "round")
    with pytest.raises(ValueError, match="for 1 rows"):
        heat_map_png(values, ["a"], ["v0", "v1"], "shares", "round")
