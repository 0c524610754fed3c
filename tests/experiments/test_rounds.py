"""The rounds' arms: each leaves out just what it says, at equal sizes, and goes on where it was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Outcome, StageConfig, Task
from o1_assets.experiments import variants as loop
from o1_assets.experiments.rounds.assets import WAYS, arm_config, artifacts
from o1_assets.experiments.rounds.config import ArmConfig
from o1_assets.experiments.variants import make_arm, newest, share_of_new
from o1_assets.profiles.load import load_profile
from o1_assets.reward.config import PRMConfig

ROUNDS = 3


PROFILE = load_profile("nano", f"ablations.rounds.rounds={ROUNDS}")


Call = tuple[str, StageConfig, Mapping[str, str]]


def configs() -> dict[str, ArmConfig]:
    return {name: arm_config(PROFILE, way) for name, way in WAYS.items()}


def test_all_arms_make_the_same_updates_and_label_as_many_solutions() -> None:
    made = configs()
    assert len({(c.prm.model_dump_json(), c.policy.model_dump_json()) for c in made.values()}) == 1
    times = {name: 1 if c.at_once else c.rounds for name, c in made.items()}
    assert {times[n] * c.selection.solutions for n, c in made.items()} == {
        ROUNDS * PROFILE.later_selection.solutions
    }
    assert {times[n] * c.solutions.problems * c.solutions.samples for n, c in made.items()} == {
        ROUNDS * PROFILE.later_solutions.problems * PROFILE.later_solutions.samples
    }
    uniform = made["uniform"].selection
    assert uniform.strategy == "uniform" and uniform.solutions == made["rounds"].selection.solutions


def test_trainings_never_see_held_out_problems_and_equal_seeds_draw_alike() -> None:
    *arms, result = artifacts(PROFILE)
    assert len(arms) == 6 * PROFILE.ablations.seeds == len({a.key for a in arms})
    assert all("problems/test" not in a.inputs.values() and "eval" not in str(a.inputs) for a in arms)
    assert {a.seed for a in arms if a.key.endswith("_1")} == {arms[1].seed} != {arms[0].seed}
    assert {a.key for a in arms} < set(result.inputs.values())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every stage's compute function replaced by one that notes its configuration and what it is made from."""
    made: list[Call] = []

    def stand_in(stage: str) -> Callable[[Task, Any], Outcome]:
        def compute(task: Task, config: Any) -> Outcome:
            made.append((stage, config, {name: origin(path) for name, path in task.inputs.items()}))
            (task.out / "seed").write_text(str(task.seed))
            if stage == "labels":
                pl.DataFrame({"solution_id": ["a", "b", "b", "c"]}).write_parquet(task.out / "labels.parquet")
            updates = {"updates": config.updates} if hasattr(config, "updates") else {}
            return Outcome({**updates, "solutions": 3}, Cost(flops=1.0, tokens_generated=1))

        return compute

    for stage in ("solutions", "selection", "labels", "prm", "policy"):
        monkeypatch.setattr(loop, f"make_{stage}", stand_in(stage))
    monkeypatch.setattr(loop, "draw_uniformly", stand_in("drawn"))
    monkeypatch.setattr(loop, "label_batches", lambda inbox: stand_in("label_batches"))
    return made


def origin(path: Path) -> str:
    """r02/prm of what the arm made; else the input's name."""
    return "/".join(path.parts[-3:-1]) if path.name == "out" else path.name


def run(folder: Path, config: ArmConfig, unfinished: Path | None = None) -> Outcome:
    given = folder.parent / "given"
    for name in ("policy", "prm", "orm", "labels", "generator", "train"):
        (given / name).mkdir(parents=True, exist_ok=True)
    twelve = pl.DataFrame({"solution_id": [str(i) for i in range(12)]})
    twelve.write_parquet(given / "labels" / "labels.parquet")
    folder.mkdir()
    inputs = {path.name: path for path in given.iterdir()}
    return make_arm(
        Task(inputs, folder, 5, lambda path: pytest.fail(str(path)), unfinished=unfinished), config
    )


def of(calls: list[Call], stage: str, name: str) -> list[str]:
    return [inputs[name] for made, _, inputs in calls if made == stage]


def test_rounds_go_as_the_runs_own(calls: list[Call], tmp_path: Path) -> None:
    run(tmp_path / "out", configs()["rounds"])
    assert [stage for stage, _, _ in calls] == [
        "solutions", "selection", "label_batches", "labels", "prm", "policy"
    ] * ROUNDS  # fmt: skip
    assert of(calls, "solutions", "policy") == ["policy", "r01/policy", "r02/policy"]
    assert of(calls, "selection", "prm") == ["prm", "r01/prm", "r02/prm"]
    assert of(calls, "prm", "init") == ["prm", "r01/prm", "r02/prm"]
    assert of(calls, "policy", "prm") == ["r01/prm", "r02/prm", "r03/prm"]
    assert set(of(calls, "policy", "orm")) == {"orm"}
    last = [inputs for stage, _, inputs in calls if stage == "prm"][-1]
    assert [last[f"labels_{k:02d}"] for k in range(4)] == ["labels", "r01/labels", "r02/labels", "r03/labels"]


@pytest.mark.parametrize(
    ("arm", "stage", "name", "expected"),
    [
        ("fixed_selector", "selection", "prm", ["prm"] * 3),
        ("fixed_selector", "prm", "init", ["prm", "r01/prm", "r02/prm"]),
        ("labels_without_rl", "solutions", "policy", ["policy"] * 3),
        ("labels_without_rl", "policy", "policy", []),
        ("rl_without_labels", "prm", "init", []),
        ("rl_without_labels", "policy", "prm", ["prm"] * 3),
        ("rl_without_labels", "policy", "policy", ["policy", "r01/policy", "r02/policy"]),
        ("at_once", "solutions", "policy", ["policy"]),
        ("at_once", "selection", "prm", ["prm"]),
        ("at_once", "prm", "init", ["prm", "r01/prm", "r02/prm"]),
        ("at_once", "policy", "prm", ["r03/prm"] * 3),
        ("uniform", "selection", "prm", ["prm", "r01/prm", "r02/prm"]),
        ("uniform", "selection", "solutions", ["r01/drawn", "r02/drawn", "r03/drawn"]),
        ("rounds", "drawn", "solutions", []),
    ],
)
def test_a_control_leaves_out_what_it_says(
    calls: list[Call], tmp_path: Path, arm: str, stage: str, name: str, expected: list[str]
) -> None:
    run(tmp_path / "out", configs()[arm])
    assert of(calls, stage, name) == expected


def test_the_uniform_control_draws_often_what_the_policy_writes_often(tmp_path: Path) -> None:
    often, seldom = ["common"] * 9, ["rare"]
    (tmp_path / "solutions").mkdir()
    pl.DataFrame(
        {
            "problem_id": [f"p{k}" for k in range(200) for _ in range(10)],
            "sample": [i for _ in range(200) for i in range(10)],
            "text": (often + seldom) * 200,
        }
    ).write_parquet(tmp_path / "solutions" / "solutions.parquet")
    config = configs()["uniform"].selection.model_copy(update={"per_problem": 1, "solutions": 150})
    task = Task({"solutions": tmp_path / "solutions"}, tmp_path, 3, lambda path: pytest.fail(str(path)))
    loop.draw_uniformly(task, config)
    drawn = pl.read_parquet(tmp_path / "solutions.parquet")
    assert drawn.height == drawn["problem_id"].n_unique() == 150
    assert 0.82 < (drawn["text"] == "common").mean() < 0.98


def test_labels_at_once_are_trained_on_as_often_as_in_rounds(calls: list[Call], tmp_path: Path) -> None:
    config = configs()["at_once"]
    run(tmp_path / "out", config)
    (prm, *_) = (c for stage, c, _ in calls if stage == "prm")
    assert isinstance(prm, PRMConfig)
    assert prm.newest_share == share_of_new(config.prm.newest_share, 12, 1, ROUNDS)
    assert share_of_new(0.3, 100, 50, 1) == pytest.approx(0.3)
    assert share_of_new(0.3, 100, 50, 2) == pytest.approx((0.3 + 0.3 + 0.7 / 3) / 2)


def test_a_killed_arm_goes_on_at_its_stage_to_the_same_bytes(
    calls: list[Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, kept = configs()["rounds"], tmp_path / "unfinished"
    whole = run(tmp_path / "whole", config)
    calls.clear()
    make_policy = loop.make_policy

    def killed(task: Task, config: Any) -> Outcome:
        (task.out / "half").write_text("written")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "make_policy", killed)
        run(tmp_path / "killed", config, kept)
    assert [stage for stage, _, _ in calls][-1] == "prm" and make_policy is loop.make_policy
    calls.clear()
    again = run(tmp_path / "again", config, kept)
    assert calls[0][0] == "policy", "what was done is not done again"
    assert again == whole and again.cost == Cost(flops=18.0, tokens_generated=18)
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")
    assert not any("half" in name for name in contents(tmp_path / "again"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_newest_after_a_round_is_round_0s_where_the_arm_trained_none(tmp_path: Path) -> None:
    (tmp_path / "r02" / "prm").mkdir(parents=True)
    first = Path("first")
    found = [newest(tmp_path, "prm", k, first) for k in range(4)]
    assert found == [first, first, *[tmp_path / "r02" / "prm"] * 2]
    assert newest(tmp_path, "policy", 3, first) == first
