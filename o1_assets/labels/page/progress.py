"""What the page shows of how far things are: to a labeller, and to a lead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from sqlite3 import Row
from statistics import median
from typing import Any

from o1_assets.labels.page.assignment import Assignment
from o1_assets.labels.page.labelers import labelers
from o1_assets.labels.page.open_rounds import OpenRounds

PACE_OF = 20
"""The newest finished solutions, whose median time is the labeller's pace."""


def labeler_progress(assignment: Assignment, labeler: str) -> dict[str, Any]:
    """{"rounds": [{"round", "wanted", "mine", "left"}], "seconds": a solution takes, "minutes_left", "today",
    "recent": the newest finished tasks, "waiting": finished and not filed yet}.

    wanted: opinions in all; left: those that are still needed, of anybody; minutes_left: at this labeller's pace,
    if the labellers at work share them.
    """
    mine = assignment.database.rows(
        "select round, solution, finished, milliseconds, filed, refused from tasks "
        "where labeler = ? and finished is not null order by finished desc",
        labeler,
    )
    rounds = [_round_progress(assignment, name, mine) for name in assignment.rounds]
    times = [row["milliseconds"] / 1000 for row in mine if row["milliseconds"] is not None][:PACE_OF]
    seconds = median(times) if times else None
    midnight = datetime.fromtimestamp(assignment.clock()).replace(hour=0, minute=0, second=0).timestamp()
    left = sum(each["left"] / max(1, assignment.at_work(each["round"])) for each in rounds)
    return {
        "rounds": rounds,
        "seconds": seconds,
        "minutes_left": None if seconds is None else seconds * left / 60,
        "today": sum(row["finished"] >= midnight for row in mine),
        "waiting": sum(row["filed"] is None and row["refused"] is None for row in mine),
        "recent": [{key: row[key] for key in ("round", "solution", "refused")} for row in mine[:PACE_OF]],
    }


def _round_progress(assignment: Assignment, name: str, mine: Sequence[Row]) -> dict[str, Any]:
    round_ = assignment.rounds.round(name)
    known = assignment.rounds.opinions(round_)
    finished = {row["solution"] for row in mine if row["round"] == name}
    rows = assignment.database.rows(
        "select solution, labeler from tasks where round = ? and selection = ? "
        "and finished is not null and filed is null and not screening",
        name, round_.selection.digest,
    )  # fmt: skip
    done = {solution: set(names) for solution, names in known.labelers.items()}
    for row in rows:
        done.setdefault(row["solution"], set()).add(row["labeler"])
    solutions = round_.selection.solution_ids
    wanted = {s: 1 if s in round_.gold else assignment.wanted(known, s) for s in solutions}
    left = sum(max(0, number - len(done.get(s, ()))) for s, number in wanted.items())
    return {"round": name, "wanted": sum(wanted.values()), "mine": len(finished), "left": left}


def lead_progress(assignment: Assignment) -> dict[str, Any]:
    """What a lead sees: labellers, disagreements with both reasons, and agreement by day, of each round."""
    rows = assignment.database.rows(
        "select labeler, count(finished) as finished, max(touched) as touched, "
        "sum(refused is not null) as refused from tasks group by labeler"
    )
    work = {row["labeler"]: dict(row) for row in rows}
    people = [
        {"name": each.name, "is_lead": each.is_lead, "invited": each.invited, **work.get(each.name, {})}
        for each in labelers(assignment.database)
    ]
    rounds = [_lead_round(assignment.rounds, name) for name in assignment.rounds]
    return {"labelers": people, "rounds": rounds, "opinions": assignment.opinions}


def _lead_round(rounds: OpenRounds, name: str) -> dict[str, Any]:
    known = rounds.opinions(rounds.round(name))
    columns = ["labeler", "ratings", "gold_ratings", "gold_agreement", "peer_agreement", "excluded"]
    return {
        "round": name,
        "quality": known.filtered.quality.select(columns).to_dicts(),
        "agreement": known.agreement_by_day(),
        "disagreements": [each.to_json() for each in known.disagreements()],
    }
