"""A Label Studio annotation as a rated record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from o1_assets.labels.protocol import PROTOCOLS, Ratings, Slot
from o1_assets.labels.ratings import fill
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.interface import ENDING
from o1_assets.labels.studio.tasks import control_name, rating_of


def rated_record(
    task: Mapping[str, Any], annotation: Mapping[str, Any], users: Mapping[int, str]
) -> Record | None:
    """The task's record with the annotation's ratings; None if it was skipped or is not about a task of ours.

    users: e-mail address by user id. The labeller is the one who last saved the annotation, the timestamp when.
    A rating that the protocol does not ask for is left over from before the labeller changed an earlier one;
    it is dropped.
    """
    if annotation.get("was_cancelled") or "record" not in task["data"]:
        return None
    record = Record.from_line(task["data"]["record"])
    if record.o1 is None:
        return None
    chosen = {
        result["from_name"]: result["value"]["choices"][0]
        for result in annotation["result"]
        if result.get("type") == "choices" and result["value"].get("choices")
    }
    protocol = PROTOCOLS[record.o1.protocol]
    shape = [len(step.completions or []) for step in record.label.steps]
    given = {
        slot: rating_of(chosen[control_name(slot)])
        for step, count in enumerate(shape)
        for slot in (Slot(step, completion) for completion in range(count))
        if control_name(slot) in chosen
    }
    asked = set(protocol.reached(shape, given))
    ratings: Ratings = {slot: rating for slot, rating in given.items() if slot in asked}
    fill(record, ratings, protocol, _labeler(annotation, users), str(annotation["updated_at"]))
    record.label.total_time = round(float(annotation.get("lead_time") or 0) * 1000)
    if ENDING in chosen:
        record.label.finish_reason = chosen[ENDING]
    elif all(rating is None for rating in ratings.values()):
        record.label.finish_reason = "give_up"
    return record


def _labeler(annotation: Mapping[str, Any], users: Mapping[int, str]) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        return str(who.get("email") or f"label-studio:{who.get('id')}")
    return users.get(int(who), f"label-studio:{who}") if who is not None else "label-studio:unknown"
