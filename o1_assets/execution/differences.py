"""How a recorded version differs from the same computation today: in code, configuration, seed or environment.

None of these is a fault of the version. `o1 status` uses them to say why something is stale, an audit to remark on it,
and a replay to explain why bytes came out different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from o1_assets.execution.code_version import code_version
from o1_assets.execution.environment import head_commit

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.store.manifest import Environment, Manifest


@dataclass(frozen=True)
class Differences:
    """config: names of the configuration's fields whose values differ. seed, code: whether they differ.

    added: fields that the version was made without, because another release made it; dropped: those that are gone
    since. A field of a table is named with a dot between the two.
    """

    config: tuple[str, ...]
    seed: bool
    code: bool
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def by_release(self) -> bool:
        """Whether the version differs from today in what no profile sets."""
        return self.code or bool(self.added or self.dropped)

    def fields(self) -> Iterator[str]:
        """Clauses about fields that only one of the two has: nobody changed a profile there."""
        if self.added:
            yield f"made without {_settings(self.added)}"
        if self.dropped:
            yield f"made with {_settings(self.dropped)}, which {'is' if len(self.dropped) == 1 else 'are'} gone"


def differences(manifest: Manifest, artifact: Artifact) -> Differences:
    """Compares a version with the artifact of today's graph; not its inputs, which have versions of their own."""
    config = artifact.config.model_dump(mode="json")
    return compare(manifest, config, artifact.seed, code_version(artifact.compute, artifact.unused))


def compare(manifest: Manifest, config: Mapping[str, Any], seed: int, code: str) -> Differences:
    """As `differences`, with what the artifact is today. code: its code version."""
    now, then = dict(_flat(config, manifest.config)), dict(_flat(manifest.config, config))
    changed = sorted(name for name in now.keys() & then.keys() if now[name] != then[name])
    return Differences(
        tuple(changed),
        manifest.seed != seed,
        manifest.code_version != code,
        added=tuple(sorted(now.keys() - then.keys())),
        dropped=tuple(sorted(then.keys() - now.keys())),
    )


def _flat(config: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a configuration; of a table that the other has too, the table's fields."""
    for name, value in config.items():
        theirs = other.get(name)
        if isinstance(value, Mapping) and isinstance(theirs, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in _flat(value, theirs))
        else:
            yield name, value


def _settings(names: tuple[str, ...]) -> str:
    return f"the setting{'s' * (len(names) > 1)} {', '.join(names)}"


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
    if environment.git_commit == head_commit():
        return "it was made at the commit that is checked out: local changes of then or of now differ"
    changes = ", which had local changes that git does not know" if environment.git_dirty else ""
    return f"`git checkout {environment.git_commit[:12]}` has what made it{changes}"
