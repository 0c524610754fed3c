"""What is not as it is today: code, configuration, seed, libraries, commit, machine. Nothing of it is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.execution.code_version import code_version
from o1_assets.execution.environment import environment, libraries
from o1_assets.store.manifest import Environment, Manifest


@dataclass(frozen=True)
class Today:
    """Today's graph, and what this process would record as its environment of a computation that asks for no library
    of its own."""

    graph: Mapping[str, Artifact]
    environment: Environment


def differences(manifest: Manifest, today: Today) -> Iterator[str]:
    """One clause each, the same for every version of which it is true."""
    artifact = today.graph.get(manifest.key)
    if artifact is None:
        yield "no artifact of today's graph"
    else:
        if manifest.code_version != code_version(artifact.compute):
            yield f"made by other code than today's: {commit(manifest.environment)}"
        config = artifact.config.model_dump(mode="json")
        names = [
            name
            for name in sorted(config.keys() | manifest.config.keys())
            if config.get(name) != manifest.config.get(name)
        ]
        if names:
            yield f"the profile's {', '.join(names)} differ from today's"
        if manifest.seed != artifact.seed:
            yield f"the seed was {manifest.seed}, today it is {artifact.seed}"
    asked_for = {**libraries(manifest.config), **today.environment.libraries}
    now = today.environment.model_copy(update={"libraries": asked_for})
    yield from _environment(manifest.environment, now)


def commit(environment: Environment) -> str:
    if environment.git_commit is None:
        return "commit not recorded, it was no git checkout"
    return f"commit {environment.git_commit[:12]}{' with local changes' if environment.git_dirty else ''}"


def _environment(then: Environment, now: Environment) -> Iterator[str]:
    if (then.git_commit, then.git_dirty) != (now.git_commit, now.git_dirty):
        yield f"made at {commit(then)}, today {commit(now)}"
    for name in sorted(then.libraries.keys() | now.libraries.keys()):
        before, after = then.libraries.get(name, "absent"), now.libraries.get(name, "absent")
        if before != after:
            yield f"{name} was {before}, today {after}"
    for what, before, after in (
        ("Python", then.python, now.python),
        ("the hardware", then.hardware, now.hardware),
        ("the number of threads", str(then.threads), str(now.threads)),
    ):
        if before != after:
            yield f"{what} was {before}, today {after}"


# What is not today as it was when a version was made: code, libraries, Python, hardware.


def changed_circumstances(manifest: Manifest, code_version: str) -> list[str]:
    """One clause each; empty when bytes are to be expected equal. code_version: of today's computation."""
    was = manifest.environment
    now = environment(was.threads, was.engine, manifest.config)
    changes = []
    if code_version != manifest.code_version:
        changes.append(f"its code has changed since; {checkout(manifest)}")
    others = [
        f"{name} {was.libraries.get(name, 'none')} then, {now.libraries.get(name, 'none')} now"
        for name in sorted(was.libraries.keys() | now.libraries.keys())
        if was.libraries.get(name) != now.libraries.get(name)
    ]
    if others:
        changes.append(f"other libraries: {', '.join(others)}")
    if was.python != now.python:
        changes.append(f"Python {was.python} then, {now.python} now")
    if was.processes != now.processes:
        changes.append(f"{was.processes} processes shared it then, {now.processes} now")
    if was.hardware != now.hardware:
        changes.append(f"other hardware: {was.hardware} then, {now.hardware} now")
    return changes


def checkout(manifest: Manifest) -> str:
    """Where the code that made it is to be found."""
    commit, dirty = manifest.environment.git_commit, manifest.environment.git_dirty
    if commit is None:
        return "it was made outside of a git checkout"
    changes = ", which had local changes that git does not know" if dirty else ""
    return f"`git checkout {commit[:12]}` has what made it{changes}"
