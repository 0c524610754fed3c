"""Files of rated solutions, in any known format, made into a label source: a selection and a batch for each round.

    <imported>/<name>/current.json             which version is today's, and its report
    <imported>/<name>/<version>/rNN/selection/   solutions, completions and problems .parquet
    <imported>/<name>/<version>/rNN/accepted/<digest>/   as in an inbox; batch.jsonl holds the items as published
    <imported>/<name>/<version>/refused.jsonl    every item that could not be used, beside its reason

Items are streamed: memory holds one part of a round's columns. The whole version becomes visible by one rename, and
the same files give the same version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, publish, replace_file, sha256
from o1_assets.labels.export import generation_of
from o1_assets.labels.formats.known import UnknownFormat, format_of, read_records
from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.imported.labelled_path import Unusable, read
from o1_assets.labels.imported.published_round import PublishedRound
from o1_assets.labels.inbox.lines import ParsedLine
from o1_assets.labels.protocol import Violation

REPO, REVISION = "tasksource/PRM800K", "547b19506677a59037ee888838834b65e9b1ddd4"
FILES = ("phase1_train.jsonl", "phase2_train.jsonl")
"""About 1 GB. The test files are left out: they hold ratings of problems that MATH's test set is made of."""

SUFFIXES = (".jsonl", ".json", ".parquet")
NOT_LABELS = ("o1_export.json", "dataset_info.json", "dataset_dict.json", "dataset_infos.json", "state.json")
"""What of a folder is read, and what in it describes a data set."""

REFUSED = "refused.jsonl"
LISTED = 1000
"""Refused items that the report lists; REFUSED has all of them."""


class HubUnreachable(O1Error, ValueError):
    """PRM800K could not be fetched; the message says what to do."""


def fetch_prm800k(folder: Path) -> Path:
    """Downloads FILES from the Hub, at one commit, into `folder`; returns it. Raises HubUnreachable."""
    from huggingface_hub import snapshot_download

    try:
        # It goes on with files of which a part is there.
        snapshot_download(
            REPO, repo_type="dataset", revision=REVISION, allow_patterns=list(FILES), local_dir=folder
        )
    except Exception as error:  # the Hub's client and the network raise many kinds
        raise HubUnreachable(
            f"PRM800K could not be fetched from the Hub ({REPO}; {type(error).__name__}): check the network, or give "
            "a folder with its phase1_train.jsonl and phase2_train.jsonl"
        ) from error
    return folder


@dataclass
class ImportReport:
    """name: of the source. format: of the files. rounds: round -> what was counted in it.

    refused: how many items by rule. refused_file: holds them all. violations: why, of the first.
    """

    name: str = ""
    version: str = ""
    format: str = ""
    refused_file: str | None = None
    rounds: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "format": self.format,
            "refused_file": self.refused_file,
            "rounds": self.rounds,
            "refused": dict(self.refused),
            "violations": [violation.to_json() for violation in self.violations],
        }


def import_labels(
    source: Path,
    imported: Path,
    name: str | None = None,
    label_format: LabelFormat | None = None,
    round_name: str | None = None,
) -> ImportReport:
    """Reads a file, or those of a folder in the order of their names, into the source <imported>/<name>.

    name: the format's without one. label_format: the files'; None recognises it, and refuses files of a folder that are
    in another one. round_name: whose labels they become, for formats that do not state it; else r00.

    Raises ValueError (UnknownFormat, NotAFile) if there is no file or no usable record in them, and OSError; nothing is
    then visible.
    """
    files = _files(source)
    if not files:
        raise ValueError(
            f"{source} holds no {', '.join(SUFFIXES)} file; give a file or a folder of rated solutions"
        )
    first_format = label_format or _first_format(files)
    if round_name is not None and first_format.states_round:
        raise ValueError(
            f"{source} is in the format {first_format.name}, whose records state their round; leave out --round"
        )
    target = imported / (name or first_format.name)
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target))
    try:
        with (staging / REFUSED).open("wb") as refused:
            importing = Importing(staging, first_format, generation_of(round_name or "r00"), refused)
            # The records of a round may lie in several files, so no round is finished before all are read.
            for file in files:
                shown = file.name if file == source else file.relative_to(source).as_posix()
                for line in importing.records(file, label_format):
                    importing.take(line, shown)
        report = importing.report
        report.name = target.name
        report.rounds = {each: made.finish() for each, made in sorted(importing.rounds.items())}
        if not report.rounds:
            raise ValueError(
                f"no record of {source} can be used as {first_format.name}; {report.violations[0]}"
            )
        if not report.refused:
            (staging / REFUSED).unlink()
        report.version = source_version(staging)
        present = target / report.version
        if present.is_dir() and source_version(present) != report.version:
            # A version is named by its content, so a damaged one would stay in the way of the whole one.
            present.rename(target / f".damaged-{report.version}-{time.time_ns()}")
        publish(staging, present)
        report.refused_file = str(present / REFUSED) if report.refused else None
        replace_file(target / "current.json", json_bytes(report.to_json()))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


class Importing:
    """The rounds and the report of an import under way. generation: of records that state none, in PRM800K's terms."""

    def __init__(
        self, staging: Path, label_format: LabelFormat, generation: int | None, refused: BinaryIO
    ) -> None:
        self.staging, self.format, self.generation, self.refused = staging, label_format, generation, refused
        self.rounds: dict[str, PublishedRound] = {}
        self.report = ImportReport(format=label_format.name)

    def records(self, file: Path, named: LabelFormat | None) -> Iterator[ParsedLine]:
        """The file's records; one violation if it is in another format. named: what the user calls the format."""
        try:
            file_format = named or format_of(file)
        except UnknownFormat as error:
            yield ParsedLine(0, b"", violation=Violation("unknown_format", str(error)))
            return
        if file_format is self.format:
            yield from read_records(file, file_format)
        else:
            message = f"it is in the format {file_format.name}, the others in {self.format.name}; import it on its own"
            yield ParsedLine(0, b"", violation=Violation("other_format", message))

    def take(self, line: ParsedLine, file: str) -> None:
        """Adds a record to its round, or keeps it beside the reason why it cannot be used."""
        violation = line.violation or self._add(line)
        if violation is None:
            return
        violation = replace(violation, line=line.number, file=file)
        self.report.refused[violation.rule] += 1
        if len(self.report.violations) < LISTED:
            self.report.violations.append(violation)
        entry = {**violation.to_json(), "item": line.raw.decode(errors="replace")}
        self.refused.write(json.dumps(entry).encode() + b"\n")

    def _add(self, line: ParsedLine) -> Violation | None:
        record = line.record
        assert record is not None
        if not record.labeler or not record.timestamp:
            return Violation("not_rated", "labeler or timestamp is missing")
        if not self.format.states_round:
            record.generation = self.generation
        try:
            labelled = read(record)
        except Unusable as error:
            return error.violation
        name = labelled.round
        if name not in self.rounds:
            self.rounds[name] = PublishedRound(name, self.staging / name, self.format.name)
        self.rounds[name].add(record, labelled, line.raw, line.correct)
        return None


def _files(source: Path) -> list[Path]:
    """A file itself, or what of a folder may hold labels. Links are left out, and so is what a hidden folder holds."""
    if not source.is_dir():
        return [source]
    return sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.name not in NOT_LABELS
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )


def _first_format(files: list[Path]) -> LabelFormat:
    """The format of the first file that is in any. Raises UnknownFormat of the first file if none is."""
    unknown: UnknownFormat | None = None
    for file in files:
        try:
            return format_of(file)
        except UnknownFormat as error:
            unknown = unknown or error
    assert unknown is not None
    raise unknown


def source_version(folder: Path) -> str:
    """Sixteen hex digits over every file's path and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()[:16]
