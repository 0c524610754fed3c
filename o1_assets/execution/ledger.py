"""Records how long things take: one artifact over all attempts at it, and each run of the command line.

A run is one JSON file that is rewritten after every artifact, so that a killed run leaves the time it took up to its
last one. An artifact's own seconds are in its manifest; tokens and FLOPs are summed in store/ancestry.py.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.store.manifest import Manifest

# The least time between two saves of a stopwatch: what a kill may leave uncounted.
SAVE_SECONDS = 10.0


class Stopwatch:
    """The seconds that an artifact takes, counted from now on, on top of those of attempts that were killed.

    They are saved in unfinished/<cache key>/attempts/seconds.json, which is removed once the artifact is stored.
    """

    def __init__(self, unfinished: Path) -> None:
        # In a folder of its own: saving a training's state removes the other files beside it.
        self._file = unfinished / "attempts" / "seconds.json"
        self._earlier = 0.0
        with suppress(OSError, ValueError, TypeError):
            self._earlier = float(json.loads(self._file.read_text()))
        self._started = self._saved = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def save(self) -> None:
        """Saves the seconds if SAVE_SECONDS have passed. A full disk is no reason to stop computing."""
        if time.perf_counter() - self._saved < SAVE_SECONDS:
            return
        with suppress(OSError):
            replace_file(self._file, json_bytes(self.seconds))
        self._saved = time.perf_counter()


class RunRecord:
    """One run's record. Its seconds count from the start of this process, so that imports are part of them."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        # Importing torch is part of what a person waits for; a clock started here would miss it.
        self.started = psutil.Process().create_time()
        self.path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:6]}.json"
        self.computed: dict[str, str] = {}
        self.seconds_of: dict[str, float] = {}
        self.compute_seconds = 0.0

    @property
    def seconds(self) -> float:
        return time.time() - self.started

    def made(self, manifest: Manifest) -> None:
        self.computed[manifest.key] = manifest.cache_key
        # Attempts that earlier, killed runs made count in a manifest's seconds, but took none of this run's.
        seconds = min(manifest.cost.seconds, self.seconds)
        self.seconds_of[manifest.key] = seconds
        self.compute_seconds += seconds
        self.write()

    def write(self) -> None:
        content = {
            "seconds": self.seconds,
            "compute_seconds": self.compute_seconds,
            "computed": self.computed,
            "seconds_of": self.seconds_of,
        }
        replace_file(self.path, json_bytes(content))


def old_records(folder: Path, before: float, needed: set[str]) -> list[Path]:
    """Record files of runs before a time (seconds since 1970) that made none of the cache keys `needed`."""
    old = [
        path for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.tmp")) if not path.is_symlink()
    ]
    old = [path for path in old if path.stat().st_mtime < before]
    return [path for path in old if path.suffix == ".tmp" or needed.isdisjoint(_cache_keys(path))]


def _cache_keys(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text())["computed"].values())
    except (ValueError, KeyError):
        return set()


def wall_seconds(folder: Path, current: dict[str, Manifest]) -> tuple[float, float]:
    """(wall-clock seconds, seconds of them not spent computing) of the runs that made what is current.

    current: key -> today's manifest. Of an artifact that no recorded run made, such as one that was started in the
    Dagster UI, only the seconds of computing count.
    """
    wall = overhead = 0.0
    covered: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        run: dict[str, Any] = json.loads(path.read_text())
        still_current = {
            key
            for key, cache_key in run["computed"].items()
            if key in current and current[key].cache_key == cache_key
        }
        if still_current:
            # Optional parts of the graph, made in the same run, are not what `current` took.
            wall += run["seconds"] - sum(
                s for key, s in run.get("seconds_of", {}).items() if key not in current
            )
            overhead += run["seconds"] - run["compute_seconds"]
            covered |= still_current
    return wall + sum(m.cost.seconds for k, m in current.items() if k not in covered), overhead
