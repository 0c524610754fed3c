"""Reads one published PRM800K record: the path that was labelled, and the ratings along it.

Our tables call the labelled step completion 0. In the published files it is the chosen one, which may be another
completion than the first, or one that the labeller wrote (`human_completion`, never rated). Every other completion
is an alternative after the same chosen prefix; no path leads through one. Programs that write the format often leave
chosen_completion null in every step. Such a record goes on with what can have been meant: the sampled step, the first
completion of our own export, or the only right one.

Phase 1 (generation null) is round 0. Phase 2 has ten generations, 0 to 9, each collected with the PRM of the
one before: generation g is round g + 1. Generation -1 is the screening of labellers before phase 2: its
records go with r01, as screening. (Lightman et al. 2023, section 2.4 and appendix D; the released README.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.labels.export import SCREENING, round_of
from o1_assets.labels.protocol import Violation
from o1_assets.labels.schema import Completion, Record, Step
from o1_assets.problems.canonical import canonical, problem_id


class Unusable(O1Error, ValueError):
    """A record of the right shape that makes no sense; `violation` says where."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation


@dataclass(frozen=True)
class PathStep:
    """own: the text that the labeller continued from, or rated last. shown: the model's completions, rated.

    written: the labeller wrote it.
    """

    own: str
    written: bool
    shown: tuple[Completion, ...]


@dataclass(frozen=True)
class LabelledSolution:
    """A record in the terms of our tables.

    steps: the texts of the own steps; in phase 2 also of those after the labelled ones. unreachable: number of ratings
    after a step from which nothing was chosen. unclear: number of steps that are left out because nothing says which
    completion they go on from.
    """

    solution_id: str
    problem_id: str
    round: str
    steps: tuple[str, ...]
    path: tuple[PathStep, ...]
    unreachable: int
    unclear: int


def read(record: Record) -> LabelledSolution:
    """Raises Unusable on a generation or a chosen completion that cannot be."""
    generation = record.generation
    screening = generation == SCREENING or record.is_initial_screening_question
    try:
        round_name = round_of(0 if screening and (generation or 0) < 0 else generation)
    except ValueError as error:
        raise Unusable(Violation("wrong_generation", str(error))) from error
    path, unreachable, unclear = labelled_path(record)
    own_steps = tuple(step.own for step in path)
    sampled = tuple(record.question.pre_generated_steps or ())
    # Labellers of one phase 2 solution stop at different steps; by its sampled steps it is still one solution.
    steps = sampled if sampled[: len(own_steps)] == own_steps else own_steps
    # Two solutions with equal texts differ if a labeller wrote a step of one of them.
    written = [i for i, step in enumerate(path) if step.written]
    identity = msgspec.json.encode([record.question.problem, steps, written])
    return LabelledSolution(
        solution_id=hashlib.sha256(identity).hexdigest()[:16],
        problem_id=problem_id(canonical(record.question.problem)),
        round=round_name,
        steps=steps,
        path=path,
        unreachable=unreachable,
        unclear=unclear,
    )


def labelled_path(record: Record) -> tuple[tuple[PathStep, ...], int, int]:
    """The steps on the chosen path, up to the first from which nothing was chosen; and what stands after it.

    That is the number of ratings, and that of rated steps if it is unclear which completion they go on from.
    """
    sampled = record.question.pre_generated_steps or []
    path: list[PathStep] = []
    steps = record.label.steps
    counts = [_ratings(step) for step in steps]
    says_choices = any(s.chosen_completion is not None or _written(s) for s in steps)
    for number, step in enumerate(steps):
        shown = tuple(step.completions or ())
        later = counts[number + 1 :]
        possible = _possible(record, number) if any(later) and not says_choices else []
        chosen = possible[0] if len(possible) == 1 else step.chosen_completion
        if chosen is not None:
            if not 0 <= chosen < len(shown):
                message = f"chosen_completion {chosen} of {len(shown)} completions"
                raise Unusable(Violation("no_such_completion", message, step=number))
            path.append(PathStep(shown[chosen].text, False, shown))
        elif written := _written(step):
            path.append(PathStep(written, True, shown))
        else:
            # Nothing was chosen: the last step of the path. Its own completion is the sampled one, if it was shown.
            if shown:
                texts = [item.text for item in shown]
                rated_last = (
                    sampled[number] if number < len(sampled) and sampled[number] in texts else texts[0]
                )
                path.append(PathStep(rated_last, False, shown))
            return tuple(path), sum(later), sum(map(bool, later)) if possible else 0
    return tuple(path), 0, 0


def _possible(record: Record, number: int) -> list[int]:
    """The completions that the step after step `number` may go on from, in a record that chooses none."""
    shown, sampled = record.label.steps[number].completions or [], record.question.pre_generated_steps or []
    own = list(range(len(shown)))
    if number < len(sampled):
        own = [i for i in own if shown[i].text == sampled[number]][:1]
    elif record.o1 is not None:  # our export shows the solution's own step first
        own = own[:1]
    # As in phase 1 of PRM800K, one goes on from a positive completion, and from a neutral one where there is none.
    best = max((rating for i in own if (rating := shown[i].rating) is not None), default=-1)
    return [i for i in own if shown[i].rating == best] if best >= 0 else []


def _written(step: Step) -> str | None:
    return step.human_completion.text if step.human_completion is not None else None


def _ratings(step: Step) -> int:
    return sum(item.rating is not None for item in step.completions or ())
