"""`o1 audit KEY --replay`: versions made again in a scratch folder, and how they compare with what was stored."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any

from o1_assets.audit.replay import Replayed, Watch, replay, worst
from o1_assets.cli.console import QUIET_SECONDS
from o1_assets.core.errors import O1Error
from o1_assets.core.formatting import figure_text
from o1_assets.core.settings import Settings
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore

# How many generations of an ancestry are meant.


class BadDepth(O1Error, ValueError):
    """Neither a whole number from 1 nor `all`."""


def parse_depth(text: str) -> int | None:
    """`all` is None. Raises BadDepth."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise BadDepth(f"--depth {text!r} is no depth; give 1, 2, ... or all")
    return int(text)


SHOWN = 6
"""Files and figures shown of an artifact; --json has all."""


def run_replay(settings: Settings, key: str, version: str | None, depth: str) -> list[Replayed]:
    """depth: as `parse_depth` takes it. Says on stderr how far it is. Raises BadDepth, StoreError."""
    generations = parse_depth(depth)
    store = ArtifactStore(settings.store, settings.work)
    return replay(store, settings, load_profile(settings.profile), key, version, generations, _Progress())


def failed(results: list[Replayed]) -> bool:
    return worst(results) == "differs"


def replay_json(results: list[Replayed]) -> dict[str, Any]:
    return {"verdict": worst(results), "artifacts": [_row(result) for result in results]}


def replay_lines(results: list[Replayed]) -> list[str]:
    """A line an artifact; below it what differs and why; the verdict of all last."""
    lines = []
    for result in results:
        manifest = result.manifest
        lines.append(
            f"{result.verdict:22} {manifest.key:24} {manifest.digest[:12]} -> {(result.digest or 'not made')[:12]:12} "
            f"{result.seconds:7.1f} s, then {manifest.cost.seconds:.1f} s"
        )
        lines += [f"    {clause}" for clause in _explained(result)]
    counts = {verdict: 0 for verdict in dict.fromkeys(result.verdict for result in results)}
    for result in results:
        counts[result.verdict] += 1
    lines.append(f"{worst(results)}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return lines


def _explained(result: Replayed) -> list[str]:
    word = "differs because" if result.verdict != "equal bytes" else "although"
    lines = [f"{word} {clause}" for clause in result.because]
    lines += [f"{file.path}: {file.what}" for file in result.files[:SHOWN]]
    if len(result.files) > SHOWN:
        lines.append(f"and {len(result.files) - SHOWN} more files (--json)")
    beyond_first = sorted(result.figures, key=lambda figure: figure.within)
    for figure in beyond_first[:SHOWN]:
        far = "" if figure.relative is None else f", {figure.relative:.2%} apart"
        allowed = (
            f"{figure.tolerance:.0%} allowed"
            if figure.within
            else f"more than the {figure.tolerance:.0%} allowed"
        )
        lines.append(
            f"{figure.name}: {figure_text(figure.recorded, '.5g')} -> "
            f"{figure_text(figure.replayed, '.5g')}{far}, {allowed}"
        )
    if len(result.figures) > SHOWN:
        lines.append(f"and {len(result.figures) - SHOWN} more figures (--json)")
    return lines + [f"note: {note}" for note in result.notes]


def _row(result: Replayed) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "key": manifest.key,
        "version": manifest.version,
        "verdict": result.verdict,
        "digest": manifest.digest,
        "digest_replayed": result.digest,
        "because": list(result.because),
        "notes": list(result.notes),
        "files": [asdict(file) for file in result.files],
        "figures": [asdict(figure) for figure in result.figures],
        "seconds": round(result.seconds, 2),
        "seconds_recorded": round(manifest.cost.seconds, 2),
    }


class _Progress(Watch):
    """One line an artifact on stderr; what an artifact says itself only now and then, or in place on a terminal."""

    def __init__(self) -> None:
        self.live, self.spoke = sys.stderr.isatty(), time.monotonic()

    def started(self, key: str, number: int, total: int) -> None:
        self._passing(f"[{number}/{total}] {key} ...")

    def line(self, key: str, text: str) -> None:
        self._passing(f"{key}: {text}")

    def done(self, replayed: Replayed, number: int, total: int) -> None:
        self._say(
            f"[{number:3}/{total}] {replayed.seconds:7.1f} s  {replayed.manifest.key:24} {replayed.verdict}"
        )

    def _passing(self, text: str) -> None:
        if self.live:
            print(f"\r\x1b[K{text[:120]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.spoke > QUIET_SECONDS:
            self._say(f"            {text[:100]}")

    def _say(self, text: str) -> None:
        self.spoke = time.monotonic()
        print(f"\r\x1b[K{text}" if self.live else text, file=sys.stderr, flush=True)
