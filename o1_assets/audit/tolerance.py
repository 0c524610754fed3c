"""How far a replay may be from the recorded result and still count as equal: all of it stands here.

Equal bytes need none of this. It is for another machine, a GPU or other library versions, where sums are made
in another order, a sampled token tips, and what is trained on it follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

Figure = float | int | str | None

WEIGHTS = 0.05
"""Norm of the difference of a tensor, relative to the norm of the recorded one."""

FIGURES: tuple[tuple[str, float], ...] = (
    ("parameters", 0.0),
    ("updates", 0.0),
    ("rounds", 0.0),
    ("epochs", 0.0),
    ("problems", 0.0),
    ("corpus_*", 0.0),
    ("batches*", 0.0),
    ("loss_*", 0.05),
    ("*", 0.1),
)
"""Relative tolerance of a figure: the first pattern that fits its name. Text has to be the same."""

SMALL = 0.02
"""What a share, a loss or a mean may differ by however small it is; whole numbers have no such floor."""


@dataclass(frozen=True)
class FigureDifference:
    """relative: the difference over the recorded value; None where there is no number to divide by."""

    name: str
    recorded: Figure
    replayed: Figure
    relative: float | None
    tolerance: float
    within: bool


def figure_tolerance(name: str) -> float:
    return next(tolerance for pattern, tolerance in FIGURES if fnmatchcase(name, pattern))


def compare_figures(
    recorded: Mapping[str, Figure], replayed: Mapping[str, Figure]
) -> tuple[FigureDifference, ...]:
    """The figures that are not exactly the same, in the order of the recorded ones."""
    names = dict.fromkeys([*recorded, *replayed])
    return tuple(
        _compare(name, recorded.get(name), replayed.get(name))
        for name in names
        if not _same(recorded.get(name), replayed.get(name)) or (name in recorded) != (name in replayed)
    )


def _same(a: Figure, b: Figure) -> bool:
    return a == b or (a != a and b != b)  # NaN stands for NaN


def _compare(name: str, recorded: Figure, replayed: Figure) -> FigureDifference:
    tolerance = figure_tolerance(name)
    if not isinstance(recorded, int | float) or not isinstance(replayed, int | float):
        return FigureDifference(name, recorded, replayed, None, tolerance, within=False)
    distance = abs(replayed - recorded)
    whole = isinstance(recorded, int) and isinstance(replayed, int)
    allowed = max(tolerance * abs(recorded), 0.0 if whole or not tolerance else SMALL)
    relative = distance / abs(recorded) if recorded else None
    return FigureDifference(name, recorded, replayed, relative, tolerance, within=distance <= allowed)
