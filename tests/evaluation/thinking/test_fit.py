from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest

from o1_assets.evaluation.statistics import before_saturation, fit, r_squared
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.evaluate import FITS
from o1_assets.evaluation.thinking.measure import TREES, measure_tree, measured_trees
from o1_assets.evaluation.thinking.points import sampled_points, tree_points
from o1_assets.search.interface import Budget
from o1_assets.search.run import SearchModels, search
from o1_assets.search.vote import Chains
from tests.evaluation.thinking.toy_solver import toy_solver
from tests.search.test_search import RIGHT, TABLE, answer_of
from tests.search.toy import PathScorer, TablePolicy


def test_a_line_is_found_again_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    compute = [10.0 * 2**k for k in range(7)]
    chance = [0.2 + 0.05 * k for k in range(7)]
    right = [rng.binomial(1, p, 4000).astype(float) for p in chance]
    found = fit(compute, right, resamples=200, seed=1)
    assert found is not None and found.points == 7
    assert found.gain == pytest.approx(0.05, abs=0.01) and found.gain_low < 0.05 < found.gain_high
    assert found.r2 > 0.95
    assert found.decades == pytest.approx(6 * np.log10(2))


def test_what_is_saturated_is_left_out_and_two_points_are_no_line() -> None:
    problems = np.arange(400) / 400
    right = np.stack([problems < share for share in (0.1, 0.3, 0.5, 0.699, 0.7, 0.7)]).astype(float)
    assert before_saturation(right) == 4
    assert fit([1, 2], [np.zeros(5), np.ones(5)], 10, 0) is None
    whole = fit([1, 2, 4, 8, 16, 32], list(right), 10, 0, saturates=False)
    before = fit([1, 2, 4, 8, 16, 32], list(right), 10, 0)
    assert whole is not None and before is not None
    assert (whole.points, before.points) == (6, 4) and whole.r2 < 0.95 < before.r2
    assert before.r2_whole == whole.r2 and before.decades_whole == whole.decades > before.decades


def test_saturation_is_judged_by_the_difference_on_the_same_problems() -> None:
    """All problems gain a little: sure, however far apart the problems are."""
    apart = np.tile([0.0, 1.0], 50)
    steady = np.stack([apart * 0.9 + 0.01 * k for k in range(5)])
    assert before_saturation(steady) == 5
    noisy = np.random.default_rng(0).random((5, 100))
    assert before_saturation(noisy) < 5


def test_r_squared_has_an_interval() -> None:
    rng = np.random.default_rng(0)
    right = [rng.binomial(1, 0.2 + 0.05 * k, 100).astype(float) for k in range(7)]
    found = fit([2.0**k for k in range(7)], right, 500, 0, saturates=False)
    assert found is not None and 0 < found.r2_low < found.r2 < 1
    x = np.arange(4.0)
    assert r_squared(x, np.stack([x, x**3], axis=1))[0] == pytest.approx(1.0)
    assert r_squared(x, x**3) == pytest.approx(r_squared(x, np.stack([x, x**3], axis=1))[1])


def test_points_of_samples_and_of_trees_tell_accuracy_and_tokens() -> None:
    thinker = SearchModels(TablePolicy(TABLE), PathScorer(RIGHT), answer_of=answer_of)
    strategy = Chains("weighted", 32)
    found = search(strategy, ["q\n"] * 3, thinker, Budget(10**6), [1, 2, 3])
    right = [{"answer 1": False, "answer 2": False, "answer 3": True}] * 3
    points = {(p.strategy, p.budget): p for p in sampled_points(found, right, subsets=50, seed=0)}
    one, many = points["best-of-n", 1], points["best-of-n", 32]
    assert one.right.mean() == pytest.approx(0.3 * 0.4, abs=0.1) and many.right.mean() == 1.0
    assert points["consistency", 32].right.mean() == 0.0
    assert (many.generated == 32 * one.generated).all()
    # all that can be read are the prompt and the nine steps of the table, however many solutions there are
    whole = len("q\n") + sum(len(step) for steps in TABLE.values() for step in steps if step) + 3
    assert (many.scored <= whole).all() and (one.scored == 0).all()
    assert (points["consistency", 32].scored == 0).all()

    by_budget = tree_points("weighted", strategy, [found, found], right, tokens=256)
    assert [p.budget for p in by_budget] == [32, 64, 128, 256]
    assert (np.diff([p.right.mean() for p in by_budget]) >= 0).all()
    assert all((p.generated <= p.budget).all() for p in by_budget)


def test_what_stops_at_a_checked_answer_is_measured_where_it_is_asked_for() -> None:
    assert set(measured_trees(ThinkingConfig())) == set(TREES)
    solver = toy_solver(TABLE, RIGHT, self_check=True, step_tokens=10)
    solver.thinker = replace(solver.thinker, self_check=lambda prompt, answer: answer == "3")
    for name in ("checked", "checked-beam"):
        measured = measure_tree(solver, name, measured_trees(solver.config)[name], 1024)
        assert measured.points[-1].right.mean() == 1.0 and measured.points[-1].generated.mean() < 512


def test_where_gpt_star_proposes_too_the_policys_reading_is_counted() -> None:
    assert set(measured_trees(ThinkingConfig(mixed=True))) - set(TREES) == {"posterior-mixed"}
    solver = toy_solver(TABLE, RIGHT, mixed=True, step_tokens=10)
    solver.thinker = replace(solver.thinker, generator=TablePolicy(TABLE))
    measured = measure_tree(solver, "posterior-mixed", measured_trees(solver.config)["posterior-mixed"], 256)
    point = measured.points[-1]
    assert measured.flops[-1] == 2 * (point.generated.mean() + point.scored.mean())


def test_a_sample_that_ended_without_an_answer_is_chosen_last() -> None:
    """However good its steps: as `Chains.choose` does, whose curve this is."""
    table = {
        "q\n": {"good\n": 0.9, "bad\n": 0.1},
        "q\ngood\n": {"": 1.0},
        "q\nbad\n": {"answer 3\n": 1.0},
        "q\nbad\nanswer 3\n": {"": 1.0},
    }
    thinker = SearchModels(TablePolicy(table), PathScorer("good\n"), answer_of=answer_of)
    found = search(Chains("best", 64), ["q\n"], thinker, Budget(10**6), [1])
    assert found[0].answer.answer == "answer 3"
    points = sampled_points(found, [{"answer 3": True}], subsets=50, seed=0)
    by = {(p.strategy, p.budget): p.right.mean() for p in points}
    assert by["best-of-n", 64] == by["posterior", 64] == 1.0


def test_a_sample_that_was_cut_off_is_one_without_an_answer() -> None:
    table = {"q\n": {"answer 3\n": 0.5, "x" * 40: 0.5}, "q\nanswer 3\n": {"": 1.0}}
    thinker = SearchModels(TablePolicy(table), PathScorer("answer 3\n"), answer_of=answer_of)
    found = search(Chains("weighted", 64), ["q\n"] * 3, thinker, Budget(10**6, solution_tokens=20), [1, 2, 3])
    points = sampled_points(found, [{"answer 3": True}] * 3, subsets=100, seed=0)
    by = {(p.strategy, p.budget): p for p in points}
    ended = np.mean([len(one.tree.ends) / 64 for one in found])
    assert by["best-of-n", 1].right.mean() == pytest.approx(ended, abs=0.05) and 0.3 < ended < 0.7
    assert by["best-of-n", 64].right.mean() == by["consistency", 64].right.mean() == 1.0
    whole = len("answer 3\n") + 1
    assert by["consistency", 1].generated.mean() == pytest.approx(ended * whole + (1 - ended) * 20)
    assert by["best-of-n", 64].scored[0] == len("q\n") + whole + 20


def test_the_table_of_lines_has_the_same_columns_with_and_without_a_line() -> None:
    right = np.random.default_rng(0).random((3, 50)) < [[0.2], [0.4], [0.6]]
    line = fit([1, 2, 4], list(right.astype(float)), resamples=50, seed=0, saturates=False)
    assert line is not None
    row = {"model": "GPT*", "strategy": "beam", "difficulty": "all", **asdict(line)}
    assert pl.DataFrame([row], infer_schema_length=None).schema == pl.DataFrame([], FITS).schema
