"""`o1 labels dataset`: the labels of rounds as a data set that others load and train on, with its card.

trl           prompt, completions, labels: TRL's stepwise supervision; a row for each labelled path, and one for
              each rated alternative behind its path. Beside these, columns of ours say what else is known.
prm800k       one record a solution, as PRM800K's published files have them
processbench  problem, steps, label: a row for each solution that was rated to its first error or to its end
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl

from o1_assets.core.errors import O1Error
from o1_assets.export.dataset_card import make_card
from o1_assets.export.folder import check_target, write_folder
from o1_assets.export.labelled_solutions import LabelledRound, LabelledSolution
from o1_assets.labels.export import generation_of
from o1_assets.labels.schema import Completion, HumanCompletion, Label, Rating, Record, RecordQuestion, Step
from o1_assets.store.ancestry import find_version
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

STEPWISE_SCHEMA: dict[str, Any] = {
    "prompt": pl.String, "completions": pl.List(pl.String), "labels": pl.List(pl.Boolean),
    "ratings": pl.List(pl.Int8), "alternative": pl.Boolean, "round": pl.String, "problem_id": pl.String,
    "solution_id": pl.String, "labelers": pl.List(pl.String),
}  # fmt: skip


class DatasetError(O1Error):
    """There are no labels to write, or the format is none of ours; the message says what to do."""


def stepwise_rows(solution: LabelledSolution) -> Iterator[dict[str, Any]]:
    """The path of own steps, then each rated alternative as the last step of a path of its own."""
    own, ratings = solution.own_steps, solution.own_ratings
    paths = [(own[: len(ratings)], ratings, False)] if ratings else []
    for (step, completion), rating in sorted(solution.ratings.items()):
        if completion and rating is not None:
            text = solution.texts[step][completion]
            paths.append(([*own[:step], text], [*ratings[:step], rating], True))
    for texts, of_texts, alternative in paths:
        yield {
            "prompt": solution.problem["question"],
            "completions": texts,
            # TRL knows right and wrong only. A neutral step is not wrong, and one that a labeller wrote is right.
            "labels": [rating is None or rating >= 0 for rating in of_texts],
            "ratings": of_texts,
            "alternative": alternative,
            "round": solution.round,
            "problem_id": solution.problem["problem_id"],
            "solution_id": solution.solution_id,
            "labelers": list(solution.labelers),
        }


def bench_row(solution: LabelledSolution, generator: str) -> dict[str, Any] | None:
    """A row as ProcessBench has them; None if nobody knows the first error."""
    error = solution.first_error
    if error is None:
        return None
    return {
        "id": f"{solution.round}-{solution.solution_id}",
        "generator": generator,
        "problem": solution.problem["question"],
        "steps": solution.own_steps,
        "final_answer_correct": bool(solution.row["correct"]),
        "label": error,
    }


def prm800k_record(solution: LabelledSolution) -> Record:
    """One record. Who rated is named together where several labellers rated parts of the solution."""
    generation, error = generation_of(solution.round), solution.first_error
    fields: dict[str, Any] = {}
    if generation is not None:
        fields["pre_generated_steps"] = solution.own_steps
        fields["pre_generated_answer"] = solution.row["answer"]
        fields["pre_generated_verifier_score"] = solution.row["score"]
    return Record(
        labeler=", ".join(solution.labelers),
        timestamp=datetime.fromtimestamp(solution.moment / 1e6, UTC).isoformat(),
        generation=generation,
        is_quality_control_question=False,
        is_initial_screening_question=False,
        question=RecordQuestion(
            problem=solution.problem["question"],
            ground_truth_answer=solution.problem["answer"],
            **fields,
        ),
        label=Label(
            # Published records end where the labelling did.
            steps=[_step(solution, step) for step in range(len(solution.own_ratings))],
            finish_reason=None if error is None else "solution" if error < 0 else "found_error",
        ),
    )


def _step(solution: LabelledSolution, step: int) -> Step:
    own, *others = solution.texts[step]
    own_rating, is_rated = solution.ratings.get((step, 0)), (step, 0) in solution.ratings
    is_written = is_rated and own_rating is None
    texts = others if is_written else [own, *others]
    completions = [
        Completion(text, cast(Rating | None, solution.ratings.get((step, number))), flagged=False)
        for number, text in enumerate(texts, int(is_written))
    ]
    written = HumanCompletion(own, source="human", flagged=False) if is_written else None
    chosen = 0 if own_rating is not None and own_rating >= 0 else None
    return Step(completions or None, written, chosen)


@dataclass
class DatasetReport:
    """rows: written. counts: of what they hold. left_out: solutions that the format cannot hold."""

    folder: Path
    format: str
    rounds: list[str]
    rows: int = 0
    left_out: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    changed: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "format": self.format, "rounds": self.rounds, "rows": self.rows,
            "left_out": self.left_out, **self.counts, "changed": self.changed,
        }  # fmt: skip


def write_dataset(
    store: ArtifactStore,
    profile: str,
    rounds: Mapping[str, str | None],
    target: Path,
    name: str,
    keep_names: bool = False,
) -> DatasetReport:
    """Writes labels of rounds into a folder. rounds: name -> version of its labels, None for today's.

    name: of a format in WRITERS. keep_names: people are named as they signed.

    Raises DatasetError, ExportError, StoreError, OSError.
    """
    if name not in WRITERS:
        raise DatasetError(f"there is no format {name!r}; choose one of: {', '.join(WRITERS)}")
    check_target(target)
    heads = {each: _labels(store, f"{each}/labels", version) for each, version in rounds.items()}
    absent = [round_name for round_name, head in heads.items() if head is None]
    if absent or not heads:
        raise DatasetError(
            f"{', '.join(absent) or 'no round'} has no labels yet; `o1 run` makes them once its solutions are rated"
        )
    opened = [LabelledRound.open(store, head, keep_names) for head in heads.values() if head is not None]
    report = DatasetReport(target, name, list(heads))
    report.changed = write_folder(
        target,
        lambda folder: _fill(folder, opened, report, profile),
        {"rounds": {each.name: each.labels.version for each in opened}, "labels": name},
    )
    return report


def _labels(store: ArtifactStore, key: str, version: str | None) -> Manifest | None:
    return store.head(key) if version is None else store.manifest(key, find_version(store, key, version))


def _fill(folder: Path, rounds: Sequence[LabelledRound], report: DatasetReport, profile: str) -> None:
    (folder / "data").mkdir()
    solutions = ((each, solution) for each in rounds for solution in _counted(each, report.counts))
    report.rows, report.left_out = WRITERS[report.format](solutions, folder / "data")
    card = make_card(profile, rounds, report.format, report.rows, report.left_out, report.counts)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _counted(labelled: LabelledRound, counts: Counter[str]) -> Iterator[LabelledSolution]:
    for solution in labelled.solutions():
        counts["solutions"] += 1
        for rating in solution.ratings.values():
            counts[{1: "right", 0: "neutral", -1: "wrong", None: "written"}[rating]] += 1
        yield solution


Solutions = Iterable[tuple[LabelledRound, LabelledSolution]]


def _write_stepwise(solutions: Solutions, folder: Path) -> tuple[int, int]:
    rows, left_out = [], 0
    for _, solution in solutions:
        of_solution = list(stepwise_rows(solution))
        left_out += not of_solution
        rows += of_solution
    pl.DataFrame(rows, schema=STEPWISE_SCHEMA).write_parquet(folder / "train-00000-of-00001.parquet")
    return len(rows), left_out


def _write_bench(solutions: Solutions, folder: Path) -> tuple[int, int]:
    rows = [bench_row(solution, _generator(each)) for each, solution in solutions]
    written = [row for row in rows if row is not None]
    _write_lines(folder / "train.jsonl", (json.dumps(row, ensure_ascii=False) for row in written))
    return len(written), len(rows) - len(written)


def _write_prm800k(solutions: Solutions, folder: Path) -> tuple[int, int]:
    records = [prm800k_record(solution).to_line() for _, solution in solutions]
    _write_lines(folder / "train.jsonl", records)
    return len(records), 0


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)


def _generator(labelled: LabelledRound) -> str:
    """What sampled the solutions; of imported ones only their source is known."""
    policy = labelled.selection.inputs.get("policy")
    return (
        f"{policy.key}@{policy.digest[:12]}" if policy else str(labelled.selection.config.get("source", ""))
    )


WRITERS: dict[str, Callable[[Solutions, Path], tuple[int, int]]] = {
    "trl": _write_stepwise,
    "prm800k": _write_prm800k,
    "processbench": _write_bench,
}
