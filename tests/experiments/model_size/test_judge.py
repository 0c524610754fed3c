"""One model judged: on solutions of its own, and on those that all models are given."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.evaluate_policy import held_out, sample
from o1_assets.experiments.model_size.measure import ModelEvalConfig, make_model_eval
from o1_assets.experiments.model_size.result import stage_flops
from o1_assets.reward.model import PRM_CLASSES, save_reward_model, start_reward_model
from tests.evaluation.conftest import Pupil

CONFIG = ModelEvalConfig(
    problems=5, samples=8, subsets=4, step_samples=4, base_samples=2, prompt=PromptFormat(max_tokens=64)
)

MODELS = ("base", "generator", "prm", "prm_plain", "orm")


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[dict[str, Any], float]:
    """Measures, and the share of problems that the shared solutions that were read solve."""
    import torch

    root = tmp_path_factory.mktemp("judged")
    torch.manual_seed(1)
    plain = start_reward_model(checkpoints["generator"], PRM_CLASSES, None)
    save_reward_model(plain, checkpoints["generator"], root / "prm_plain")
    for stage, name in (("base", "generator"), ("generator", "generator"), ("prm", "prm_00"), ("orm", "orm")):
        shutil.copytree(checkpoints[name], root / stage)
    problems = held_out(pl.read_parquet(test_problems / "problems.parquet"), 6)
    engine: Any = Pupil(checkpoints["generator"])
    others, _ = sample(engine, problems, CONFIG, seed=5)
    (root / "shared").mkdir()
    two = [others.with_columns(seed=pl.lit(seed, pl.Int32)) for seed in (0, 1)]
    pl.concat(two).sort("problem_id", "seed", "sample").write_parquet(root / "shared" / "solutions.parquet")
    read = others.filter((pl.col("sample") < 4) & (pl.col("problem_id") != problems["problem_id"][5]))
    inputs = {name: root / name for name in (*MODELS, "shared")} | {"test": test_problems}
    (root / "out").mkdir()
    make_model_eval(Task(inputs, root / "out", 3, open_engine=Pupil), CONFIG)
    table = pl.read_parquet(root / "out" / "measures.parquet")
    solved = read.group_by("problem_id").agg(pl.col("correct").any())["correct"].mean()
    return dict(table.select("measure", "per_problem").iter_rows()), float(str(solved))


def test_every_selector_is_measured_on_every_problem(made: tuple[dict[str, Any], float]) -> None:
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
    made: tuple[dict[str, Any], float],
) -> None:
    found = made[0]["shared_any@4"]
    assert sum(found) / len(found) == pytest.approx(made[1])


def test_the_flops_of_a_model_are_those_of_its_own_stages() -> None:
    prefix = "ablations/scale/deep_0"
    keys = ("base/model", "generator/samples", "generator/model", "r00/prm", "r00/prm_plain", "r00/orm")
    reports = [(f"{prefix}/{key}", Outcome(cost=Cost(flops=10.0**i))) for i, key in enumerate(keys)]
    others = [
        ("r00/labels", Outcome(cost=Cost(flops=5.0))),
        *reports,
        (f"{prefix}/eval", Outcome(cost=Cost(9.0))),
    ]
    task = Task({}, Path("out"), 0, open_engine=Pupil, ancestry=lambda name: others)
    assert stage_flops(task, "deep_0") == {
        "base": 1.0, "generator": 110.0, "prm": 1e3, "prm_plain": 1e4, "orm": 1e5
    }  # fmt: skip
