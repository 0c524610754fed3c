"""Compares two folders that should hold the same: which files differ, by how much, and whether that is tolerated.

Weights are compared tensor by tensor, tables by rows and columns, JSON by its values, and all other files by their
bytes. The tolerances are for another machine, a GPU or other library versions. Sums are then made in another order,
some sampled token comes out different, and so does every model that is trained on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from o1_assets.core.tables import read_parquet
from o1_assets.store.digest import folder_tree

Figure = float | int | str | None

# Norm of the difference of a tensor, relative to the norm of the recorded one.
WEIGHTS = 0.05

# Relative tolerance of a figure: the first pattern that fits its name. What is counted by the configuration is the same
# on any machine, and so is text.
FIGURES = {
    **dict.fromkeys(("parameters", "updates", "rounds", "epochs", "problems", "corpus_*", "batches*"), 0.0),
    "loss_*": 0.05,
    # What a clock said depends on what else the machine did.
    "*seconds*": float("inf"),
    "*": 0.1,
}

# The absolute tolerance of a share, a loss or a mean, however small it is; whole numbers have none.
SMALL = 0.02

# How many tensors, columns or values of a file are named; the counts are of all.
SHOWN = 3


@dataclass(frozen=True)
class FigureDifference:
    """A figure that came out different. relative: the difference divided by the recorded value, if that is not zero."""

    name: str
    recorded: Figure
    replayed: Figure
    relative: float | None
    tolerance: float
    within: bool


def compare_figures(
    recorded: Mapping[str, Figure], replayed: Mapping[str, Figure]
) -> tuple[FigureDifference, ...]:
    """The figures that are not exactly the same, in the order of the recorded ones."""
    return tuple(
        _figure(name, recorded.get(name), replayed.get(name))
        for name in dict.fromkeys([*recorded, *replayed])
        if not _same(recorded.get(name), replayed.get(name)) or (name in recorded) != (name in replayed)
    )


def _same(a: Figure, b: Figure) -> bool:
    # NaN is not equal to itself, but a figure that is not defined is the same one when it is made again.
    return a == b or (a != a and b != b)


def _figure(name: str, recorded: Figure, replayed: Figure) -> FigureDifference:
    tolerance = next(share for pattern, share in FIGURES.items() if fnmatchcase(name, pattern))
    if not isinstance(recorded, int | float) or not isinstance(replayed, int | float):
        return FigureDifference(name, recorded, replayed, None, tolerance, within=False)
    distance = abs(replayed - recorded)
    whole = isinstance(recorded, int) and isinstance(replayed, int)
    allowed = max(tolerance * abs(recorded), 0.0 if whole or not tolerance else SMALL)
    relative = distance / abs(recorded) if recorded else None
    return FigureDifference(name, recorded, replayed, relative, tolerance, within=distance <= allowed)


@dataclass(frozen=True)
class FileDifference:
    """A file that came out different. what: a clause for people. details: the same as numbers.

    content: whether the file's content differs, and not only its encoding or a picture.
    beyond: whether no other machine explains the difference (a missing file, column or tensor, or weights beyond the
    tolerance).
    """

    path: str
    what: str
    details: dict[str, Any] = field(default_factory=dict)
    content: bool = True
    beyond: bool = False


def compare_folders(recorded: Path, replayed: Path) -> list[FileDifference]:
    """An entry for each file that does not have the same bytes in both folders, sorted by path."""
    before = {entry["path"]: entry for entry in folder_tree(recorded)}
    after = {entry["path"]: entry for entry in folder_tree(replayed)}
    differences = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            differences.append(FileDifference(path, "was not made again", beyond=True))
        elif path not in before:
            differences.append(FileDifference(path, "was not there before", beyond=True))
        elif before[path] != after[path]:
            differences.append(_compare_file(path, recorded / path, replayed / path))
    return differences


def _compare_file(name: str, recorded: Path, replayed: Path) -> FileDifference:
    compare = {".safetensors": _weights, ".parquet": _tables, ".json": _json}.get(recorded.suffix)
    if compare is not None:
        try:
            return compare(name, recorded, replayed)
        except Exception as error:
            # What cannot be read is a difference still: a replay that stopped here would hide the others.
            return FileDifference(name, f"cannot be compared: {error}")
    sizes = {"bytes": recorded.stat().st_size, "bytes_replayed": replayed.stat().st_size}
    # A plot has fonts and antialiasing of the machine in it; the numbers that it draws are compared in their tables.
    if recorded.suffix == ".png":
        return FileDifference(name, "other pixels or another encoder", sizes, content=False)
    return FileDifference(name, "other bytes", sizes)


def _weights(name: str, recorded: Path, replayed: Path) -> FileDifference:
    from safetensors import safe_open

    with (
        safe_open(recorded, framework="pt") as before,
        safe_open(replayed, framework="pt") as after,
    ):
        names, others = list(before.keys()), set(after.keys())
        shapes = [n for n in names if n in others and _shape(before, n) != _shape(after, n)]
        odd = sorted(others.symmetric_difference(names)) + shapes
        if odd:
            what = f"tensors of other names or shapes: {', '.join(odd[:SHOWN])}"
            return FileDifference(name, what, {"other": odd}, beyond=True)
        tensors = []
        for tensor in names:
            # In float64: a sum of squares in bfloat16 loses all but the largest terms.
            a, b = before.get_tensor(tensor).double(), after.get_tensor(tensor).double()
            if a.numel() and not a.equal(b):
                norm, distance = float(a.norm()), float((a - b).norm())
                relative = distance / norm if norm else float("inf")
                tensors.append({"tensor": tensor, "max": float((a - b).abs().max()), "relative": relative})
    # The worst comes first, by what the tolerance is about: it decides for the whole file.
    tensors.sort(key=lambda row: -row["relative"])
    details = {"tensors": len(names), "differ": len(tensors), "largest": tensors[:SHOWN]}
    if not tensors:
        return FileDifference(name, "the same weights, written another way", details, content=False)
    top = ", ".join(f"{t['tensor']} max {t['max']:.2g} relative {t['relative']:.2g}" for t in tensors[:SHOWN])
    what = f"{len(tensors)} of {len(names)} tensors differ: {top}"
    # Not written as `> WEIGHTS`: a NaN compares as False either way, and has to be beyond.
    return FileDifference(name, what, details, beyond=not tensors[0]["relative"] <= WEIGHTS)


def _shape(file: Any, tensor: str) -> tuple[str, list[int]]:
    part = file.get_slice(tensor)
    return part.get_dtype(), part.get_shape()


def _tables(name: str, recorded: Path, replayed: Path) -> FileDifference:
    import polars as pl

    before, after = read_parquet(recorded), read_parquet(replayed)
    if before.schema != after.schema:
        odd = sorted(set(before.schema.items()) ^ set(after.schema.items()), key=str)
        columns = list(dict.fromkeys(column for column, _ in odd)) or before.columns
        what = f"other columns: {', '.join(columns[:SHOWN])}"
        return FileDifference(name, what, {"columns": columns}, beyond=True)
    rows = {"rows": before.height, "rows_replayed": after.height}
    shared = min(before.height, after.height)
    unequal = {
        column: before[column].head(shared).ne_missing(after[column].head(shared))
        for column in before.columns
    }
    counts = {column: int(mask.sum()) for column, mask in unequal.items() if mask.any()}
    differ = pl.DataFrame(unequal).max_horizontal().sum() if shared and unequal else 0
    details = {**rows, "rows_differ": int(differ), "columns": counts}
    if not counts and before.height == after.height:
        return FileDifference(name, "the same rows, written another way", details, content=False)
    heights = " and ".join(str(height) for height in dict.fromkeys((before.height, after.height)))
    most = sorted(counts.items(), key=lambda item: -item[1])[:SHOWN]
    by_column = f" (by column: {', '.join(f'{column} {count}' for column, count in most)})" if most else ""
    return FileDifference(name, f"{differ} of {heights} rows differ{by_column}", details)


def _json(name: str, recorded: Path, replayed: Path) -> FileDifference:
    before, after = json.loads(recorded.read_text()), json.loads(replayed.read_text())
    places = list(_places(before, after, ""))
    if not places:
        return FileDifference(name, "the same values, written another way", content=False)
    what = f"{len(places)} values differ: {', '.join(places[:SHOWN])}"
    return FileDifference(name, what, {"values": places[:100]})


def _places(a: Any, b: Any, place: str) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _places(a.get(key), b.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _places(x, y, f"{place}[{i}]")
    elif a != b:
        yield place or "the whole"
