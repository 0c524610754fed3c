"""PRM800K's published files, made into a label source: for each round a selection and one accepted batch.

    <imported>/<name>/current.json             which version is today's, and its report
    <imported>/<name>/<version>/rNN/selection/   solutions, completions and problems .parquet
    <imported>/<name>/<version>/rNN/accepted/<digest>/   as in an inbox; batch.jsonl holds the lines as published

Lines are streamed: memory holds one part of a round's columns. The whole version becomes visible by one
rename, and the same files give the same version.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, publish, replace_file, sha256
from o1_assets.labels.inbox.validate import read_lines
from o1_assets.labels.prm800k.records import Unusable, read
from o1_assets.labels.prm800k.rounds import PublishedRound
from o1_assets.labels.protocol import Violation
from o1_assets.labels.schema import Record

LISTED = 1000
"""Refused lines that the report lists; all are counted."""


@dataclass
class ImportReport:
    """rounds: round -> what was counted in it. refused: by rule; violations: the first of them."""

    version: str = ""
    rounds: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def refuse(self, violation: Violation) -> None:
        self.refused[violation.rule] += 1
        if len(self.violations) < LISTED:
            self.violations.append(violation)

    def to_json(self) -> dict[str, Any]:
        listed = [violation.to_json() for violation in self.violations]
        return {
            "version": self.version,
            "rounds": self.rounds,
            "refused": dict(self.refused),
            "violations": listed,
        }


def import_prm800k(folder: Path, target: Path) -> ImportReport:
    """Reads every *.jsonl of `folder`, in the order of their names; target: <imported>/<name>.

    Raises ValueError if there is none or no record in them, OSError; nothing is then visible.
    """
    files = sorted(file for file in folder.glob("*.jsonl") if file.is_file() and not file.is_symlink())
    if not files:
        raise ValueError(
            f"{folder} holds no .jsonl file; give the folder with PRM800K's phase1_train.jsonl, ..."
        )
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target))
    try:
        report = ImportReport()
        rounds: dict[str, PublishedRound] = {}
        for file in files:
            for line in read_lines(file):
                found = _take(line.record, line.raw, rounds, staging) if line.record else line.violation
                if found is not None:
                    report.refuse(replace(found, line=line.number, file=file.name))
        report.rounds = {name: one.finish() for name, one in sorted(rounds.items())}
        if not report.rounds:
            raise ValueError(f"no line of {folder} is a PRM800K record; {report.violations[0]}")
        report.version = source_version(staging)
        publish(staging, target / report.version)
        replace_file(target / "current.json", json_bytes(report.to_json()))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


def _take(record: Record, raw: bytes, rounds: dict[str, PublishedRound], staging: Path) -> Violation | None:
    """None: it was taken."""
    if not record.labeler or not record.timestamp:
        return Violation("not_rated", "labeler or timestamp is missing")
    try:
        labelled = read(record)
    except Unusable as error:
        return error.violation
    if labelled.round not in rounds:
        rounds[labelled.round] = PublishedRound(labelled.round, staging / labelled.round)
    rounds[labelled.round].add(record, labelled, raw)
    return None


def source_version(folder: Path) -> str:
    """Sixteen hex digits over every file's path and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


# PRM800K's published files from the Hub, at one commit, for `import_prm800k`.

REPO, REVISION = "tasksource/PRM800K", "547b19506677a59037ee888838834b65e9b1ddd4"


FILES = ("phase1_train.jsonl", "phase2_train.jsonl")
"""About 1 GB. The test files hold ratings of problems that MATH's test set is made of."""


class HubUnreachable(O1Error, ValueError):
    """PRM800K could not be fetched; the message says what to do."""


def fetch_prm800k(folder: Path) -> Path:
    """Downloads FILES into `folder`, going on where it was stopped; returns it. Raises HubUnreachable."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            REPO, repo_type="dataset", revision=REVISION, allow_patterns=list(FILES), local_dir=folder
        )
    except Exception as error:  # whatever the network or the Hub's client comes up with: it cannot be had
        raise HubUnreachable(
            f"PRM800K could not be fetched from the Hub ({REPO}; {type(error).__name__}): check the network, or give "
            "a folder with its phase1_train.jsonl and phase2_train.jsonl"
        ) from error
    return folder
