"""A round's evaluation and the summary of rounds, end to end in a small world."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.evaluate_policy import PRM, SCORES
from o1_assets.evaluation.headline import run_headlines
from o1_assets.evaluation.round_eval import make_round_eval
from o1_assets.evaluation.steps import correction_figures, ranking_figures, rated_steps, step_figures
from o1_assets.evaluation.summary import headline_of, make_summary
from o1_assets.report import render
from o1_assets.report.write import collect
from tests.evaluation.conftest import Pupil

CONFIG = RoundEvalConfig(
    problems=5, samples=8, seeds=2, subsets=50, fooled_n=4, step_samples=8, prompt=PromptFormat(max_tokens=64)
)


def evaluate(
    out: Path, checkpoints: dict[str, Path], problems: Path, version: int = 0, seed: int = 0
) -> Outcome:
    inputs = {
        "policy": checkpoints["generator"], "generator": checkpoints["generator"],
        "prm": checkpoints[f"prm_{version:02d}"], "orm": checkpoints["orm"], "test": problems,
    }  # fmt: skip
    out.mkdir(exist_ok=True)
    return make_round_eval(Task(inputs, out, seed, open_engine=Pupil), CONFIG)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[Path, Outcome]:
    out = tmp_path_factory.mktemp("eval")
    return out, evaluate(out, checkpoints, test_problems)


def test_the_figures_agree_with_the_table_of_solutions(evaluated: tuple[Path, Outcome]) -> None:
    out, outcome = evaluated
    solutions, figures = pl.read_parquet(out / "solutions.parquet"), outcome.figures
    assert solutions.height == 5 * 8 * 2 == outcome.rows
    assert figures["pass@1"] == pytest.approx(solutions["correct"].mean())
    assert 0 < solutions["correct"].mean() < 1, "a world in which nothing can be told"
    assert figures["greedy"] == 1.0
    best = solutions.sort("prm_product").group_by("seed", "problem_id").last()
    assert figures["prm_best_of_n"] == pytest.approx(best["correct"].mean())
    assert figures["pass_at_n"] == pytest.approx(
        solutions.group_by("seed", "problem_id").agg(pl.col("correct").any())["correct"].mean()
    )
    shares = solutions.group_by("problem_id").agg(pl.col("correct").mean())["correct"].to_numpy()
    assert figures["pass@1_error"] == pytest.approx(shares.std(ddof=1) / len(shares) ** 0.5)
    assert figures["greedy_error"] == 0 and figures["n"] == 8
    whole = solutions.sort("prm_product").group_by("problem_id").last()
    assert figures["pooled_n"] == 16 and figures["prm_best_of_pooled_n"] == pytest.approx(
        whole["correct"].mean()
    )
    assert figures["pass@1"] < figures["pass@4"] <= figures["pass@16"]
    assert json.loads((out / "figures.json").read_text()) == figures


def test_every_solution_has_every_score_and_a_probability_for_each_step(
    evaluated: tuple[Path, Outcome],
) -> None:
    solutions = pl.read_parquet(evaluated[0] / "solutions.parquet")
    assert solutions.select(SCORES).null_count().sum_horizontal().item() == 0
    assert (solutions["p_right"].list.len() == solutions["steps"].list.len()).all()
    product = solutions["p_right"].map_elements(lambda p: float(p.product()), return_dtype=pl.Float64)
    assert (product - solutions["prm_product"]).abs().max() < 1e-9
    assert (solutions["min_logprob"] < 0).all()


def test_the_steps_are_rated_by_the_oracle_and_corrections_are_counted(
    evaluated: tuple[Path, Outcome],
) -> None:
    out, outcome = evaluated
    steps = pl.read_parquet(out / "steps.parquet")
    assert set(steps["rating"].unique()) == {-1, 1}
    assert steps.select("problem_id", "sample").n_unique() == 5 * 8
    waits = steps.filter(pl.col("text").str.starts_with("wait "))
    assert waits.height > 0 and (outcome.figures["wait_share"] or 0) > 0
    assert outcome.figures["step_f1"] is not None
    assert (steps["least_likely"] < 0).all() and outcome.figures["step_auc"] is not None
    # A solution's least likely token is that of its least likely step.
    of_solutions = steps.group_by("solution_id").agg(pl.col("least_likely").min())
    joined = of_solutions.join(pl.read_parquet(out / "solutions.parquet"), on="solution_id")
    assert (joined["least_likely"] - joined["min_logprob"]).abs().max() < 1e-9


def test_the_same_inputs_give_the_same_bytes(
    evaluated: tuple[Path, Outcome], tmp_path: Path, checkpoints: dict[str, Path], test_problems: Path
) -> None:
    evaluate(tmp_path / "again", checkpoints, test_problems)
    assert contents(tmp_path / "again") == contents(evaluated[0])


def test_all_tokens_are_counted(evaluated: tuple[Path, Outcome]) -> None:
    out, outcome = evaluated
    tables = [pl.read_parquet(out / f"{name}.parquet") for name in ("solutions", "greedy")]
    generated = sum(int(table["token_ids"].list.len().sum()) for table in tables)
    assert outcome.cost.tokens_generated == generated
    assert outcome.cost.tokens_scored > 0
    assert outcome.cost.flops > 2 * Pupil.parameters * generated


@pytest.fixture(scope="module")
def summary(
    evaluated: tuple[Path, Outcome],
    tmp_path_factory: pytest.TempPathFactory,
    checkpoints: dict[str, Path],
    test_problems: Path,
) -> tuple[Path, Outcome]:
    """Of the generator and two rounds, the first of which is `evaluated`."""
    folder = tmp_path_factory.mktemp("summary")
    evaluate(folder / "eval_01", checkpoints, test_problems, version=1, seed=1)
    evaluate(folder / "generator_eval", checkpoints, test_problems, version=1)
    inputs = {
        "eval_00": evaluated[0], "eval_01": folder / "eval_01", "prm_00": checkpoints["prm_00"],
        "prm_01": checkpoints["prm_01"], "generator": checkpoints["generator"],
        "generator_eval": folder / "generator_eval", "policy_eval": folder / "eval_01", "test": test_problems,
    }  # fmt: skip
    out = folder / "summary"
    out.mkdir()
    return out, make_summary(Task(inputs, out, 0, Pupil), SummaryConfig(pool_solutions=20))


def test_a_summary_pools_solutions_of_all_rounds_and_every_prm_scores_them(
    summary: tuple[Path, Outcome],
) -> None:
    out, outcome = summary
    assert {"generator_pass@1", "baby_o1_pass@1", "prm_best_of_8", "fooled_rate_last"} <= set(outcome.figures)
    pool = pl.read_parquet(out / "pool.parquet")
    assert pool["round"].unique().to_list() == [0, 1]
    assert {"score_0", "score_1", "p_right_1"} <= set(pool.columns)
    texts = pool.with_columns(text=pl.col("steps").list.join("\n"))
    assert texts.select("problem_id", "text").n_unique() == pool.height, (
        "a solution counts once, whatever its rounds"
    )


def test_a_summary_has_the_figures_of_every_rounds_evaluation(
    summary: tuple[Path, Outcome], evaluated: tuple[Path, Outcome]
) -> None:
    (out, _), figures = summary, evaluated[1].figures
    solved = pl.read_parquet(out / "solved.parquet")
    assert solved["round"].unique(maintain_order=True).to_list() == [-1, 0, 1]
    assert solved.group_by("round").len()["len"].to_list() == [5, 5, 5]
    shares = solved.filter(pl.col("round") == 0)["right"]
    assert shares.mean() == pytest.approx(figures["pass@1"])
    passed = pl.read_parquet(out / "pass_at_k.parquet").filter(pl.col("k") == 4)
    assert passed["round"].to_list() == [-1, 0, 1]
    assert passed["mean"][1] == pytest.approx(figures["pass@4"])
    chosen = pl.read_parquet(out / "best_of_n.parquet")
    assert chosen.filter(model="baby-o1 v1", selector=PRM)["n"].to_list() == [1, 2, 4, 8, 16]
    doubts = pl.read_parquet(out / "corrections.parquet")
    assert doubts["round"].to_list() == [-1, 0, 1] and (doubts["doubts"] > 0).all()
    assert doubts["doubting"][1] == pytest.approx(figures["wait_share"])


def test_a_summary_of_an_earlier_release_has_no_errors(tmp_path: Path) -> None:
    """It held the spread over seeds, which must not be shown as an error."""
    row = {"value": 0.5, "spread": 0.01, "target": None, "better": "higher"}
    (tmp_path / "headline.json").write_text(json.dumps({"generator_pass@1": row}))
    assert headline_of(tmp_path) == {
        "generator_pass@1": {"value": 0.5, "error": None, "target": None, "better": "higher"}
    }


def test_a_summary_becomes_a_report(summary: tuple[Path, Outcome]) -> None:
    costs = [
        {"asset": "base/model", "seconds": 9.0, "flops": 1e9, "tokens": 100},
        {"asset": "r00/policy", "seconds": 2.0, "flops": 2e9, "tokens": 50},
        {"asset": "r01/policy", "seconds": 2.0, "flops": 3e9, "tokens": 50},
    ]
    data = collect("nano", summary[0], run_headlines(60, 0.05, 1.2), costs, {"commit": "abc"})
    assert next(iter(data.headline)) == "wall_seconds"
    page = render(data)
    values = [figure["value"] for figure in data.headline.values() if figure["value"] is not None]
    assert all(f'<data value="{value}">' in page for value in values)
    assert "Doubting and correcting itself" in page and "Training longer" in page
    kinds = {example["kind"] for example in data.examples}
    assert {"right", "corrected"} <= kinds and kinds & {"caught", "convincing"}
    corrected = next(example for example in data.examples if example["kind"] == "corrected")
    assert any(step["text"].startswith("wait ") and step["rating"] == 1 for step in corrected["steps"])


def steps_table(*solutions: list[tuple[str, int, float]]) -> pl.DataFrame:
    rows = [
        {
            "solution_id": str(k),
            "problem_id": f"p{k}",
            "sample": 0,
            "step": i,
            "text": t,
            "rating": r,
            "p_right": p,
        }
        for k, steps in enumerate(solutions)
        for i, (t, r, p) in enumerate(steps)
    ]
    return pl.DataFrame(rows)


def test_self_correction_rates_by_hand() -> None:
    steps = steps_table(
        [("1+1=3", -1, 0.1), ("wait 1+1=2", 1, 0.9), ("answer 2", 1, 0.9)],
        [("1+1=2", 1, 0.9), ("wait 1+1=2", 0, 0.5), ("answer 2", 1, 0.9)],
        [("1+1=3", -1, 0.2), ("answer 3", -1, 0.2)],
        [("1+1=2", 1, 0.9), ("answer 2", 1, 0.9)],
    )
    assert correction_figures(steps, "wait") == {
        "wait_share": 0.5, "wait_right_share": 0.5, "wait_needless_share": 0.5, "repaired_share": 0.5,
    }  # fmt: skip


def test_step_figures_by_hand() -> None:
    """Where .5 separates right from wrong on both halves, everything is found."""
    wrong, right = [("a", 1, 0.9), ("b", -1, 0.1)], [("a", 1, 0.9), ("b", 0, 0.8)]
    figures = step_figures(steps_table(wrong, wrong, right, right))
    assert (figures["step_f1"], figures["step_wrong_solutions"], figures["step_right_solutions"]) == (
        1.0,
        2,
        2,
    )
    assert step_figures(steps_table(wrong).with_columns(rating=pl.lit(None, pl.Int8))) == {}


def test_the_hard_area_compares_right_but_unlikely_with_wrong_but_likely_steps() -> None:
    likely, unlikely = math.log(0.9), math.log(0.1)
    steps = steps_table(
        [("a", 1, 0.9), ("b", -1, 0.8), ("c", -1, 0.99)],  # c follows an error
        [("a", 1, 0.7), ("b", 1, 0.99), ("c", -1, 0.1)],
        [("a", 0, 0.85), ("b", -1, 0.3)],
    ).with_columns(
        least_likely=pl.Series([likely, likely, unlikely, unlikely, likely, unlikely, unlikely, likely])
    )
    figures = ranking_figures(steps)
    # Right but unlikely: .7 and .85. Wrong but likely: .8 and .3. One of four pairs is in the wrong order.
    assert (figures["hard_step_auc"], figures["hard_steps_right"], figures["hard_steps_wrong"]) == (
        0.75,
        2,
        2,
    )
    assert (figures["steps_right"], figures["steps_wrong"]) == (4, 3)
    assert figures["step_auc"] == pytest.approx(11 / 12) and figures["hard_step_auc_error"] is not None
    assert ranking_figures(steps.with_columns(rating=pl.lit(None, pl.Int8))) == {}
    assert ranking_figures(steps.filter(pl.col("rating") >= 0))["hard_step_auc"] is None


def test_a_problem_the_oracle_does_not_know_gets_no_rating() -> None:
    problems = pl.DataFrame({"problem_id": ["x"], "question": ["Why?"], "answer": ["42"], "metadata": ["{}"]})
    solution = {
        "solution_id": ["s"],
        "problem_id": ["x"],
        "sample": [0],
        "steps": [["so", "42"]],
        "p_right": [[0.5, 0.6]],
    }
    table = rated_steps(pl.DataFrame(solution), problems)
    assert table["rating"].to_list() == [None, None]
    assert table["p_right"].to_list() == [0.5, 0.6]
