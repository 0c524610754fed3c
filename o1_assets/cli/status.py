"""`o1 status`: the state of every artifact, and for every round its labels' progress and what it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from o1_assets.cli.common import Answer, close_home, command, print_note
from o1_assets.cli.made_before import not_in_graph, notes
from o1_assets.execution.project import Project
from o1_assets.execution.status import Status, damaged, outline_status
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.progress import (
    Progress,
    inbox_notices,
    round_progress,
    selected_solutions,
    what_to_do,
)
from o1_assets.labels.inbox.reader import PEOPLE

app = typer.Typer()


VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify", help="compare every byte, and not only files that changed since they were compared"
    ),
]


@command(app)
def status(project: Project, verify: VerifyOption = False, as_json: bool = False) -> Answer:
    """Every artifact: fresh, stale and why, missing or damaged; every round: what it waits for.

    Missing artifacts of optional parts are counted; --json names each.
    """
    close_home(project.settings)
    states = outline_status(project.outlines, project.store, every_byte=verify, on_reading=print_note)
    rows, rounds = status_rows(project, states, all_progress=as_json)
    due = {key for key, s in states.items() if s.state != "fresh" and not project.outlines[key].part}
    unusable = _unusable(project, due)
    told = [*notes(project, states, due), *not_in_graph(project)]

    def lines() -> Iterator[str]:
        yield from _artifact_lines(rows, {key for key, each in project.outlines.items() if each.part})
        yield from _round_lines(rounds)
        yield from unusable
        yield from (f"NOTE {note}" for note in told)

    document = {
        "artifacts": rows,
        "waits": {name: state.waits for name, state in rounds.items() if state.waits},
        "rounds": {name: state.row() for name, state in rounds.items()},
        "cannot_be_made": unusable,
        "notes": told,
    }
    return Answer(document, lines(), damaged(states))


def _artifact_lines(rows: Sequence[Mapping[str, Any]], optional: Collection[str]) -> Iterator[str]:
    """A line for each artifact, and one for what is missing of each optional part.

    The experiments of a profile are hundreds of artifacts, under which those of the loop could not be seen.
    """
    not_asked_for: Counter[str] = Counter()
    for row in rows:
        if row["state"] == "missing" and row["key"] in optional:
            not_asked_for[row["reason"]] += 1
        else:
            yield _line(row["state"], row["key"], row["digest"] or "-", row["reason"])
    for reason, count in not_asked_for.items():
        yield _line("missing", f"{count} artifact{'s' if count > 1 else ''}", "-", reason)


def _line(state: str, what: str, digest: str, reason: str) -> str:
    return f"{state:8} {what:24} {digest:12}  {reason}".rstrip()


def _unusable(project: Project, due: Set[str]) -> list[str]:
    """A sentence for each thing outside of the graph without which what is due cannot be made."""
    if not any(project.outlines[key].checked_first for key in due):
        return []
    from o1_assets.profiles.requirements import failed_preflights

    return list(failed_preflights(project.graph, due, quick=True))


@dataclass(frozen=True)
class RoundStatus:
    """waits: what the round waits for; empty if all its artifacts are fresh. labels: the progress of the labellers;
    None before there is a selection to rate. reasons: the folder of the quarantined files and their reasons. notices:
    what is damaged in the inbox, or is kept and not used."""

    config: LabelBatchesConfig
    waits: str
    labels: Progress | None
    reasons: str
    notices: list[str]

    def line(self, name: str) -> str:
        # Of a machine's round the notices say that labels of people are not used.
        people = self.labels is not None and (self.config.waits_for_people or self.labels.batches)
        people = people and self.config.uses_people
        rated = f"; from people: {self.labels}" if people and "from people" not in self.waits else ""
        refused = f"; what was refused and why: {self.reasons}" if self.reasons else ""
        switched = f"; {self.config.switched}" if self.config.switched else ""
        state = f"{name} waits for {self.waits}" if self.waits else f"{name} is complete"
        return state + rated + refused + switched

    def row(self) -> dict[str, Any]:
        labels = self.labels.figures() if self.labels else None
        switched = self.config.switched and self.config.switched.model_dump()
        return {
            "annotator": self.config.annotator,
            "switched": switched,
            "uses_people": self.config.uses_people,
            "waits": self.waits or None,
            "labels": labels,
            "notices": self.notices,
        }


def status_rows(
    project: Project, states: Mapping[str, Status], *, all_progress: bool = True
) -> tuple[list[dict[str, Any]], dict[str, RoundStatus]]:
    """A row for each artifact (key, state, reason, digest, made), and every round's state by its name.

    all_progress: count the solutions of rounds too that are not rated by people; for that their tables are read.
    """
    rows = [
        {
            "key": s.key,
            "state": s.state,
            "reason": s.reason,
            "digest": s.manifest.digest[:12] if s.manifest else None,
            "made": s.manifest.finished if s.manifest else None,
        }
        for s in states.values()
    ]
    keys: dict[str, list[str]] = {}
    for key, each in project.outlines.items():
        # A round is complete without its optional parts, which are only made when they are asked for.
        if not each.part:
            keys.setdefault(key.partition("/")[0], []).append(key)
    configs = [each.rated for each in project.outlines.values() if each.rated]
    return rows, {c.round: _round(c, project, states, keys[c.round], all_progress) for c in configs}


def _round(
    config: LabelBatchesConfig,
    project: Project,
    states: Mapping[str, Status],
    keys: Sequence[str],
    all_progress: bool,
) -> RoundStatus:
    """keys: of the round's artifacts, in the order of the data."""
    name, inbox = config.round, project.inbox
    counted = (
        all_progress or config.waits_for_people or inbox.quarantined(name) or inbox.accepted(name, PEOPLE)
    )
    selection, progress = states[f"{name}/selection"], None
    # Without a selection nobody has anything to rate, nor with one whose ids cannot be believed.
    if counted and selection.manifest is not None and selection.whole:
        wanted = selected_solutions(project.store.path(selection.manifest.digest))
        progress = round_progress(inbox, config, wanted)
    refused = progress is not None and progress.quarantined
    return RoundStatus(
        config,
        _waits_for(config, project, states, progress, keys),
        progress,
        str(inbox.root / name / "quarantine") if refused else "",
        inbox_notices(inbox, config),
    )


def _waits_for(
    config: LabelBatchesConfig,
    project: Project,
    states: Mapping[str, Status],
    progress: Progress | None,
    keys: Sequence[str],
) -> str:
    """What a round waits for: people, another round, or its own first artifact that is not fresh; empty if all are."""
    name = config.round
    first = next((key for key in keys if states[key].state != "fresh"), None)
    if first is None:
        return ""
    # The first one in the order of the data holds all others up: those wait for it and not for people.
    by_people = project.outlines[first].rated is not None and config.waits_for_people
    if by_people and progress is not None and not progress.enough:
        return what_to_do(name, progress).removeprefix(f"{name} waits for ")
    # Of an input in another round the round's name is enough: that round's own line says more.
    before = [key for key in project.outlines[first].inputs.values() if states[key].state != "fresh"]
    if before:
        return before[0].split("/")[0] if before[0][0] == "r" else before[0]
    return f"{first.split('/')[1]} ({states[first].state}: {states[first].reason})"


def _round_lines(rounds: Mapping[str, RoundStatus]) -> list[str]:
    """A line for each round, or one for all of them if all are complete."""
    lines = [state.line(name) for name, state in rounds.items()]
    if all(line.endswith(" is complete") for line in lines):
        lines = ["every round is complete"]
    return lines + [f"NOTE {notice}" for state in rounds.values() for notice in state.notices]
