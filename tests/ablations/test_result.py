"""From trained policies to a table, a verdict, and what the report says."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.ablations.config import JudgeConfig
from o1_assets.ablations.judge import ArmWords, ResultConfig, compare, make_result
from o1_assets.ablations.shown import ablation_headlines, read
from o1_assets.ablations.spent import write_cost
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.evaluation.report import render
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
    judge=JudgeConfig(problems=5, samples=4, subsets=20, resamples=200),
)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[Path, Outcome]:
    """A result over one and the same solver, under the names of two arms."""
    root = tmp_path_factory.mktemp("result")
    inputs = {name: checkpoints[name] for name in ("generator", "orm")}
    inputs |= {"prm": checkpoints["prm_00"], "test": test_problems}
    for arm in ARMS:
        for seed in range(CONFIG.seeds):
            folder = root / f"{arm.name}_{seed}"
            shutil.copytree(checkpoints["generator"], folder)
            write_cost(folder, Cost(flops=1e9, tokens_generated=100 + seed), updates=3)
            inputs[folder.name] = folder
    (root / "out").mkdir()
    return root / "out", make_result(Task(inputs, root / "out", 3, open_engine=Pupil), CONFIG)


def test_equal_policies_sampled_alike_do_not_differ_and_the_simplest_is_named(
    made: tuple[Path, Outcome],
) -> None:
    folder, outcome = made
    arms, table = pl.read_parquet(folder / "arms.parquet"), pl.read_parquet(folder / "runs.parquet")
    assert arms["difference"].to_list() == [0.0] * arms.height == arms["difference_high"].to_list()
    assert set(arms["measure"]) == {"pass@1", "greedy", "best_of_4", "majority@4"}
    own = table.filter((pl.col("arm") == "plain") & (pl.col("measure") == "pass@1"))
    assert arms.row(0, named=True)["mean"] == pytest.approx(own["value"].mean())
    assert all(len(values) == 5 for values in table["per_problem"])
    assert arms["tokens_generated"].to_list() == [100.5] * arms.height
    assert outcome.figures["simplest_unbeaten"] == "plain" and outcome.figures["today"] == "fancy"
    assert {p.name for p in (folder / "plots").iterdir()} == {f"{m}.png" for m in set(arms["measure"])}


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
    arms, verdict = compare(pl.DataFrame(rows), CONFIG, seed=1)
    plain, fancy = arms.to_dicts()
    assert verdict == "fancy" and plain["difference"] == 0
    assert 0.08 < fancy["difference_low"] < fancy["difference"] < fancy["difference_high"] < 0.12
    assert fancy["difference"] == pytest.approx(fancy["mean"] - plain["mean"])
    assert fancy["low"] < fancy["mean"] < fancy["high"]


def test_the_report_shows_each_experiment_with_its_arms_and_stands_without_any(
    made: tuple[Path, Outcome],
) -> None:
    one = read(made[0])
    page, without = render(replace(report(), ablations=[one])), render(report())
    assert "Ablations" in page and "Is more better?" in page and "Ablations" not in without
    assert page.count("<svg") == without.count("<svg") + 1
    section = page[page.index("Ablations") :]
    assert "nothing special" in section and "&lt;all&gt; of it" in section
    mean = one.rows[0]["mean"]
    assert f"{mean:.3f}" in re.sub(r"<[^>]+>", " ", section)
    assert json.loads((made[0] / "result.json").read_text())["simplest_unbeaten"] == "plain"


def test_what_an_arm_gains_is_a_figure_and_the_control_is_none(made: tuple[Path, Outcome]) -> None:
    one = read(made[0])
    assert list(ablation_headlines([one])) == ["toy.fancy"]
    assert ablation_headlines([one])["toy.fancy"]["value"] == one.rows[1]["difference"]
