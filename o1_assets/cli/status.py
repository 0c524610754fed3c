"""`o1 status`: the state of every artifact and what each round waits for."""

from __future__ import annotations

from typing import Any

from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.settings import Settings
from o1_assets.status import graph_status
from o1_assets.store.store import ArtifactStore


def status_rows(settings: Settings) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One row an artifact (key, state, reason, digest, made), and for each unfinished round what it waits for."""
    profile = load_profile(settings.profile)
    graph = build_graph(profile, settings)
    status = graph_status(graph, ArtifactStore(settings.store, settings.work))
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
    waits: dict[str, str] = {}
    for key, s in status.items():
        if key[0] == "r" and s.state != "fresh":
            name, stage = key.split("/")
            if name not in waits:
                made = status[f"{name}/selection"].state == "fresh"
                people = stage == "label_batches" and made and profile.annotator_of(int(name[1:])) == "human"
                waits[name] = (
                    f"labels from people: `o1 labels export {name}`, then `o1 labels submit FILE --round {name}`"
                    if people
                    else f"{stage} ({s.state}: {s.reason})"
                )
    return rows, waits


def round_lines(waits: dict[str, str]) -> list[str]:
    return [f"{name} waits for {what}" for name, what in waits.items()] or ["every round is complete"]
