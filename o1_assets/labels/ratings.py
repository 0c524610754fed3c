"""Between a record and its ratings by slot: what intake, the annotators and the label table share."""

from __future__ import annotations

from typing import cast

from o1_assets.labels.protocol import Protocol, Ratings, Slot, slots
from o1_assets.labels.schema import Rating, Record


def ratings_of(record: Record) -> dict[Slot, int | None]:
    """What is rated. In a record whose labelling has ended, a null rating means unsure, not still to do."""
    ended = record.label.finish_reason is not None
    return {
        slot: item.rating
        for step, part in enumerate(record.label.steps)
        if part.completions
        for slot, item in zip(slots(step, 0, len(part.completions)), part.completions, strict=True)
        if item.rating is not None or ended
    }


def fill(record: Record, ratings: Ratings, protocol: Protocol, labeler: str, timestamp: str) -> None:
    """Writes the ratings into an unrated record, as the labelling interface of PRM800K would have.

    The solution's own step is the one continued from unless it is negative.
    """
    record.labeler, record.timestamp = labeler, timestamp
    error = False
    for step, part in enumerate(record.label.steps):
        for completion, item in enumerate(part.completions or []):
            item.rating = cast(Rating | None, ratings.get(Slot(step, completion)))
            item.flagged = False if item.rating is not None else None
        own = ratings.get(Slot(step, 0))
        part.chosen_completion = 0 if own is not None and own >= 0 else None
        error = error or (own is not None and own < 0)
    shape = [len(part.completions or []) for part in record.label.steps]
    record.label.total_time = 0
    if protocol.finished(shape, ratings):
        record.label.finish_reason = "found_error" if error else "solution"
