"""What of a rated file is accepted: records of the round's selection, unchanged, that keep to its protocol."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from o1_assets.labels.jsonl import read_lines
from o1_assets.labels.protocol import Protocol
from o1_assets.labels.ratings import ratings_of
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from o1_assets.labels.violation import Violation

Check = Callable[[Record], list[Violation]]
"""All that is wrong with a record; empty: accept it."""


def selection_check(selection: Selection, round_name: str, protocol: Protocol) -> Check:
    """A check against one round's selection. Quality-control records need a labeller and a time only."""

    def check(record: Record) -> list[Violation]:
        found = list(_signature(record))
        if not record.is_quality_control and not found:
            found = list(_identity(record, selection, round_name)) or [
                *_changes(record, selection),
                *_ratings(record, protocol),
            ]
        solution = record.o1.solution_id if record.o1 else None
        return [replace(violation, solution=solution) for violation in found]

    return check


def _signature(record: Record) -> Iterator[Violation]:
    if not record.labeler:
        yield Violation("no_labeler", "labeler is missing")
    if not record.timestamp:
        yield Violation("no_timestamp", "timestamp is missing")


def _identity(record: Record, selection: Selection, round_name: str) -> Iterator[Violation]:
    if record.o1 is None:
        yield Violation("no_solution_id", "the field o1, which names the solution, is missing")
    elif record.o1.round != round_name:
        yield Violation("wrong_round", f"belongs to round {record.o1.round}, not {round_name}")
    elif record.o1.solution_id not in selection.steps:
        yield Violation("unknown_solution", f"the selection of {round_name} has no such solution")


def _changes(record: Record, selection: Selection) -> Iterator[Violation]:
    assert record.o1 is not None
    solution = record.o1.solution_id
    problem = selection.problem_of.get(solution)
    if problem is not None and record.question.problem != problem["question"]:
        yield Violation("changed_question", "the question is not the one that was exported")
    sent, steps = selection.steps[solution], record.label.steps
    if len(steps) != len(sent):
        yield Violation("changed_steps", f"{len(steps)} steps came back, {len(sent)} were exported")
    for step, (part, texts) in enumerate(zip(steps, sent, strict=False)):
        back = [item.text for item in part.completions or []]
        if len(back) != len(texts):
            message = f"{len(back)} completions came back, {len(texts)} were exported"
            yield Violation("changed_completions", message, step=step)
        for completion, (text, original) in enumerate(zip(back, texts, strict=False)):
            if text != original:
                yield Violation(
                    "changed_text", "the text is not the one exported", step=step, completion=completion
                )


def _ratings(record: Record, protocol: Protocol) -> Iterator[Violation]:
    ratings = ratings_of(record)
    gave_no_reason = record.label.finish_reason not in ("bad_problem", "give_up")
    if gave_no_reason and not any(rating is not None for rating in ratings.values()):
        yield Violation("nothing_rated", "no completion is rated")
    shape = [len(part.completions or []) for part in record.label.steps]
    yield from protocol.violations(shape, ratings)


@dataclass
class Taken:
    """What of a file was accepted: lines, whose and of which solutions; and all that is wrong with the others."""

    lines: int = 0
    solutions: set[str] = field(default_factory=set)
    labelers: set[str] = field(default_factory=set)
    violations: list[Violation] = field(default_factory=list)


def take_good_lines(sent: Path, good: Path, check: Check) -> Taken:
    """Writes the lines of `sent` that pass to `good`, byte for byte, and says what is wrong with the others."""
    taken, empty = Taken(), True
    with good.open("wb") as out:
        for line in read_lines(sent):
            empty = False
            record = line.record
            found = [replace(v, line=line.number) for v in check(record)] if record else [line.violation]
            if record is None or found:
                taken.violations += [violation for violation in found if violation is not None]
                continue
            out.write(line.raw + b"\n")
            taken.lines += 1
            taken.labelers.add(record.labeler or "")
            if record.o1:
                taken.solutions.add(record.o1.solution_id)
        out.flush()
        os.fsync(out.fileno())
    if empty:
        taken.violations.append(Violation("empty", "the file holds no records"))
    return taken
