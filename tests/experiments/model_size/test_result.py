"""From made-up judgements to verdicts: what was put in has to come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.result import ScaleResultConfig, make_scale_result
from o1_assets.experiments.result import Result, read_result

SHAPES = (
    Shape(name="small", hidden_size=64, intermediate_size=128, layers=2, seeds=3),
    Shape(name="middle", hidden_size=128, intermediate_size=256, layers=2, of_depths=True, seeds=3),
    Shape(name="large", hidden_size=256, intermediate_size=512, layers=2, seeds=1),
    Shape(
        name="deep", hidden_size=64, intermediate_size=128, layers=8, of_sizes=False, of_depths=True, seeds=2
    ),
)


CONFIG = ScaleResultConfig(shapes=SHAPES, samples=64, shared_samples=16, corpus_solutions=100, resamples=100)


SOLVED = {"small": 0.3, "middle": 0.4, "large": 0.5, "deep": 0.4}


GAIN = {"small": 0.2, "middle": 0.1, "large": 0.0, "deep": 0.1}
"""What the feature adds to the PRM."""


def judgement(folder: Path, name: str, rng: np.random.Generator) -> Path:
    """Of one training: a model as good as SOLVED says, its PRM .2 better, its ORM as good as majority."""
    folder.mkdir()
    solved, noise = SOLVED[name], lambda: 0.01 * rng.normal(size=40)
    values: dict[str, Any] = {
        "base_pass@1": solved - 0.1 + noise(),
        "pass@1": solved + noise(),
        "greedy": solved + noise(),
    }
    for before, n in (("", 64), ("shared_", 16)):
        values |= {
            f"{before}{kind}@{n}": solved + 0.1 + noise() for kind in ("orm", "majority", "min_logprob")
        }
        values |= {f"{before}prm@{n}": solved + 0.3 + noise(), f"{before}any@{n}": solved + 0.4 + noise()}
        values[f"{before}prm_plain@{n}"] = solved + 0.3 - GAIN[name] + noise()
        values |= {
            f"{before}step_f1": np.array([0.8]),
            f"{before}step_f1_plain": np.array([0.8 - GAIN[name]]),
        }
    rows = [(measure, float(v.mean()), v.tolist()) for measure, v in values.items()]
    table = pl.DataFrame(rows, schema=["measure", "value", "per_problem"], orient="row")
    table.write_parquet(folder / "measures.parquet")
    return folder


def ancestry(run: str) -> list[tuple[str, Outcome]]:
    """What was made for a model of the size that the run's name says."""
    size = next(shape for shape in SHAPES if shape.name == run.rpartition("_")[0]).parameters
    flops = {"base/model": 6e6, "generator/model": 1e6, "r00/prm": 3e6, "r00/orm": 2e6}
    made = [
        (f"ablations/scale/{run}/{stage}", Outcome(cost=Cost(flops=factor * size)))
        for stage, factor in flops.items()
    ]
    return [*made, (f"ablations/scale/{run}/eval", Outcome())]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return result_of(tmp_path_factory.mktemp("scale"), CONFIG)


def result_of(root: Path, config: ScaleResultConfig) -> Result:
    rng = np.random.default_rng(0)
    runs = [f"{shape.name}_{seed}" for shape in config.shapes for seed in range(shape.seeds or 0)]
    inputs = {run: judgement(root / run, run.rpartition("_")[0], rng) for run in runs}
    (root / "out").mkdir()
    task = Task(
        inputs, root / "out", 0, open_engine=lambda path: pytest.fail("nothing to open"), ancestry=ancestry
    )
    make_scale_result(task, config)
    return read_result(root / "out")


def verdicts(result: Result, table: str) -> dict[str, str]:
    return dict(result.tables[table].frame.select("measure", "verdict").iter_rows())


def test_what_grows_is_called_stronger_and_what_does_not_is_not(made: Result) -> None:
    found = verdicts(made, "with_size")
    assert found["pass@1"] == found["prm@64"] == "stronger"
    assert found["feature_gain@64"] == found["feature_gain_step_f1"] == "weaker"
    assert found["prm_minus_orm@64"] == found["prm_minus_majority@64"] == "no trend beyond noise"
    assert verdicts(made, "with_depth")["feature_gain@64"] == "no trend beyond noise"


def test_the_claims_say_what_was_put_in(made: Result) -> None:
    claims = {claim.name: claim for claim in made.claims}
    assert claims["feature_gain_smallest"].value == pytest.approx(0.2, abs=0.01)
    assert claims["feature_gain_largest"].value == pytest.approx(0.0, abs=0.01)
    growth = np.log2(SHAPES[2].parameters / SHAPES[0].parameters)
    assert claims["pass@1_per_doubling_of_compute"].value == pytest.approx(0.2 / growth, rel=0.05)
    assert claims["pass@1_compute_r2"].value == pytest.approx(1.0, abs=0.05)
    assert all(claim.target is None for claim in made.claims)
    for claim in made.claims:
        assert claim.low is None or claim.low <= (claim.value or 0.0) <= (claim.high or 0.0)


def test_accuracy_counts_the_training_of_all_that_it_rests_on(made: Result) -> None:
    drawn = {series.label: series.x for series in made.charts["accuracy"].series}
    size = SHAPES[0].parameters
    assert drawn["base, pass@1"][0] == pytest.approx(6e6 * size / 1e12)
    assert drawn["GPT*, pass@1"][0] == pytest.approx(7e6 * size / 1e12)
    assert drawn["best of 64, PRM"][0] == pytest.approx(10e6 * size / 1e12)
    assert len(drawn["GPT*, pass@1"]) == 3, "a model of another depth is no point of the sizes"


def test_without_models_of_other_depths_nothing_is_said_of_depth(tmp_path: Path) -> None:
    sizes = tuple(shape.model_copy(update={"of_depths": False}) for shape in SHAPES[:3])
    result = result_of(tmp_path, CONFIG.model_copy(update={"shapes": sizes}))
    assert verdicts(result, "with_size")["pass@1"] == "stronger"
    assert not [name for name in (*result.tables, *result.charts) if "depth" in name]
    assert not {claim.name for claim in result.claims} & {"feature_gain_deepest", "feature_gain_shallowest"}


def test_models_trained_once_are_named(made: Result) -> None:
    assert any("large 1" in note for note in made.notes)
