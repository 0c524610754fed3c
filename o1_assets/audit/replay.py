"""Makes a recorded version again in a scratch folder and compares it with what was stored.

Depth 1 is the artifact itself, from its stored, verified inputs; with depth 2 its inputs are made again too
and the new ones are used; without a limit everything down to the problems is. The store is only read.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from o1_assets.audit.compare import FigureDifference, FileDifference, compare_figures, compare_folders
from o1_assets.audit.differences import changed_circumstances
from o1_assets.audit.remake import CannotRemake, Gone, recorded_artifact, remake, restore_outside
from o1_assets.core.settings import Settings
from o1_assets.execution.code_version import code_version
from o1_assets.profiles.profile import Profile
from o1_assets.store.ancestry import ancestry
from o1_assets.store.digest import folder_tree, tree_digest
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

Verdict = Literal["equal bytes", "equal within tolerance", "differs"]


VERDICTS: tuple[Verdict, ...] = ("equal bytes", "equal within tolerance", "differs")


@dataclass(frozen=True)
class Replayed:
    """One version that was made again.

    digest: of what was made now, None if it could not be. because: what was not as recorded (code, libraries,
    hardware, inputs), one clause each. notes: what else the reader should know. seconds: of computing.
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
    """Told how a replay gets on; does nothing by itself."""

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
    """Each version made again, inputs first, the one asked for last. depth None: the whole ancestry.

    Nothing but a scratch folder is written, and that is removed. Raises StoreError when a manifest or a stored
    input is missing or damaged.
    """
    watch = watch or Watch()
    chosen = within_depth(ancestry(store, key, version), depth)
    scratch = store.scratch()
    made: dict[tuple[str, str], tuple[Path, Replayed]] = {}
    results = []
    try:
        for number, manifest in enumerate(chosen, 1):
            watch.started(manifest.key, number, len(chosen))
            out = scratch / f"{number:04d}"
            result = _replay(manifest, store, settings, profile, out, made, watch)
            if result.digest is not None:
                made[manifest.key, manifest.version] = (out / "out", result)
            watch.done(result, number, len(chosen))
            results.append(result)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return results


def within_depth(ancestors: Sequence[Manifest], depth: int | None) -> list[Manifest]:
    """Those at most `depth` - 1 steps above the last one. ancestors: inputs first."""
    if depth is None:
        return list(ancestors)
    last = ancestors[-1]
    steps = {(last.key, last.version): 1}
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
    made: dict[tuple[str, str], tuple[Path, Replayed]],
    watch: Watch,
) -> Replayed:
    recorded = store.verified(manifest.digest)
    home, out = replace(settings, home=folder / "home"), folder / "out"
    out.mkdir(parents=True)
    because: list[str] = []
    notes: list[str] = []
    inputs: dict[str, Path] = {}
    for name, item in manifest.inputs.items():
        again = made.get((item.key, item.version))
        if again is None:
            inputs[name] = store.verified(item.digest)
        else:
            inputs[name], result = again
            if result.digest != item.digest:
                because.append(f"its input {item.key} came out different")
    started = time.perf_counter()
    try:
        restore_outside(manifest, recorded, settings, home.home, notes.append)
        artifact = recorded_artifact(manifest, profile, home)
        changed = changed_circumstances(manifest, code_version(artifact.compute))
        because = list(dict.fromkeys(changed + because))
        outcome = remake(manifest, artifact, inputs, out, lambda line: watch.line(manifest.key, line), store)
    except (Gone, CannotRemake) as error:
        return Replayed(manifest, "differs", None, because=(str(error),), notes=tuple(notes))
    except Exception as error:
        why = f"making it again failed with {type(error).__name__}: {error}"
        return Replayed(manifest, "differs", None, because=(*because, why), notes=tuple(notes))
    seconds = time.perf_counter() - started
    digest = tree_digest(folder_tree(out))
    files = compare_folders(recorded, out) if digest != manifest.digest else []
    figures = compare_figures(manifest.figures, outcome.figures)
    exact = not manifest.cost.flops and not any(text.startswith("its input") for text in because)
    verdict = judge(files, figures, exact)
    if verdict != "equal bytes" and not because:
        because = ["this computation is not deterministic: nothing that is recorded has changed"]
    return Replayed(manifest, verdict, digest, tuple(files), figures, tuple(because), tuple(notes), seconds)


def judge(files: Sequence[FileDifference], figures: Sequence[FigureDifference], exact: bool) -> Verdict:
    """exact: no model ran in it and its inputs were the same bytes, so its content may not differ at all."""
    if not files and not figures:
        return "equal bytes"
    beyond = any(file.beyond for file in files) or not all(figure.within for figure in figures)
    if beyond or (exact and any(file.content for file in files)):
        return "differs"
    return "equal within tolerance"
