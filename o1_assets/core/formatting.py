"""How figures are named and written for a person."""

from __future__ import annotations

import re

NAMES = {
    "wall_seconds": "The whole run, all rounds",
    "overhead_share": "Share of it not spent in model compute",
    "peak_rss_gib": "Peak memory",
    "generator_pass@1": "GPT*, one sample",
    "baby_o1_pass@1": "baby-o1, one sample",
    "generator_greedy": "GPT*, greedy",
    "baby_o1_greedy": "baby-o1, greedy",
    "fooled_rate_first": "Wrong answers that fool the first PRM",
    "fooled_rate_last": "Wrong answers that fool the newest PRM",
}


PATTERNS = (
    (re.compile(r"majority@(\d+)"), "Majority of {0}"),
    (re.compile(r"orm_best_of_(\d+)"), "ORM, best of {0}"),
    (re.compile(r"prm_best_of_(\d+)"), "PRM, best of {0}"),
)


def figure_name(name: str) -> str:
    """A headline's name in words; an unknown name with its underscores opened."""
    for pattern, words in PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return words.format(match[1])
    return NAMES.get(name, name.replace("_", " "))


def figure_value(name: str, value: float | None) -> str:
    """With its unit: seconds, GiB, or a share as percent."""
    if value is None:
        return "not measured"
    if name.endswith("_seconds"):
        return seconds(value)
    if name.endswith("_gib"):
        return f"{value:.2f} GiB"
    return f"{100 * value:.1f}%"


def seconds(value: float) -> str:
    """4.2 s, 3 min 05 s, 1 h 02 min."""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        whole = round(value)
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: float) -> str:
    """950, 12.3 k, 4.56 M, 1.2 G, 3.4 T, 5.6 P: three digits are what anyone compares."""
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"
