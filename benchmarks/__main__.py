"""`python -m benchmarks [NAME ...]`: runs them, prints a line each and updates benchmarks/results.json."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.registry import by_name, load
from o1_assets.files import json_bytes, replace_file

RESULTS = Path(__file__).with_name("results.json")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--part"]:
        _part(*arguments[1:])
        return
    known = by_name()
    unknown = sorted(set(arguments) - known.keys())
    if unknown:
        raise SystemExit(f"there is no benchmark {unknown[0]!r}; choose of: {', '.join(known)}")
    for name in arguments or list(known):
        results = run(name, known[name])
        for key, row in results.items():
            print(f"{key:40} {row['value']:10.3f} ± {row['spread']:.3f} {row['unit']:8} {row['against']}")
        _save(results)


def run(name: str, file: str) -> dict[str, dict[str, Any]]:
    """The results of one benchmark: median time and highest peak memory of its repetitions."""
    benchmark = load(file)
    seconds, gib = [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _child(file, "prepare", folder, 0)
        for repetition in range(benchmark.REPETITIONS):
            elapsed, peak = _child(file, "measure", folder, repetition)
            seconds.append(elapsed)
            gib.append(peak)
    command = f"python -m benchmarks {name}"
    return {
        name: _row(median(seconds), max(seconds) - min(seconds), "s", command, benchmark.AGAINST),
        name.removesuffix("_seconds") + "_peak_rss_gib": _row(
            max(gib), max(gib) - min(gib), "GiB", command, benchmark.AGAINST
        ),
    }


def _row(value: float, spread: float, unit: str, command: str, against: str) -> dict[str, Any]:
    """spread: from the smallest to the largest repetition."""
    return {
        "value": round(value, 3),
        "spread": round(spread, 3),
        "unit": unit,
        "command": command,
        "against": against,
    }


def _child(file: str, part: str, folder: str, repetition: int) -> tuple[float, float]:
    """Seconds from start to end of a process, and its peak memory in GiB."""
    report = Path(folder, ".peak")
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks", "--part", file, part, folder, str(repetition)],
        check=True,
    )
    return time.perf_counter() - started, int(report.read_text()) / 2**20


def _part(file: str, part: str, folder: str, repetition: str) -> None:
    benchmark = load(file)
    if part == "prepare":
        benchmark.prepare(Path(folder))
    else:
        benchmark.measure(Path(folder), int(repetition))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    Path(folder, ".peak").write_text(str(peak))


def _save(results: dict[str, dict[str, Any]]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    replace_file(RESULTS, json_bytes({**known, **results}))


if __name__ == "__main__":
    main(sys.argv[1:])
