"""What each run of the command line did and how long it took: one JSON file a run, rewritten after every artifact.

A killed run thus leaves the time it took up to its last artifact.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.store.manifest import Manifest


class RunRecord:
    """Counts from the start of this process, so that imports are part of a run's seconds."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
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
    """Files of runs before a time (seconds since 1970) that made none of the cache keys `needed`."""
    old = [
        path for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.tmp")) if not path.is_symlink()
    ]
    old = [path for path in old if path.stat().st_mtime < before]
    return [path for path in old if path.suffix == ".tmp" or needed.isdisjoint(_made(path))]


def _made(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text())["computed"].values())
    except (ValueError, KeyError):
        return set()


def wall_seconds(folder: Path, current: dict[str, Manifest]) -> tuple[float, float]:
    """(wall-clock seconds, seconds of them not spent computing) of the runs that made what is current.

    current: key -> today's manifest. What no recorded run made (the Dagster UI did) counts its computing only.
    """
    wall = overhead = 0.0
    covered: set[str] = set()
    for path in sorted(folder.glob("*.json")):
        run: dict[str, Any] = json.loads(path.read_text())
        own = {
            k
            for k, cache_key in run["computed"].items()
            if k in current and current[k].cache_key == cache_key
        }
        if own:
            # Optional parts of the graph, made in the same run, are not what `current` took.
            wall += run["seconds"] - sum(
                s for key, s in run.get("seconds_of", {}).items() if key not in current
            )
            overhead += run["seconds"] - run["compute_seconds"]
            covered |= own
    return wall + sum(m.cost.seconds for k, m in current.items() if k not in covered), overhead
