"""`python -m benchmarks [--home FOLDER] [NAME ...]`: runs them, prints a line each and updates results.json.

Some need the models of a finished run: FOLDER, else O1_HOME, else .o1 in the project.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import peers_page, scale_page
from benchmarks.registry import by_name, load, load_comparison
from o1_assets.core.files import json_bytes, replace_file

RESULTS = Path(__file__).with_name("results.json")
DOCS = RESULTS.parents[1] / "docs"
PAGES = {"scale.md": scale_page.page, "peers.md": peers_page.page}


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--part"]:
        _part(*arguments[1:])
        return
    known = by_name()
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--home", type=Path, help="O1_HOME of a finished run of nano")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    given = parser.parse_args(arguments)
    if given.home:
        os.environ["O1_HOME"] = str(given.home.resolve())
    unknown = sorted(set(given.names) - known.keys())
    if unknown:
        raise SystemExit(f"there is no benchmark {unknown[0]!r}; choose of: {', '.join(known)}")
    failed = []
    for names in together(given.names or list(known), known):
        try:
            results = run(names, known)
        except subprocess.CalledProcessError:  # it said why, and the others can still run
            failed += names
            continue
        for key, row in results.items():
            print(f"{key:40} {row['value']:10.3f} ± {row['spread']:.3f} {row['unit']:8} {row['against']}")
        _save(results)
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def together(names: list[str], known: dict[str, str]) -> list[list[str]]:
    """Names of benchmarks that measure the same prepared folder in one list."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(getattr(load(known[name]), "PREPARED", name), []).append(name)
    return list(groups.values())


def run(names: list[str], known: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The results of benchmarks on one folder: median time and highest peak memory of repetitions in turn."""
    if load_comparison(known[names[0]]) is not None:
        return _compared(names[0], known[names[0]])
    benchmarks = {name: load(known[name]) for name in names}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _child(known[names[0]], "prepare", folder, 0)
        for repetition in range(max(benchmark.REPETITIONS for benchmark in benchmarks.values())):
            for name, benchmark in benchmarks.items():
                if repetition < benchmark.REPETITIONS:
                    measured[name].append(_child(known[name], "measure", folder, repetition))
    results = {}
    for name, benchmark in benchmarks.items():
        seconds, gib = zip(*measured[name], strict=True)
        command = f"python -m benchmarks {name}"
        spread = max(seconds) - min(seconds)
        results[name] = _row(median(seconds), spread, "s", command, benchmark.AGAINST)
        memory = name.replace("_seconds", "", 1) + "_peak_rss_gib"
        results[memory] = _row(max(gib), max(gib) - min(gib), "GiB", command, benchmark.AGAINST)
    return results


def _compared(name: str, file: str) -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _child(file, "compare", folder, 0)
        figures = json.loads(Path(folder, ".figures").read_text())
    return {key: _row(command=f"python -m benchmarks {name}", **figure) for key, figure in figures.items()}


def _row(value: float, spread: float, unit: str, command: str, against: str, **sides: str) -> dict[str, Any]:
    """spread: from the smallest to the largest repetition. sides: `ours` and `theirs` of a figure that has them."""
    return {
        **{side: words for side, words in sides.items() if words},
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
    benchmark, comparison = load(file), load_comparison(file)
    if comparison is not None:
        figures = {name: vars(figure) for name, figure in comparison.compare().items()}
        Path(folder, ".figures").write_bytes(json_bytes(figures))
    elif part == "prepare":
        benchmark.prepare(Path(folder))
    else:
        benchmark.measure(Path(folder), int(repetition))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    Path(folder, ".peak").write_text(str(peak))


def _save(results: dict[str, dict[str, Any]]) -> None:
    known = {**(json.loads(RESULTS.read_text()) if RESULTS.exists() else {}), **results}
    replace_file(RESULTS, json_bytes(known))
    for name, page in PAGES.items():
        replace_file(DOCS / name, page(known).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
