"""The rounds' arms: each leaves out just what it says, at equal sizes, and is made by the graph's own stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.settings import Settings
from o1_assets.experiments.rounds import assets
from o1_assets.experiments.rounds.assets import (
    ARMS,
    artifacts,
    chosen_arms,
    draw_uniformly,
    make_prm_at_once,
    share_of_new,
)
from o1_assets.experiments.rounds.config import AtOncePRMConfig
from o1_assets.experiments.rounds.equal_labels import make_equal_labels
from o1_assets.experiments.rounds.result import newest_prm
from o1_assets.graph import build_graph
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.label_table import make_labels
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import make_policy
from o1_assets.profiles.load import load_profile
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.train import make_prm
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.rounds.factory import rated_by_machine
from o1_assets.rounds.selection import make_selection
from o1_assets.rounds.solutions import make_solutions

ROUNDS = 3

SEARCHES = '[{"name":"beam","problems":40,"tokens":300}]'
EVERY = ",".join(f'"{name}"' for name in ARMS)
# With all that an arm can leave out.
PROFILE = load_profile(
    "nano",
    f"ablations.rounds.rounds={ROUNDS}\nablations.rounds.arms=[{EVERY}]\nlater_solutions.searches={SEARCHES}\nlater_selection.condemned_share=0.25\n"
    "later_selection.written_steps=step\nlater_prm.written_positive=true\npolicy.replay.weight=1\n"
    f'policy.replay.sources=["written"]\nablations.rounds.searches={SEARCHES}',
)

MADE = {artifact.key.removeprefix("ablations/rounds/"): artifact for artifact in artifacts(PROFILE)}


def stages(arm: str, stage: str = "") -> list[Artifact]:
    """Of the arm's first training, in the order of the data."""
    prefix = f"{arm}_0/r"
    return [
        a for key, a in MADE.items() if key.startswith(prefix) and key.endswith(f"/{stage}" if stage else "")
    ]


def inputs(arm: str, stage: str, name: str) -> list[str]:
    """What each round's stage reads there, if anything; r02/prm: the arm's own."""
    prefix = f"ablations/rounds/{arm}_0/"
    read = [artifact.inputs.get(name, "") for artifact in stages(arm, stage)]
    return [key.replace(prefix, "own ") for key in read if key]


def test_all_arms_make_the_same_updates_and_label_as_many_solutions() -> None:
    updates: dict[type, set[int]] = {PRMConfig: set(), AtOncePRMConfig: set(), PolicyConfig: set()}
    labelled, sampled = set(), set()
    for name, arm in ARMS.items():
        configs = [artifact.config for artifact in stages(name)]
        for config in configs:
            if type(config) in updates:
                updates[type(config)].add(config.updates)  # type: ignore[attr-defined]
        counts = {stage: len(stages(name, stage)) for stage in ("prm", "policy")}
        assert counts == {"prm": ROUNDS * arm.label, "policy": ROUNDS * arm.reinforce}, name
        if name == "without_written":
            solutions = {a.config.solutions for a in stages(name, "selection")}  # type: ignore[attr-defined]
            assert solutions == {PROFILE.later_selection.solutions * 3 // 2}, (
                "cut to as many labels afterwards"
            )
        elif arm.label:
            selections = [a.config for a in stages(name, "selection")]
            labelled.add(sum(c.solutions for c in selections if isinstance(c, SelectionConfig)))
            pools = [a.config for a in stages(name, "solutions")]
            sampled.add(sum(c.problems * c.samples for c in pools if isinstance(c, SolutionsConfig)))
            if name not in ("uniform", "without_search"):
                searches = [s for c in pools if isinstance(c, SolutionsConfig) for s in c.searches]
                assert sum(s.problems for s in searches) == ROUNDS * 40, name
    sizes = PROFILE.ablations.rounds
    assert updates[PRMConfig] == updates[AtOncePRMConfig] == {sizes.prm_updates}
    assert updates[PolicyConfig] == {sizes.policy_updates}
    assert labelled == {ROUNDS * PROFILE.later_selection.solutions}
    assert sampled == {ROUNDS * PROFILE.later_solutions.problems * PROFILE.later_solutions.samples}
    for artifact in stages("uniform", "selection"):
        assert isinstance(artifact.config, SelectionConfig) and artifact.config.strategy == "uniform"


NOTHING_WRITTEN = (
    "first_selection.written_steps=none\nlater_selection.written_steps=none\npolicy.replay.weight=0"
)


def test_an_arm_switches_off_its_part_alone_and_is_left_out_where_the_profile_has_none_of_it() -> None:
    whole, searched, condemned, written = (
        {artifact.key.rpartition("/")[2]: artifact.config for artifact in stages(arm)}
        for arm in ("rounds", "without_search", "without_condemned", "without_written")
    )
    assert {name for name in whole if whole[name] != searched[name]} == {"solutions"}
    assert searched["solutions"] == PROFILE.later_solutions.model_copy(update={"searches": ()})
    assert {name for name in whole if whole[name] != condemned[name]} == {"selection"}
    assert condemned["selection"] == PROFILE.later_selection.model_copy(update={"condemned_share": 0.0})
    assert {name for name in whole if whole[name] != written[name]} == {"selection", "prm", "policy"}
    plain = load_profile(
        "nano",
        f"ablations.rounds.arms=[{EVERY}]\nlater_solutions.searches={SEARCHES}\nlater_selection.condemned_share=0\n"
        + NOTHING_WRITTEN,
    )
    assert set(ARMS) - set(chosen_arms(plain)) == {"without_condemned", "without_written"}
    unsearched = f"ablations.rounds.arms=[{EVERY}]\nlater_solutions.searches=[]"
    keys = {artifact.key for artifact in artifacts(load_profile("nano", unsearched))}
    assert not [key for key in keys if "without_search" in key or "searched" in key]


def test_without_written_steps_an_arm_has_as_many_labels_as_the_rounds_of_its_seed() -> None:
    for k, labels in enumerate(stages("without_written", "labels"), 1):
        assert labels.compute is make_equal_labels
        assert labels.inputs["budget"] == f"ablations/rounds/rounds_0/r{k:02d}/labels"
    keys = [artifact.key for artifact in artifacts(PROFILE)]
    assert keys.index("ablations/rounds/rounds_0/r01/labels") < keys.index(
        "ablations/rounds/without_written_0/r01/labels"
    )
    alone = PROFILE.ablations.rounds.model_copy(update={"arms": ("without_written", "rounds")})
    ablations = PROFILE.ablations.model_copy(update={"rounds": alone})
    assert chosen_arms(PROFILE.model_copy(update={"ablations": ablations})) == ("rounds",)


def test_every_arm_is_measured_under_searches_that_read_its_own_last_prm() -> None:
    for arm, prm in (("rounds", "own r03/prm"), ("rl_without_labels", "r00/prm")):
        searched = MADE[f"{arm}_1/searched"]
        assert searched.inputs["prm"].replace(f"ablations/rounds/{arm}_1/", "own ") == prm
        assert searched.inputs["test"] == "problems/test" and searched.seed == MADE["uniform_0/searched"].seed
    assert MADE["result"].inputs["rounds_1_searched"] == "ablations/rounds/rounds_1/searched"


def test_trainings_never_see_held_out_problems_and_equal_seeds_draw_alike() -> None:
    for key, artifact in MADE.items():
        if "/r" in key:
            assert not {"problems/test", "eval/generator"} & set(artifact.inputs.values()), key
    first, second = (MADE[f"{arm}_1/r02/solutions"].seed for arm in ("rounds", "fixed_selector"))
    assert first == second != MADE["rounds_0/r02/solutions"].seed
    # The seed that the stage had when an arm was one artifact: figures that were published stay as they are.
    assert first == derive_seed(PROFILE.seed_of("ablations/rounds/1"), "r02/solutions")


def test_an_arm_is_made_by_the_stages_of_the_loop_and_belongs_to_the_optional_part() -> None:
    rated = {artifact.compute.__qualname__ for artifact in stages("rounds", "label_batches")}
    assert rated == {f"{rated_by_machine.__name__}.<locals>.rate"}
    computes = {"solutions": make_solutions, "selection": make_selection, "labels": make_labels,
                "prm": make_prm, "policy": make_policy}  # fmt: skip
    for stage, compute in computes.items():
        assert {artifact.compute for artifact in stages("rounds", stage)} == {compute}
    graph = build_graph(PROFILE, Settings("nano", Path("nowhere")))
    for artifact in MADE.values():
        assert graph[artifact.key].part == "ablations"
        assert not {"o1/round", "o1/phase"} & set(artifact.tags) and not artifact.checks


def test_labels_are_a_machine_s_whoever_rates_the_loop() -> None:
    profile = load_profile("nano", "annotator=human")
    for artifact in artifacts(profile):
        if artifact.key.endswith("/label_batches"):
            assert isinstance(artifact.config, LabelBatchesConfig) and artifact.external is None
            assert not artifact.config.waits_for_people


def test_rounds_go_as_the_runs_own() -> None:
    assert [artifact.key.rpartition("/")[2] for artifact in stages("rounds")] == [
        "solutions", "selection", "label_batches", "labels", "prm", "policy"
    ] * ROUNDS  # fmt: skip
    assert inputs("rounds", "solutions", "policy") == ["r00/policy", "own r01/policy", "own r02/policy"]
    assert inputs("rounds", "selection", "prm") == ["r00/prm", "own r01/prm", "own r02/prm"]
    assert inputs("rounds", "prm", "init") == ["r00/prm", "own r01/prm", "own r02/prm"]
    assert inputs("rounds", "policy", "prm") == ["own r01/prm", "own r02/prm", "own r03/prm"]
    assert set(inputs("rounds", "policy", "orm")) == {"r00/orm"}
    last = stages("rounds", "prm")[-1].inputs
    labels = [last[f"labels_{k:02d}"].removeprefix("ablations/rounds/rounds_0/") for k in range(4)]
    assert labels == ["r00/labels", "r01/labels", "r02/labels", "r03/labels"]


@pytest.mark.parametrize(
    ("arm", "stage", "name", "expected"),
    [
        ("fixed_selector", "selection", "prm", ["r00/prm"] * 3),
        ("fixed_selector", "prm", "init", ["r00/prm", "own r01/prm", "own r02/prm"]),
        ("labels_without_rl", "solutions", "policy", ["r00/policy"] * 3),
        ("labels_without_rl", "policy", "policy", []),
        ("rl_without_labels", "prm", "init", []),
        ("rl_without_labels", "policy", "prm", ["r00/prm"] * 3),
        ("rl_without_labels", "policy", "policy", ["r00/policy", "own r01/policy", "own r02/policy"]),
        ("at_once", "solutions", "policy", ["r00/policy"]),
        ("at_once", "selection", "prm", ["r00/prm"]),
        ("at_once", "prm", "init", ["r00/prm", "own r01/prm", "own r02/prm"]),
        ("at_once", "prm", "labels_01", ["own r01/labels"] * 3),
        ("at_once", "policy", "prm", ["own r03/prm"] * 3),
        ("rounds", "solutions", "prm", ["r00/prm", "own r01/prm", "own r02/prm"]),
        ("fixed_selector", "solutions", "prm", ["r00/prm"] * 3),
        ("at_once", "solutions", "prm", ["r00/prm"]),
        ("without_search", "solutions", "prm", []),
        ("without_search", "selection", "prm", ["r00/prm", "own r01/prm", "own r02/prm"]),
        ("uniform", "selection", "prm", ["r00/prm", "own r01/prm", "own r02/prm"]),
        ("uniform", "selection", "solutions", ["own r01/drawn", "own r02/drawn", "own r03/drawn"]),
        ("rounds", "drawn", "solutions", []),
        ("rounds", "policy", "labels_02", ["own r02/labels", "own r02/labels"]),
        ("rl_without_labels", "policy", "labels_00", ["r00/labels"] * 3),
        ("rl_without_labels", "policy", "labels_01", []),
        ("at_once", "policy", "solutions_01", ["own r01/solutions"] * 3),
        ("at_once", "policy", "labels_02", []),
        ("without_written", "policy", "labels_00", []),
    ],
)
def test_a_control_leaves_out_what_it_says(arm: str, stage: str, name: str, expected: list[str]) -> None:
    assert inputs(arm, stage, name) == expected


def test_the_last_policy_and_prm_are_evaluated_and_those_of_round_0_where_none_was_trained() -> None:
    evaluated = {
        arm: tuple(
            MADE[f"{arm}_1/eval"].inputs[name].replace(f"ablations/rounds/{arm}_1/", "own ")
            for name in ("policy", "prm")
        )
        for arm in ARMS
    }
    assert evaluated.pop("labels_without_rl") == ("r00/policy", "own r03/prm")
    assert evaluated.pop("rl_without_labels") == ("own r03/policy", "r00/prm")
    assert set(evaluated.values()) == {("own r03/policy", "own r03/prm")}


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
    config = PROFILE.later_selection.model_copy(update={"per_problem": 1, "solutions": 150})
    task = Task({"solutions": tmp_path / "solutions"}, tmp_path, 3, lambda path: pytest.fail(str(path)))
    draw_uniformly(task, config)
    drawn = pl.read_parquet(tmp_path / "solutions.parquet")
    assert drawn.height == drawn["problem_id"].n_unique() == 150
    assert 0.82 < (drawn["text"] == "common").mean() < 0.98


def test_labels_at_once_are_trained_on_as_often_as_in_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, solutions in (("labels_00", 12), ("labels_01", 3)):
        (tmp_path / name).mkdir()
        rows = {"solution_id": [str(i) for i in range(solutions)] * 2}
        pl.DataFrame(rows).write_parquet(tmp_path / name / "labels.parquet")
    trained: list[Any] = []

    def stand_in(task: Task, config: PRMConfig) -> Outcome:
        trained.append(config)
        return Outcome()

    monkeypatch.setattr(assets, "make_prm", stand_in)
    config = stages("at_once", "prm")[0].config
    assert isinstance(config, AtOncePRMConfig)
    folders = {name: tmp_path / name for name in ("labels_00", "labels_01")}
    make_prm_at_once(Task(folders, tmp_path, 5, lambda path: pytest.fail(str(path))), config)
    (prm,) = trained
    assert (
        prm.newest_share == share_of_new(config.newest_share, 12, 1, ROUNDS) and prm.updates == config.updates
    )
    assert share_of_new(0.3, 100, 50, 1) == pytest.approx(0.3)
    assert share_of_new(0.3, 100, 50, 2) == pytest.approx((0.3 + 0.3 + 0.7 / 3) / 2)


def test_what_is_newest_after_a_round_is_round_0s_where_the_arm_trained_none() -> None:
    first, second = Path("first"), Path("second")
    task = Task({"prm": first, "arm_0_prm_2": second}, Path("out"), 0, lambda path: pytest.fail(str(path)))
    assert [newest_prm(task, "arm_0", k) for k in range(4)] == [first, first, second, second]
