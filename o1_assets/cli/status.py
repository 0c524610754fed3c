"""`o1 status`: the state of every artifact, and of every round how far its labels are and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from o1_assets.core.artifact import Artifact
from o1_assets.core.settings import Settings
from o1_assets.execution.status import Status, graph_status
from o1_assets.graph import build_graph
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import (
    Progress,
    batches_key,
    round_progress,
    selected_solutions,
    what_to_do,
)
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore


@dataclass(frozen=True)
class RoundStatus:
    """waits: for what, empty if everything of the round is fresh. labels: how far people are; None before there is
    a selection to rate. reasons: where the quarantined files and their reasons lie."""

    annotator: str
    waits: str
    labels: Progress | None
    reasons: str

    def line(self, name: str) -> str:
        people = self.labels is not None and (self.annotator == "human" or self.labels.batches)
        rated = f"; from people: {self.labels}" if people and "from people" not in self.waits else ""
        refused = f"; what was refused and why: {self.reasons}" if self.reasons else ""
        return (f"{name} waits for {self.waits}" if self.waits else f"{name} is complete") + rated + refused

    def row(self) -> dict[str, Any]:
        labels = self.labels.figures() if self.labels else None
        return {"annotator": self.annotator, "waits": self.waits or None, "labels": labels}


def status_rows(settings: Settings) -> tuple[list[dict[str, Any]], dict[str, RoundStatus]]:
    """One row an artifact (key, state, reason, digest, made), and every round's state by its name."""
    profile = load_profile(settings.profile)
    graph = build_graph(profile, settings)
    store = ArtifactStore(settings.store, settings.work)
    status = graph_status(graph, store)
    rows = [
        {
            "key": s.key,
            "state": s.state,
            "reason": s.reason,
            "digest": s.manifest.digest[:12] if s.manifest else None,
            "made": s.manifest.finished if s.manifest else None,
        }
        for s in status.values()
    ]
    inbox = Inbox(settings.inbox)
    rounds = {
        artifact.config.round: _round(artifact.config, graph, status, store, inbox)
        for artifact in graph.values()
        if isinstance(artifact.config, LabelBatchesConfig)
    }
    return rows, rounds


def _round(
    config: LabelBatchesConfig,
    graph: Mapping[str, Artifact],
    status: Mapping[str, Status],
    store: ArtifactStore,
    inbox: Inbox,
) -> RoundStatus:
    name = config.round
    selection = status[f"{name}/selection"].manifest
    progress = None
    if selection is not None:
        wanted = selected_solutions(store.verified(selection.digest))
        progress = round_progress(inbox, config, wanted)
    own = [key for key in graph if key.startswith(f"{name}/") and not graph[key].part]
    open_keys = [key for key in own if status[key].state != "fresh"]
    waits = ""
    if open_keys:
        first = open_keys[0]
        before = [key for key in graph[first].inputs.values() if status[key].state != "fresh"]
        people = first == batches_key(name) and config.waits_for_people and progress is not None
        if people and progress is not None and not progress.enough:
            waits = what_to_do(name, progress).removeprefix(f"{name} waits for ")
        elif before:
            waits = before[0].split("/")[0] if before[0][0] == "r" else before[0]
        else:
            waits = f"{first.split('/')[1]} ({status[first].state}: {status[first].reason})"
    refused = progress is not None and progress.quarantined
    return RoundStatus(
        config.annotator, waits, progress, str(inbox.root / name / "quarantine") if refused else ""
    )


def round_lines(rounds: Mapping[str, RoundStatus]) -> list[str]:
    """A line a round; one for all of them if there is nothing to say of any."""
    lines = [state.line(name) for name, state in rounds.items()]
    return lines if any(not line.endswith(" is complete") for line in lines) else ["every round is complete"]
