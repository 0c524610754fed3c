"""PRM800K's published files, made into a label source: for each round a selection and one accepted batch.

    <imported>/<name>/current.json             which version is today's, and its report
    <imported>/<name>/<version>/rNN/selection/   solutions, completions and problems .parquet
    <imported>/<name>/<version>/rNN/accepted/<digest>/   as in an inbox; batch.jsonl holds the lines as published

Lines are streamed: memory holds one part of a round's columns. The whole version becomes visible by one rename, and
the same files give the same version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, publish, replace_file, sha256
from o1_assets.core.tables import read_parquet
from o1_assets.labels.export import SCREENING
from o1_assets.labels.inbox.batch import BatchManifest
from o1_assets.labels.inbox.reader import ACCEPTED, IMPORTED
from o1_assets.labels.inbox.tables import EVENT, RATINGS, RECORD, RECORDS
from o1_assets.labels.inbox.validate import read_lines
from o1_assets.labels.prm800k.records import LabelledSolution, Unusable, read
from o1_assets.labels.protocol import Violation
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import content_of, texts_by_solution

REPO, REVISION = "tasksource/PRM800K", "547b19506677a59037ee888838834b65e9b1ddd4"
FILES = ("phase1_train.jsonl", "phase2_train.jsonl")
"""About 1 GB. The test files are left out: they hold ratings of problems that MATH's test set is made of."""

LISTED = 1000
"""Refused lines that the report lists; all are counted."""
_ROWS_IN_PART = 50_000

SHOWN: dict[str, Any] = {
    **{name: EVENT[name] for name in ("solution_id", "step", "labeler", "moment", "line", "rating", "flagged")},
    "text": pl.String, "own": pl.Boolean, "written": pl.Boolean,
    "quality_control": pl.Boolean, "screening": pl.Boolean,
}  # fmt: skip
"""A row for each completion that a labeller saw or wrote."""

SOLUTION: dict[str, Any] = {
    "solution_id": pl.String, "problem_id": pl.String, "steps": pl.List(pl.String), "answer": pl.String,
    "correct": pl.Boolean, "score": pl.Float64, "question": pl.String, "truth": pl.String, "usable": pl.Boolean,
}  # fmt: skip
"""A row for each record. usable: it is no check of a labeller, so the solution may be labelled."""


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
        return {
            "version": self.version,
            "rounds": self.rounds,
            "refused": dict(self.refused),
            "violations": [violation.to_json() for violation in self.violations],
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
        # The records of a round may lie in several files, so no round is finished before all are read.
        for file in files:
            for line in read_lines(file):
                violation = _add(line.record, line.raw, rounds, staging) if line.record else line.violation
                if violation is not None:
                    report.refuse(replace(violation, line=line.number, file=file.name))
        report.rounds = {name: published.finish() for name, published in sorted(rounds.items())}
        if not report.rounds:
            raise ValueError(f"no line of {folder} is a PRM800K record; {report.violations[0]}")
        report.version = source_version(staging)
        present = target / report.version
        if present.is_dir() and source_version(present) != report.version:
            # A version is named by its content, so a damaged one would stay in the way of the whole one.
            present.rename(target / f".damaged-{report.version}-{time.time_ns()}")
        publish(staging, present)
        replace_file(target / "current.json", json_bytes(report.to_json()))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


def _add(record: Record, raw: bytes, rounds: dict[str, PublishedRound], staging: Path) -> Violation | None:
    """Adds the record to its round; returns why it could not."""
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


class PublishedRound:
    """Takes records by `add`; `finish` writes the round's selection and its one accepted batch under `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.batch, self.selection = folder / "good", folder / "selection"
        for path in (self.batch, self.selection, folder / "parts"):
            path.mkdir(parents=True)
        self.lines, self.digest = (self.batch / "batch.jsonl").open("wb"), hashlib.sha256()
        self.counts: Counter[str] = Counter()
        # Rows that wait for `_flush`, which turns them into columns on the disk.
        self.rows: dict[str, list[tuple[Any, ...]]] = {"shown": [], "records": [], "solutions": []}
        self.parts = 0

    def add(self, record: Record, labelled: LabelledSolution, raw: bytes) -> None:
        """raw: the line as published."""
        self.lines.write(raw + b"\n")
        self.digest.update(raw + b"\n")
        self.counts["records"] += 1
        line, labeler, moment = self.counts["records"], record.labeler, record.moment
        screening = record.is_initial_screening_question or record.generation == SCREENING
        gold = record.is_quality_control_question
        solution, label, question = labelled.solution_id, record.label, record.question
        for number, step in enumerate(labelled.path):
            if step.written:
                self.rows["shown"].append(
                    (
                        solution,
                        number,
                        labeler,
                        moment,
                        line,
                        None,
                        False,
                        step.own,
                        True,
                        True,
                        gold,
                        screening,
                    )
                )
            for item in step.shown:
                # Equal texts are one completion, so this is by text and not by place.
                is_own = not step.written and item.text == step.own
                self.rows["shown"].append(
                    (solution, number, labeler, moment, line, item.rating, bool(item.flagged), item.text, is_own, False,
                     gold, screening)
                )  # fmt: skip
        self.rows["records"].append(
            (solution, labeler, moment, None, line, None, question.problem, label.finish_reason, 0, label.total_time,
             gold, screening)
        )  # fmt: skip
        truth, answer = question.ground_truth_answer, question.pre_generated_answer
        correct = label.finish_reason == "solution" or (answer is not None and answer == truth)
        self.rows["solutions"].append(
            (solution, labelled.problem_id, list(labelled.steps), answer, correct,
             question.pre_generated_verifier_score, question.problem, truth, not gold and not screening)
        )  # fmt: skip
        self._count(record, labelled, gold, screening)
        if len(self.rows["shown"]) > _ROWS_IN_PART:
            self._flush()

    def finish(self) -> dict[str, int]:
        """Writes the round's selection and batch; returns its counts."""
        self._flush()
        self.lines.close()
        # Of several records of one solution the one with the lowest score and answer describes it: the order of the
        # files plays no part.
        solutions = self._read("solutions").sort("solution_id", "score", "answer", nulls_last=True)
        usable = solutions.group_by("solution_id").agg(pl.col("usable").any())
        first = solutions.unique("solution_id", keep="first", maintain_order=True).drop("usable")
        shown = self._read("shown")
        completions = completions_of(shown, first)
        chosen = first.join(usable.filter("usable"), on="solution_id", how="semi", maintain_order="left")
        chosen_completions = completions.join(chosen, on="solution_id", how="semi", maintain_order="left")
        solutions_of(chosen).write_parquet(self.selection / "solutions.parquet")
        problems_of(chosen).write_parquet(self.selection / "problems.parquet")
        chosen_completions.write_parquet(self.selection / "completions.parquet")
        digest = self.digest.hexdigest()
        records = batch_records(self._read("records"), completions, digest)
        batch_ratings(shown, completions, digest).write_parquet(self.batch / RATINGS, compression="zstd")
        records.write_parquet(self.batch / RECORDS, compression="zstd")
        self._accept(digest, chosen["solution_id"].to_list(), records["labeler"].unique().sort().to_list())
        shutil.rmtree(self.folder / "parts")
        return {"solutions": chosen.height, "problems": chosen["problem_id"].n_unique(), **self.counts}

    def _accept(self, digest: str, solutions: list[str], labelers: list[str]) -> None:
        """Completes the lines and tables to a batch like any in an inbox."""
        (self.batch / "solutions.json").write_bytes(json_bytes(solutions))
        manifest = BatchManifest(
            digest=digest,
            round=self.name,
            source=IMPORTED,
            lines=self.counts["records"],
            solutions=len(solutions),
            labelers=labelers,
            original=digest,
            name=IMPORTED,
            received="",
            protocol="dense" if self.name == "r00" else "sparse",
            selection=sha256(self.selection / "completions.parquet")[:16],
            tables={name: sha256(self.batch / name) for name in (RATINGS, RECORDS)},
        )
        (self.batch / "manifest.json").write_bytes(manifest.to_bytes())
        (self.folder / ACCEPTED).mkdir()
        # The folder's name is the digest, which is known only now.
        os.rename(self.batch, self.folder / ACCEPTED / digest)

    def _count(self, record: Record, labelled: LabelledSolution, gold: bool, screening: bool) -> None:
        # What the paper treats apart is counted apart.
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
        for (name, rows), schema in zip(self.rows.items(), (SHOWN, RECORD, SOLUTION), strict=True):
            part = pl.DataFrame(rows, schema=schema, orient="row")
            part.write_parquet(self.folder / "parts" / f"{name}-{self.parts:05}.parquet")
            rows.clear()
        self.parts += 1

    def _read(self, name: str) -> pl.DataFrame:
        return pl.concat(read_parquet(part) for part in sorted(self.folder.glob(f"parts/{name}-*.parquet")))


def solutions_of(chosen: pl.DataFrame) -> pl.DataFrame:
    """solutions.parquet of the selection. chosen: SOLUTION, a row for each solution that may be labelled."""
    return chosen.select(
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
    )


def problems_of(chosen: pl.DataFrame) -> pl.DataFrame:
    """problems.parquet of the selection."""
    # Questions that differ in spaces only are one problem; the first of them in the alphabet is shown.
    by_problem = chosen.sort("question").unique("problem_id", keep="first").sort("problem_id")
    return by_problem.select(
        "problem_id",
        "question",
        answer=pl.col("truth").fill_null(""),
        source=pl.lit(IMPORTED),
        grader=pl.lit("math"),
        difficulty=pl.lit(0),
        metadata=pl.lit("{}"),
    )


def completions_of(shown: pl.DataFrame, solutions: pl.DataFrame) -> pl.DataFrame:
    """completions.parquet: a solution's own steps as completion 0, then every other text shown there, by text."""
    key = ["solution_id", "step", "text"]
    own_steps = (
        solutions.select("solution_id", "problem_id", text="steps")
        .with_columns(step=pl.int_ranges(0, pl.col("text").list.len(), dtype=pl.Int32))
        .explode("text", "step")
        .drop_nulls("text")
    )
    written = shown.filter("written").select(*key, "written").unique()
    own_steps = own_steps.join(written, on=key, how="left").with_columns(
        pl.col("written").fill_null(False), completion=pl.lit(0, pl.Int32)
    )
    others = (
        shown.select(key)
        .unique()
        .join(own_steps, on=key, how="anti")
        .sort(key)
        .with_columns(
            completion=(pl.int_range(pl.len()).over("solution_id", "step") + 1).cast(pl.Int32),
            written=pl.lit(False),
        )
        .join(solutions.select("solution_id", "problem_id"), on="solution_id")
    )
    columns = ["solution_id", "problem_id", "step", "completion", "text", "written"]
    return pl.concat([own_steps.select(columns), others.select(columns)]).sort(
        "solution_id", "step", "completion"
    )


def batch_ratings(shown: pl.DataFrame, completions: pl.DataFrame, digest: str) -> pl.DataFrame:
    """ratings.parquet of the batch `digest`. completions: of `completions_of`."""
    return (
        shown.drop("own", "written")
        .join(completions, on=["solution_id", "step", "text"], how="inner")
        .with_columns(batch=pl.lit(digest))
        .select(pl.col(name).cast(kind) for name, kind in EVENT.items())
        .sort("line", "step", "completion", "rating", "flagged")
    )


def batch_records(records: pl.DataFrame, completions: pl.DataFrame, digest: str) -> pl.DataFrame:
    """records.parquet of the batch `digest`. records: columns of RECORD, whose content is not known yet."""
    texts = texts_by_solution(completions)
    contents = pl.Series([content_of(steps) for steps in texts["text"].to_list()], dtype=pl.String)
    return (
        records.drop("content")
        .join(texts.select("solution_id", content=contents), on="solution_id", how="left")
        .with_columns(batch=pl.lit(digest))
        .select(pl.col(name).cast(kind) for name, kind in RECORD.items())
        .sort("line")
    )
