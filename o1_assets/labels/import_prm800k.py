"""PRM800K's published files, made into a label source: for each round a selection and one accepted batch.

    <imported>/<name>/current.json             which version is today's, and its report
    <imported>/<name>/<version>/rNN/selection/   solutions, completions and problems .parquet
    <imported>/<name>/<version>/rNN/accepted/<digest>/   as in an inbox; batch.jsonl holds the lines as published

Lines are streamed: memory holds one part of a round's columns. The whole version becomes visible by one
rename, and the same files give the same version.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import polars as pl

from o1_assets.files import publish, sha256, sync
from o1_assets.labels.events import EVENT, RECORD
from o1_assets.labels.inbox import IMPORTED, RATINGS, RECORDS, BatchManifest
from o1_assets.labels.jsonl import read_lines
from o1_assets.labels.prm800k import Labelled, Unusable, read
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import content_of
from o1_assets.labels.violation import Violation

LISTED = 1000
"""Refused lines that the report lists; all are counted."""
_PART = 50_000
_SHOWN = {
    **{name: EVENT[name] for name in ("solution_id", "step", "labeler", "moment", "line", "rating", "flagged")},
    "text": pl.String, "own": pl.Boolean, "written": pl.Boolean,
    "quality_control": pl.Boolean, "screening": pl.Boolean,
}  # fmt: skip
_SOLUTION = {
    "solution_id": pl.String, "problem_id": pl.String, "steps": pl.List(pl.String), "answer": pl.String,
    "correct": pl.Boolean, "score": pl.Float64, "question": pl.String, "truth": pl.String, "usable": pl.Boolean,
}  # fmt: skip


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
        rounds = _Rounds(staging)
        for file in files:
            for line in read_lines(file):
                found = _take(line.record, line.raw, rounds) if line.record else line.violation
                if found is not None:
                    report.refuse(replace(found, line=line.number, file=file.name))
        report.rounds = {name: one.finish() for name, one in sorted(rounds.items())}
        if not report.rounds:
            raise ValueError(f"no line of {folder} is a PRM800K record; {report.violations[0]}")
        report.version = source_version(staging)
        publish(staging, target / report.version)
        pointer = target / ".current.partial"
        pointer.write_text(json.dumps(report.to_json(), indent=1) + "\n")
        sync(pointer)
        pointer.replace(target / "current.json")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


def _take(record: Record, raw: bytes, rounds: _Rounds) -> Violation | None:
    """None: it was taken."""
    if not record.labeler or not record.timestamp:
        return Violation("not_rated", "labeler or timestamp is missing")
    try:
        labelled = read(record)
    except Unusable as error:
        return error.violation
    rounds[labelled.round].add(record, labelled, raw)
    return None


class _Rounds(defaultdict[str, "_Round"]):
    def __init__(self, staging: Path) -> None:
        super().__init__()
        self.staging = staging

    def __missing__(self, name: str) -> _Round:
        self[name] = _Round(name, self.staging / name)
        return self[name]


class _Round:
    """One round on its way: lines and parts of columns go to disk, counts stay."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.good, self.selection = folder / "good", folder / "selection"
        for path in (self.good, self.selection, folder / "parts"):
            path.mkdir(parents=True)
        self.lines, self.digest = (self.good / "batch.jsonl").open("wb"), hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[tuple[Any, ...]]] = {"shown": [], "records": [], "solutions": []}
        self.parts = 0

    def add(self, record: Record, labelled: Labelled, raw: bytes) -> None:
        self.lines.write(raw + b"\n")
        self.digest.update(raw + b"\n")
        self.counts["records"] += 1
        line, who, moment = self.counts["records"], record.labeler, record.moment
        screening = record.is_initial_screening_question or record.generation == -1
        gold = record.is_quality_control_question
        solution, label, question = labelled.solution_id, record.label, record.question
        for number, step in enumerate(labelled.path):
            if step.written:
                self.rows["shown"].append(
                    (solution, number, who, moment, line, None, False, step.own, True, True, gold, screening)
                )
            for item in step.shown:
                own = not step.written and item.text == step.own
                self.rows["shown"].append(
                    (solution, number, who, moment, line, item.rating, bool(item.flagged), item.text, own, False,
                     gold, screening)
                )  # fmt: skip
        self.rows["records"].append(
            (solution, who, moment, None, line, None, question.problem, label.finish_reason, 0, label.total_time,
             gold, screening)
        )  # fmt: skip
        truth, answer = question.ground_truth_answer, question.pre_generated_answer
        right = label.finish_reason == "solution" or (answer is not None and answer == truth)
        self.rows["solutions"].append(
            (solution, labelled.problem_id, list(labelled.steps), answer, right,
             question.pre_generated_verifier_score, question.problem, truth, not gold and not screening)
        )  # fmt: skip
        self._count(record, labelled, gold, screening)
        if len(self.rows["shown"]) > _PART:
            self._flush()

    def _count(self, record: Record, labelled: Labelled, gold: bool, screening: bool) -> None:
        """What the paper treats apart is counted apart."""
        items = [item for step in labelled.path for item in step.shown]
        self.counts.update(
            ratings=sum(item.rating is not None for item in items),
            null_ratings=sum(item.rating is None for item in items),
            flagged_ratings=sum(bool(item.flagged) for item in items),
            written_steps=sum(step.written for step in labelled.path),
            unreachable_ratings=labelled.unreachable,
            quality_control_records=gold and not screening,
            screening_records=screening,
            **{f"{reason}_records": record.label.finish_reason == reason for reason in WITHDRAWN},
        )

    def _flush(self) -> None:
        for (name, rows), schema in zip(self.rows.items(), (_SHOWN, RECORD, _SOLUTION), strict=True):
            part = pl.DataFrame(rows, schema=cast(Any, schema), orient="row")
            part.write_parquet(self.folder / "parts" / f"{name}-{self.parts:05}.parquet")
            rows.clear()
        self.parts += 1

    def _read(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "parts" / f"{name}-*.parquet")

    def finish(self) -> dict[str, int]:
        """Writes the round's selection and batch; returns what was counted."""
        self._flush()
        self.lines.close()
        solutions = self._read("solutions").sort("solution_id", "score", "answer", nulls_last=True)
        usable = solutions.group_by("solution_id").agg(pl.col("usable").any())
        first = solutions.unique("solution_id", keep="first", maintain_order=True).drop("usable")
        shown = self._read("shown")
        completions = _completions(shown, first)
        chosen = first.join(usable.filter("usable"), on="solution_id", how="semi", maintain_order="left")
        self._write_selection(chosen, completions)
        labelled = completions.join(
            chosen.select("solution_id"), on="solution_id", how="semi", maintain_order="left"
        )
        labelled.write_parquet(self.selection / "completions.parquet")
        self._write_batch(shown, completions, chosen)
        shutil.rmtree(self.folder / "parts")
        return {"solutions": chosen.height, "problems": chosen["problem_id"].n_unique(), **self.counts}

    def _write_selection(self, chosen: pl.DataFrame, completions: pl.DataFrame) -> None:
        chosen.select(
            "solution_id",
            "problem_id",
            sample=pl.lit(0, pl.Int32),
            text=pl.col("steps").list.join("\n") + "\n",
            steps="steps",
            answer="answer",
            correct="correct",
            finished=pl.lit(True),
            score="score",
            reason=pl.lit(IMPORTED),
        ).write_parquet(self.selection / "solutions.parquet")
        chosen.sort("question").unique("problem_id", keep="first").sort("problem_id").select(
            "problem_id",
            "question",
            answer=pl.col("truth").fill_null(""),
            source=pl.lit(IMPORTED),
            grader=pl.lit("math"),
            difficulty=pl.lit(0),
            metadata=pl.lit("{}"),
        ).write_parquet(self.selection / "problems.parquet")

    def _write_batch(self, shown: pl.DataFrame, completions: pl.DataFrame, chosen: pl.DataFrame) -> None:
        digest = self.digest.hexdigest()
        ratings = (
            shown.drop("own", "written")
            .join(completions, on=["solution_id", "step", "text"], how="inner")
            .with_columns(batch=pl.lit(digest))
            .select(pl.col(name).cast(kind) for name, kind in EVENT.items())
            .sort("line", "step", "completion", "rating", "flagged")
        )
        texts = (
            completions.group_by("solution_id", "step", maintain_order=True)
            .agg("text")
            .group_by("solution_id", maintain_order=True)
            .agg("text")
        )
        contents = texts.select(
            "solution_id",
            content=pl.Series([content_of(steps) for steps in texts["text"].to_list()], dtype=pl.String),
        )
        records = (
            self._read("records")
            .drop("content")
            .join(contents, on="solution_id", how="left")
            .with_columns(batch=pl.lit(digest))
            .select(pl.col(name).cast(kind) for name, kind in RECORD.items())
            .sort("line")
        )
        ratings.write_parquet(self.good / RATINGS, compression="zstd")
        records.write_parquet(self.good / RECORDS, compression="zstd")
        (self.good / "solutions.json").write_text(
            json.dumps(chosen["solution_id"].to_list(), indent=1) + "\n"
        )
        manifest = BatchManifest(
            digest=digest,
            round=self.name,
            source=IMPORTED,
            lines=self.counts["records"],
            solutions=chosen.height,
            labelers=records["labeler"].unique().sort().to_list(),
            original=digest,
            name=IMPORTED,
            received="",
            protocol="dense" if self.name == "r00" else "sparse",
            selection=sha256(self.selection / "completions.parquet")[:16],
            tables={name: sha256(self.good / name) for name in (RATINGS, RECORDS)},
        )
        (self.good / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        (self.folder / "accepted").mkdir()
        os.rename(self.good, self.folder / "accepted" / digest)


def _completions(shown: pl.DataFrame, solutions: pl.DataFrame) -> pl.DataFrame:
    """completions.parquet: a solution's own steps as completion 0, every other text seen there after it, by text."""
    own = (
        solutions.select("solution_id", "problem_id", text="steps")
        .with_columns(step=pl.int_ranges(0, pl.col("text").list.len(), dtype=pl.Int32))
        .explode("text", "step")
        .drop_nulls("text")
    )
    by_hand = shown.filter("written").select("solution_id", "step", "text", "written").unique()
    own = own.join(by_hand, on=["solution_id", "step", "text"], how="left").with_columns(
        pl.col("written").fill_null(False), completion=pl.lit(0, pl.Int32)
    )
    key = ["solution_id", "step", "text"]
    others = (
        shown.select(key)
        .unique()
        .join(own, on=key, how="anti")
        .sort(key)
        .with_columns(
            completion=(pl.int_range(pl.len()).over("solution_id", "step") + 1).cast(pl.Int32),
            written=pl.lit(False),
        )
        .join(solutions.select("solution_id", "problem_id"), on="solution_id")
    )
    columns = ["solution_id", "problem_id", "step", "completion", "text", "written"]
    return pl.concat([own.select(columns), others.select(columns)]).sort("solution_id", "step", "completion")


def source_version(folder: Path) -> str:
    """Sixteen hex digits over every file's path and content."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))
