"""The label inbox: batches of rated solutions, each made visible by one atomic rename and never changed after.

    rNN/accepted/<digest>/      batch.jsonl (accepted lines, as sent), manifest.json, solutions.json,
                                ratings.parquet and records.parquet (the same lines as columns)
    rNN/damaged/<digest>.N/     a damaged batch that was sent again and replaced
    rNN/withdrawn/<digest>/     the same, of a batch that counts no more; moves.json says who withdrew it and why
    rNN/quarantine/<digest>/    sent.jsonl (the whole file, as sent), reason.json
    rNN/received.json           digests of all batches that were ever accepted from people
    rNN/closed.json             the round takes no more batches from people, and why
    .staging/                   half-written batches; nothing reads them
    .lock                       held while a batch is accepted, withdrawn or restored

A batch is named by the SHA-256 of its accepted lines, so the same batch sent twice is one batch. The good lines of
a file are accepted. A file with any other line is quarantined as a whole beside its reasons, so nothing that was
sent is ever lost. A batch that is damaged later is set aside by whoever reads (`reader.py`), until it is sent again.

A round stays open however old it is: late labels are worth having, and only what they touch is made again. It is
closed by hand (`o1 labels close`), and a round that the profile does not have takes nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.core.files import json_bytes, publish, replace_file, sha256, sync
from o1_assets.labels.inbox.batch import MANIFEST, SOLUTIONS, BatchManifest, DamagedBatch, inspect
from o1_assets.labels.inbox.reader import (
    ACCEPTED,
    CLOSED,
    MOVES,
    PEOPLE,
    RECEIVED,
    WITHDRAWN,
    BatchMove,
    BatchReader,
    moves_in,
)
from o1_assets.labels.inbox.submission import copy_submission
from o1_assets.labels.protocol import Violation

if TYPE_CHECKING:
    from filelock import FileLock

    from o1_assets.labels.inbox.validate import IntakeResult, SelectionCheck

ABANDONED_SECONDS = 24 * 3600
"""A half-written batch of this age belongs to a process that was killed."""


@dataclass(frozen=True)
class SubmitReport:
    """accepted: number of accepted lines. digest: of the batch, if any. known: the very same batch was there already.

    quarantined: name of the folder with the file and the reasons, if anything was refused. refused: number of
    refused lines. violations: what is wrong with them, the first 10,000; by_rule counts all.
    """

    accepted: int
    digest: str | None
    known: bool = False
    quarantined: str | None = None
    violations: tuple[Violation, ...] = ()
    refused: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> list[tuple[int, str]]:
        """(line, reason) of every violation."""
        return [(violation.line, str(violation)) for violation in self.violations]


class Inbox(BatchReader):
    """Takes batches in and out. Safe with several processes at once."""

    def submit(
        self,
        file: Path,
        round_name: str,
        check: SelectionCheck,
        source: str = PEOPLE,
        refused_lines: Mapping[int, Violation] | None = None,
        refuse: Callable[[Path], Mapping[int, Violation]] | None = None,
    ) -> SubmitReport:
        """Accepts the lines of `file` (or of the *.jsonl files of a folder) that pass `check`, quarantines the rest.

        refused_lines: why the sender of a file refuses some of its lines; by their number, from 1. refuse: the same, of
        the copy that is filed.

        Raises ValueError on a round that is not rNN and on a link, OSError when reading or writing fails; then
        nothing has become visible. A file for a closed round and a batch that was withdrawn are quarantined as a
        whole.
        """
        from o1_assets.labels.inbox.tables import BatchTables
        from o1_assets.labels.inbox.validate import IntakeResult, accept_good_lines

        folder = self._round(round_name)
        with self._staging() as staging:
            lines, good, bad = staging / "sent.jsonl", staging / "accepted", staging / "quarantine"
            good.mkdir()
            bad.mkdir()
            submission = copy_submission(Path(file), lines)
            original = sha256(lines)
            # A machine's batch follows from the graph, so closing a round to people must not stop it.
            closed = self.closed(round_name) if source == PEOPLE else None
            if closed is None and submission.has_lines:
                refused_lines = {**(refuse(lines) if refuse else {}), **(refused_lines or {})}
                result = accept_good_lines(lines, good / "batch.jsonl", check.for_file(lines), refused_lines)
            else:
                result = IntakeResult(BatchTables())
                if closed is not None:
                    result.refuse([Violation("round_closed", f"{round_name} is closed: {closed}")])
            result.violations = [submission.in_its_file(violation) for violation in result.violations]
            for violation in submission.refused:
                result.refuse([violation])
            if result.lines:
                manifest = BatchManifest(
                    digest=result.digest,
                    round=round_name,
                    source=self._source(round_name, result.digest, source),
                    lines=result.lines,
                    solutions=len(result.solutions),
                    labelers=sorted(result.labelers),
                    original=original,
                    # A name of other bytes than UTF-8 could not be read back.
                    name=os.fsencode(Path(file).name).decode(errors="replace"),
                    received=_now(),
                    protocol=check.protocol.name,
                    selection=check.selection.digest,
                    tables=result.tables.write(good, result.digest),
                )
                (good / SOLUTIONS).write_bytes(json_bytes(sorted(result.solutions)))
                manifest.tables[SOLUTIONS] = sha256(good / SOLUTIONS)
                (good / MANIFEST).write_bytes(manifest.sealed().to_bytes())
            digest, refused, known = None, None, False
            # Without the lock somebody could withdraw the batch after it was looked for and before it is renamed.
            with self._lock():
                if result.lines and source == PEOPLE:
                    self._refuse_withdrawn(round_name, result)
                # First the quarantine: a process that is killed here has accepted nothing, and the sender tries again.
                if result.refused:
                    (bad / "reason.json").write_bytes(_reason(round_name, Path(file).name, original, result))
                    lines.rename(bad / "sent.jsonl")
                    # Named by the reasons: the same file refused again for the same reasons is one folder.
                    refused = sha256(bad / "reason.json")
                    publish(bad, folder / "quarantine" / refused)
                if result.lines:
                    digest = result.digest
                    self._make_way(round_name, digest, good)
                    # Before the batch itself: a process that is killed in between has promised nobody anything.
                    if source == PEOPLE and digest not in (received := self.received(round_name)):
                        # Homes of before there was the list have batches too. With it, looking at all of them for
                        # each new one would take the square of their number.
                        before = received or self.accepted(round_name, PEOPLE)
                        replace_file(folder / RECEIVED, json_bytes(sorted({digest, *before})))
                    known = not publish(good, folder / ACCEPTED / digest)
        return SubmitReport(
            result.lines,
            digest,
            known,
            refused,
            tuple(result.violations),
            result.refused,
            dict(result.by_rule),
        )

    def withdraw(self, round_name: str, digest: str, who: str, why: str = "") -> BatchMove:
        """The batch counts no more. It stays as it is, in another place; `restore` brings it back.

        Raises FileNotFoundError if it is not accepted, ValueError if a machine made it.
        """
        return self._move(round_name, digest, BatchMove("withdrawn", who, _now(), why))

    def restore(self, round_name: str, digest: str, who: str, why: str = "") -> BatchMove:
        """The batch counts again. Raises FileNotFoundError if it is not withdrawn."""
        return self._move(round_name, digest, BatchMove("restored", who, _now(), why))

    def check_withdrawable(self, round_name: str, digest: str) -> None:
        """Raises ValueError, which says what to do instead, on a batch that was not sent by people."""
        try:
            source = self.manifest(round_name, digest).source
        except DamagedBatch:  # which nothing was made of
            return
        if source != PEOPLE:
            raise ValueError(
                f"batch {digest[:12]} of {round_name} was made by {source}: it follows from the graph, which "
                "would make it again; change the round's annotator or its settings instead"
            )

    def close(self, round_name: str, reason: str) -> None:
        """From now on, what people send for the round is quarantined. What is accepted stays."""
        replace_file(self._round(round_name) / CLOSED, json_bytes({"reason": reason}))

    def reopen(self, round_name: str) -> None:
        (self._round(round_name) / CLOSED).unlink(missing_ok=True)

    def _move(self, round_name: str, digest: str, move: BatchMove) -> BatchMove:
        states = (ACCEPTED, WITHDRAWN) if move.what == "withdrawn" else (WITHDRAWN, ACCEPTED)
        source, target = (self._folder(round_name, state, digest) for state in states)
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if states[0] == ACCEPTED and digest in self.names(round_name):
                source.mkdir(parents=True, exist_ok=True)  # its folder may be gone
            if not source.is_dir() or source.is_symlink():
                raise FileNotFoundError(f"{self.root / round_name} has no batch {digest} that is {states[0]}")
            self.check_withdrawable(round_name, digest)
            if target.exists():
                raise ValueError(f"batch {digest[:12]} of {round_name} is {states[1]} already")
            moves = [*self._history(source), move]
            # The move is recorded first and the folder renamed after it. Only the rename counts: a reader ignores
            # a recorded move that did not happen.
            replace_file(source / MOVES, json_bytes([asdict(each) for each in moves]))
            # `publish` puts the target's parent on the disk; without this the batch could be in both after a power cut.
            publish(source, target)
            sync(source.parent)
        return move

    def _history(self, batch: Path) -> list[BatchMove]:
        """The batch's moves; a record of them that cannot be read is kept beside the one that follows it."""
        moves, file = moves_in(batch), batch / MOVES
        if not moves and file.exists():
            file.rename(_free(batch, "moves.damaged"))
        # Whether a move happened is told by their number, which is odd for a batch that is withdrawn.
        if not moves and batch.parent.name == WITHDRAWN:
            return [BatchMove("withdrawn", "somebody", "a day that cannot be read", "")]
        return moves

    def _source(self, round_name: str, digest: str, source: str) -> str:
        """Whose a batch is that is sent: of one that is there already, it stays as it was."""
        try:
            return self.manifest(round_name, digest).source
        except (FileNotFoundError, DamagedBatch):
            return source

    def _make_way(self, round_name: str, digest: str, good: Path) -> None:
        """Puts a damaged batch aside, which the batch in `good` replaces; who withdrew it once goes along."""
        batch = self._folder(round_name, ACCEPTED, digest)
        if batch.is_dir() and not batch.is_symlink() and inspect(batch, round_name).faults:
            if moves := moves_in(batch):
                (good / MOVES).write_bytes(json_bytes([asdict(each) for each in moves]))
            damaged = self._round(round_name) / "damaged"
            damaged.mkdir(exist_ok=True)
            batch.rename(_free(damaged, digest))
            sync(damaged)

    def _refuse_withdrawn(self, round_name: str, result: IntakeResult) -> None:
        withdrawal = self.withdrawal(round_name, result.digest)
        if withdrawal is not None:
            message = (
                f"these lines are batch {result.digest[:12]} of {round_name}, which was {withdrawal}; "
                f"`o1 labels restore {result.digest[:12]}` takes it back"
            )
            result.refuse_all(Violation("batch_withdrawn", message))

    def _lock(self) -> FileLock:
        """One writer at a time. The system releases the lock when its process ends, however that ends."""
        from filelock import FileLock

        return FileLock(self.root / ".lock")

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        area = self.root / ".staging"
        area.mkdir(parents=True, exist_ok=True)
        for leftover in area.iterdir():
            with suppress(OSError):  # another process may be removing it too
                if leftover.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)
        # In the inbox itself, because a rename is atomic within one file system only.
        folder = Path(tempfile.mkdtemp(dir=area))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _free(folder: Path, name: str) -> Path:
    """The first of NAME.1, NAME.2, .. that is not there."""
    return next(path for number in count(1) if not (path := folder / f"{name}.{number}").exists())


def _reason(round_name: str, name: str, original: str, result: IntakeResult) -> bytes:
    """reason.json of a file of which not everything was accepted."""
    return json_bytes(
        {
            "round": round_name,
            "name": name,
            "original": original,
            "accepted_lines": result.lines,
            "refused_lines": result.refused,
            "by_rule": result.by_rule,
            "rejected": [violation.to_json() for violation in result.violations],
        }
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
