"""The label inbox: batches of rated solutions, each made visible by one atomic rename and never changed after.

    rNN/accepted/<digest>/      batch.jsonl (accepted lines, as sent), manifest.json, solutions.json
    rNN/quarantine/<digest>/    sent.jsonl (the whole file, as sent), reason.json
    .staging/                   half-written batches; nothing reads them

A batch is named by the SHA-256 of its accepted lines, so the same batch sent twice is one batch. The good
lines of a file are accepted; a file with any other line is quarantined as a whole beside its reasons, so
nothing that was sent is ever lost. Listing reads names and manifests, never labels.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from o1_assets.labels.intake import Check, take_good_lines
from o1_assets.labels.violation import Violation

_DIGEST = re.compile(r"[0-9a-f]{64}")
PEOPLE = "people"
"""Source of batches that come from outside. Machine annotators name themselves: theirs follow from the graph."""


@dataclass(frozen=True)
class BatchManifest:
    """lines: records in the batch. original: SHA-256 of the file as submitted. name: what the sender called it."""

    digest: str
    round: str
    source: str
    lines: int
    solutions: int
    labelers: list[str]
    original: str
    name: str
    received: str


@dataclass(frozen=True)
class SubmitReport:
    """accepted: lines taken. rejected: (line, reason), one for each thing wrong. digest: of the batch, if any.

    known: the very same batch was there already. quarantined: digest of the refused lines, if any.
    """

    accepted: int
    digest: str | None
    known: bool = False
    quarantined: str | None = None
    violations: tuple[Violation, ...] = ()

    @property
    def rejected(self) -> list[tuple[int, str]]:
        return [(violation.line, str(violation)) for violation in self.violations]


class Inbox:
    """All rounds' batches under one folder. Safe with several processes submitting at once."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def submit(self, file: Path, round_name: str, check: Check, source: str = PEOPLE) -> SubmitReport:
        """Takes the lines of `file` (or of the *.jsonl files of a folder) that pass `check`, quarantines the rest.

        Raises ValueError on a round that is not rNN, OSError when reading or writing fails; then nothing
        has become visible.
        """
        folder = self._round(round_name)
        with self._staging() as staging:
            sent, good, bad = staging / "sent.jsonl", staging / "accepted", staging / "quarantine"
            good.mkdir()
            bad.mkdir()
            name = _copy(Path(file), sent)
            original = _sha256(sent)
            taken = take_good_lines(sent, good / "batch.jsonl", check)
            digest, refused, known = None, None, False
            if taken.violations:
                reasons = [violation.to_json() for violation in taken.violations]
                facts = {
                    "round": round_name,
                    "name": name,
                    "original": original,
                    "accepted_lines": taken.lines,
                }
                _write_json(bad / "reason.json", {**facts, "rejected": reasons})
                sent.rename(bad / "sent.jsonl")
                refused = _sha256(bad / "reason.json")
                _publish(bad, folder / "quarantine" / refused)
            if taken.lines:
                digest = _sha256(good / "batch.jsonl")
                manifest = BatchManifest(
                    digest=digest,
                    round=round_name,
                    source=source,
                    lines=taken.lines,
                    solutions=len(taken.solutions),
                    labelers=sorted(taken.labelers),
                    original=original,
                    name=name,
                    received=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                _write_json(good / "solutions.json", sorted(taken.solutions))
                _write_json(good / "manifest.json", asdict(manifest))
                known = not _publish(good, folder / "accepted" / digest)
        return SubmitReport(taken.lines, digest, known, refused, tuple(taken.violations))

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

    def reason(self, round_name: str, digest: str) -> dict[str, Any]:
        """Why lines were quarantined: rule, message, line, solution, step and completion of each."""
        return json.loads((self._round(round_name) / "quarantine" / digest / "reason.json").read_text())

    def manifest(self, round_name: str, digest: str) -> BatchManifest:
        path = self._round(round_name) / "accepted" / digest / "manifest.json"
        return BatchManifest(**json.loads(path.read_text()))

    def solutions(self, round_name: str, digest: str) -> list[str]:
        """Ids of the solutions that the batch rates, sorted."""
        return json.loads((self._round(round_name) / "accepted" / digest / "solutions.json").read_text())

    def batch(self, round_name: str, digest: str) -> Path:
        """The accepted lines."""
        return self._round(round_name) / "accepted" / digest / "batch.jsonl"

    def _round(self, name: str) -> Path:
        if re.fullmatch(r"r\d\d", name, re.ASCII) is None:
            raise ValueError(f"{name!r} is not a round; rounds are named r00, r01, ...")
        return self.root / name

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        area = self.root / ".staging"
        area.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=area))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> str:
    """Copies first, then looks: what is checked is what is kept, even if the sender goes on writing."""
    files = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    with target.open("wb") as out:
        for number, file in enumerate(files):
            if number:
                out.write(b"\n")
            with file.open("rb") as part:
                shutil.copyfileobj(part, out)
    return source.name


def _publish(folder: Path, target: Path) -> bool:
    """One rename makes the folder visible. False: it was there already, from an equal batch."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    return True


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if _DIGEST.fullmatch(entry.name))
    except FileNotFoundError:
        return []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
