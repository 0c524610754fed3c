"""The batches that lie in an inbox, read: names and manifests in a moment, labels where they are asked for.

A batch that is being withdrawn or restored is found wherever it is: `find` looks in both places.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.files import NotAFile, sha256
from o1_assets.labels.inbox.batch import IMPORTED, PEOPLE, RATINGS, RECORDS, BatchManifest, Move
from o1_assets.labels.inbox.validate import tables_of
from o1_assets.labels.protocol import PROTOCOLS

ACCEPTED, WITHDRAWN, MOVES = "accepted", "withdrawn", "moves.json"


_DIGEST = re.compile(r"[0-9a-f]{64}")


class FiledBatches:
    """All rounds' batches under one folder. Links are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def accepted(self, round_name: str, source: str | None = None) -> list[str]:
        """Digests of the accepted batches, sorted; of one source only, if given."""
        digests = _names(self._round(round_name) / ACCEPTED)
        return [d for d in digests if source is None or self.manifest(round_name, d).source == source]

    def withdrawn(self, round_name: str) -> list[str]:
        """Digests of the batches that were withdrawn and not restored, sorted."""
        return _names(self._round(round_name) / WITHDRAWN)

    def version(self, round_name: str, source: str | None = PEOPLE) -> str:
        """A version of the round's batches: order of arrival and repeats do not change it.

        By default of those from outside: what machine annotators file follows from the graph itself, so it
        must not look like news to it.
        """
        return _version(self.accepted(round_name, source))

    def find(self, round_name: str, digest: str) -> Path:
        """Folder of a batch, accepted or withdrawn. Raises FileNotFoundError, ValueError on what names none."""
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
        """The batch's ratings and records (columns: events.EVENT and events.RECORD).

        Read from the Parquet written when it was accepted; if that is gone or changed, made again from the
        lines. Raises ValueError if the lines have changed too.
        """
        folder, manifest = self.find(round_name, digest), self.manifest(round_name, digest)
        try:
            tables = manifest.tables.items()
            if tables and all(sha256(folder / name) == known for name, known in tables):
                return pl.read_parquet(folder / RATINGS), pl.read_parquet(folder / RECORDS)
        except (OSError, NotAFile):
            pass  # the lines below are what counts
        if manifest.source == IMPORTED:
            raise ValueError(f"{folder} has changed since it was imported; import it again")
        if sha256(folder / "batch.jsonl") != digest:
            raise ValueError(f"{folder}/batch.jsonl is not what was accepted; bring it back from a backup")
        protocol = manifest.protocol or ("dense" if round_name == "r00" else "sparse")
        return tables_of(folder / "batch.jsonl", PROTOCOLS[protocol]).finish(digest)

    def moves(self, round_name: str, digest: str) -> list[Move]:
        """Every time the batch was withdrawn or restored, the oldest first."""
        return self._moves(self.find(round_name, digest))

    def withdrawal(self, round_name: str, digest: str) -> Move | None:
        """Who withdrew the batch, when and why; None if it is not withdrawn."""
        folder = self._folder(round_name, WITHDRAWN, digest)
        if not folder.is_dir():
            return None
        moves = self._moves(folder)
        return moves[-1] if moves else Move("withdrawn", "somebody", "a day that was not recorded", "")

    def quarantined(self, round_name: str) -> list[str]:
        return _names(self._round(round_name) / "quarantine")

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
        except FileNotFoundError:  # it may have been moved between the two looks
            return (self.find(round_name, digest) / name).read_bytes()

    def _moves(self, folder: Path) -> list[Move]:
        """Without the one of a process that was killed before it moved anything: the place says what is true."""
        try:
            moves = [Move(**move) for move in json.loads((folder / MOVES).read_bytes())]
        except FileNotFoundError:
            return []
        happened = len(moves) % 2 == (folder.parent.name == WITHDRAWN)
        return moves if happened else moves[:-1]

    def _folder(self, round_name: str, state: str, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is not the name of a batch; batches are named by 64 hex digits")
        return self._round(round_name) / state / digest

    def _round(self, name: str) -> Path:
        if re.fullmatch(r"r\d\d", name, re.ASCII) is None:
            raise ValueError(f"{name!r} is not a round; rounds are named r00, r01, ...")
        return self.root / name


def _version(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


NO_BATCHES = _version([])
"""The version of a round for which nothing is accepted."""


def _names(folder: Path) -> list[str]:
    """Links are not batches: they may lead out of the inbox."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if _DIGEST.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []
