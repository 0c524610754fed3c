"""What a labeller has done with one solution so far, what each act makes of it, and the record at its end.

The protocol decides what is asked for; the page only shows it. An act that rates a step also confirms the steps before
it as right, because whoever calls step 4 wrong has read the first three. Every change of ratings can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.labels.protocol import PROTOCOLS, Protocol, Ratings, Slot, Writing, WritingPlace, WrittenSteps
from o1_assets.labels.schema import WITHDRAWN, FinishReason, Record, fill

LONGEST_NOTE = 2000
LONGEST_TEXT = 64 * 2001
"""Of what is written: the most steps that the inbox takes, at their longest."""

REMEMBERED = 50
"""Changes that can be undone."""

MOST_MILLISECONDS = 30 * 24 * 3600 * 1000


class ActRefused(O1Error, ValueError):
    """The act cannot be done now; the message says why, to the labeller."""


@dataclass(frozen=True)
class Draft:
    """before: the ratings before each change, the oldest first. written: one step a line."""

    ratings: dict[Slot, int | None] = field(default_factory=dict)
    before: tuple[dict[Slot, int | None], ...] = ()
    written: str = ""
    note: str = ""

    @classmethod
    def from_json(cls, text: str) -> Draft:
        content = msgspec.json.decode(text)
        return cls(
            _slots(content["ratings"]),
            tuple(map(_slots, content["before"])),
            content["written"],
            content["note"],
        )

    def to_json(self) -> str:
        content = {
            "ratings": _names(self.ratings),
            "before": [_names(ratings) for ratings in self.before],
            "written": self.written,
            "note": self.note,
        }
        return msgspec.json.encode(content).decode()

    def with_ratings(self, ratings: dict[Slot, int | None]) -> Draft:
        if ratings == self.ratings:
            return self
        return replace(self, ratings=ratings, before=(*self.before, self.ratings)[-REMEMBERED:])

    def undone(self) -> Draft:
        return replace(self, ratings=self.before[-1], before=self.before[:-1]) if self.before else self


def _names(ratings: Ratings) -> dict[str, int | None]:
    return {f"{slot.step}.{slot.completion}": rating for slot, rating in ratings.items()}


def _slots(names: dict[str, int | None]) -> dict[Slot, int | None]:
    return {Slot(*map(int, name.split("."))): rating for name, rating in names.items()}


class Sheet:
    """A solution as labellers are asked to rate it: its unrated record, and what of a draft counts."""

    def __init__(self, record: Record) -> None:
        assert record.o1 is not None
        self.record, self.origin = record, record.o1
        self.protocol: Protocol = PROTOCOLS[record.o1.protocol]
        self.texts = [[item.text for item in step.completions or ()] for step in record.label.steps]
        self.shape = [len(texts) for texts in self.texts]
        self.writing: Writing | None = record.o1.writing

    # Acts.

    def rate(self, draft: Draft, slot: Slot, rating: int | None) -> Draft:
        """rating None: unsure. Raises ActRefused where the protocol does not ask for the completion."""
        if not (0 <= slot.step < len(self.shape) and 0 <= slot.completion < self.shape[slot.step]):
            raise ActRefused("The solution has no such step.")
        before = slot.step if slot.completion == 0 else 0
        ratings = {**self._confirmed(draft.ratings, before), slot: rating}
        if slot not in set(self.protocol.reached(self.shape, ratings)):
            end = self._end(ratings)
            raise ActRefused(
                f"The solution ends for you at step {end + 1}; change that rating first."
                if end is not None and end < slot.step
                else "This alternative is not asked for: its step is not wrong."
            )
        return draft.with_ratings(ratings)

    def confirm(self, draft: Draft) -> Draft:
        """All steps that have no rating yet are right, up to the end or the first one that is not."""
        return draft.with_ratings(self._confirmed(draft.ratings, len(self.shape)))

    def rate_others(self, draft: Draft, rating: int | None) -> Draft:
        """All alternatives that are asked for and have no rating yet get this one."""
        ratings = dict(draft.ratings)
        for slot in self.protocol.reached(self.shape, ratings):
            if slot.completion:
                ratings.setdefault(slot, rating)
        return draft.with_ratings(ratings)

    def _confirmed(self, ratings: Ratings, steps: int) -> dict[Slot, int | None]:
        """The ratings, with right for those of the first steps that have none, up to one that is not right."""
        confirmed = dict(ratings)
        for step in range(steps):
            rating = confirmed.setdefault(Slot(step, 0), 1)
            if rating is None or rating < 0:
                break
        return confirmed

    # What the page shows.

    def counting(self, draft: Draft) -> dict[Slot, int | None]:
        """The draft's ratings that are asked for: others were given before an earlier one was changed."""
        reached = self.protocol.reached(self.shape, draft.ratings)
        return {slot: draft.ratings[slot] for slot in reached if slot in draft.ratings}

    def place(self, draft: Draft) -> WritingPlace | None:
        if self.writing is None:
            return None
        return self.protocol.writing_place(self.shape, draft.ratings, self.writing)

    def view(self, draft: Draft) -> dict[str, Any]:
        """The page's JSON. Whether it is a gold solution is not in it."""
        asked = list(self.protocol.reached(self.shape, draft.ratings))
        open_slots = [slot for slot in asked if slot not in draft.ratings]
        place, end = self.place(draft), self._end(draft.ratings)
        return {
            "round": self.origin.round,
            "solution": self.origin.solution_id,
            "protocol": self.protocol.name,
            "problem": self.record.question.problem,
            "answer": self.record.question.ground_truth_answer,
            "steps": self.texts,
            "ratings": _names(self.counting(draft)),
            "asked": [f"{slot.step}.{slot.completion}" for slot in asked],
            "next": f"{open_slots[0].step}.{open_slots[0].completion}" if open_slots else None,
            "finished": not open_slots,
            "ends": end,
            "unconfirmed": self._confirmed(draft.ratings, len(self.shape)) != draft.ratings,
            "others": sum(slot.completion > 0 for slot in open_slots),
            "can_undo": bool(draft.before),
            "may_write": self.writing,
            "writing": place
            and {"step": place.step, "after": min(place.continues, default=None), "what": self.writing},
            "written": draft.written,
            "note": draft.note,
        }

    def _end(self, ratings: Ratings) -> int | None:
        """The first own step that is not right, where the solution ends for the labeller."""
        for step in range(len(self.shape)):
            if Slot(step, 0) not in ratings:
                return None
            rating = ratings[Slot(step, 0)]
            if rating is None or rating < 0:
                return step
        return None

    # The record at its end.

    def rated(
        self,
        draft: Draft,
        labeler: str,
        timestamp: str,
        milliseconds: int | None,
        reason: FinishReason | None = None,
    ) -> Record:
        """The record to be filed. reason: bad_problem or give_up. Raises ActRefused where something is left to rate."""
        ratings = self.counting(draft)
        is_withdrawn = reason in WITHDRAWN
        if not is_withdrawn and not self.protocol.finished(self.shape, ratings):
            raise ActRefused("Something is left to rate.")
        record = Record.from_line(self.record.to_line())
        written = None if is_withdrawn else self._written(draft)
        fill(record, ratings, self.protocol, labeler, timestamp, written)
        record.label.total_time = milliseconds
        if reason is not None:
            record.label.finish_reason = reason
        # Nothing but "unsure" could not be accepted as ratings.
        elif all(rating is None for rating in ratings.values()):
            record.label.finish_reason = "give_up"
        if record.o1 is not None:
            record.o1.note = draft.note.strip() or None
        return record

    def _written(self, draft: Draft) -> WrittenSteps | None:
        place = self.place(draft)
        lines = tuple(line.strip() for line in draft.written.splitlines() if line.strip())
        if place is None or not lines:
            return None
        return WrittenSteps(place.step, min(place.continues, default=None), lines)
