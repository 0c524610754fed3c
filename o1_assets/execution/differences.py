"""How a recorded version differs from the same computation today: in code, configuration, seed or environment.

None of these is a fault of the version. `o1 status` uses them to say why something is stale, an audit to remark on it,
and a replay to explain why bytes came out different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from o1_assets.execution.code_version import code_version

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.store.manifest import Environment, Manifest


@dataclass(frozen=True)
class Differences:
    """config: names of the configuration's fields whose values differ. seed, code: whether they differ."""

    config: tuple[str, ...]
    seed: bool
    code: bool


def differences(manifest: Manifest, artifact: Artifact) -> Differences:
    """Compares a version with the artifact of today's graph; not its inputs, which have versions of their own."""
    config = artifact.config.model_dump(mode="json")
    return compare(manifest, config, artifact.seed, code_version(artifact.compute))


def compare(manifest: Manifest, config: Mapping[str, Any], seed: int, code: str) -> Differences:
    """As `differences`, with what the artifact is today. code: its code version."""
    now, then = config, manifest.config
    # Over the fields of both: a release may have added one, or dropped it.
    fields = [name for name in sorted(now.keys() | then.keys()) if now.get(name) != then.get(name)]
    return Differences(tuple(fields), manifest.seed != seed, manifest.code_version != code)


def environment_differences(then: Environment, now: Environment) -> Iterator[str]:
    """One clause for each difference, the same for every version of which it is true."""
    for name in sorted(then.libraries.keys() | now.libraries.keys()):
        yield from _difference(name, then.libraries.get(name, "absent"), now.libraries.get(name, "absent"))
    yield from _difference("Python", then.python, now.python)
    yield from _difference("the hardware", then.hardware, now.hardware)
    # Sums are made in another order with another number of threads, so that the last bits of a result depend on it.
    yield from _difference("the number of threads", then.threads, now.threads)


def _difference(what: str, then: object, now: object) -> Iterator[str]:
    if then != now:
        yield f"{what} was {then}, today {now}"


def commit(environment: Environment) -> str:
    """A clause with the commit that a version was made at."""
    if environment.git_commit is None:
        return "commit not recorded, it was no git checkout"
    return f"commit {environment.git_commit[:12]}{' with local changes' if environment.git_dirty else ''}"


def checkout(environment: Environment) -> str:
    """A clause that says where the code that made a version can be found."""
    if environment.git_commit is None:
        return "it was made outside of a git checkout"
    changes = ", which had local changes that git does not know" if environment.git_dirty else ""
    return f"`git checkout {environment.git_commit[:12]}` has what made it{changes}"
