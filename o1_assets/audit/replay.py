"""Makes a recorded version again in a scratch folder and compares it with what was stored.

Depth 1 makes the artifact itself, from its stored, verified inputs. Depth 2 makes its inputs again too and uses the new
ones; without a limit everything down to the problems is made again. The store is only read.

Configuration, seed, threads and engine are those of the manifest: of today's graph only the compute function is used.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from o1_assets.audit.compare import FigureDifference, FileDifference, compare_figures, compare_folders
from o1_assets.audit.restore import Gone, restore_outside
from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.engine import Engine
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings
from o1_assets.execution.differences import checkout, differences, environment_differences
from o1_assets.execution.environment import environment, prepare_compute
from o1_assets.graph import build_graph
from o1_assets.labels.imported.source import LabelSource
from o1_assets.profiles.profile import Profile
from o1_assets.store.ancestry import ancestry, reports
from o1_assets.store.digest import folder_tree, tree_digest
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

Verdict = Literal["equal bytes", "equal within tolerance", "differs"]

# From the best to the worst.
VERDICTS: tuple[Verdict, ...] = ("equal bytes", "equal within tolerance", "differs")


class CannotRemake(O1Error):
    """Today's code cannot make this version, or this machine lacks the engine; the message says what can."""


@dataclass(frozen=True)
class Replayed:
    """One version that was made again.

    digest: of what was made now; None if nothing could be made. because: what differs from the record (code,
    libraries, hardware, inputs), one clause each. notes: what else the reader should know. seconds: of computing.
    """

    manifest: Manifest
    verdict: Verdict
    digest: str | None
    files: tuple[FileDifference, ...] = ()
    figures: tuple[FigureDifference, ...] = ()
    because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Watch:
    """Told of the progress of a replay; does nothing by itself."""

    def started(self, key: str, number: int, total: int) -> None: ...
    def line(self, key: str, text: str) -> None: ...
    def done(self, replayed: Replayed, number: int, total: int) -> None: ...


def replay(
    store: ArtifactStore,
    settings: Settings,
    profile: Profile,
    key: str,
    version: str | None = None,
    depth: int | None = 1,
    watch: Watch | None = None,
) -> list[Replayed]:
    """Makes each version again, inputs first and the requested one last. depth None: the whole ancestry.

    Nothing but a scratch folder is written, and that is removed. Raises StoreError when a manifest or a stored
    input is missing or damaged.
    """
    watch = watch or Watch()
    chosen = within_depth(ancestry(store, key, version), depth)
    scratch = store.scratch()
    # By key and version: where the new content of what was made again lies, and its digest.
    remade: dict[tuple[str, str], tuple[Path, str]] = {}
    results = []
    try:
        for number, manifest in enumerate(chosen, 1):
            watch.started(manifest.key, number, len(chosen))
            folder = scratch / f"{number:04d}"
            result = _replay(manifest, store, settings, profile, folder, remade, watch)
            if result.digest is not None:
                remade[manifest.key, manifest.version] = (folder / "out", result.digest)
            watch.done(result, number, len(chosen))
            results.append(result)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return results


def within_depth(ancestors: Sequence[Manifest], depth: int | None) -> list[Manifest]:
    """The ancestors that are at most `depth` - 1 steps above the last one. ancestors: inputs first."""
    if depth is None:
        return list(ancestors)
    last = ancestors[-1]
    steps = {(last.key, last.version): 1}
    # Inputs come before what is made from them, so that backwards each has its steps before its inputs ask for them.
    for manifest in reversed(ancestors):
        below = steps[manifest.key, manifest.version] + 1
        for item in manifest.inputs.values():
            name = item.key, item.version
            steps[name] = min(steps.get(name, below), below)
    return [manifest for manifest in ancestors if steps[manifest.key, manifest.version] <= depth]


def worst(results: Sequence[Replayed]) -> Verdict:
    return max((result.verdict for result in results), key=VERDICTS.index)


def _replay(
    manifest: Manifest,
    store: ArtifactStore,
    settings: Settings,
    profile: Profile,
    folder: Path,
    remade: Mapping[tuple[str, str], tuple[Path, str]],
    watch: Watch,
) -> Replayed:
    recorded = store.verified(manifest.digest)
    # A home of its own: the inbox of today may hold other batches than the version was made from.
    home, target = replace(settings, home=folder / "home"), folder / "out"
    target.mkdir(parents=True)
    inputs: dict[str, Path] = {}
    other_inputs: list[str] = []
    notes: list[str] = []
    for name, item in manifest.inputs.items():
        again = remade.get((item.key, item.version))
        inputs[name] = again[0] if again else store.verified(item.digest)
        if again and again[1] != item.digest:
            other_inputs.append(f"its input {item.key} came out different")
    because, started = tuple(dict.fromkeys(other_inputs)), time.perf_counter()
    try:
        restore_outside(manifest, recorded, settings, home.home, notes.append)
        artifact = recorded_artifact(manifest, profile, home)
        because = (*changed_circumstances(manifest, artifact), *because)
        progress = partial(watch.line, manifest.key)
        outcome = remake(manifest, artifact, inputs, target, progress, store)
    except (Gone, CannotRemake) as error:
        return Replayed(manifest, "differs", None, because=(str(error),), notes=tuple(notes))
    except Exception as error:
        # Anything may be raised by other code or on another machine; the replay of the rest goes on.
        why = f"making it again failed with {type(error).__name__}: {error}"
        return Replayed(manifest, "differs", None, because=(*because, why), notes=tuple(notes))
    seconds = time.perf_counter() - started
    digest = tree_digest(folder_tree(target))
    # Equal digests are equal bytes; opening two checkpoints to compare them would take longer than hashing.
    files = compare_folders(recorded, target) if digest != manifest.digest else []
    figures = compare_figures(manifest.figures, outcome.figures)
    verdict = verdict_of(files, figures, exact=not manifest.cost.flops and not other_inputs)
    if verdict != "equal bytes" and not because:
        because = ("this computation is not deterministic: nothing that is recorded has changed",)
    return Replayed(manifest, verdict, digest, tuple(files), figures, because, tuple(notes), seconds)


def verdict_of(files: Sequence[FileDifference], figures: Sequence[FigureDifference], exact: bool) -> Verdict:
    """exact: no model ran and the inputs were the same bytes, so that the content may not differ at all."""
    if not files and not figures:
        return "equal bytes"
    beyond = any(file.beyond for file in files) or not all(figure.within for figure in figures)
    if beyond or (exact and any(file.content for file in files)):
        return "differs"
    return "equal within tolerance"


def changed_circumstances(manifest: Manifest, artifact: Artifact) -> list[str]:
    """Clauses that say what has changed since; empty if equal bytes are expected.

    artifact: as recorded, with today's code.
    """
    then = manifest.environment
    changes = []
    if differences(manifest, artifact).code:
        changes.append(f"its code has changed since; {checkout(then)}")
    # Threads and engine are set as they were, and are no difference.
    now = environment(then.threads, then.engine, manifest.config)
    changes += environment_differences(then, now)
    if then.processes != now.processes:
        changes.append(f"{then.processes} processes shared it then, {now.processes} now")
    return changes


def recorded_artifact(manifest: Manifest, profile: Profile, settings: Settings) -> Artifact:
    """The artifact as it was recorded. settings: the home whose inbox and imported sources it reads.

    Raises CannotRemake when today's code does not know the key, or its configuration.
    """
    artifact = build_graph(_recorded_profile(manifest, profile), settings).get(manifest.key)
    if artifact is None:
        raise CannotRemake(f"today's code makes no {manifest.key}; {checkout(manifest.environment)}")
    try:
        config = type(artifact.config).model_validate(manifest.config)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        # pydantic lists every error; the first field is enough to see what has changed.
        raise CannotRemake(
            f"the configuration of {manifest.key} does not fit today's code (at {field}); "
            f"{checkout(manifest.environment)}"
        ) from None
    # Today's profile may connect the artifact otherwise; its compute function reads inputs by their short names.
    inputs = {name: item.key for name, item in manifest.inputs.items()}
    return replace(artifact, config=config, seed=manifest.seed, inputs=inputs)


def _recorded_profile(manifest: Manifest, profile: Profile) -> Profile:
    """Today's profile, but with the artifact's round in it, which is imported exactly if it was imported then."""
    match = re.match(r"r(\d\d)/", manifest.key)
    if match is None:
        return profile
    k, source = int(match[1]), manifest.config.get("source")
    imported = LabelSource(name=source, first=k, last=k) if isinstance(source, str) else None
    return profile.model_copy(update={"rounds": max(profile.rounds, k), "label_source": imported})


def remake(
    manifest: Manifest,
    artifact: Artifact,
    inputs: Mapping[str, Path],
    out: Path,
    progress: Callable[[str], None],
    store: ArtifactStore,
) -> Outcome:
    """Computes the artifact into `out`. Raises CannotRemake without its engine, and what the function raises."""
    from o1_assets.engine.kept_samples import keeping_samples
    from o1_assets.engine.open import EngineMissing, open_engine

    def opened(path: Path) -> Engine:
        try:
            return open_engine(path, manifest.environment.engine)
        except EngineMissing as error:
            raise CannotRemake(f"{manifest.key} was sampled on another engine: {error}") from None

    # As many threads as then: sums in another order have other last bits.
    prepare_compute(manifest.environment.threads, artifact.resource_class)
    task = Task(
        inputs=inputs,
        out=out,
        seed=manifest.seed,
        open_engine=keeping_samples(opened, None, progress),
        progress=progress,
        ancestry=lambda name: reports(store, manifest.inputs[name]),
    )
    return artifact.compute(task, artifact.config)
