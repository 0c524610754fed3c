"""A round's selection into a Label Studio project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice

from o1_assets.labels.protocol import DENSE, PROTOCOLS, Protocol
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.interface import label_config
from o1_assets.labels.studio.tasks import find_projects, mark, size_of, task_data, title

BATCH = 500
"""Tasks a request: each is one transaction of the server, so a push that is killed goes on where it stopped."""


@dataclass(frozen=True)
class PushReport:
    """url: the project's page. added: tasks sent now, of `solutions` in all."""

    project: int
    url: str
    created: bool
    added: int
    solutions: int


def push_records(
    studio: LabelStudio, profile: str, records: Sequence[Record], labelers: int = 1
) -> PushReport:
    """Makes the project of a round's exported records, or completes it. labelers: how many rate each solution.

    Doing it again adds nothing. Another selection of the same round gets a project of its own; labels of the
    old one are still pulled. Raises LabelStudioError; ValueError where there is nothing to label.
    """
    origins = [record.o1 for record in records if record.o1 is not None]
    if not origins:
        raise ValueError("there is no solution to label")
    screening = records[0].is_initial_screening_question
    name, protocol = origins[0].round, PROTOCOLS[origins[0].protocol]
    digest = origins[0].selection + ("-screening" if screening else "")
    size = size_of(records)
    mine = [p for p in find_projects(studio, profile) if p.round == name and p.selection == digest]
    there: set[str] = set()
    if mine:
        project = mine[0].id
        there = {str(task["data"].get("solution_id")) for task in studio.tasks(project)}
    else:
        project = studio.create_project(
            title=title(profile, name) + (" · screening" if screening else ""),
            description=f"{len(records)} solutions, {protocol.name} labels.\n" + mark(profile, name, digest),
            label_config=label_config(protocol, size),
            expert_instruction=instruction(protocol),
            show_instruction=True,
            show_skip_button=False,
            enable_empty_annotation=False,
            maximum_annotations=labelers,
            sampling="Sequential sampling",
        )
    missing = (r for r in records if r.o1 is not None and r.o1.solution_id not in there)
    added = 0
    while batch := [task_data(record, size) for record in islice(missing, BATCH)]:
        studio.import_tasks(project, batch)
        added += len(batch)
    return PushReport(project, f"{studio.url}/projects/{project}", not mine, added, len(records))


def instruction(protocol: Protocol) -> str:
    """What the labeller reads before the first task: HTML."""
    alternatives = (
        "Under each step are other ways to go on from the same place. Rate them too."
        if protocol is DENSE
        else "When a step is wrong, other ways to go on from the same place appear. Rate them too."
    )
    lines = [
        "Read the problem and its right answer, then rate the steps from the first one on.",
        "Right: correct, and brings the solution closer to the answer. Neutral: correct or harmless, but no help. "
        "Wrong: a mistake, or follows from none of what stands above. Unsure: you looked and cannot tell.",
        alternatives,
        "The solution ends for you at its first wrong step, or where you are unsure. Then submit: Ctrl + Enter.",
        "Keys: the column of the keyboard is the step, the row the rating. Step 1: 1 right, q neutral, a wrong, "
        "z unsure; step 2: 2, w, s, x; and so on. First alternative: the same with Shift; second: Alt; "
        "third: Alt + Shift.",
        "If the problem makes no sense, say Bad problem (-); if it is too hard, Give up (=).",
    ]
    return "".join(f"<p>{escape(line)}</p>" for line in lines)
