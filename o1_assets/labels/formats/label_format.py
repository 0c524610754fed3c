"""What a format of rated solutions is: how it is recognised, and how one of its items becomes PRM800K's record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.labels.annotators.annotator import EPOCH
from o1_assets.labels.inbox.lines import ParsedLine, schema_violation
from o1_assets.labels.protocol import Violation
from o1_assets.labels.schema import Completion, Label, Rating, Record, RecordQuestion, Step

T = TypeVar("T")


class UnusableItem(O1Error, ValueError):
    """An item of the right shape that makes no sense as a rated solution. rule: a stable name for programs."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class RatedPath:
    """A solution's steps and their ratings, of a format that has no alternatives.

    ratings: of the first steps, None where nobody rated; one for each step at most. answer: the solution's final one.
    correct: whether it is right, None where the format does not say.
    """

    problem: str
    steps: Sequence[str]
    ratings: Sequence[int | None]
    answer: str | None = None
    correct: bool | None = None

    def record(self, labeler: str) -> Record:
        """Raises UnusableItem where there is nothing to learn from."""
        if not self.problem.strip():
            raise UnusableItem("no_problem", "the problem is empty")
        if not self.steps or not any(rating is not None for rating in self.ratings):
            raise UnusableItem("nothing_rated", "no step is rated")
        if len(self.ratings) > len(self.steps):
            raise UnusableItem("wrong_count", f"{len(self.ratings)} ratings of {len(self.steps)} steps")
        steps = [self._step(text, rating) for text, rating in zip(self.steps, self.ratings, strict=False)]
        first_error = next(
            (i for i, rating in enumerate(self.ratings) if rating is not None and rating < 0), None
        )
        is_whole = len(self.ratings) == len(self.steps) and None not in self.ratings
        return Record(
            labeler=labeler,
            # These formats have no times, and the same file has to give the same bytes.
            timestamp=EPOCH.isoformat(),
            generation=None,
            is_quality_control_question=False,
            is_initial_screening_question=False,
            question=RecordQuestion(
                problem=self.problem,
                pre_generated_steps=list(self.steps),
                pre_generated_answer=self.answer,
            ),
            label=Label(
                steps=steps,
                finish_reason="found_error" if first_error is not None else "solution" if is_whole else None,
            ),
        )

    @staticmethod
    def _step(text: str, rating: int | None) -> Step:
        # As in PRM800K, the path goes on from a step that is not wrong.
        chosen = 0 if rating is not None and rating >= 0 else None
        return Step(completions=[Completion(text, cast(Rating | None, rating))], chosen_completion=chosen)


@dataclass(frozen=True)
class LabelFormat:
    """One format. fields: those that tell it, for people. fits: whether an item is of it.

    records: the records of one item (number, bytes), each of them parsed or with its violation. states_round: whether
    an item says which round it belongs to. labeler: who rated, where an item does not say it.
    """

    name: str
    fields: str
    fits: Callable[[Mapping[str, Any]], bool]
    records: Callable[[int, bytes], Iterator[ParsedLine]]
    states_round: bool = False


def path_format(
    name: str,
    fields: str,
    fits: Callable[[Mapping[str, Any]], bool],
    kind: type[T],
    read: Callable[[T], RatedPath],
) -> LabelFormat:
    """A format whose items are one solution each. kind: an item's fields; read: raises UnusableItem."""
    decoder = msgspec.json.Decoder(kind)

    def records(number: int, raw: bytes) -> Iterator[ParsedLine]:
        try:
            path = read(decoder.decode(raw))
            yield ParsedLine(number, raw, path.record(name), correct=path.correct)
        except UnusableItem as error:
            yield ParsedLine(number, raw, violation=Violation(error.rule, str(error), number))
        except (ValueError, RecursionError) as error:
            yield ParsedLine(number, raw, violation=schema_violation(number, raw, str(error)))

    return LabelFormat(name, fields, fits, records)
