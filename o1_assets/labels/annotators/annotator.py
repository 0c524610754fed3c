"""Machine annotators: one small interface, and the loop that walks a selection with an annotator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from o1_assets.core.seeds import derive_seed
from o1_assets.labels.export import export_selection
from o1_assets.labels.protocol import Protocol as LabelProtocol
from o1_assets.labels.protocol import Slot, Writing, WrittenSteps
from o1_assets.labels.schema import Record, fill
from o1_assets.labels.selection import Selection

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Machine labels carry no real time: the same selection has to give the same bytes."""


@dataclass(frozen=True)
class Request:
    """One completion to rate. problem: row of problems.parquet; prefix: the steps before it."""

    problem: Mapping[str, Any]
    prefix: tuple[str, ...]
    text: str
    solution_id: str
    step: int
    completion: int


@dataclass(frozen=True)
class SolutionPath:
    """A solution's own steps."""

    problem: Mapping[str, Any]
    steps: tuple[str, ...]


class Annotator(Protocol):
    """Rates many completions at once, so that an annotator that samples rollouts can batch them."""

    labeler: str

    def covers(self, problem: Mapping[str, Any]) -> bool:
        """Whether it can rate solutions of this problem at all; if not, the record says bad_problem."""
        ...

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        """-1, 0 or 1 for each request, None where it is unsure."""
        ...


@runtime_checkable
class PathAnnotator(Annotator, Protocol):
    """Rates whole paths at once, because it does not look at their steps one after another."""

    def rate_paths(self, paths: Sequence[SolutionPath]) -> Sequence[Sequence[int | None]]:
        """For each path the ratings of its steps, up to the first that is negative or of which it is unsure."""
        ...


@runtime_checkable
class Writer(Annotator, Protocol):
    """Writes steps where no completion is good."""

    def write(self, request: Request, writing: Writing) -> list[str]:
        """The step after request.prefix, or all that follow on it up to the answer; empty where it has none."""
        ...


def rate_selection(
    selection: Selection, protocol: LabelProtocol, annotator: Annotator, solutions: Collection[str]
) -> dict[str, dict[Slot, int | None]]:
    """The annotator's ratings of those of `solutions` that it covers, exactly as far as the protocol asks."""
    selection = selection.restricted_to(frozenset(solutions))
    problems = selection.problem_of
    ratings: dict[str, dict[Slot, int | None]] = {
        solution: {}
        for solution in selection.solution_ids
        if solution in solutions and annotator.covers(problems[solution])
    }
    steps = {solution: selection.steps[solution] for solution in ratings}
    shapes = {solution: [len(texts) for texts in of_steps] for solution, of_steps in steps.items()}
    path_ratings = _path_ratings(annotator, problems, steps)
    active = list(ratings)
    # All solutions advance together: each wave asks for everything that may be rated now, so that an annotator with a
    # model has large batches.
    while active:
        asked = []
        for solution in active:
            for slot in protocol.open_slots(shapes[solution], ratings[solution]):
                if slot.completion == 0 and solution in path_ratings:
                    ratings[solution][slot] = path_ratings[solution][slot.step]
                else:
                    asked.append((solution, slot))
        requests = [_request(problems[solution], solution, steps[solution], slot) for solution, slot in asked]
        answers = annotator.rate(requests) if requests else []
        for (solution, slot), rating in zip(asked, answers, strict=True):
            ratings[solution][slot] = rating
        active = [s for s in active if not protocol.finished(shapes[s], ratings[s])]
    return ratings


def annotate(
    selection: Selection, round_name: str, protocol: LabelProtocol, annotator: Annotator, solutions: set[str]
) -> Iterator[Record]:
    """Records of `solutions`, rated by `rate_selection`, in the selection's order."""
    ratings = rate_selection(selection, protocol, annotator, solutions)
    written = _written_steps(selection, protocol, annotator, ratings)
    for index, record in enumerate(export_selection(selection, round_name, protocol)):
        assert record.o1 is not None
        solution = record.o1.solution_id
        if solution in solutions:
            # By the place in the selection, so that rating a part of it gives the same times.
            timestamp = (EPOCH + timedelta(seconds=index)).isoformat()
            fill(
                record,
                ratings.get(solution, {}),
                protocol,
                annotator.labeler,
                timestamp,
                written.get(solution),
            )
            # Not left out: the inbox, and the round's progress, then know that the solution came back.
            if solution not in ratings:
                record.label.finish_reason = "bad_problem"
            elif all(rating is None for rating in ratings[solution].values()):
                record.label.finish_reason = "give_up"
            yield record


def _written_steps(
    selection: Selection,
    protocol: LabelProtocol,
    annotator: Annotator,
    ratings: Mapping[str, Mapping[Slot, int | None]],
) -> dict[str, WrittenSteps]:
    """What the annotator writes in those of the rated solutions that it may write in, if it writes at all."""
    if not isinstance(annotator, Writer):
        return {}
    written = {}
    for solution, writing in selection.writing.items():
        steps = selection.steps.get(solution, [])
        shape = [len(texts) for texts in steps]
        place = protocol.writing_place(shape, ratings[solution], writing) if solution in ratings else None
        if place is None:
            continue
        prefix = [texts[0] for texts in steps[: place.step]]
        # Phase 1 goes on from a random one of them; a hash of the solution is as good, and needs no seed. From an
        # answer nothing leads on.
        choices: list[int | None] = [*place.continues] or [None]
        for chosen in sorted(choices, key=lambda completion: derive_seed(solution, completion)):
            if chosen is not None:
                prefix[-1] = steps[place.step - 1][chosen]
            request = Request(selection.problem_of[solution], tuple(prefix), "", solution, place.step, 0)
            if texts := annotator.write(request, writing):
                written[solution] = WrittenSteps(place.step, chosen, tuple(texts))
                break
    return written


def _path_ratings(
    annotator: Annotator,
    problems: Mapping[str, Mapping[str, Any]],
    steps: Mapping[str, Sequence[Sequence[str]]],
) -> Mapping[str, Sequence[int | None]]:
    """Ratings of each solution's own steps by an annotator that rates whole paths; empty for any other."""
    if not isinstance(annotator, PathAnnotator):
        return {}
    paths = [
        SolutionPath(problems[s], tuple(texts[0] for texts in of_steps)) for s, of_steps in steps.items()
    ]
    return dict(zip(steps, annotator.rate_paths(paths), strict=True))


def _request(
    problem: Mapping[str, Any], solution: str, steps: Sequence[Sequence[str]], slot: Slot
) -> Request:
    prefix = tuple(texts[0] for texts in steps[: slot.step])
    text = steps[slot.step][slot.completion]
    return Request(problem, prefix, text, solution, slot.step, slot.completion)
