"""docs/scale.md: how cost grows, in tables made of results.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log
from typing import Any

ROW = re.compile(r"growth: (?P<what>.+), (?P<size>\d+): (?P<measure>.+)")

HEAD = """\
# How cost grows

Written by `make bench` from [benchmarks/results.json](../benchmarks/results.json): change nothing here by hand.

The first tables are of the same work at several sizes (`make bench NAME=growth`), in seconds of one processor, which \
grow with the work alone, whatever else the machine does. The exponent is that of the largest size against the one \
before: 1 is proportional, 0 does not grow. *status* is the whole command `o1 status`, from the start of its process; \
*tick* is what the sensor asks of the store and the inbox every 15 seconds, in a process that has asked before. Sizes \
of 100,000 versions and of 100,000 rated solutions take minutes to make up, and are measured with `O1_BENCH=full`.
"""

OTHERS = """\
## At the largest sizes

Seconds of the clock on two cores, medians, of work that has a benchmark of its own, as it was when that last ran.
"""

MEASURED_ALONE = (
    "labels_ingest_seconds",
    "labels_increment_seconds",
    "selection_10m_seconds",
    "status_seconds_after_a_year",
    "audit_seconds_after_a_year",
)


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole text. results: the content of results.json."""
    groups: dict[str, dict[str, dict[int, float]]] = {}
    limits: dict[str, str] = {}
    for name, row in results.items():
        if match := ROW.fullmatch(name):
            measures = groups.setdefault(match["what"], {})
            measures.setdefault(match["measure"], {})[int(match["size"])] = float(row["value"])
            limits[match["measure"]] = row["against"]
    parts = [HEAD]
    for what, measures in sorted(groups.items()):
        parts += [f"## {what[0].upper()}{what[1:]}", "", *_table(what, measures, limits), ""]
    alone = {name: results[name] for name in MEASURED_ALONE if name in results}
    if alone:
        rows = [
            f"| `make bench NAME={name}` | {row['value']:.2f} | {row['against']} |"
            for name, row in alone.items()
        ]
        parts += [OTHERS, "| command | seconds | limit |", "| --- | ---: | --- |", *rows, ""]
    return "\n".join(parts).rstrip() + "\n"


def _table(what: str, measures: Mapping[str, Mapping[int, float]], limits: Mapping[str, str]) -> list[str]:
    sizes = sorted({size for row in measures.values() for size in row})
    head = [what, *(f"{size:,}" for size in sizes), "exponent", "limit"]
    lines = [head, ["---", *["---:"] * (len(sizes) + 1), "---"]]
    for measure, row in measures.items():
        seconds = [f"{row[size]:.3f}" if size in row else "–" for size in sizes]
        lines.append([measure, *seconds, exponent(row), limits[measure] or "–"])
    return [f"| {' | '.join(line)} |" for line in lines]


def exponent(seconds: Mapping[int, float]) -> str:
    """Of the power of the size that the seconds grow with, from the second largest size to the largest."""
    known = sorted(seconds)
    if len(known) < 2 or min(seconds[known[-2]], seconds[known[-1]]) <= 0:
        return "–"
    return f"{log(seconds[known[-1]] / seconds[known[-2]]) / log(known[-1] / known[-2]):.2f}"
