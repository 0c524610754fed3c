"""An arm of an experiment is a part of the ordinary graph under another prefix, with a changed profile.

The stages' own declaration functions make its artifacts; here they only get other names, inputs and seeds. So an arm
is cached, checkpointed, audited and planned as the loop is, and a killed one goes on at the stage where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from o1_assets.core.artifact import Artifact

# The optional part of the graph that every artifact of an experiment belongs to.
PART = "ablations"


def variant(
    prefix: str,
    artifacts: Iterable[Artifact],
    seed: Callable[[str], int],
    says: str,
    instead: Mapping[str, str] | None = None,
) -> list[Artifact]:
    """`artifacts` under `prefix`/: "r01/prm" becomes "<prefix>/r01/prm".

    An input that one of the artifacts makes is read from the variant, any other from the main graph. instead: key of an
    input -> the key that is read in its place, before that rule. seed: of an artifact, by its key without the prefix;
    arms that are to draw equal problems get equal ones. says: what the arm does, for the descriptions.
    """
    chosen, instead = list(artifacts), instead or {}
    made = {artifact.key for artifact in chosen}

    def source(key: str) -> str:
        key = instead.get(key, key)
        return f"{prefix}/{key}" if key in made else key

    return [
        replace(
            artifact,
            key=f"{prefix}/{artifact.key}",
            inputs={name: source(key) for name, key in artifact.inputs.items()},
            seed=seed(artifact.key),
            description=f"{artifact.description} {says}",
            group=prefix.rpartition("/")[0],
            # The tags of rounds select jobs, and the checks compare with the loop's own artifacts: both are the loop's.
            tags={"o1/variant": prefix.replace("/", ".")},  # Dagster allows no slash in a value
            checks=(),
            part=PART,
        )
        for artifact in chosen
    ]
