"""From arms of two rounds to the table, the curves and the claims, in a small world."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.evaluation.statistics import mean_parts, share
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.measure import PolicyEvalConfig, make_policy_eval
from o1_assets.experiments.result import Result, read_result
from o1_assets.experiments.rounds.config import RoundsConfig
from o1_assets.experiments.rounds.measure import FOOLED_POOL, STEP_F1, mixed_pool, trainings_needed
from o1_assets.experiments.rounds.result import make_rounds_result
from o1_assets.experiments.rounds.searched import SearchedConfig, make_searched, searched_parts
from o1_assets.experiments.rounds.shown import RoundsResultConfig
from o1_assets.rounds.config import SearchConfig
from tests.evaluation.conftest import Pupil
from tests.evaluation.test_round_eval import evaluate

ARMS = ("rounds", "labels_without_rl", "fixed_selector")


# Chains, because the pupil writes whole solutions only.
CHAINS = SearchConfig(name="chains", strategy="best-of-n", problems=6, tokens=150)

CONFIG = RoundsResultConfig(
    arms=tuple(ArmWords(name=name, says=f"what {name} does") for name in ARMS),
    seeds=2,
    rounds=RoundsConfig(rounds=2, best_of=4, pool_solutions=20, searches=(CHAINS,), detect=0.02),
    judge=EvalConfig(problems=6, samples=4, subsets=20, resamples=100),
)


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> tuple[Path, Result]:
    """The arms differ in their last PRM: `rounds` has another than round 0's from round 2 on, the others never."""
    root = tmp_path_factory.mktemp("rounds")
    inputs = {"policy": checkpoints["generator"], "generator": checkpoints["generator"]}
    inputs |= {"prm": checkpoints["prm_00"], "test": test_problems, "pool": root / "pool"}
    evaluate(root / "pool", checkpoints, test_problems)
    for arm in ARMS:
        for seed in range(CONFIG.seeds):
            name = f"{arm}_{seed}"
            if arm == "rounds":
                inputs[f"{name}_prm_1"], inputs[f"{name}_prm_2"] = inputs["prm"], checkpoints["prm_01"]
            out = inputs[name] = root / name
            out.mkdir()
            models = {**inputs, "prm": inputs.get(f"{name}_prm_2", inputs["prm"])}
            config = PolicyEvalConfig(
                problems=6, samples=4, subsets=20, draw=seed, greedy=False, selectors=(PRM,)
            )
            make_policy_eval(Task(models, out, 3, open_engine=Pupil), config)
            searched = inputs[f"{name}_searched"] = root / f"{name}_searched"
            searched.mkdir()
            make_searched(
                Task(models, searched, 3, open_engine=Pupil), SearchedConfig(searches=(CHAINS,), draw=seed)
            )
    (root / "out").mkdir()
    make_rounds_result(Task(inputs, root / "out", 3, open_engine=Pupil, ancestry=ancestry), CONFIG)
    return root / "out", read_result(root / "out")


def ancestry(name: str) -> list[tuple[str, Outcome]]:
    """What was made for an evaluated arm: the loop's round 0, labels and a PRM of its own, the evaluation."""
    prefix, seed = f"ablations/rounds/{name}", int(name[-1])
    return [
        ("r00/labels", Outcome({"labels": 100, "solutions": 40})),
        (f"{prefix}/r01/labels", Outcome({"labels": 9, "solutions": 3})),
        (f"{prefix}/r02/prm", Outcome({"updates": 7}, Cost(flops=2.0, tokens_generated=10 + seed))),
        (f"{prefix}/eval", Outcome(cost=Cost(flops=99.0))),
    ]


def test_arms_that_are_alike_do_not_differ_and_one_with_another_prm_does(made: tuple[Path, Result]) -> None:
    table = made[1].tables["arms"].frame
    pass_1 = table.filter(pl.col("measure") == "pass@1")
    assert pass_1["arm"].to_list() == list(ARMS) and pass_1["minus rounds"].to_list()[1:] == [0.0, 0.0]
    for measure in (STEP_F1, FOOLED_POOL, "best of 4, GPT*'s samples"):
        own = table.filter(pl.col("measure") == measure)
        first, second, third = own["value"].to_list()
        assert second == third and own["minus rounds"][1] == pytest.approx(second - first)
    assert table.filter(pl.col("measure") == STEP_F1)["minus rounds"][1] != 0


def test_the_curves_begin_alike_and_part_where_the_prm_changed(made: tuple[Path, Result]) -> None:
    curves = made[1].tables["curves"].frame.filter(pl.col("measure") == STEP_F1)
    means = {arm: part["mean"].to_list() for (arm,), part in curves.group_by("arm", maintain_order=True)}
    assert means["rounds"][0] == means["rounds"][1] == means["fixed_selector"][2] != means["rounds"][2]


def test_every_claim_follows_from_the_table_and_steadiness_from_the_curves(made: tuple[Path, Result]) -> None:
    folder, result = made
    claims = {claim.name: claim for claim in result.claims}
    assert set(claims) == {
        *(f"rounds_minus_{arm}_{m}" for arm in ARMS[1:] for m in ("pass@1", "best_of", "step_f1", "fooled")),
        *(
            f"rounds_minus_{arm}_{m}_{where}"
            for arm in ARMS[1:]
            for m, where in itertools.chain(
                itertools.product(("accuracy", "fooled", "condemned"), ("chains",)),
                itertools.product(("step_f1", "fooled", "condemned"), ("searched_pool",)),
            )
        ),
        "selector_falls_step_f1",
        "selector_falls_fooled",
    }
    row = result.tables["arms"].frame.filter(
        (pl.col("arm") == "fixed_selector") & pl.col("measure").str.starts_with("best of 4, GPT")
    )
    own = claims["rounds_minus_fixed_selector_best_of"]
    assert own.value == -row["minus rounds"].item() and own.low == -row["difference, high"].item()
    means = result.tables["curves"].frame.filter(
        (pl.col("measure") == STEP_F1) & (pl.col("arm") == "rounds")
    )["mean"]
    assert claims["selector_falls_step_f1"].value == pytest.approx(max(0.0, means[1] - means[2]))
    assert {p.stem for p in (folder / "plots").iterdir()} == {"pass_at_1", "best_of", "step_f1", "fooled"}
    spent = result.tables["spent"].frame.row(0, named=True)
    assert spent["ratings"] == 9 and spent["prm updates"] == 7 and spent["tokens_generated"] == 10.5
    assert json.loads((folder / "result.json").read_text())["name"] == "rounds"


def test_each_arm_is_measured_by_its_own_searches_and_on_the_pool_of_all(made: tuple[Path, Result]) -> None:
    table = made[1].tables["arms"].frame
    own = {arm: table.filter(arm=arm) for arm in ARMS}
    trees = [own[arm].filter(pl.col("measure").str.ends_with(", chains")) for arm in ARMS]
    assert trees[0]["measure"].to_list() == [
        f"{m}, chains" for m in ("accuracy", "fooled", "condemned", "convincing")
    ]
    values = [tree["value"].to_list() for tree in trees]
    assert values[1] == values[2] != values[0], "a search reads the arm's last PRM"
    pooled = [
        own[arm].filter(pl.col("measure").str.ends_with("searched pool"))["value"].to_list() for arm in ARMS
    ]
    assert pooled[1] == pooled[2] != pooled[0] and len(pooled[0]) == 3


def test_parts_of_searched_trees_count_answers_mixed_trees_and_both_errors(tmp_path: Path) -> None:
    rows = [  # problem, sample, correct, sound, score, winner
        ("a", 0, True, True, 0.2, False), ("a", 1, False, False, 0.9, True), ("a", 2, True, False, 0.1, False),
        ("b", 0, True, True, 0.7, True), ("b", 1, False, False, 0.4, False),
        ("c", 0, False, False, 0.6, True),
    ]  # fmt: skip
    columns = ["problem_id", "sample", "correct", "sound", "score", "winner"]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    table.with_columns(source=pl.lit("chains")).write_parquet(tmp_path / "solutions.parquet")
    test = pl.DataFrame({"problem_id": ["a", "b", "c", "d"]})
    sums = {name: parts.sum(0).tolist() for name, parts in searched_parts(tmp_path, [CHAINS], test).items()}
    assert sums == {
        "accuracy, chains": [1, 4],  # d found nothing
        "fooled, chains": [1, 2],  # a, of a and b
        "condemned, chains": [1, 2],  # a right answer with a wrong step is condemned rightly
        "convincing, chains": [2, 3],
    }


def test_as_many_trainings_are_needed_as_the_noise_between_them_asks_for(made: tuple[Path, Result]) -> None:
    rng = np.random.default_rng(0)
    control = mean_parts(rng.random(4000))[None].repeat(40, axis=0)  # [seeds, problems, 2]
    noisy = control.copy()
    noisy[:, :, 0] += rng.normal(0, 0.03, size=(40, 1))
    found = trainings_needed([noisy], control, share, 0.02, seed=1)
    # (0.02 / 2.8)^2 = 0.03^2 / n, for n = 17.6; the problems are paired and add nothing.
    assert found and found.over_seeds == pytest.approx(0.03, rel=0.3) and found.over_problems < 1e-9
    assert found.needed == math.ceil(found.over_seeds**2 / (0.02 / 2.8) ** 2)
    few = trainings_needed(
        [mean_parts(rng.random(20))[None].repeat(3, axis=0)], control[:3, :20], share, 0.02, 1
    )
    assert few and few.needed is None and few.over_problems > 0.02 / 2.8
    table = made[1].tables["trainings"].frame
    assert set(table["measure"]) == set(made[1].tables["arms"].frame["measure"])


def test_the_fixed_pool_holds_as_much_of_every_policy_and_nothing_twice() -> None:
    def solutions(author: str) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "solution_id": [f"{author}{i}" for i in range(40)], "problem_id": ["p"] * 40,
                "text": [f"{author}{i % 30}" for i in range(40)], "steps": [["x"]] * 40, "token_ids": [[1]] * 40,
                "correct": [i % 30 < 20 for i in range(40)],
            }
        )  # fmt: skip

    pool = mixed_pool({"a": solutions("a"), "b": solutions("b")}, 16, seed=1)
    assert pool.height == 32 and pool["text"].n_unique() == 32
    assert pool.group_by(pl.col("text").str.slice(0, 1)).agg(pl.col("correct").sum())[
        "correct"
    ].to_list() == [8, 8]
    again = mixed_pool({"a": solutions("a"), "b": solutions("a")}, 16, seed=1)
    assert again["text"].n_unique() == again.height < 32
