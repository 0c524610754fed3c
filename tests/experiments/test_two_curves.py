"""The two curves: what each point costs, where the line ends, and one y axis for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.core import plots
from o1_assets.core.artifact import Cost
from o1_assets.core.settings import Settings
from o1_assets.experiments.compute_curves.measure import (
    ComputeCurve,
    best_tree,
    fit_line,
    fit_over,
    thinking_curve,
    training_curve,
)
from o1_assets.experiments.compute_curves.result import alike, chart
from o1_assets.graph import asked_for, build_graph
from o1_assets.profiles.load import load_profile

PROBLEMS = 200


def curve(accuracies: list[float], start: float = 1.0) -> ComputeCurve:
    """Compute doubles; that share of the problems is solved, the first ones always."""
    right = [(np.arange(PROBLEMS) < round(a * PROBLEMS)).astype(np.float64) for a in accuracies]
    return ComputeCurve(start * 2.0 ** np.arange(len(accuracies)), np.stack(right))


def test_a_straight_curve_has_r2_of_one_over_all_of_its_compute() -> None:
    found = fit_over(curve([0.1 * k for k in range(1, 9)]), 64, 200, 0)
    assert found is not None and found.line.r2 == pytest.approx(1) and found.line.gain == pytest.approx(0.1)
    assert found.points == 8 and found.factor == 128
    assert found.at(4.0) == pytest.approx(0.3)


def test_what_saturates_early_is_held_to_the_factor_all_the_same() -> None:
    level = curve([0.2, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert level.saturated() == 3 and level.factor(3) == 4
    straight, whole = fit_line(level, 3, 200, 0), fit_over(level, 64, 200, 0)
    assert straight is not None and whole is not None
    assert (
        straight.line.r2 == pytest.approx(1)
        and whole.factor == 64
        and whole.points == 7
        and whole.line.r2 < 0.8
    )
    assert whole.line.r2_low <= whole.line.r2 <= whole.line.r2_high


def test_a_curve_that_does_not_span_the_factor_has_no_r2() -> None:
    assert fit_over(curve([0.1, 0.2, 0.3, 0.4]), 64, 200, 0) is None
    assert fit_line(curve([0.1, 0.2]), 2, 200, 0) is None


def test_each_version_stands_at_the_compute_of_all_that_it_was_made_from(tmp_path: Path) -> None:
    rows = [
        {"round": k, "problem_id": f"p{i}", "difficulty": "easy", "right": 0.1 * (k + 2) + 0.01 * i}
        for k in (0, -1, 1)
        for i in range(4)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "solved.parquet")
    flops = {"generator": 4.0, "version_00": 5.0, "version_01": 7.0, "base": 1.0}
    found = training_curve(tmp_path, {name: tmp_path for name in flops}, lambda name: Cost(flops[name]))
    assert found.flops.tolist() == [4.0, 5.0, 7.0]
    assert found.accuracy() == pytest.approx([0.115, 0.215, 0.315])


def points(strategy: str, accuracies: list[float], model: str = "baby-o1") -> list[dict[str, object]]:
    made = curve(accuracies)
    return [
        {"model": model, "strategy": strategy, "difficulty": "all", "flops": flops, "right": right.tolist()}
        for flops, right in zip(made.flops.tolist(), made.right, strict=True)
    ]


def test_the_tree_shown_is_the_best_one_from_where_it_is_worth_its_compute() -> None:
    table = pl.DataFrame(
        points("consistency", [0.5, 0.6])
        + points("beam", [0.1, 0.4, 0.55, 0.7])
        + points("mcts", [0.6, 0.65])
        + points("beam", [0.9], "GPT*")
    )
    found = best_tree(table, "baby-o1")
    assert found is not None and found[0] == "beam"
    assert found[1].accuracy() == pytest.approx([0.55, 0.7]) and found[1].flops.tolist() == [4, 8]
    assert thinking_curve(table, "GPT*", "mcts") is None and best_tree(table, "GPT*") is None


def test_a_thinking_curve_begins_with_one_chain_and_not_with_a_search_that_cannot_end() -> None:
    chains = [{**row, "flops": 4 * row["flops"]} for row in points("consistency", [0.5, 0.6])]
    table = pl.DataFrame([*points("compute-optimal", [0.0, 0.1, 0.5, 0.7]), *chains])
    found = thinking_curve(table, "baby-o1", "compute-optimal")
    assert found is not None and found.accuracy().tolist() == pytest.approx([0.5, 0.7])


def test_both_panels_have_one_y_axis() -> None:
    made = [
        chart("low", "FLOPs", {"a": (curve([0.2, 0.3, 0.4]), plots.BLUE)}, None),
        chart("high", "FLOPs", {"b": (curve([0.7, 0.8, 0.9]), plots.BLUE)}, None),
    ]
    limits = [plots.draw(one.series, one.axis).axes[0].get_ylim() for one in made]
    assert limits[0] != limits[1]
    limits = [plots.draw(one.series, one.axis).axes[0].get_ylim() for one in alike(made)]
    assert limits[0] == pytest.approx(limits[1]) and limits[0][0] < 0.2 and limits[0][1] > 0.9


def test_a_part_is_made_with_what_it_needs_of_another(tmp_path: Path) -> None:
    graph = build_graph(load_profile("nano", ""), Settings.load("nano", tmp_path))
    ablations, loop = asked_for(graph, ("ablations",)), asked_for(graph)
    assert {"eval/thinking", "r10/q_value", "ablations/two_curves/result"} <= ablations
    assert not {key for key in loop if graph[key].part}
    assert all(item in ablations for key in ablations for item in graph[key].inputs.values())
    experiments = {key for key in asked_for(graph, ("thinking",)) if key.startswith("ablations/")}
    assert experiments == {"ablations/thinking/result"}
    one = asked_for(graph, ("ablations/two_curves",))
    assert "ablations/two_curves/result" in one and "eval/thinking" in one
    assert not any(key.startswith("ablations/rounds") for key in one)
