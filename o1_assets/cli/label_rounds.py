"""`o1 labels status` and `o1 labels switch`: who rates each round, what has come back, and what needs attention."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project
from o1_assets.labels.config import AnnotatorName, LabelBatchesConfig, Switch
from o1_assets.labels.inbox.progress import Progress, inbox_notices, round_progress, selected_solutions
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.switches import DamagedSwitches, Switches
from o1_assets.labels.round_inputs import known_round, round_names
from o1_assets.profiles.load import load_profile
from o1_assets.profiles.requirements import ORACLE_NEEDS_A_WORLD, oracle_knows

app = typer.Typer()

PROFILE = "profile"
ANNOTATORS: tuple[str, ...] = (*get_args(AnnotatorName), PROFILE)


class LabelsError(O1Error):
    """Labels, or a round, cannot be treated as asked for; the message says what to do."""


@dataclass(frozen=True)
class RoundOverview:
    """progress: None before there is a selection to rate. batches: people's, that can be read; notices: what needs
    attention. switches: the round's, the oldest first.
    """

    config: LabelBatchesConfig
    progress: Progress | None
    batches: list[dict[str, Any]]
    withdrawn: list[str]
    notices: list[str]
    switches: list[Switch]

    @property
    def rater(self) -> str:
        return f"labels imported from {self.config.source}" if self.config.source else self.config.annotator

    def to_json(self) -> dict[str, Any]:
        return {
            "annotator": self.config.annotator,
            "source": self.config.source,
            "uses_people": self.config.uses_people,
            "labels": self.progress.figures() if self.progress else None,
            "batches": self.batches,
            "withdrawn": self.withdrawn,
            "notices": self.notices,
            "switches": [switch.model_dump() for switch in self.switches],
        }

    def _progress(self) -> str:
        if self.progress is None:
            return "its selection was not made yet"
        if not self.config.uses_people and not self.batches:
            return "nothing came from people"
        return f"from people: {self.progress}"

    def lines(self) -> Iterator[str]:
        name, switched = self.config.round, self.config.switched
        yield f"{name} is rated by {self.rater}{f' ({switched})' if switched else ''}; {self._progress()}"
        state = "used" if self.config.uses_people else "kept, not used"
        for batch in self.batches:
            use = state if batch["current"] else "kept, about an earlier selection"
            who = ", ".join(batch["labelers"][:5]) + (" and others" if len(batch["labelers"]) > 5 else "")
            yield f"  batch {batch['digest'][:12]} ({use}): {batch['lines']} records by {who}, {batch['received']}"
        if self.withdrawn:
            yield f"  withdrawn: {', '.join(digest[:12] for digest in self.withdrawn)}"
        yield from (f"  NOTE {notice}" for notice in self.notices)


@command(app, "status")
def labels_status(
    project: Project, round_: Annotated[str | None, typer.Argument(metavar="[ROUND]")] = None
) -> Answer:
    """Who rates each round, people's batches and whether they are used, and what in the inbox needs attention."""
    names = round_names(project.profile) if round_ is None else [known_round(project.profile, round_)]
    rounds = {name: overview(project, name) for name in names}
    return Answer(
        {name: each.to_json() for name, each in rounds.items()},
        (line for each in rounds.values() for line in each.lines()),
    )


def overview(project: Project, name: str) -> RoundOverview:
    config, inbox = project.profile.batches(int(name[1:])), project.inbox
    selection, progress = project.store.head(f"{name}/selection"), None
    manifests = [inbox.manifest(name, digest) for digest in inbox.accepted(name, PEOPLE)]
    earlier = set[str]()
    if selection is not None:
        folder = project.store.verified(selection.digest)
        wanted = selected_solutions(folder)
        progress = round_progress(inbox, config, wanted)
        if others := [m for m in manifests if not wanted.intersection(inbox.solutions(name, m.digest))]:
            from o1_assets.labels.selection import Selection

            # What new labellers are tried on is in no selection either, and belongs to today's all the same.
            today = Selection.load(folder).digest
            earlier = {m.digest for m in others if m.selection != today}
    return RoundOverview(
        config,
        progress,
        [
            {
                "digest": m.digest,
                "lines": m.lines,
                "labelers": m.labelers,
                "received": m.received,
                "name": m.name,
                "current": m.digest not in earlier,
            }
            for m in manifests
        ],
        inbox.withdrawn(name),
        inbox_notices(inbox, config),
        Switches(inbox.root).history().get(name, []),
    )


@command(app, "switch")
def switch_round(
    project: Project,
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
    annotator: Annotated[str, typer.Argument(metavar="ANNOTATOR", help=f"{', '.join(ANNOTATORS)}")],
    reason: Annotated[str, typer.Option(help="why; recorded with the version that is made")] = "",
) -> Answer:
    """Have another annotator rate a round: people, a machine, or people first (human+oracle). It is recorded."""
    profile = load_profile(project.settings.reference, project.overrides)
    known_round(profile, round_)
    if annotator not in ANNOTATORS:
        raise LabelsError(f"there is no annotator {annotator!r}; choose one of: {', '.join(ANNOTATORS)}")
    if "oracle" in annotator and not oracle_knows(profile):
        raise LabelsError(
            f"{ORACLE_NEEDS_A_WORLD}; nothing was switched: have {round_} rated by human, monte_carlo or judge"
        )
    switches = Switches(project.settings.inbox)
    try:
        before = project.profile.batches(int(round_[1:]))
    except DamagedSwitches:  # which this switch replaces
        before = None
    if before is not None and before.source is not None:
        raise LabelsError(
            f"{round_} takes its labels from the source {before.source!r}, and what people send corrects them; "
            "`--set label_source=null` has it rated"
        )
    to_profile = annotator == PROFILE
    if before is not None and (before.switched is None if to_profile else before.annotator == annotator):
        line = f"{round_} is rated by {before.annotator} already; nothing was changed"
        return Answer({"round": round_, "annotator": before.annotator, "changed": False}, [line])
    project.settings.make_home()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    switches.add(round_, Switch(annotator=annotator, who=user(), when=now, why=reason))
    after = overview(project.current(), round_)
    was = f" (before: {before.annotator})" if before else ""
    by_sensor = ", and so does a running `make ui` once its labels are complete"
    taken = f"`o1 run` takes it in{by_sensor if after.config.uses_people else ''}"
    return Answer(
        {"round": round_, "annotator": after.config.annotator, "changed": True, **after.to_json()},
        [f"switched{was}; {taken}", *after.lines()],
    )


def user() -> str:
    """The account that runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "somebody"
