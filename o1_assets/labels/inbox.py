"""The label inbox: batches of rated solutions, each made visible by one atomic rename and never changed after.

    rNN/accepted/<digest>/      batch.jsonl (accepted lines, as sent), manifest.json, solutions.json,
                                ratings.parquet and records.parquet (the same lines as columns)
    rNN/quarantine/<digest>/    sent.jsonl (the whole file, as sent), reason.json
    rNN/closed.json             the round takes no more batches from people, and why
    .staging/                   half-written batches; nothing reads them

A batch is named by the SHA-256 of its accepted lines, so the same batch sent twice is one batch. The good
lines of a file are accepted; a file with any other line is quarantined as a whole beside its reasons, so
nothing that was sent is ever lost. Listing reads names and manifests, never labels. Links are not followed.

A round stays open however old it is: late labels are worth having, and only what they touch is made again.
It is closed by hand (`o1 labels close`), and a round that the profile does not have takes nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.files import NotAFile, append, publish, sha256, sync
from o1_assets.labels.events import BatchTables
from o1_assets.labels.intake import Check, FreeCheck, SelectionCheck, Taken, tables_of, take_good_lines
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.violation import Violation

_DIGEST = re.compile(r"[0-9a-f]{64}")
RATINGS, RECORDS = "ratings.parquet", "records.parquet"
ABANDONED_SECONDS = 24 * 3600
"""After so long a half-written batch belongs to a process that was killed."""
IMPORTED = "prm800k"
PEOPLE = "people"
"""Source of batches that come from outside. Machine annotators name themselves: theirs follow from the graph."""


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
class SubmitReport:
    """accepted: lines taken. digest: of the batch, if any. known: the very same batch was there already.

    quarantined: name of the folder with the file and the reasons, if anything was refused. refused: lines
    that were not taken. violations: what is wrong with them, the first 10,000; by_rule counts all.
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
        """(line, reason), one for each thing wrong."""
        return [(violation.line, str(violation)) for violation in self.violations]


class Inbox:
    """All rounds' batches under one folder. Safe with several processes submitting at once."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def submit(
        self, file: Path, round_name: str, check: SelectionCheck | Check, source: str = PEOPLE
    ) -> SubmitReport:
        """Takes the lines of `file` (or of the *.jsonl files of a folder) that pass `check`, quarantines the rest.

        Raises ValueError on a round that is not rNN and on a link, OSError when reading or writing fails;
        then nothing has become visible. A batch sent to a closed round is quarantined as a whole.
        """
        folder = self._round(round_name)
        examined = check if isinstance(check, SelectionCheck) else FreeCheck(check)
        with self._staging() as staging:
            sent, good, bad = staging / "sent.jsonl", staging / "accepted", staging / "quarantine"
            good.mkdir()
            bad.mkdir()
            parts, links = _copy(Path(file), sent)
            original = sha256(sent)
            closed = self.closed(round_name) if source == PEOPLE else None
            if closed is None:
                taken = take_good_lines(sent, good / "batch.jsonl", examined)
            else:
                taken = Taken(BatchTables())
                taken.refuse([Violation("round_closed", f"{round_name} is closed: {closed}")])
            for link in links:
                taken.refuse([link])
            taken.violations = [_in_its_file(violation, parts) for violation in taken.violations]
            digest, refused, known = None, None, False
            if taken.refused:
                reason = {
                    "round": round_name,
                    "name": Path(file).name,
                    "original": original,
                    "accepted_lines": taken.lines,
                    "refused_lines": taken.refused,
                    "by_rule": dict(sorted(taken.by_rule.items())),
                    "rejected": [violation.to_json() for violation in taken.violations],
                }
                _write_json(bad / "reason.json", reason)
                sent.rename(bad / "sent.jsonl")
                refused = sha256(bad / "reason.json")
                publish(bad, folder / "quarantine" / refused)
            if taken.lines:
                digest = taken.digest
                tables = _write_tables(taken.tables, digest, good)
                manifest = BatchManifest(
                    digest=digest,
                    round=round_name,
                    source=source,
                    lines=taken.lines,
                    solutions=len(taken.solutions),
                    labelers=sorted(taken.labelers),
                    original=original,
                    name=Path(file).name,
                    received=datetime.now(UTC).isoformat(timespec="seconds"),
                    protocol=examined.protocol.name,
                    selection=examined.digest,
                    tables=tables,
                )
                _write_json(good / "solutions.json", sorted(taken.solutions))
                _write_json(good / "manifest.json", asdict(manifest))
                known = not publish(good, folder / "accepted" / digest)
        return SubmitReport(
            taken.lines, digest, known, refused, tuple(taken.violations), taken.refused, dict(taken.by_rule)
        )

    def accepted(self, round_name: str, source: str | None = None) -> list[str]:
        """Digests of the accepted batches, sorted; of one source only, if given."""
        digests = _names(self._round(round_name) / "accepted")
        return [d for d in digests if source is None or self.manifest(round_name, d).source == source]

    def version(self, round_name: str, source: str | None = PEOPLE) -> str:
        """A version of the round's batches: order of arrival and repeats do not change it.

        By default of those from outside: what machine annotators file follows from the graph itself, so it
        must not look like news to it.
        """
        return hashlib.sha256("\n".join(self.accepted(round_name, source)).encode()).hexdigest()

    def quarantined(self, round_name: str) -> list[str]:
        return _names(self._round(round_name) / "quarantine")

    def quarantine(self, round_name: str, digest: str) -> Path:
        """Folder with the file as sent (sent.jsonl) and why it was refused (reason.json)."""
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is not the name of a quarantined batch")
        return self._round(round_name) / "quarantine" / digest

    def reason(self, round_name: str, digest: str) -> dict[str, Any]:
        """Why lines were quarantined: rule, message, line, solution, step and completion of each."""
        return json.loads((self.quarantine(round_name, digest) / "reason.json").read_text())

    def manifest(self, round_name: str, digest: str) -> BatchManifest:
        path = self._accepted(round_name, digest) / "manifest.json"
        return BatchManifest(**json.loads(path.read_text()))

    def solutions(self, round_name: str, digest: str) -> list[str]:
        """Ids of the solutions that the batch rates, sorted."""
        return json.loads((self._accepted(round_name, digest) / "solutions.json").read_text())

    def batch(self, round_name: str, digest: str) -> Path:
        """The accepted lines."""
        return self._accepted(round_name, digest) / "batch.jsonl"

    def find(self, round_name: str, digest: str) -> Path:
        """The folder of a batch that was accepted, also if it was withdrawn since (rNN/withdrawn/<digest>).

        Raises ValueError on what is no round or digest, FileNotFoundError if the batch is in neither place.
        """
        accepted = self._accepted(round_name, digest)
        for folder in (accepted, accepted.parent.with_name("withdrawn") / digest):
            if folder.is_dir() and not folder.is_symlink():
                return folder
        raise FileNotFoundError(f"{accepted} is not there, nor was it withdrawn; bring it back from a backup")

    def tables(self, round_name: str, digest: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The batch's ratings and records (columns: events.EVENT and events.RECORD).

        Read from the Parquet written when it was accepted; if that is gone or changed, made again from the
        lines. Raises ValueError if the lines have changed too.
        """
        folder, manifest = self._accepted(round_name, digest), self.manifest(round_name, digest)
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

    def close(self, round_name: str, reason: str) -> None:
        """From now on, what people send for the round is quarantined. What is accepted stays."""
        with self._staging() as staging:
            _write_json(staging / "closed.json", {"reason": reason})
            sync(staging / "closed.json")
            self._round(round_name).mkdir(parents=True, exist_ok=True)
            (staging / "closed.json").replace(self._round(round_name) / "closed.json")

    def reopen(self, round_name: str) -> None:
        (self._round(round_name) / "closed.json").unlink(missing_ok=True)

    def closed(self, round_name: str) -> str | None:
        """Why the round takes no more batches; None while it does."""
        try:
            return str(json.loads((self._round(round_name) / "closed.json").read_text())["reason"])
        except FileNotFoundError:
            return None

    def _accepted(self, round_name: str, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is not the name of a batch; batches are named by 64 hex digits")
        return self._round(round_name) / "accepted" / digest

    def _round(self, name: str) -> Path:
        if re.fullmatch(r"r\d\d", name, re.ASCII) is None:
            raise ValueError(f"{name!r} is not a round; rounds are named r00, r01, ...")
        return self.root / name

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


def _copy(source: Path, target: Path) -> tuple[list[tuple[int, str]], list[Violation]]:
    """Copies first, then looks: what is checked is what is kept, even if the sender goes on writing.

    Returns for a folder each file's first line in the copy and its name, and the links that were left out.
    """
    if not source.is_dir() or source.is_symlink():
        with target.open("wb") as out:
            append(source, out)
        return [], []
    parts: list[tuple[int, str]] = []
    links: list[Violation] = []
    line = 1
    with target.open("wb") as out:
        for file in sorted(source.glob("*.jsonl")):
            try:
                parts.append((line, file.name))
                newlines, cut = append(file, out)
            except NotAFile as error:
                parts.pop()
                links.append(Violation("not_a_file", str(error), file=file.name))
                continue
            if cut:
                out.write(b"\n")
            line += newlines + cut
    return parts, links


def _in_its_file(violation: Violation, parts: list[tuple[int, str]]) -> Violation:
    """The violation with the file of a folder, and the line in it."""
    if not parts or not violation.line:
        return violation
    first, name = parts[bisect_right(parts, violation.line, key=lambda part: part[0]) - 1]
    return replace(violation, line=violation.line - first + 1, file=name)


def _write_tables(tables: BatchTables, digest: str, folder: Path) -> dict[str, str]:
    """Writes both tables; returns their digests by file name."""
    digests = {}
    for name, frame in zip((RATINGS, RECORDS), tables.finish(digest), strict=True):
        buffer = io.BytesIO()  # a disk that is full is then an OSError as everywhere else
        frame.write_parquet(buffer, compression="zstd")
        (folder / name).write_bytes(buffer.getbuffer())
        digests[name] = sha256(folder / name)
    return digests


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


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
