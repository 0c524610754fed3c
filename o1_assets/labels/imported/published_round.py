"""One round of an imported label source: its selection and its one accepted batch, made from published records."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.files import json_bytes, sha256
from o1_assets.core.tables import read_parquet
from o1_assets.labels.export import SCREENING
from o1_assets.labels.imported.labelled_path import LabelledSolution
from o1_assets.labels.inbox.batch import RATINGS, RECORDS, BatchManifest
from o1_assets.labels.inbox.reader import ACCEPTED, IMPORTED
from o1_assets.labels.inbox.tables import EVENT, RECORD
from o1_assets.labels.schema import WITHDRAWN, Record
from o1_assets.labels.selection import content_of, texts_by_solution

_ROWS_IN_PART = 50_000

UNCLEAR = "steps_after_no_choice"
"""Count of steps that were left out, because nothing says which completion of the step before they go on from."""

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


class PublishedRound:
    """Takes records by `add`; `finish` writes the round's selection and its one accepted batch under `folder`.

    published_as: the format of the published files.
    """

    def __init__(self, name: str, folder: Path, published_as: str) -> None:
        self.name, self.folder, self.published_as = name, folder, published_as
        self.batch, self.selection = folder / "good", folder / "selection"
        for path in (self.batch, self.selection, folder / "parts"):
            path.mkdir(parents=True)
        self.lines, self.digest = (self.batch / "batch.jsonl").open("wb"), hashlib.sha256()
        self.counts: Counter[str] = Counter()
        # Rows that wait for `_flush`, which turns them into columns on the disk.
        self.rows: dict[str, list[tuple[Any, ...]]] = {"shown": [], "records": [], "solutions": []}
        self.parts = 0

    def add(
        self, record: Record, labelled: LabelledSolution, raw: bytes, correct: bool | None = None
    ) -> None:
        """raw: the line as published. correct: whether the final answer is right, if the publisher says so."""
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
        if correct is None:
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
        problems_of(chosen, self.published_as).write_parquet(self.selection / "problems.parquet")
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
            **({UNCLEAR: labelled.unclear} if labelled.unclear else {}),
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


def problems_of(chosen: pl.DataFrame, source: str) -> pl.DataFrame:
    """problems.parquet of the selection. source: the format that they were published in."""
    # Questions that differ in spaces only are one problem; the first of them in the alphabet is shown.
    by_problem = chosen.sort("question").unique("problem_id", keep="first").sort("problem_id")
    return by_problem.select(
        "problem_id",
        "question",
        answer=pl.col("truth").fill_null(""),
        source=pl.lit(source),
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
