"""Labels from a file of PRM800K records with json and pandas: what one would write who wants our checks and no more.

A line is refused that is no JSON, repeats a field, has another schema, is not signed, is of another solution or of
changed texts, or rates what the sparse protocol did not ask for. Of what is left, the newest rating of a labeller
counts, the majority of labellers, nothing flagged or unsure, and nothing behind a step that is not right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

KEY = ["solution_id", "step", "completion"]
REASONS = (None, "solution", "found_error", "bad_problem", "give_up")
Row = tuple[str, int, int, str, datetime, int | None, bool]


class Refused(ValueError):
    """Why a line is no record of the selection."""


@dataclass(frozen=True)
class Exported:
    """What was to be rated. texts: solution -> step -> completions. questions: solution -> its question."""

    round: str
    texts: Mapping[str, list[list[str]]]
    questions: Mapping[str, str]


def labels(file: Path, selection: Path, problems: Path, round_name: str, out: Path, processes: int) -> int:
    """Writes the accepted lines, labels.parquet and solutions.parquet to `out`; returns the number of labels."""
    solutions = pd.read_parquet(selection / "solutions.parquet")
    completions = pd.read_parquet(selection / "completions.parquet")
    asked = pd.read_parquet(problems / "problems.parquet").set_index("problem_id")["question"]
    of_steps = completions.groupby(["solution_id", "step"], sort=False)["text"].agg(list)
    texts: dict[str, list[list[str]]] = {}
    for solution, of_step in zip(of_steps.index.get_level_values(0), of_steps, strict=True):
        texts.setdefault(solution, []).append(of_step)
    questions = dict(zip(solutions["solution_id"], solutions["problem_id"].map(asked), strict=True))
    exported = Exported(round_name, texts, questions)
    lines = file.read_bytes().splitlines()
    size = -(-len(lines) // processes)
    parts = [lines[i : i + size] for i in range(0, len(lines), size)]
    if processes == 1:
        done = [accepted(exported, part) for part in parts]
    else:
        with ProcessPoolExecutor(
            processes, get_context("fork"), initializer=_share, initargs=(exported,)
        ) as pool:
            done = list(pool.map(_accepted, parts))
    rows = [row for of_part, _ in done for row in of_part]
    good = b"".join(line + b"\n" for (_, numbers), part in zip(done, parts, strict=True)
                    for line in (part[n] for n in numbers))  # fmt: skip
    (out / f"{hashlib.sha256(good).hexdigest()}.jsonl").write_bytes(good)
    table = merged(rows).merge(completions, on=KEY, how="left")
    table["question"] = table["solution_id"].map(questions)
    table.to_parquet(out / "labels.parquet", compression="zstd")
    labelled = solutions[solutions["solution_id"].isin(set(table["solution_id"]))]
    labelled.to_parquet(out / "solutions.parquet", compression="zstd")
    return len(table)


_exported: Exported


def _share(exported: Exported) -> None:
    global _exported
    _exported = exported


def _accepted(lines: Sequence[bytes]) -> tuple[list[Row], list[int]]:
    return accepted(_exported, lines)


def accepted(exported: Exported, lines: Iterable[bytes]) -> tuple[list[Row], list[int]]:
    """The ratings of all good lines, and the numbers of these lines."""
    rows: list[Row] = []
    numbers: list[int] = []
    for number, line in enumerate(lines):
        try:
            record = json.loads(line.decode(), object_pairs_hook=_unrepeated)
            new = list(ratings(exported, record))
        except (ValueError, KeyError, TypeError):
            continue
        rows += new
        numbers.append(number)
    return rows, numbers


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refused("a field is given twice")
    return fields


def ratings(exported: Exported, record: dict[str, Any]) -> Iterator[Row]:
    """Solution, step, completion, labeler, moment, rating and flag of each rating.

    Raises Refused, KeyError or TypeError.
    """
    labeler, moment = _signature(record)
    origin, label, question = record["o1"], record["label"], record["question"]
    for name in ("is_quality_control_question", "is_initial_screening_question"):
        _need(isinstance(record[name], bool), name)
    _need(_is_number(record["generation"], -(2**31)) or record["generation"] is None, "generation")
    _need(isinstance(question["problem"], str), "problem")
    _need(label.get("finish_reason") in REASONS, "finish_reason")
    _need(_is_number(label.get("total_time") or 0, 0, 10**12), "total_time")
    solution = origin["solution_id"]
    _need(origin["round"] == exported.round and solution in exported.texts, "no such solution")
    _need(origin["protocol"] in ("dense", "sparse"), "protocol")
    _need(question["problem"] == exported.questions[solution], "changed question")
    steps = [_step(step) for step in label["steps"]]
    _need([[text for text, _, _ in step] for step in steps] == exported.texts[solution], "changed texts")
    _need(any(rating is not None for step in steps for _, rating, _ in step), "nothing rated")
    ended = label.get("finish_reason") is not None
    allowed = set(_asked(steps, ended))
    for step, completions in enumerate(steps):
        for completion, (_, rating, flagged) in enumerate(completions):
            _need(rating is None or (step, completion) in allowed, "not asked")
            if (step, completion) in allowed and (rating is not None or ended or flagged):
                yield solution, step, completion, labeler, moment, rating, bool(flagged)


def _signature(record: dict[str, Any]) -> tuple[str, datetime]:
    labeler = record["labeler"]
    _need(isinstance(labeler, str) and labeler == labeler.strip() and labeler.isprintable(), "labeler")
    _need(0 < len(labeler) <= 200, "labeler")
    moment = datetime.fromisoformat(record["timestamp"])
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    _need(1970 <= moment.year <= 2099, "timestamp")
    return labeler, moment


def _step(step: dict[str, Any]) -> list[tuple[str, int | None, bool | None]]:
    completions, chosen = step["completions"] or [], step.get("chosen_completion")
    _need(chosen is None or (_is_number(chosen, 0) and chosen < len(completions)), "chosen_completion")
    items = [(item["text"], item["rating"], item.get("flagged")) for item in completions]
    for text, rating, flagged in items:
        _need(isinstance(text, str) and flagged in (None, True, False), "text")
        _need(rating is None or (_is_number(rating, -1) and rating <= 1), "rating")
    return items


def _asked(steps: Sequence[Sequence[tuple[str, int | None, bool | None]]], ended: bool) -> Iterator[Any]:
    """What the sparse protocol asks for: own steps up to the first wrong one, and there the alternatives."""
    for number, completions in enumerate(steps):
        yield number, 0
        own = completions[0][1]
        if own is None:
            return
        if own < 0:
            yield from ((number, completion) for completion in range(1, len(completions)))
            return


def _is_number(value: Any, least: float, most: float = 2**31) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


def merged(rows: Sequence[Row]) -> pd.DataFrame:
    """A row a completion: KEY, rating and labeler."""
    columns = [*KEY, "labeler", "moment", "rating", "flagged"]
    events = pd.DataFrame(rows, columns=columns)
    newest = events.sort_values(["moment", "rating"], kind="stable").drop_duplicates(
        [*KEY, "labeler"], keep="last"
    )
    votes = newest[~newest["flagged"] & newest["rating"].notna()]
    counts = votes.groupby([*KEY, "rating"]).agg(votes=("labeler", "size"), labeler=("labeler", "last"))
    counts = counts.reset_index()
    top = counts[counts["votes"] == counts.groupby(KEY)["votes"].transform("max")]
    decided = top[~top.duplicated(KEY, keep=False)].sort_values(KEY)
    # The right own steps of a solution are unbroken for as long as the k-th of them is step k.
    right = decided[(decided["completion"] == 0) & (decided["rating"] >= 0)]
    unbroken = right[right["step"] == right.groupby("solution_id").cumcount()]
    known = decided["solution_id"].map(unbroken.groupby("solution_id").size()).fillna(0)
    return decided[decided["step"] <= known][[*KEY, "rating", "labeler"]]
