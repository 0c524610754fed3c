"""Reads the batches that lie in an inbox, each compared with what was accepted, and names what is damaged.

A batch that is being withdrawn or restored at the same moment is found wherever it is: `find` looks in both places.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from o1_assets.core.errors import O1Error
from o1_assets.labels.inbox.batch import (
    LINES,
    RATINGS,
    RECORDS,
    BatchManifest,
    Damage,
    DamagedBatch,
    Inspection,
    inspect,
    read_solutions,
)
from o1_assets.labels.inbox.recorded import RecordedBatch
from o1_assets.labels.protocol import PROTOCOLS

if TYPE_CHECKING:
    import polars as pl

    from o1_assets.labels.config import QualityConfig

ACCEPTED, WITHDRAWN, MOVES, CLOSED = "accepted", "withdrawn", "moves.json", "closed.json"
RECEIVED = "received.json"
"""The digests of all batches that a round ever accepted from people: a machine files its own again."""

PEOPLE = "people"
"""Source of batches that come from outside. Machine annotators name themselves: theirs follow from the graph."""
JUDGE = "judge"
IMPORTED = "prm800k"
"""Source of imported batches in any format: stores from before there were others say so."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

UNREADABLE = (OSError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a damaged file of JSON raises."""


class UnreadableInbox(O1Error):
    """A folder of the inbox cannot be listed."""


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
    """The batches of all rounds under one folder. Links are not followed.

    A damaged batch is set aside, and `damages` names it; the others are read. If today's rNN/label_batches was made of
    it, it is read from there instead: damage must not change what is trained. recorded: the folder of that object,
    None if the round has none.
    """

    def __init__(self, root: Path, recorded: Callable[[str], Path | None] = lambda round_name: None) -> None:
        self.root = Path(root)
        self._recorded = recorded

    def accepted(self, round_name: str, source: str | None = None) -> list[str]:
        """Digests of the accepted batches that can be read, sorted; only those of one source, if it is given."""
        return [
            digest
            for digest in self.names(round_name)
            if (manifest := self._manifest(round_name, digest)) and source in (None, manifest.source)
        ]

    def names(self, round_name: str) -> list[str]:
        """Digests of all accepted batches, sorted: also of those that are damaged, or whose folder is gone."""
        present, known = _batch_names(self._round(round_name) / ACCEPTED), self.received(round_name)
        gone = known.difference(present, self.withdrawn(round_name)) if known else set[str]()
        return sorted({*present, *gone})

    def received(self, round_name: str) -> set[str]:
        """Digests of all batches that were ever accepted from people. Without that list nobody misses a batch."""
        try:
            names = json.loads((self._round(round_name) / RECEIVED).read_bytes())
            return {name for name in names if _DIGEST.fullmatch(name)}
        except UNREADABLE:
            return set()

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
        """Raises DamagedBatch, FileNotFoundError."""
        manifest = self._manifest(round_name, digest)
        return manifest if manifest else self._refuse(round_name, digest)

    def solutions(self, round_name: str, digest: str) -> list[str]:
        """Ids of the solutions that the batch rates, sorted. Raises DamagedBatch, FileNotFoundError."""
        folder, inspection = self._inspected(round_name, digest)
        if inspection.usable:
            return read_solutions(folder)
        recorded = self._recorded_batch(round_name, digest)
        return recorded.solutions() if recorded else self._refuse(round_name, digest)

    def batch(self, round_name: str, digest: str) -> Path:
        """The lines as they were accepted."""
        return self.find(round_name, digest) / LINES

    def tables(self, round_name: str, digest: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The batch's ratings and records: the columns of EVENT and of RECORD.

        They are read from the Parquet written when the batch was accepted. If that is gone or changed, they are
        made again from the lines. Raises DamagedBatch if the lines have changed too.
        """
        from o1_assets.core.tables import read_parquet
        from o1_assets.labels.inbox.validate import tables_of

        folder, inspection = self._inspected(round_name, digest)
        manifest = inspection.manifest
        # Whole tables were compared with their digests: a changed table would change labels without a trace.
        if manifest and inspection.whole_tables:
            return read_parquet(folder / RATINGS), read_parquet(folder / RECORDS)
        # The lines of an import are in PRM800K's terms; only the import turns them into tables.
        if manifest and manifest.source == IMPORTED:
            raise DamagedBatch(f"{folder} has changed since it was imported; import it again")
        if manifest and inspection.whole_lines:
            # Manifests of before there were tables name no protocol.
            protocol = manifest.protocol or ("dense" if round_name == "r00" else "sparse")
            return tables_of(folder / LINES, PROTOCOLS[protocol]).finish(digest)
        recorded = self._recorded_batch(round_name, digest)
        return recorded.tables() if recorded else self._refuse(round_name, digest)

    def damages(self, round_name: str) -> list[Damage]:
        """What of the round's part of the inbox is not as it should be."""
        root = self._round(round_name)
        found = [*_strays(round_name, root / ACCEPTED), *_damaged_records(round_name, root)]
        withdrawn = set(self.withdrawn(round_name))
        for digest in self.names(round_name):
            folder, inspection = self._inspected(round_name, digest)
            if digest in withdrawn:
                why, remedy = "it was withdrawn, and a copy of it is here", "take one of the two away"
                found.append(Damage(round_name, folder, why, "the copy counts", remedy))
            if inspection.faults:
                found.append(self._damage(round_name, digest, folder, inspection))
        return found

    def _damage(self, round_name: str, digest: str, folder: Path, inspection: Inspection) -> Damage:
        effect = "nothing of it counts"
        if inspection.usable:
            effect = "its ratings are whole and count"
        elif self._recorded_batch(round_name, digest):
            effect = (
                f"what was made of it stays, and its ratings count as {round_name}/label_batches holds them"
            )
        # Of one file that is whole the others can be made again.
        sent = folder / LINES if inspection.whole_lines else "FILE"
        remedy = (
            f"send it again (`o1 labels submit {sent} --round {round_name}`), bring it back from a backup, or take it "
            f"out with `o1 labels withdraw {digest[:12]}`"
        )
        return Damage(
            round_name, folder, f"the batch is damaged ({'; '.join(inspection.faults)})", effect, remedy
        )

    def _inspected(self, round_name: str, digest: str) -> tuple[Path, Inspection]:
        try:
            folder = self.find(round_name, digest)
        except FileNotFoundError:
            if digest not in self.received(round_name):
                raise
            # Inspected all the same, so that every file of it is named as missing.
            folder = self._folder(round_name, ACCEPTED, digest)
            if folder.is_symlink():
                return folder, Inspection(None, ("its folder is a link",), False, False, False)
        inspection = inspect(folder, round_name)
        if not inspection.usable and not folder.is_dir():
            # It was withdrawn or restored after it was found and before it was read.
            with suppress(FileNotFoundError):
                folder = self.find(round_name, digest)
                inspection = inspect(folder, round_name)
        return folder, inspection

    def _manifest(self, round_name: str, digest: str) -> BatchManifest | None:
        """None: it is damaged, and nothing else has its content."""
        _, inspection = self._inspected(round_name, digest)
        if inspection.usable:
            return inspection.manifest
        recorded = self._recorded_batch(round_name, digest)
        return recorded.manifest() if recorded else None

    def _recorded_batch(self, round_name: str, digest: str) -> RecordedBatch | None:
        folder = self._recorded(round_name)
        return RecordedBatch.find(folder, digest) if folder else None

    def _refuse(self, round_name: str, digest: str) -> NoReturn:
        folder, inspection = self._inspected(round_name, digest)
        raise DamagedBatch(str(self._damage(round_name, digest, folder, inspection)))

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
        file = self._round(round_name) / CLOSED
        try:
            return str(json.loads(file.read_text())["reason"])
        except FileNotFoundError:
            return None
        # Closed by mistake loses nothing, and opened by mistake would change labels.
        except UNREADABLE:
            return (
                f"{file} cannot be read, so nobody knows why; `o1 labels reopen {round_name}` opens the round"
            )

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
    """The moves of a batch's folder; none if they cannot be read."""
    try:
        moves = [BatchMove(**move) for move in json.loads((folder / MOVES).read_bytes())]
    except UNREADABLE:  # or it was never moved
        return []
    # A process that was killed between writing the move and renaming the folder has moved nothing. Where the folder
    # lies tells: it is withdrawn after an odd number of moves.
    happened = len(moves) % 2 == (folder.parent.name == WITHDRAWN)
    return moves if happened else moves[:-1]


def _strays(round_name: str, folder: Path) -> Iterator[Damage]:
    """What lies among the accepted batches and is none."""
    batches = set(_batch_names(folder))
    for entry in _entries(folder):
        # Hidden files are a system's, and nobody means them as labels.
        if entry.name not in batches and not entry.name.startswith("."):
            yield Damage(
                round_name,
                Path(entry.path),
                "it is no batch",
                "nothing of it counts",
                f"take it away, and send labels with `o1 labels submit FILE --round {round_name}`",
            )


def _damaged_records(round_name: str, root: Path) -> Iterator[Damage]:
    """Withdrawals and closings whose record cannot be read."""
    files = [
        root / state / name / MOVES for state in (ACCEPTED, WITHDRAWN) for name in _batch_names(root / state)
    ]
    for file in (*files, root / CLOSED):
        try:
            content = json.loads(file.read_bytes())
            str(content["reason"]) if file.name == CLOSED else [BatchMove(**move) for move in content]
        except FileNotFoundError:
            continue
        except UNREADABLE as error:
            why = f"it cannot be read ({str(error)[:80]})"
            effect = "where the batch lies still says whether it counts"
            remedy = "bring it back from a backup, or take it away"
            if file.name == CLOSED:
                effect, remedy = "the round stays closed", f"`o1 labels reopen {round_name}` opens it"
            yield Damage(round_name, file, why, effect, remedy)


def _version(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


NO_BATCHES = _version([])
"""The version of a round for which nothing is accepted."""


def _batch_names(folder: Path) -> list[str]:
    return sorted(
        entry.name
        for entry in _entries(folder)
        # A link is no batch: it may lead out of the inbox.
        if _DIGEST.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            names = list(entries)
        if not os.access(folder, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return names
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableInbox(
            f"{folder} cannot be read ({error.strerror}); make it a folder that you may read"
        ) from error


def lead_batches(inbox: BatchReader, round_name: str, config: QualityConfig) -> set[str]:
    """Digests of people's batches that hold nothing but ratings of the leads."""
    people = inbox.accepted(round_name, PEOPLE) if config.leads else []
    return {d for d in people if set(inbox.manifest(round_name, d).labelers) <= set(config.leads)}


def lead_solutions(inbox: BatchReader, round_name: str, config: QualityConfig) -> frozenset[str]:
    """Solutions in the leads' batches: those are gold as well."""
    return frozenset(
        solution
        for digest in lead_batches(inbox, round_name, config)
        for solution in inbox.solutions(round_name, digest)
    )
