"""Label Studio's JSON export of a project that `o1 labels studio push` made: a list of tasks with their annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from o1_assets.core.formatting import printable
from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.inbox.lines import ParsedLine, schema_violation
from o1_assets.labels.protocol import Violation
from o1_assets.labels.studio.annotations import UnusableAnnotation, rated_record

FOREIGN = (
    "the task was not made by `o1 labels studio push`, so nothing tells which of its choices rates which step; export "
    "its ratings as prompt, completions and labels"
)


def records(number: int, raw: bytes) -> Iterator[ParsedLine]:
    """The records of one task, one for each annotation that was not skipped."""
    try:
        task = msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        yield ParsedLine(number, raw, violation=schema_violation(number, raw, str(error)))
        return
    data = task.get("data") if isinstance(task, Mapping) else None
    if not isinstance(data, Mapping) or "record" not in data:
        yield ParsedLine(number, raw, violation=Violation("foreign_task", FOREIGN, number))
        return
    annotations = task.get("annotations") or []
    users = dict(_users(annotations))
    for annotation in annotations:
        try:
            record = rated_record(task, _signed(annotation), users)
        except UnusableAnnotation as error:
            which = annotation.get("id") if isinstance(annotation, Mapping) else None
            message = f"annotation {printable(str(which))}: {error}"
            yield ParsedLine(number, raw, violation=Violation("unusable_annotation", message, number))
            continue
        if record is not None:
            yield ParsedLine(number, raw, record)


def _signed(annotation: Any) -> Any:
    """The annotation; where the export leaves out who saved it, by who signed it: a file is as good as its sender."""
    if isinstance(annotation, Mapping) and "updated_by" not in annotation:
        return {**annotation, "updated_by": annotation.get("completed_by")}
    return annotation


def _users(annotations: list[Any]) -> Iterator[tuple[int, str]]:
    """Who signed, where the export has the account and not only its number."""
    for annotation in annotations:
        user = annotation.get("completed_by") if isinstance(annotation, Mapping) else None
        if (
            isinstance(user, Mapping)
            and isinstance(user.get("id"), int)
            and isinstance(user.get("email"), str)
        ):
            yield user["id"], user["email"]


LABEL_STUDIO = LabelFormat(
    "label-studio",
    "data.record, annotations",
    lambda item: isinstance(item.get("data"), dict) and isinstance(item.get("annotations"), list),
    records,
    states_round=True,
)
