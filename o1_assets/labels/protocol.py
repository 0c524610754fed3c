"""The two labelling protocols as state machines: what may be rated now, when a solution is finished, what breaks it.

A solution is a list of steps. Each has the solution's own step (completion 0) and alternatives drawn after the same
prefix. Labelling walks along the own steps. A file cannot ask the model for a step after an alternative, so in both
protocols the walk ends at the first negative own step, once its alternatives are rated.

    dense   EVERY(s)  --own step s right-->  EVERY(s+1)          --own step s wrong-->  DONE
    sparse  OWN(s)    --own step s right-->  OWN(s+1)            --own step s wrong-->  ALTERNATIVES(s)  -->  DONE

EVERY(s) asks for all completions of step s, OWN(s) for completion 0, ALTERNATIVES(s) for the others. Right means
positive or neutral. After the last step, and where a labeller is unsure of an own step, the walk is DONE.
Lightman et al. 2023, section 2.4 (phases 1 and 2).

Where the walk ended at a wrong own step, a round may let the labeller write (PRM800K's `human_completion`): that step,
if none of its completions is right, or the whole rest of the solution, which then also may follow a right alternative.
PRM800K sampled new completions after a written step. A file cannot, so whatever follows is written too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple

from o1_assets.core.formatting import printable


@dataclass(frozen=True)
class Violation:
    """What is wrong with a line of a batch, so that a program can sort it and a person can mend it.

    rule: a stable name for programs. message: one sentence for people. line: counts from 1; 0 is the whole file.
    file: the name of the file in a folder; line is then the line in it. step and completion count from 0, as in the
    file; the sentence counts steps from 1, as the labelling page does.
    """

    rule: str
    message: str
    line: int = 0
    solution: str | None = None
    step: int | None = None
    completion: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = [printable(self.file)] if self.file else []
        where += [f"line {self.line}"] if self.line else []
        where += [f"solution {printable(self.solution)}"] if self.solution is not None else []
        where += [place_name(self.step, self.completion or 0)] if self.step is not None else []
        return f"{', '.join(where) or 'file'}: {self.message} [{self.rule}]"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def place_name(step: int, completion: int) -> str:
    """What people read of a completion: "step 2", "step 2, alternative 1". Both arguments count from 0."""
    return f"step {step + 1}" + (f", alternative {completion}" if completion else "")


class Slot(NamedTuple):
    """One completion of one step, both counted from 0."""

    step: int
    completion: int


# A batch of a million ratings asks for the same few slots again and again, so the usual ones are made once.
_SLOTS = [[Slot(step, completion) for completion in range(16)] for step in range(64)]


def slots(step: int, start: int, stop: int) -> Sequence[Slot]:
    """The slots of completions start, start + 1, .. stop - 1."""
    if step < len(_SLOTS) and stop <= len(_SLOTS[0]):
        return _SLOTS[step][start:stop]
    return [Slot(step, completion) for completion in range(start, stop)]


Shape = Sequence[int]
"""Number of completions of each step."""

Ratings = Mapping[Slot, int | None]
"""A missing slot is not rated yet; None means that the labeller looked and was unsure."""


Writing = Literal["step", "solution"]
"""What a labeller may write where a step went wrong: one step, or all that is left of the solution."""


@dataclass(frozen=True)
class WritingPlace:
    """Where a labeller may write. step: the number of the first written step.

    continues: the completions of the step before that it may follow, so that the labeller has to choose one; empty
    where it takes the place of the wrong own step itself.
    """

    step: int
    continues: tuple[int, ...] = ()


class WrittenSteps(NamedTuple):
    """What a labeller wrote. step: the number of the first written one. chosen: the completion of the step before that
    it follows, if that is an alternative; None where it follows the own steps."""

    step: int
    chosen: int | None
    texts: tuple[str, ...]


class Phase(Enum):
    EVERY = "every completion"
    OWN = "own step"
    ALTERNATIVES = "alternatives"


class State(NamedTuple):
    """What the labeller is asked for. DONE is represented by None."""

    phase: Phase
    step: int


@dataclass(frozen=True)
class Protocol:
    """first: the phase in which every step starts; after_error: the phase in which a wrong own step is finished."""

    name: Literal["dense", "sparse"]
    first: Phase
    after_error: Phase | None

    def start(self, shape: Shape) -> State | None:
        return State(self.first, 0) if shape else None

    def asks(self, state: State, shape: Shape) -> range:
        """Completions of the state's step that may be rated in it, in the order in which they are shown."""
        count = shape[state.step]
        if state.phase is Phase.OWN:
            return range(min(1, count))
        return range(count) if state.phase is Phase.EVERY else range(1, count)

    def advance(self, state: State, rating: int | None, shape: Shape) -> State | None:
        """The state after the own step of `state` got this rating (None: unsure)."""
        if rating is None or state.phase is Phase.ALTERNATIVES:
            return None
        # A file cannot ask the model for another continuation, so an error ends the path.
        if rating < 0:
            return None if self.after_error is None else State(self.after_error, state.step)
        return State(self.first, state.step + 1) if state.step + 1 < len(shape) else None

    def reached(self, shape: Shape, ratings: Ratings) -> Iterator[Slot]:
        """Slots that may be rated given the ratings so far, in order; it includes those that are rated already."""
        state = self.start(shape)
        while state is not None:
            asked = self.asks(state, shape)
            yield from slots(state.step, asked.start, asked.stop)
            (own_step,) = slots(state.step, 0, 1)
            if own_step not in ratings:
                return
            state = self.advance(state, ratings[own_step], shape)

    # `reached` starts again from the first step at every call. Solutions are short, and a state that is kept beside the
    # ratings could contradict them when a labeller changes an earlier one.
    def open_slots(self, shape: Shape, ratings: Ratings) -> list[Slot]:
        """Slots that may be rated now and are not; once all are rated, the next ones open."""
        return [slot for slot in self.reached(shape, ratings) if slot not in ratings]

    def next_to_rate(self, shape: Shape, ratings: Ratings) -> Slot | None:
        """The slot to show next; None when the solution is finished."""
        return next((slot for slot in self.reached(shape, ratings) if slot not in ratings), None)

    def finished(self, shape: Shape, ratings: Ratings) -> bool:
        return self.next_to_rate(shape, ratings) is None

    def writing_place(self, shape: Shape, ratings: Ratings, writing: Writing) -> WritingPlace | None:
        """Where the labeller may write, given these ratings; None where nothing is wrong, or not all is rated yet."""
        if not self.finished(shape, ratings):
            return None
        wrong = next(
            (
                slot.step
                for slot in self.reached(shape, ratings)
                if (ratings[slot] or 0) < 0 and not slot.completion
            ),
            None,
        )
        if wrong is None:
            return None
        rated = {c: ratings.get(Slot(wrong, c)) for c in range(1, shape[wrong])}
        # As in phase 1 of PRM800K, one goes on from a positive completion, and from a neutral one where there is none.
        best = max((rating for rating in rated.values() if rating is not None), default=-1)
        if best < 0:
            return WritingPlace(wrong)
        if writing == "step":
            return None
        return WritingPlace(wrong + 1, tuple(c for c, rating in rated.items() if rating == best))

    def violations(
        self, shape: Shape, ratings: Ratings, reached: Iterable[Slot] | None = None
    ) -> list[Violation]:
        """Every rating that the protocol did not ask for. An unfinished solution breaks nothing.

        reached: the result of `reached` for the same arguments, if the caller has it.
        """
        allowed = set(self.reached(shape, ratings) if reached is None else reached)
        return [
            _violation(shape, ratings, slot)
            for slot in sorted(ratings)
            # A null is no rating: an interface may write one for a completion that was never shown.
            if ratings[slot] is not None and slot not in allowed
        ]


def _violation(shape: Shape, ratings: Ratings, slot: Slot) -> Violation:
    rule, message = _broken_rule(shape, ratings, slot)
    return Violation(rule, message, step=slot.step, completion=slot.completion)


def _broken_rule(shape: Shape, ratings: Ratings, slot: Slot) -> tuple[str, str]:
    if not (0 <= slot.step < len(shape) and 0 <= slot.completion < shape[slot.step]):
        return "no_such_completion", "the solution has no such completion"
    for step in range(slot.step):
        rating = ratings.get(Slot(step, 0))
        if rating is None:
            return "prefix_not_rated", f"rated although step {step + 1} before it is not rated"
        if rating < 0:
            return "after_first_negative", f"rated although step {step + 1} before it is negative"
    if ratings.get(Slot(slot.step, 0)) is None:
        return "own_step_not_rated", "an alternative is rated although the step itself is not"
    return "alternative_not_asked", "an alternative is rated although the step itself is not negative"


DENSE = Protocol("dense", first=Phase.EVERY, after_error=None)
SPARSE = Protocol("sparse", first=Phase.OWN, after_error=Phase.ALTERNATIVES)
PROTOCOLS: Mapping[str, Protocol] = {"dense": DENSE, "sparse": SPARSE}
