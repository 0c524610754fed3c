"""From trained policies to a table, a verdict, and what the report says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.evaluation.config import EvalConfig
from o1_assets.experiments.arms import (
    ArmWords,
    ResultConfig,
    arm_differences,
    arms_result,
    make_result,
    simplest,
)
from o1_assets.experiments.measure import PolicyEvalConfig, make_policy_eval
from o1_assets.experiments.result import headlines, read_result
from o1_assets.report import render
from o1_assets.report.experiments import Ablation
from tests.evaluation.conftest import Pupil
from tests.evaluation.made_up import report

ARMS = (ArmWords(name="plain", says="nothing special"), ArmWords(name="fancy", says="<all> of it"))


CONFIG = ResultConfig(
    name="toy",
    title="A toy",
    question="Is more better?",
    arms=ARMS,
    today="fancy",
    seeds=2,
    judge=EvalConfig(problems=5, samples=4, subsets=20, resamples=200),
)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[Path, Outcome]:
    """A result over one and the same solver, under the names of two arms."""
    root = tmp_path_factory.mktemp("result")
    models = {"policy": checkpoints["generator"], "generator": checkpoints["generator"]}
    models |= {"prm": checkpoints["prm_00"], "test": test_problems}
    inputs = {}
    for seed in range(CONFIG.seeds):
        out = root / str(seed)
        out.mkdir()
        config = PolicyEvalConfig(problems=5, samples=4, subsets=20, draw=seed)
        make_policy_eval(Task(models, out, 3, open_engine=Pupil), config)
        inputs |= {f"{arm.name}_{seed}": out for arm in ARMS}

    def ancestry(name: str) -> list[tuple[str, Outcome]]:
        trained = Outcome({"updates": 3}, Cost(flops=1e9, tokens_generated=100 + int(name[-1])))
        loop = ("generator/model", Outcome({"updates": 70}, Cost(flops=5e12)))
        evaluation = ("ablations/toy/eval", Outcome(cost=Cost(flops=7e12)))
        return [loop, (f"ablations/toy/{name}", trained), evaluation]

    (root / "out").mkdir()
    task = Task(inputs, root / "out", 3, open_engine=Pupil, ancestry=ancestry)
    return root / "out", make_result(task, CONFIG)


def test_equal_policies_sampled_alike_do_not_differ_and_the_simplest_is_named(
    made: tuple[Path, Outcome],
) -> None:
    folder, outcome = made
    result, table = read_result(folder), pl.read_parquet(folder / "runs.parquet")
    differences, arms = (result.tables[name].frame for name in ("differences", "arms"))
    assert differences["difference"].to_list() == [0.0] * differences.height == differences["high"].to_list()
    assert differences["measure"].to_list() == ["pass@1", "greedy", "best_of_4", "majority@4"]
    own = table.filter((pl.col("arm") == "plain") & (pl.col("measure") == "pass@1"))
    assert arms.row(0, named=True)["pass@1"] == pytest.approx(own["value"].mean())
    assert arms["greedy"][0] == table.filter(pl.col("measure") == "greedy")["value"][0]
    assert all(len(values) == 5 for values in table["per_problem"])
    assert arms["tokens generated"].to_list() == [100.5, 100.5] and arms["arm"].to_list() == [
        "plain",
        "fancy",
    ]
    # Neither what the loop had made before nor the evaluation is a cost of the arm.
    assert arms["updates"].to_list() == [3, 3] and arms["FLOPs"].to_list() == [1e9, 1e9]
    assert outcome.figures["simplest_unbeaten"] == "plain" and outcome.figures["today"] == "fancy"
    assert result.notes[-1].endswith("by more than noise: plain. The profile has fancy.")
    assert {p.stem for p in (folder / "plots").iterdir()} == set(result.charts) == set(table["measure"])


def test_a_better_arm_is_shown_better_than_the_control_and_named() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(60)
    rows = [
        {
            "arm": arm.name, "seed": seed, "measure": "pass@1", "updates": 1, "tokens_generated": 1,
            "tokens_scored": 1, "tokens_trained": 1, "flops": 1.0,
            "per_problem": (hard + 0.1 * (arm.name == "fancy") + 0.02 * rng.normal(size=60)).tolist(),
        }
        for arm in ARMS for seed in range(2)
    ]  # fmt: skip
    runs, names = pl.DataFrame(rows), [arm.name for arm in ARMS]
    plain, fancy = arm_differences(runs, names, 200, seed=1).to_dicts()
    assert simplest(runs, names, 200, seed=1) == "fancy" and plain["difference"] == 0
    assert 0.08 < fancy["difference_low"] < fancy["difference"] < fancy["difference_high"] < 0.12
    assert fancy["difference"] == pytest.approx(fancy["mean"] - plain["mean"])
    assert fancy["low"] < fancy["mean"] < fancy["high"]
    (claim,) = arms_result("toy", "A toy", "Is it?", ARMS, runs, CONFIG.judge, seed=1).claims
    assert claim.name == "toy.fancy" and claim.target is None
    assert (claim.value, claim.low, claim.high) == (
        fancy["difference"], fancy["difference_low"], fancy["difference_high"],
    )  # fmt: skip


def test_the_report_shows_each_experiment_with_its_arms_and_stands_without_any(
    made: tuple[Path, Outcome],
) -> None:
    one = Ablation.read(made[0])
    assert one is not None
    page, without = render(replace(report(), ablations=[one])), render(report())
    heading = "The method\u2019s own results"
    assert heading in page and "Is more better?" in page and heading not in without
    assert page.count("<svg") == without.count("<svg") + 4
    section = page[page.index(heading) :]
    assert "nothing special" in section and "&lt;all&gt; of it" in section
    mean = one.result.tables["arms"].frame["pass@1"][0]
    assert f"{mean:.3f}" in re.sub(r"<[^>]+>", " ", section)


def test_what_an_arm_gains_is_a_figure_and_the_control_is_none(made: tuple[Path, Outcome]) -> None:
    result = read_result(made[0])
    assert list(headlines([result])) == ["toy.fancy"]
    assert headlines([result])["toy.fancy"]["value"] == result.tables["differences"].frame["difference"][0]
