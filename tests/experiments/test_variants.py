"""A part of the graph under another prefix: what it reads from itself and what from the loop."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from o1_assets.core.artifact import Artifact, Check, Finding, Outcome, StageConfig, Task
from o1_assets.experiments.variants import variant


class Config(StageConfig):
    size: int = 1


def make(task: Task, config: Config) -> Outcome:
    return Outcome()


CHECK = Check("any", "always passes", lambda looked: Finding(True, "fine"))


def artifact(key: str, inputs: Mapping[str, str]) -> Artifact:
    return Artifact(
        key, make, Config(), inputs, "Made.", "rounds/r01", seed=7, tags={"o1/round": "r01"}, checks=(CHECK,)
    )


def made(instead: Mapping[str, str] | None = None) -> dict[str, Artifact]:
    stages = [
        artifact("r01/prm", {"init": "r00/prm", "labels": "r01/labels"}),
        artifact("r01/policy", {"policy": "r00/policy", "prm": "r01/prm", "orm": "r01/orm"}),
    ]
    variants = variant("ablations/toy/arm_0", stages, len, "An arm.", instead)
    return {one.key: one for one in variants}


def test_what_the_variant_makes_is_read_from_it_and_all_else_from_the_loop() -> None:
    policy = made()["ablations/toy/arm_0/r01/policy"]
    assert policy.inputs == {
        "policy": "r00/policy", "prm": "ablations/toy/arm_0/r01/prm", "orm": "r01/orm"
    }  # fmt: skip
    assert made()["ablations/toy/arm_0/r01/prm"].inputs == {"init": "r00/prm", "labels": "r01/labels"}


@pytest.mark.parametrize(
    ("instead", "prm"),
    [({"r01/prm": "r00/prm"}, "r00/prm"), ({"r01/orm": "r01/prm"}, "ablations/toy/arm_0/r01/prm")],
)
def test_another_input_may_be_read_in_its_place(instead: dict[str, str], prm: str) -> None:
    inputs = made(instead)["ablations/toy/arm_0/r01/policy"].inputs
    assert inputs["prm"] == prm
    assert inputs["orm"] == ("ablations/toy/arm_0/r01/prm" if "r01/orm" in instead else "r01/orm")


def test_it_has_seeds_of_its_own_and_nothing_that_marks_the_loop() -> None:
    for key, one in made().items():
        assert one.seed == len(key.removeprefix("ablations/toy/arm_0/"))
        assert one.part == "ablations" and one.group == "ablations/toy"
        assert not one.checks and set(one.tags) == {"o1/variant"} and "/" not in one.tags["o1/variant"]
        assert one.compute is make and one.config == Config() and one.description.endswith("An arm.")
