"""Formats numbers and the names of figures for people: in tables, plots and cards, and on the terminal."""

from __future__ import annotations

import re

NAMES = {
    "wall_seconds": "The whole run, all rounds",
    "overhead_share": "Share of it not spent in model compute",
    "peak_rss_gib": "Peak memory",
    "labels_rated": "Ratings of steps, all rounds",
    "steps_written": "Steps that labellers wrote",
    "solutions_written": "Whole solutions that labellers wrote",
    "generator_pass@1": "GPT*, one sample",
    "baby_o1_pass@1": "baby-o1, one sample",
    "generator_greedy": "GPT*, greedy",
    "baby_o1_greedy": "baby-o1, greedy",
    "generator_best_of_n_fall": "GPT*'s solutions: largest fall of best of N with N",
    "baby_o1_best_of_n_fall": "baby-o1's solutions: largest fall of best of N with N",
    "generator_step_auc": "GPT*'s steps: right ones above wrong ones (AUC)",
    "baby_o1_step_auc": "baby-o1's steps: right ones above wrong ones (AUC)",
    "generator_hard_step_auc": "GPT*'s steps: right but unlikely above wrong but likely (AUC)",
    "baby_o1_hard_step_auc": "baby-o1's steps: right but unlikely above wrong but likely (AUC)",
    "fooled_rate_first": "Wrong answers that fool the first PRM",
    "fooled_rate_last": "Wrong answers that fool the newest PRM",
}

COUNTS = ("labels_rated", "steps_written", "solutions_written")

PATTERNS = (
    (re.compile(r"majority@(\d+)"), "Majority of {0}"),
    (re.compile(r"orm_best_of_(\d+)"), "ORM, best of {0}"),
    (re.compile(r"prm_best_of_(\d+)"), "PRM, best of {0}"),
    (re.compile(r"generator_prm_best_of_(\d+)"), "PRM, best of {0} solutions of GPT*"),
    (re.compile(r"baby_o1_prm_best_of_(\d+)"), "PRM, best of {0} solutions of baby-o1"),
    (re.compile(r"generator_pass@(\d\d+|[2-9])"), "GPT*, any of {0} samples right"),
    (re.compile(r"baby_o1_pass@(\d\d+|[2-9])"), "baby-o1, any of {0} samples right"),
)


def figure_name(name: str) -> str:
    """A headline figure's name in words; an unknown name with spaces for its underscores."""
    for pattern, words in PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return words.format(match[1])
    return NAMES.get(name, name.replace("_", " "))


def figure_value(name: str, value: float | None) -> str:
    """A headline figure with its unit: a count, seconds, GiB, or a share as a percentage."""
    if value is None:
        return "not measured"
    if name in COUNTS:
        return f"{value:,.0f}"
    if name.endswith("_seconds"):
        return seconds(value)
    if name.endswith("_gib"):
        return f"{value:.2f} GiB"
    if name.endswith("_auc"):
        return f"{value:.3f}"
    return f"{100 * value:.1f}%"


def seconds(value: float) -> str:
    """4.2 s, 3 min 05 s, 1 h 02 min."""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        # Rounded before it is split: 119.7 s is 2 min 00 s, not 1 min 60 s.
        whole = round(value)
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def printable(text: str, limit: int = 80) -> str:
    """Text from outside as a part of one line: what cannot be seen is escaped, what is too long is cut."""
    # A direction mark or an escape sequence in a name could make the terminal show another message than was printed.
    seen = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:limit])
    return seen if len(text) <= limit else f"{seen}..."


UNITS = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def count(value: float) -> str:
    """950, 12.3 k, 4.56 M, 1.2 G, 3.4 T, 5.6 P: three significant digits."""
    for unit, size in UNITS:
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def compact(value: float) -> str:
    """12,345 as 12.3k, for narrow columns; zero as an empty cell."""
    if not value:
        return ""
    for unit, size in UNITS:
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def byte_size(value: float) -> str:
    """950 B, 1.2 kB, 12.3 GB: powers of a thousand, as disks are sold."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


def number(value: float) -> str:
    """About three significant digits: 0.0005, 0.812, 2.61, 140, 12.3 k."""
    size = abs(value)
    if size >= 1000:
        return ("-" if value < 0 else "") + count(size)
    # As 0.000 it would look like zero.
    if size and size < 0.001:
        return f"{value:.2g}"
    # Shares and R² lie below 1.5, where the third decimal still tells two of them apart.
    return f"{value:.3f}" if size < 1.5 else f"{value:.2f}" if size < 100 else f"{value:.0f}"


def figure_text(value: object, digits: str = ".4g") -> str:
    """A figure of any type: floats as `digits` says (a format such as ".3f"), everything else as it is."""
    return f"{value:{digits}}" if isinstance(value, float) else str(value)


def with_thousands(value: float | int | str) -> str:
    """1,234 and 12,345.6, but 1.234e+12 and 0.1234: as a model card shows figures and costs."""
    if isinstance(value, float):
        return f"{value:,.1f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value
