"""`o1 labels withdraw` and `restore`: a batch out of its round and back, and what is made of it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from o1_assets.cli.labels import LabelsError
from o1_assets.graph import build_graph
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import known_round, round_names
from o1_assets.labels.withdrawal import find_batch, impact
from o1_assets.profiles.load import load_profile
from o1_assets.settings import Settings
from o1_assets.store.store import ArtifactStore


def withdraw(settings: Settings, name: str, round_name: str | None, why: str, dry: bool) -> dict[str, Any]:
    """Takes a batch out of its round, or says what that would change.

    {"batch": digest, "round", "lines", "solutions", "labelers", "received", "labels", "ratings", "remade": keys,
    "waits": for what the round then waits, "withdrawn": {"who", "when", "why"} or null}
    """
    inbox, store = Inbox(settings.inbox), ArtifactStore(settings.store, settings.work)
    graph = build_graph(load_profile(settings.profile), settings)
    try:
        round_, digest = find_batch(inbox, _rounds(settings, round_name), name, withdrawn=False)
        inbox.check_withdrawable(round_, digest)
        change = impact(graph, store, inbox, round_, digest)
        move = None if dry else inbox.withdraw(round_, digest, _who(), why)
    except ValueError as error:
        raise LabelsError(str(error)) from error
    batch = change.batch
    return {
        "batch": digest,
        "round": round_,
        "lines": batch.lines,
        "solutions": batch.solutions,
        "labelers": batch.labelers,
        "received": batch.received,
        "labels": change.labels,
        "ratings": change.ratings,
        "remade": change.remade,
        "waits": change.waits,
        "withdrawn": move and {"who": move.who, "when": move.when, "why": move.why},
    }


def withdraw_lines(result: dict[str, Any]) -> Iterator[str]:
    """What a labelling lead reads of it."""
    batch, round_name = result["batch"][:12], result["round"]
    who = ", ".join(result["labelers"][:5]) + (" and others" if len(result["labelers"]) > 5 else "")
    yield (
        f"batch {batch} of {round_name}: {result['lines']} records of {result['solutions']} solutions by {who}, "
        f"received {result['received']}"
    )
    if not result["remade"]:
        yield "nothing was made of it yet"
    else:
        yield f"{result['labels']} labels of {round_name} are its own, of {result['ratings']} ratings that it put in"
        yield f"{len(result['remade'])} artifacts were made of it:"
        yield from (f"  {key}" for key in result["remade"])
    if result["waits"]:
        yield f"without it, {result['waits']}; until then what was made of it stays as it is"
    if result["withdrawn"] is None:
        yield "nothing was changed: a dry run"
        return
    yield f"withdrawn; `o1 run` makes again what was made of it, `o1 labels restore {batch}` takes it back"


def restore(settings: Settings, name: str, round_name: str | None, why: str) -> dict[str, Any]:
    """Takes a withdrawn batch back: {"batch", "round", "restored": {"what", "who", "when", "why"}}."""
    inbox = Inbox(settings.inbox)
    try:
        round_, digest = find_batch(inbox, _rounds(settings, round_name), name, withdrawn=True)
        return {
            "batch": digest,
            "round": round_,
            "restored": asdict(inbox.restore(round_, digest, _who(), why)),
        }
    except ValueError as error:
        raise LabelsError(str(error)) from error


def _rounds(settings: Settings, round_name: str | None) -> list[str]:
    return round_names(settings) if round_name is None else [known_round(settings, round_name)]


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "somebody"
