"""A round's selection as PRM800K-shaped records with nothing rated yet: what is sent to labellers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from o1_assets.labels.protocol import Protocol
from o1_assets.labels.schema import Completion, Label, Origin, Record, RecordQuestion, Step
from o1_assets.labels.selection import Selection

SCREENING = -1
"""PRM800K's generation of screening problems."""


def generation_of(round_name: str) -> int | None:
    """PRM800K's generation of a round: null for r00 (phase 1), then 0, 1, .. for r01, r02, .."""
    k = int(round_name.removeprefix("r"))
    return k - 1 if k else None


def round_of(generation: int | None) -> str:
    """The round whose labels are those of a PRM800K generation. Raises ValueError on a negative one (screening)."""
    if generation is not None and not 0 <= generation < 99:
        raise ValueError(f"generation {generation} belongs to no round")
    return f"r{0 if generation is None else generation + 1:02d}"


def export_selection(
    selection: Selection,
    round_name: str,
    protocol: Protocol,
    gold: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Iterator[Record]:
    """One unrated record per solution, in the selection's order. Needs the selection's problems.

    gold: solutions by which labellers are assessed. only: leaves out all other solutions.
    """
    # Phase 1 of PRM800K has no pre-generated solution, so these fields stay absent in r00.
    generation = generation_of(round_name)
    for row in selection.table.iter_rows(named=True):
        solution = row["solution_id"]
        if solution in selection.steps and (only is None or solution in only):
            yield Record(
                labeler=None,
                timestamp=None,
                generation=generation,
                # Nothing else sets a gold solution apart, so that it is rated like any other.
                is_quality_control_question=solution in gold,
                is_initial_screening_question=False,
                question=_question(row, selection, generation),
                label=Label(steps=[_step(texts) for texts in selection.steps[solution]]),
                o1=Origin(
                    round_name, solution, selection.digest, protocol.name, selection.writing.get(solution)
                ),
            )


def export_screening(
    selection: Selection, round_name: str, protocol: Protocol, solutions: Collection[str]
) -> Iterator[Record]:
    """The records of `solutions` as screening problems, whose generation is -1."""
    for record in export_selection(selection, round_name, protocol, only=solutions):
        record.is_initial_screening_question, record.generation = True, SCREENING
        # A labeller is tried on what is known, and what they write is not.
        if record.o1 is not None:
            record.o1.writing = None
        yield record


def _question(row: dict[str, Any], selection: Selection, generation: int | None) -> RecordQuestion:
    problem = selection.problem_of[row["solution_id"]]
    fields = {"problem": problem["question"], "ground_truth_answer": problem["answer"]}
    if generation is not None:
        fields["pre_generated_steps"] = [texts[0] for texts in selection.steps[row["solution_id"]]]
        fields["pre_generated_answer"] = row["answer"]
        fields["pre_generated_verifier_score"] = row["score"]
    return RecordQuestion(**fields)


def _step(texts: list[str]) -> Step:
    return Step(completions=[Completion(text=text, rating=None) for text in texts])
