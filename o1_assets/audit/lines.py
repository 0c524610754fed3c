"""Verifies labels down to the line: rNN/label_batches against the inbox, and rNN/labels against rNN/label_batches.

A batch is named by the SHA-256 of its lines, so lines that fit their name are those that were accepted. The tables of
the batch are made again from these lines and compared with those that the labels were made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.audit.result import BatchTrail, Fault, LabelTrail
from o1_assets.core.files import NotAFile
from o1_assets.core.tables import read_parquet
from o1_assets.labels.imported.importer import source_version
from o1_assets.labels.inbox.batch import LINES, MANIFEST, RATINGS, RECORDS, BatchManifest, inspect
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import IMPORTED
from o1_assets.labels.inbox.validate import tables_of
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.store.manifest import Manifest

# What makes a row of labels and a row of ratings the same statement of the same person.
_EVENT = ["solution_id", "step", "completion", "labeler", "batch", "line", "rating"]

# Whatever a damaged manifest or table raises when it is read: an audit names it instead of stopping.
UNREADABLE = (OSError, NotAFile, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError)


@dataclass(frozen=True)
class Homes:
    """Where batches lie: the inbox, and the folder of imported label sources."""

    inbox: Inbox
    imported: Path


def batch_trail(folder: Path, manifest: Manifest, homes: Homes) -> tuple[LabelTrail, list[Fault]]:
    """Every batch in a version of rNN/label_batches, and the faults. folder: the version's object."""
    index = json.loads((folder / "index.json").read_text())
    tables = {name: read_parquet(folder / name) for name in (RATINGS, RECORDS)}
    faults: list[Fault] = []
    trail = []
    for entry in index["batches"]:
        digest = str(entry["digest"])
        rows = {name: table.filter(pl.col("batch") == digest) for name, table in tables.items()}
        place, known, reasons = _batch(index["round"], entry, manifest, homes, rows)
        faults += [("batch", f"batch {digest} {why}") for why in reasons]
        rated_by = rows[RECORDS].group_by("labeler").len().sort("labeler")
        trail.append(
            BatchTrail(
                digest,
                str(entry["source"]),
                int(entry["lines"]),
                dict(rated_by.iter_rows()),
                known.name if known else "",
                known.received if known else "",
                place,
            )
        )
    # Rows that no listed batch accounts for would reach the labels without a line that anybody sent.
    listed = [batch.digest for batch in trail]
    for name, table in tables.items():
        unknown = table.filter(~pl.col("batch").is_in(listed))["batch"].unique().sort()
        faults += [
            ("batch", f"{name} has rows of batch {batch}, which index.json does not list")
            for batch in unknown
        ]
    return LabelTrail(batches=tuple(trail)), faults


def row_trail(labels: Path, batches: Path) -> tuple[LabelTrail, list[Fault]]:
    """Verifies every row against its line. labels, batches: the objects of rNN/labels and its rNN/label_batches."""
    rows, rated = read_parquet(labels / "labels.parquet"), read_parquet(batches / RATINGS)
    # A null rating means unsure and is a statement too: in a join null equals nothing unless it is asked to.
    lost = rows.join(rated, on=_EVENT, how="anti", nulls_equal=True)
    faults: list[Fault] = [
        (
            "label",
            f"the label of solution {row['solution_id']}, step {row['step']}, completion {row['completion']} names "
            f"line {row['line']} of batch {row['batch']}, where {row['labeler']} did not rate it {row['rating']}"
            + (f" (nor {lost.height - 1} more labels)" if lost.height > 1 else ""),
        )
        for row in lost.head(1).to_dicts()
    ]
    counted = rows.group_by("batch", "labeler").len("rows").sort("batch", "labeler")
    return LabelTrail(rows=tuple(counted.to_dicts())), faults


def _batch(
    round_name: str, entry: dict[str, Any], manifest: Manifest, homes: Homes, rows: dict[str, pl.DataFrame]
) -> tuple[str, BatchManifest | None, list[str]]:
    """The place of a batch, its manifest in the inbox, and its faults."""
    digest, published = str(entry["digest"]), entry["source"] == IMPORTED
    try:
        folder = (
            _imported(homes.imported, round_name, digest, manifest)
            if published
            else homes.inbox.find(round_name, digest)
        )
    except (FileNotFoundError, ValueError) as error:
        return "missing", None, [f"of {round_name} is gone: {error}"]
    place = "imported" if published else folder.parent.name
    inspection = inspect(folder, round_name)
    known = inspection.manifest
    reasons = [f"in {folder} is damaged: {fault}" for fault in inspection.faults]
    try:
        reasons += _field_faults(folder, entry)
        # Tables are not compared with lines that are no longer those that were sent.
        if known is not None and not reasons:
            reasons += _table_faults(folder, known, rows)
    except UNREADABLE as error:
        reasons = reasons or [f"in {folder} cannot be read: {error}"]
    return place, known, reasons


def _field_faults(folder: Path, entry: dict[str, Any]) -> Iterator[str]:
    """What a manifest says otherwise than what was recorded, also one that was changed since."""
    with (folder / LINES).open("rb") as file:
        lines = sum(1 for _ in file)
    if lines != entry["lines"]:
        yield f"has {lines} lines, but {entry['lines']} are recorded"
    known = json.loads((folder / MANIFEST).read_text())
    for name in ("digest", "lines", "solutions", "source"):
        if known[name] != entry[name]:
            yield f"has {name} {known[name]} in {folder / MANIFEST}, but {entry[name]} is recorded"


def _table_faults(folder: Path, known: BatchManifest, rows: dict[str, pl.DataFrame]) -> Iterator[str]:
    """Compares the rows that labels were made from with the lines, or with the tables of an imported source."""
    if known.source == IMPORTED:
        made = [read_parquet(folder / name) for name in (RATINGS, RECORDS)]
    else:
        # Batches from before there were tables name no protocol: phase 1 was rated densely and phase 2 sparsely.
        protocol = known.protocol or ("dense" if known.round == "r00" else "sparse")
        made = list(tables_of(folder / LINES, PROTOCOLS[protocol]).finish(known.digest))
    for name, table in zip((RATINGS, RECORDS), made, strict=True):
        if not table.equals(rows[name].select(table.columns)):
            yield f"has other rows in {name} than its lines lead to"


def _imported(root: Path, round_name: str, digest: str, manifest: Manifest) -> Path:
    version = (manifest.external or "").rpartition(" ")[2]
    source = root / str(manifest.config["source"]) / version
    folder = source / round_name / "accepted" / digest
    # No link is followed out of the folder of imports.
    if not version or not folder.is_dir() or folder.is_symlink():
        raise FileNotFoundError(f"{folder} is not there; import that source again")
    if _source_version(source) != version:
        raise ValueError(f"{source} has changed since it was imported; import it again")
    return folder


@cache
def _source_version(folder: Path) -> str:
    """The version of an imported source, computed once a process because all rounds share the source."""
    return source_version(folder)
