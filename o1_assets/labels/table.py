"""rNN/labels: all accepted batches merged into one rating a completion, whatever the order they came in.

The same labeller again: the later timestamp wins. Labellers who disagree: the majority; ties are dropped.
Counted and left out: quality-control and screening records, ratings that are null or flagged, and all that
a labeller said of a solution before calling it a bad problem or giving it up. What is left keeps the labelled
own path unbroken: nothing stands after an own step that is negative, tied or left out.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.artifact import Outcome, Task, Waiting
from o1_assets.evaluation.plots import save_png
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.control import Controlled, control, read_gold
from o1_assets.labels.inbox import PEOPLE
from o1_assets.labels.intake import selection_check
from o1_assets.labels.jsonl import read_lines
from o1_assets.labels.merge import EVENT, Withdrawal, merge
from o1_assets.labels.protocol import PROTOCOLS, Protocol, Slot
from o1_assets.labels.quality import Figures, label_figures
from o1_assets.labels.quality_chart import quality_chart
from o1_assets.labels.ratings import ratings_of
from o1_assets.labels.schema import Record, parse_moment
from o1_assets.labels.selection import Selection

EVENTS = {**EVENT, "quality_control": pl.Boolean, "screening": pl.Boolean}
COLUMNS = (
    "solution_id", "problem_id", "question", "step", "completion", "text", "prefix",
    "rating", "labeler", "batch", "line",
)  # fmt: skip


def make_labels(task: Task, config: LabelsConfig) -> Outcome:
    """Inputs: selection, batches. Writes labels.parquet (a row a completion) and solutions.parquet (those labelled)."""
    selection = Selection.load(task.inputs["selection"])
    made = labels_of(task.inputs["batches"], selection, config)
    labels, dropped = made.table, made.dropped
    if labels.is_empty() and made.control.excluded:
        raise Waiting(_what_to_do(config, made.control.quality))
    solutions = selection.table.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    labels.write_parquet(task.out / "labels.parquet")
    solutions.write_parquet(task.out / "solutions.parquet")
    made.control.quality.write_parquet(task.out / "quality.parquet")
    if chart := quality_chart(made.control.quality, config.quality.min_agreement):
        save_png(task.out / "plots" / "labellers.png", *chart)
    own = labels.filter(pl.col("completion") == 0)
    return Outcome(
        figures={
            "labels": labels.height,
            "positive": labels.filter(pl.col("rating") == 1).height,
            "neutral": labels.filter(pl.col("rating") == 0).height,
            "negative": labels.filter(pl.col("rating") == -1).height,
            "solutions": solutions.height,
            "solutions_not_labelled": selection.table.height - solutions.height,
            "solutions_with_error": own.filter(pl.col("rating") < 0).height,
            **made.control.figures,
            **made.effect,
            **{f"dropped_{reason}": count for reason, count in sorted(dropped.items())},
        },
        rows=labels.height,
        sample=labels.head(5)
        .select("question", "step", "completion", "text", "rating", "labeler")
        .to_dicts(),
    )


def label_table(
    batches: Path, selection: Selection, config: LabelsConfig
) -> tuple[pl.DataFrame, Counter[str]]:
    """labels.parquet's rows from a folder with batches and index.json, and what was dropped, by reason."""
    made = labels_of(batches, selection, config)
    return made.table, made.dropped


@dataclass(frozen=True)
class LabelTable:
    """table: labels.parquet. effect: what excluding labellers changed in it, empty if nobody was."""

    table: pl.DataFrame
    dropped: Counter[str]
    control: Controlled
    effect: Figures


def labels_of(batches: Path, selection: Selection, config: LabelsConfig) -> LabelTable:
    """The label table of a folder with batches and index.json, after quality control."""
    reader = _Reader(selection, config)
    index = json.loads((batches / "index.json").read_text())["batches"]
    for entry in index:
        reader.read(batches / f"{entry['digest']}.jsonl", entry["digest"])
    events = pl.DataFrame(reader.events, schema=EVENTS, orient="row")
    people = {entry["digest"] for entry in index if entry.get("source", PEOPLE) == PEOPLE}
    controlled = control(events, read_gold(batches), people, config.quality)

    def merged(counted: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
        return merge(counted.select(list(EVENT)).rows(), reader.withdrawals)

    table, dropped = merged(controlled.counted)
    effect: Figures = {}
    if controlled.excluded:
        checks = pl.col("quality_control") | pl.col("screening")
        effect = label_figures(merged(events.filter(~checks))[0], table)
    table = _with_texts(table, selection, reader.questions)
    return LabelTable(table, dropped + reader.dropped, controlled, effect)


class _Reader:
    """Turns batches into rating events; counts what is no rating."""

    def __init__(self, selection: Selection, config: LabelsConfig) -> None:
        self.protocol: Protocol = PROTOCOLS[config.protocol]
        self.check = selection_check(selection, config.round, self.protocol)
        self.events: list[tuple[Any, ...]] = []
        self.withdrawals: list[Withdrawal] = []
        self.questions: dict[str, str] = {}
        self.dropped: Counter[str] = Counter()

    def read(self, path: Path, digest: str) -> None:
        for line in read_lines(path):
            if line.record is None:
                self.dropped["unreadable_records"] += 1
            else:
                self._record(line.record, digest, line.number)

    def _record(self, record: Record, digest: str, line: int) -> None:
        if record.is_quality_control:
            self.dropped["quality_control_records"] += 1
            if record.o1 is None:
                return
        elif violations := self.check(record):
            # The selection has changed since the batch was accepted.
            self.dropped[f"{violations[0].rule}_records"] += 1
            return
        assert record.o1 is not None and record.labeler is not None and record.timestamp is not None
        solution = record.o1.solution_id
        moment = int(parse_moment(record.timestamp).timestamp() * 1_000_000)
        if record.label.finish_reason in ("bad_problem", "give_up"):
            self.dropped[f"{record.label.finish_reason}_records"] += 1
            self.withdrawals.append((solution, record.labeler, moment))
            return
        self.questions[solution] = min(
            record.question.problem, self.questions.get(solution, record.question.problem)
        )
        ratings = ratings_of(record)
        shape = [len(part.completions or []) for part in record.label.steps]
        for slot in self.protocol.reached(shape, ratings):
            self._slot(record, slot, (solution, record.labeler, moment, digest, line))

    def _slot(self, record: Record, slot: Slot, origin: tuple[str, str, int, str, int]) -> None:
        item = (record.label.steps[slot.step].completions or [])[slot.completion]
        if item.rating is None and not item.flagged:
            self.dropped["null_ratings"] += not record.is_quality_control
            return
        solution, labeler, moment, digest, line = origin
        flagged = bool(item.flagged)
        checks = record.is_quality_control_question, record.is_initial_screening_question
        self.events.append((solution, *slot, labeler, moment, digest, line, item.rating, flagged, *checks))


def _with_texts(merged: pl.DataFrame, selection: Selection, questions: dict[str, str]) -> pl.DataFrame:
    """Adds what each rating is about; rows in the order of solution id, step and completion."""
    own = selection.completions.filter(pl.col("completion") == 0).group_by("solution_id", maintain_order=True)
    paths = own.agg(pl.col("text").alias("path"))
    asked = pl.DataFrame({"solution_id": list(questions), "question": list(questions.values())}).cast(
        pl.String
    )
    return (
        merged.join(selection.completions, on=["solution_id", "step", "completion"], how="inner")
        .join(paths, on="solution_id", how="inner")
        .join(asked, on="solution_id", how="inner")
        .with_columns(prefix=pl.col("path").list.head(pl.col("step")))
        .sort("solution_id", "step", "completion")
        .select(COLUMNS)
    )


def _what_to_do(config: LabelsConfig, quality: pl.DataFrame) -> str:
    out = quality.filter("excluded")
    return (
        f"{config.round} waits for labellers who pass quality control: all ratings came from {out.height} labellers "
        f"who agree with less than {config.quality.min_agreement:.0%} of the known ratings "
        f"({', '.join(out['labeler'].head(5))}); have others rate, or lower quality.min_agreement"
    )
