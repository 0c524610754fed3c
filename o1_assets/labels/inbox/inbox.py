"""The label inbox: batches of rated solutions, each made visible by one atomic rename and never changed after.

    rNN/accepted/<digest>/      batch.jsonl (accepted lines, as sent), manifest.json, solutions.json,
                                ratings.parquet and records.parquet (the same lines as columns)
    rNN/withdrawn/<digest>/     the same of a batch that counts no more; moves.json says who took it out and why
    rNN/quarantine/<digest>/    sent.jsonl (the whole file, as sent), reason.json
    rNN/closed.json             the round takes no more batches from people, and why
    .staging/                   half-written batches; nothing reads them

A batch is named by the SHA-256 of its accepted lines, so the same batch sent twice is one batch. The good
lines of a file are accepted; a file with any other line is quarantined as a whole beside its reasons, so
nothing that was sent is ever lost. Listing (`filed.py`) reads names and manifests, never labels.

A round stays open however old it is: late labels are worth having, and only what they touch is made again.
It is closed by hand (`o1 labels close`), and a round that the profile does not have takes nothing.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from o1_assets.core.files import json_bytes, publish, replace_file, sha256, sync
from o1_assets.labels.inbox.batch import PEOPLE, BatchManifest, Move, SubmitReport
from o1_assets.labels.inbox.batches_on_disk import ACCEPTED, MOVES, WITHDRAWN, FiledBatches
from o1_assets.labels.inbox.columns import BatchTables
from o1_assets.labels.inbox.validate import (
    Check,
    FreeCheck,
    SelectionCheck,
    Taken,
    copy_sent,
    take_good_lines,
)
from o1_assets.labels.protocol import Violation

ABANDONED_SECONDS = 24 * 3600
"""After so long a half-written batch belongs to a process that was killed."""


class Inbox(FiledBatches):
    """Takes batches in and out. Safe with several processes at once."""

    def submit(
        self, file: Path, round_name: str, check: SelectionCheck | Check, source: str = PEOPLE
    ) -> SubmitReport:
        """Takes the lines of `file` (or of the *.jsonl files of a folder) that pass `check`, quarantines the rest.

        Raises ValueError on a round that is not rNN and on a link, OSError when reading or writing fails;
        then nothing has become visible. What is sent to a closed round and a batch that was withdrawn are
        quarantined as a whole.
        """
        folder = self._round(round_name)
        examined = check if isinstance(check, SelectionCheck) else FreeCheck(check)
        with self._staging() as staging:
            lines, good, bad = staging / "sent.jsonl", staging / "accepted", staging / "quarantine"
            good.mkdir()
            bad.mkdir()
            sent = copy_sent(Path(file), lines)
            original = sha256(lines)
            closed = self.closed(round_name) if source == PEOPLE else None
            if closed is None:
                taken = take_good_lines(lines, good / "batch.jsonl", examined.of(lines))
            else:
                taken = Taken(BatchTables())
                taken.refuse([Violation("round_closed", f"{round_name} is closed: {closed}")])
            for link in sent.links:
                taken.refuse([link])
            taken.violations = [sent.in_its_file(violation) for violation in taken.violations]
            if taken.lines:
                manifest = BatchManifest(
                    digest=taken.digest,
                    round=round_name,
                    source=source,
                    lines=taken.lines,
                    solutions=len(taken.solutions),
                    labelers=sorted(taken.labelers),
                    original=original,
                    name=Path(file).name,
                    received=_now(),
                    protocol=examined.protocol.name,
                    selection=examined.digest,
                    tables=taken.tables.write(good, taken.digest),
                )
                _write_json(good / "solutions.json", sorted(taken.solutions))
                _write_json(good / "manifest.json", asdict(manifest))
            digest, refused, known = None, None, False
            with self._lock():  # nobody withdraws the batch between the look and the rename
                if taken.lines and source == PEOPLE:
                    self._refuse_withdrawn(round_name, taken)
                if taken.refused:
                    _write_json(bad / "reason.json", _reason(round_name, Path(file).name, original, taken))
                    lines.rename(bad / "sent.jsonl")
                    refused = sha256(bad / "reason.json")
                    publish(bad, folder / "quarantine" / refused)
                if taken.lines:
                    digest = taken.digest
                    known = not publish(good, folder / ACCEPTED / digest)
        return SubmitReport(
            taken.lines, digest, known, refused, tuple(taken.violations), taken.refused, dict(taken.by_rule)
        )

    def withdraw(self, round_name: str, digest: str, who: str, why: str = "") -> Move:
        """The batch counts no more. It stays as it is, in another place; `restore` brings it back.

        Raises FileNotFoundError if it is not accepted, ValueError if a machine made it.
        """
        return self._move(round_name, digest, Move("withdrawn", who, _now(), why))

    def restore(self, round_name: str, digest: str, who: str, why: str = "") -> Move:
        """The batch counts again. Raises FileNotFoundError if it is not withdrawn."""
        return self._move(round_name, digest, Move("restored", who, _now(), why))

    def check_withdrawable(self, round_name: str, digest: str) -> None:
        """Raises ValueError, which says what to do instead, on a batch that no people sent."""
        made_by = self.manifest(round_name, digest).source
        if made_by != PEOPLE:
            raise ValueError(
                f"batch {digest[:12]} of {round_name} was made by {made_by}: it follows from the graph, which "
                "would make it again; change the round's annotator or its settings instead"
            )

    def close(self, round_name: str, reason: str) -> None:
        """From now on, what people send for the round is quarantined. What is accepted stays."""
        replace_file(self._round(round_name) / "closed.json", json_bytes({"reason": reason}))

    def reopen(self, round_name: str) -> None:
        (self._round(round_name) / "closed.json").unlink(missing_ok=True)

    def _move(self, round_name: str, digest: str, move: Move) -> Move:
        """Says it in the batch's folder, then moves the folder: one rename is what counts."""
        away = move.what == "withdrawn"
        states = (ACCEPTED, WITHDRAWN) if away else (WITHDRAWN, ACCEPTED)
        source, target = (self._folder(round_name, state, digest) for state in states)
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if not source.is_dir() or source.is_symlink():
                raise FileNotFoundError(f"{self.root / round_name} has no batch {digest} that is {states[0]}")
            self.check_withdrawable(round_name, digest)
            if target.exists():
                raise ValueError(f"batch {digest[:12]} of {round_name} is {states[1]} already")
            moves = [*self._moves(source), move]
            replace_file(source / MOVES, json_bytes([asdict(one) for one in moves]))
            publish(source, target)
            sync(source.parent)
        return move

    def _refuse_withdrawn(self, round_name: str, taken: Taken) -> None:
        withdrawal = self.withdrawal(round_name, taken.digest)
        if withdrawal is not None:
            message = (
                f"these lines are batch {taken.digest[:12]} of {round_name}, which was {withdrawal}; "
                f"`o1 labels restore {taken.digest[:12]}` takes it back"
            )
            taken.refuse_all(Violation("batch_withdrawn", message))

    def _lock(self) -> FileLock:
        """One writer at a time. The system releases the lock when its process ends, however that ends."""
        return FileLock(self.root / ".lock")

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        area = self.root / ".staging"
        area.mkdir(parents=True, exist_ok=True)
        for old in area.iterdir():
            with suppress(OSError):
                if old.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=area))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _reason(round_name: str, name: str, original: str, taken: Taken) -> dict[str, Any]:
    """reason.json of a file of which not everything was taken."""
    return {
        "round": round_name,
        "name": name,
        "original": original,
        "accepted_lines": taken.lines,
        "refused_lines": taken.refused,
        "by_rule": taken.by_rule,
        "rejected": [violation.to_json() for violation in taken.violations],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_json(path: Path, content: Any) -> None:
    path.write_bytes(json_bytes(content))
