"""Reads the batches that lie in an inbox: names and manifests at once, labels where they are asked for.

A batch that is being withdrawn or restored at the same moment is found wherever it is: `find` looks in both places.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.files import NotAFile, sha256
from o1_assets.core.tables import read_parquet
from o1_assets.labels.inbox.tables import EVENT, MISFIT, RATINGS, RECORDS
from o1_assets.labels.inbox.validate import tables_of
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection

ACCEPTED, WITHDRAWN, MOVES = "accepted", "withdrawn", "moves.json"

PEOPLE = "people"
"""Source of batches that come from outside. Machine annotators name themselves: theirs follow from the graph."""
IMPORTED = "prm800k"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BatchManifest:
    """lines: records in the batch. original: SHA-256 of the file as submitted. name: what the sender called it.

    selection: digest of the one that the lines were checked against. tables: SHA-256 of ratings.parquet and
    records.parquet. The last three are empty in batches of before there were tables.
    """

    digest: str
    round: str
    source: str
    lines: int
    solutions: int
    labelers: list[str]
    original: str
    name: str
    received: str
    protocol: str = ""
    selection: str = ""
    tables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchMove:
    """A batch was withdrawn, or restored: by whom, when (ISO 8601, UTC) and why."""

    what: str
    who: str
    when: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} by {self.who} on {self.when}" + (f" ({self.why})" if self.why else "")


class BatchReader:
    """The batches of all rounds under one folder. Links are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def accepted(self, round_name: str, source: str | None = None) -> list[str]:
        """Digests of the accepted batches, sorted; only those of one source, if it is given."""
        digests = _batch_names(self._round(round_name) / ACCEPTED)
        return [d for d in digests if source is None or self.manifest(round_name, d).source == source]

    def withdrawn(self, round_name: str) -> list[str]:
        """Digests of the batches that were withdrawn and not restored, sorted."""
        return _batch_names(self._round(round_name) / WITHDRAWN)

    def quarantined(self, round_name: str) -> list[str]:
        """Names of the quarantined files, sorted."""
        return _batch_names(self._round(round_name) / "quarantine")

    def version(self, round_name: str, source: str | None = PEOPLE) -> str:
        """A version of the round's batches: order of arrival and repeats do not change it."""
        # By default only of batches from outside: what a machine annotator files follows from the graph itself,
        # so it must not make the graph stale.
        return _version(self.accepted(round_name, source))

    def find(self, round_name: str, digest: str) -> Path:
        """Folder of a batch, accepted or withdrawn. Raises FileNotFoundError, or ValueError on a malformed name."""
        for state in (ACCEPTED, WITHDRAWN):
            folder = self._folder(round_name, state, digest)
            if folder.is_dir() and not folder.is_symlink():
                return folder
        raise FileNotFoundError(f"{self.root / round_name} has no batch {digest}")

    def manifest(self, round_name: str, digest: str) -> BatchManifest:
        return BatchManifest(**json.loads(self._read(round_name, digest, "manifest.json")))

    def solutions(self, round_name: str, digest: str) -> list[str]:
        """Ids of the solutions that the batch rates, sorted."""
        return json.loads(self._read(round_name, digest, "solutions.json"))

    def batch(self, round_name: str, digest: str) -> Path:
        """The lines as they were accepted."""
        return self.find(round_name, digest) / "batch.jsonl"

    def tables(self, round_name: str, digest: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The batch's ratings and records: the columns of EVENT and of RECORD.

        They are read from the Parquet written when the batch was accepted. If that is gone or changed, they are
        made again from the lines. Raises ValueError if the lines have changed too.
        """
        folder, manifest = self.find(round_name, digest), self.manifest(round_name, digest)
        try:
            # The digests are compared first: a changed table would change labels without a trace.
            tables = manifest.tables.items()
            if tables and all(sha256(folder / name) == recorded for name, recorded in tables):
                return read_parquet(folder / RATINGS), read_parquet(folder / RECORDS)
        except (OSError, NotAFile):
            pass  # the lines are the original, the tables only save parsing them
        # The lines of an import are in PRM800K's terms; only the import turns them into tables.
        if manifest.source == IMPORTED:
            raise ValueError(f"{folder} has changed since it was imported; import it again")
        if sha256(folder / "batch.jsonl") != digest:
            raise ValueError(f"{folder}/batch.jsonl is not what was accepted; bring it back from a backup")
        # Manifests of before there were tables name no protocol.
        protocol = manifest.protocol or ("dense" if round_name == "r00" else "sparse")
        return tables_of(folder / "batch.jsonl", PROTOCOLS[protocol]).finish(digest)

    def moves(self, round_name: str, digest: str) -> list[BatchMove]:
        """Every time the batch was withdrawn or restored, the oldest first."""
        return moves_in(self.find(round_name, digest))

    def withdrawal(self, round_name: str, digest: str) -> BatchMove | None:
        """Who withdrew the batch, when and why; None if it is not withdrawn."""
        folder = self._folder(round_name, WITHDRAWN, digest)
        if not folder.is_dir():
            return None
        moves = moves_in(folder)
        return moves[-1] if moves else BatchMove("withdrawn", "somebody", "a day that was not recorded", "")

    def quarantine(self, round_name: str, digest: str) -> Path:
        """Folder with the file as sent (sent.jsonl) and why it was refused (reason.json)."""
        return self._folder(round_name, "quarantine", digest)

    def reason(self, round_name: str, digest: str) -> dict[str, Any]:
        """Why lines were quarantined: rule, message, line, solution, step and completion of each."""
        return json.loads((self.quarantine(round_name, digest) / "reason.json").read_text())

    def closed(self, round_name: str) -> str | None:
        """Why the round takes no more batches; None while it does."""
        try:
            return str(json.loads((self._round(round_name) / "closed.json").read_text())["reason"])
        except FileNotFoundError:
            return None

    def _read(self, round_name: str, digest: str, name: str) -> bytes:
        try:
            return (self.find(round_name, digest) / name).read_bytes()
        except FileNotFoundError:  # it may have been withdrawn after it was found and before it was read
            return (self.find(round_name, digest) / name).read_bytes()

    def _folder(self, round_name: str, state: str, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is not the name of a batch; batches are named by 64 hex digits")
        return self._round(round_name) / state / digest

    def _round(self, name: str) -> Path:
        # Names become paths, so nothing but a round may pass: no "..", no other alphabet's digits.
        if re.fullmatch(r"r\d\d", name, re.ASCII) is None:
            raise ValueError(f"{name!r} is not a round; rounds are named r00, r01, ...")
        return self.root / name


def moves_in(folder: Path) -> list[BatchMove]:
    try:
        moves = [BatchMove(**move) for move in json.loads((folder / MOVES).read_bytes())]
    except FileNotFoundError:
        return []
    # A process that was killed between writing the move and renaming the folder has moved nothing. Where the folder
    # lies tells: it is withdrawn after an odd number of moves.
    happened = len(moves) % 2 == (folder.parent.name == WITHDRAWN)
    return moves if happened else moves[:-1]


def _version(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


NO_BATCHES = _version([])
"""The version of a round for which nothing is accepted."""


def _batch_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                # A link is no batch: it may lead out of the inbox.
                if _DIGEST.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []


def tables_of_round(
    batches: Sequence[tuple[BatchReader, str]], round_name: str, selection: Selection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ratings (EVENT) and records (MISFIT) of several batches, in the order given and then of their lines."""
    # Empty tables come first, so a round without batches has the right columns.
    ratings, records = [pl.DataFrame(schema=EVENT)], [pl.DataFrame(schema=MISFIT)]
    for reader, digest in batches:
        batch_ratings, batch_records = reader.tables(round_name, digest)
        checked_against = reader.manifest(round_name, digest).selection
        ratings.append(batch_ratings)
        # The selection may have changed since the batch was accepted.
        is_current = checked_against == selection.digest
        records.append(_with_misfit(batch_records, None if is_current else selection))
    return pl.concat(ratings), pl.concat(records)


def write_tables(
    batches: Sequence[tuple[BatchReader, str]], round_name: str, selection: Selection, folder: Path
) -> None:
    """Writes ratings.parquet and records.parquet of `tables_of_round`."""
    for name, table in zip((RATINGS, RECORDS), tables_of_round(batches, round_name, selection), strict=True):
        # A million ratings are written again for every batch: the quickest level is as small within a twentieth.
        table.write_parquet(folder / name, compression="zstd", compression_level=1)


def _with_misfit(records: pl.DataFrame, selection: Selection | None) -> pl.DataFrame:
    """selection: None when the records were accepted for this very selection."""
    if selection is None:
        return records.with_columns(misfit=pl.lit(""))
    contents = {"solution_id": list(selection.contents), "now": list(selection.contents.values())}
    now = pl.DataFrame(contents, schema={"solution_id": pl.String, "now": pl.String})
    misfit = (
        pl.when(pl.col("quality_control") | pl.col("screening"))
        .then(pl.lit(""))
        .when(pl.col("now").is_null())
        .then(pl.lit("unknown_solution"))
        .when(pl.col("now") != pl.col("content"))
        .then(pl.lit("changed_solution"))
        .otherwise(pl.lit(""))
    )
    joined = records.join(now, on="solution_id", how="left", maintain_order="left")
    return joined.with_columns(misfit=misfit).drop("now")
