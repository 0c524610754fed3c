"""One model judged: on solutions of its own, and on those that all models are given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.scored import held_out, sample
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.measure import STAGES, JudgedConfig, judge_model
from o1_assets.experiments.variants import write_cost
from o1_assets.reward.model import PRM_CLASSES, save_reward_model, start_reward_model
from tests.evaluation.conftest import Pupil

CONFIG = JudgedConfig(
    shape=Shape(name="any", hidden_size=32, intermediate_size=64, layers=2),
    sampling=RoundEvalConfig(
        problems=5, samples=8, subsets=4, step_samples=4, prompt=PromptFormat(max_tokens=64)
    ),
    base_samples=2,
)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[dict[str, Any], dict[str, float], float]:
    """Measures, what the stages spent, and the share of right solutions among the shared ones that were read."""
    import torch

    root = tmp_path_factory.mktemp("judged")
    torch.manual_seed(1)
    plain = start_reward_model(checkpoints["generator"], PRM_CLASSES, None)
    save_reward_model(plain, checkpoints["generator"], root / "prm_plain")
    for stage, name in (("base", "generator"), ("generator", "generator"), ("prm", "prm_00"), ("orm", "orm")):
        shutil.copytree(checkpoints[name], root / stage)
    for i, stage in enumerate(STAGES):
        write_cost(root / stage, Cost(flops=10.0**i), updates=1)
    problems = held_out(pl.read_parquet(test_problems / "problems.parquet"), 6)
    engine: Any = Pupil(checkpoints["generator"])
    others, _ = sample(engine, problems, CONFIG.sampling, seed=5)
    (root / "shared").mkdir()
    two = [others.with_columns(seed=pl.lit(seed, pl.Int32)) for seed in (0, 1)]
    pl.concat(two).sort("problem_id", "seed", "sample").write_parquet(root / "shared" / "solutions.parquet")
    read = others.filter((pl.col("sample") < 4) & (pl.col("problem_id") != problems["problem_id"][5]))
    inputs = {name: root / name for name in (*STAGES, "shared")} | {"test": test_problems}
    (root / "out").mkdir()
    judge_model(Task(inputs, root / "out", 3, open_engine=Pupil), CONFIG)
    table = pl.read_parquet(root / "out" / "measures.parquet")
    spent = json.loads((root / "out" / "spent.json").read_text())
    solved = read.group_by("problem_id").agg(pl.col("correct").any())["correct"].mean()
    return dict(table.select("measure", "per_problem").iter_rows()), spent, float(str(solved))


def test_every_selector_is_measured_on_every_problem(made: tuple[dict[str, Any], Any, float]) -> None:
    measures = made[0]
    for name in (
        "base_pass@1",
        "pass@1",
        "greedy",
        "prm@8",
        "prm_plain@8",
        "orm@8",
        "majority@8",
        "shared_prm@4",
    ):
        assert len(measures[name]) == 5, name
    assert measures["greedy"] == [1.0] * 5 and min(measures["pass@1"]) < 1.0
    for name in ("prm@8", "prm_plain@8", "orm@8", "majority@8"):
        assert all(one <= any_ for one, any_ in zip(measures[name], measures["any@8"], strict=True)), name
    assert 0 <= measures["step_f1"][0] <= 1 and len(measures["step_f1_plain"]) == 1


def test_shared_solutions_are_one_seed_of_the_problems_that_are_judged(
    made: tuple[dict[str, Any], Any, float],
) -> None:
    found = made[0]["shared_any@4"]
    assert sum(found) / len(found) == pytest.approx(made[2])


def test_what_each_stage_spent_is_kept(made: tuple[Any, dict[str, float], float]) -> None:
    assert made[1] == {stage: 10.0**i for i, stage in enumerate(STAGES)}
