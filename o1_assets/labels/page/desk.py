"""Gives solutions out to labellers, keeps what they do, and files what is finished in the inbox.

Two labellers are not given the same solution, unless several opinions are wanted; where these disagree, one labeller
more is asked. Everybody is given gold solutions now and then. A solution that somebody began and left is given to
others after half an hour, and what was done of it is kept.

What is finished is filed in batches, one a labeller, as soon as 25 are finished or the labeller has paused for a
minute: a batch a solution would be hundreds of batches a round. Until then the record is in the database.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from sqlite3 import Row
from statistics import median
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import lead_solutions
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.opinions import Opinions
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.draft import (
    LONGEST_NOTE,
    LONGEST_TEXT,
    MOST_MILLISECONDS,
    ActRefused,
    Draft,
    Sheet,
)
from o1_assets.labels.page.labelers import labelers
from o1_assets.labels.protocol import PROTOCOLS, Slot
from o1_assets.labels.quality_control import check_solutions
from o1_assets.labels.round_inputs import RoundInputs
from o1_assets.labels.schema import FinishReason, Record
from o1_assets.labels.selection import Selection

LEASE_SECONDS = 30 * 60
BATCH = 25
PAUSE_SECONDS = 60.0
PACE_OF = 20
"""The newest finished solutions, whose median time is the labeller's pace."""


class NoSuchTask(O1Error, LookupError):
    """The labeller was not given this solution, or it is in the round no more."""


class StaleAct(O1Error):
    """The page showed an older state of the task than the server has: in another tab, it went on."""


@dataclass(frozen=True)
class OpenRound:
    """A round as it is being labelled; of one version of its selection."""

    inputs: RoundInputs
    selection: Selection
    gold: frozenset[str]
    screening: frozenset[str]

    @classmethod
    def load(cls, inputs: RoundInputs, inbox: Inbox) -> OpenRound:
        selection, config = inputs.load(), inputs.config
        checks = check_solutions(selection, config.quality)
        leads = lead_solutions(inbox, config.round, config.quality)
        return cls(inputs, selection, checks.gold | leads, checks.screening)

    @property
    def name(self) -> str:
        return self.inputs.config.round

    @cached_property
    def _sheets(self) -> dict[tuple[str, bool], Sheet]:
        return {}

    def sheet(self, solution: str, screening: bool) -> Sheet:
        """Asked for at each act, so it is made once."""
        if (solution, screening) not in self._sheets:
            protocol = PROTOCOLS[self.inputs.config.protocol]
            only = self.selection.alone(solution)
            # The same record as `o1 labels export` writes, so that both ways to labellers are one.
            [record] = (
                export_screening(only, self.name, protocol, {solution})
                if screening
                else export_selection(only, self.name, protocol, self.gold)
            )
            self._sheets[solution, screening] = Sheet(record)
        return self._sheets[solution, screening]

    @cached_property
    def check(self) -> SelectionCheck:
        return SelectionCheck(self.selection, self.name, PROTOCOLS[self.inputs.config.protocol])


class Desk:
    """All that the page does. Several threads may call it; every method is one or more whole transactions.

    rounds: in the order in which they are given out. opinions: how many labellers rate each solution. screening:
    whether who is new rates the screening solutions first.
    """

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        rounds: Sequence[str],
        inputs_of: Callable[[str], RoundInputs],
        opinions: int = 1,
        screening: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database, self.inbox, self.rounds, self.opinions = database, inbox, list(rounds), opinions
        self.screening, self._inputs_of, self._clock = screening, inputs_of, clock
        self._open: dict[str, OpenRound] = {}
        self._known: dict[str, tuple[str, Opinions]] = {}

    def round(self, name: str) -> OpenRound:
        """The round with its selection of today. Raises MissingInput."""
        inputs = self._inputs_of(name)
        known = self._open.get(name)
        if known is None or known.inputs.selection != inputs.selection:
            known = self._open[name] = OpenRound.load(inputs, self.inbox)
            self._known.pop(name, None)
        return known

    def known(self, round_: OpenRound) -> Opinions:
        """What the inbox knows of the round; read again when something was filed."""
        version = self.inbox.version(round_.name)
        known = self._known.get(round_.name)
        if known is None or known[0] != version:
            opinions = Opinions.read(round_.inputs.config, round_.selection, self.inbox)
            known = self._known[round_.name] = version, opinions
        return known[1]

    # Giving out.

    def next_task(self, labeler: str, skip: Collection[str] = ()) -> dict[str, Any] | None:
        """The task that the labeller began and left, or a new one; None: nothing is left. skip: solutions."""
        for row in self.database.rows(
            "select * from tasks where labeler = ? and finished is null order by given", labeler
        ):
            if row["round"] in self.rounds and row["solution"] not in skip:
                # A selection that was made again may have lost the solution, and what is returned of it.
                round_ = self.round(row["round"])
                if row["selection"] == round_.selection.digest and row["solution"] in round_.selection:
                    return self._view(round_, row)
        names = [name for name in self.rounds if self.inbox.closed(name) is None]
        # What is disputed first, while those who disagree remember it.
        for disputed in (True, False) if self.opinions > 1 else (False,):
            for name in names:
                if task := self._give(self.round(name), labeler, disputed):
                    return task
        return None

    def _give(self, round_: OpenRound, labeler: str, disputed: bool) -> dict[str, Any] | None:
        """disputed: nothing but a solution on which labellers disagree."""
        known = self.known(round_)
        with self.database.transaction():
            screened = self._screening(round_, labeler)
            solution = screened or self._choose(round_, known, labeler, disputed)
            if solution is None:
                return None
            now = self._clock()
            self.database.write(
                "insert into tasks (round, solution, labeler, screening, selection, given, touched, draft) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                round_.name, solution, labeler, screened is not None, round_.selection.digest, now, now,
                Draft().to_json(),
            )  # fmt: skip
        return self._view(round_, self._row(round_.name, solution, labeler))

    def _screening(self, round_: OpenRound, labeler: str) -> str | None:
        """The next screening solution of a labeller who has been given nothing else yet."""
        if not self.screening or self.database.row(
            "select 1 from tasks where labeler = ? and not screening", labeler
        ):
            return None
        query = "select solution from tasks where round = ? and labeler = ?"
        given = {row["solution"] for row in self.database.rows(query, round_.name, labeler)}
        return next(
            (s for s in round_.selection.solution_ids if s in round_.screening and s not in given), None
        )

    def _choose(self, round_: OpenRound, known: Opinions, labeler: str, disputed: bool) -> str | None:
        mine, others = self._taken(round_, known, labeler)
        open_ = [s for s in round_.selection.solution_ids if s not in mine]
        regular = [
            s
            for s in open_
            if s not in round_.gold and len(others.get(s, ())) < self._wanted(known, s)
        ]  # fmt: skip
        if disputed:
            return next((s for s in regular if s in known.unsettled), None)
        gold = [s for s in open_ if s in round_.gold]
        if not regular:
            # The round goes on when all of it has come back, gold too, of which one return is enough.
            return next((s for s in gold if not others.get(s)), None)
        # Spread over what is left for this labeller, by a draw that nobody can foresee who sees the page.
        rng = random.Random(f"{round_.selection.digest} {labeler} {len(mine)}")
        share = len(regular) * max(1, self.opinions) / max(1, self._active(round_.name))
        if gold and rng.random() < len(gold) / (len(gold) + share):
            return rng.choice(gold)
        return regular[0]

    def _wanted(self, known: Opinions, solution: str) -> int:
        """How many opinions: one more than there are where they disagree."""
        if self.opinions > 1 and solution in known.unsettled:
            return len(known.labelers.get(solution, ())) + 1
        return self.opinions

    def _taken(
        self, round_: OpenRound, known: Opinions, labeler: str
    ) -> tuple[set[str], dict[str, set[str]]]:
        """What the labeller has or had, and by whom else each solution was rated or is being rated."""
        others = {solution: set(names) - {labeler} for solution, names in known.labelers.items()}
        mine = {solution for solution, names in known.labelers.items() if labeler in names}
        excluded = set(known.filtered.quality.filter("excluded")["labeler"])
        since = self._clock() - LEASE_SECONDS
        rows = self.database.rows(
            "select solution, labeler, screening, finished, filed, touched from tasks "
            "where round = ? and selection = ?",
            round_.name, round_.selection.digest,
        )  # fmt: skip
        for row in rows:
            if row["labeler"] == labeler:
                mine.add(row["solution"])
            # Of what is filed the inbox speaks: the batch may be withdrawn, or its labeller be excluded.
            elif not (row["screening"] or row["labeler"] in excluded) and (
                (row["finished"] and not row["filed"]) or (not row["finished"] and row["touched"] > since)
            ):
                others.setdefault(row["solution"], set()).add(row["labeler"])
        return mine, others

    def _active(self, round_name: str) -> int:
        """How many labellers share the round: those who were at work within the last day."""
        row = self.database.row(
            "select count(distinct labeler) as n from tasks where round = ? and touched > ?",
            round_name, self._clock() - 24 * 3600,
        )  # fmt: skip
        return int(row["n"]) if row else 0

    # What a labeller does.

    def task(self, labeler: str, round_name: str, solution: str) -> dict[str, Any]:
        """A task that the labeller was given, to be corrected or gone on with. Raises NoSuchTask."""
        return self._view(self.round(self._known_round(round_name)), self._row(round_name, solution, labeler))

    def act(self, labeler: str, act: dict[str, Any]) -> dict[str, Any]:
        """One act; returns the task after it.

        act: round, solution, version (of the task that the page shows), id (a repeated act is done once), what, and
        what it needs: rate (step, completion, rating), confirm, others (rating), undo, write (text), note (text),
        finish (milliseconds), end (reason, milliseconds). Raises NoSuchTask, StaleAct, ActRefused.
        """
        round_ = self.round(self._known_round(str(act.get("round"))))
        with self.database.transaction():
            row = self._row(round_.name, str(act.get("solution")), labeler)
            content = json.loads(row["draft"])
            # The answer to the act was lost, and the page sent it again.
            if act.get("id") and content.get("last") == act["id"]:
                return self._view(round_, row)
            if act.get("version") != row["version"]:
                raise StaleAct("This solution was changed in another tab or window; this is how it is now.")
            sheet, draft = self._sheet(round_, row), Draft.from_json(row["draft"])
            after, record = self._after(sheet, draft, labeler, act)
            self._save(row, after, str(act.get("id") or ""))
            if record is not None:
                self._finish(round_, row, record)
            return self._view(round_, self._row(round_.name, row["solution"], labeler))

    def _after(
        self, sheet: Sheet, draft: Draft, labeler: str, act: dict[str, Any]
    ) -> tuple[Draft, Record | None]:
        match act.get("what"):
            case "rate":
                slot = Slot(_whole(act, "step"), _whole(act, "completion"))
                return sheet.rate(draft, slot, _rating(act)), None
            case "confirm":
                return sheet.confirm(draft), None
            case "others":
                return sheet.rate_others(draft, _rating(act)), None
            case "undo":
                return draft.undone(), None
            case "write":
                return replace(draft, written=_text(act, LONGEST_TEXT)), None
            case "note":
                return replace(draft, note=_text(act, LONGEST_NOTE)), None
            case "finish":
                return draft, sheet.rated(draft, labeler, self._now(), _milliseconds(act))
            case "end":
                reason: FinishReason | None = next(
                    (each for each in ("bad_problem", "give_up") if each == act.get("reason")), None
                )
                if reason is not None:
                    return draft, sheet.rated(draft, labeler, self._now(), _milliseconds(act), reason)
        raise ActRefused("The page asked for something that this server does not know; load it again.")

    def _save(self, row: Row, draft: Draft, last: str) -> None:
        content = {**json.loads(draft.to_json()), "last": last}
        self.database.write(
            "update tasks set draft = ?, version = version + 1, touched = ? "
            "where round = ? and solution = ? and labeler = ?",
            json.dumps(content), self._clock(), row["round"], row["solution"], row["labeler"],
        )  # fmt: skip

    def _finish(self, round_: OpenRound, row: Row, record: Record) -> None:
        # By the inbox's check, so that what it would refuse is said to the labeller who can mend it.
        parsed = ParsedRecord.parse(record, round_.check.protocol)
        if violations := round_.check.violations(parsed):
            raise ActRefused(f"{violations[0].message[:1].upper()}{violations[0].message[1:]}.")
        self.database.write(
            "update tasks set finished = ?, milliseconds = ?, record = ?, filed = null, refused = null "
            "where round = ? and solution = ? and labeler = ?",
            self._clock(), record.label.total_time, record.to_line(),
            row["round"], row["solution"], row["labeler"],
        )  # fmt: skip

    def _view(self, round_: OpenRound, row: Row) -> dict[str, Any]:
        view = self._sheet(round_, row).view(Draft.from_json(row["draft"]))
        return {
            **view,
            "version": row["version"],
            "is_done": row["finished"] is not None,
            "ending": Record.from_line(row["record"]).label.finish_reason if row["record"] else None,
            "refused": row["refused"],
        }

    def _sheet(self, round_: OpenRound, row: Row) -> Sheet:
        if row["selection"] != round_.selection.digest or row["solution"] not in round_.selection:
            raise NoSuchTask("This solution is in the round no more: its selection was made again.")
        return round_.sheet(row["solution"], bool(row["screening"]))

    def _row(self, round_name: str, solution: str, labeler: str) -> Row:
        row = self.database.row(
            "select * from tasks where round = ? and solution = ? and labeler = ?",
            round_name,
            solution,
            labeler,
        )
        if row is None:
            raise NoSuchTask("You were not given this solution.")
        return row

    def _known_round(self, name: str) -> str:
        if name not in self.rounds:
            raise NoSuchTask("This round is not being labelled here.")
        return name

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")

    # How far things are.

    def progress(self, labeler: str) -> dict[str, Any]:
        """{"rounds": [{"round", "wanted", "mine", "left"}], "seconds": a solution takes, "minutes_left", "today",
        "recent": the newest finished tasks, "waiting": finished and not filed yet}.

        wanted: opinions in all; left: those that are still needed, of anybody; minutes_left: at this labeller's pace,
        if the labellers at work share them.
        """
        mine = self.database.rows(
            "select round, solution, finished, milliseconds, filed, refused from tasks "
            "where labeler = ? and finished is not null order by finished desc",
            labeler,
        )
        rounds = [self._round_progress(name, labeler, mine) for name in self.rounds]
        times = [row["milliseconds"] / 1000 for row in mine if row["milliseconds"] is not None][:PACE_OF]
        seconds = median(times) if times else None
        midnight = datetime.fromtimestamp(self._clock()).replace(hour=0, minute=0, second=0).timestamp()
        left = sum(each["left"] / max(1, self._active(each["round"])) for each in rounds)
        return {
            "rounds": rounds,
            "seconds": seconds,
            "minutes_left": None if seconds is None else seconds * left / 60,
            "today": sum(row["finished"] >= midnight for row in mine),
            "waiting": sum(row["filed"] is None and row["refused"] is None for row in mine),
            "recent": [{key: row[key] for key in ("round", "solution", "refused")} for row in mine[:PACE_OF]],
        }

    def _round_progress(self, name: str, labeler: str, mine: Sequence[Row]) -> dict[str, Any]:
        round_ = self.round(name)
        known = self.known(round_)
        finished = {row["solution"] for row in mine if row["round"] == name}
        rows = self.database.rows(
            "select solution, labeler from tasks where round = ? and selection = ? "
            "and finished is not null and filed is null and not screening",
            name, round_.selection.digest,
        )  # fmt: skip
        done = {solution: set(names) for solution, names in known.labelers.items()}
        for row in rows:
            done.setdefault(row["solution"], set()).add(row["labeler"])
        solutions = round_.selection.solution_ids
        wanted = {s: 1 if s in round_.gold else self._wanted(known, s) for s in solutions}
        left = sum(max(0, number - len(done.get(s, ()))) for s, number in wanted.items())
        return {"round": name, "wanted": sum(wanted.values()), "mine": len(finished), "left": left}

    def lead(self) -> dict[str, Any]:
        """What a lead sees: labellers, disagreements with both reasons, and agreement by day, of each round."""
        rows = self.database.rows(
            "select labeler, count(finished) as finished, max(touched) as touched, "
            "sum(refused is not null) as refused from tasks group by labeler"
        )
        work = {row["labeler"]: dict(row) for row in rows}
        people = [
            {"name": each.name, "is_lead": each.is_lead, "invited": each.invited, **work.get(each.name, {})}
            for each in labelers(self.database)
        ]
        rounds = [self._lead_round(name) for name in self.rounds]
        return {"labelers": people, "rounds": rounds, "opinions": self.opinions}

    def _lead_round(self, name: str) -> dict[str, Any]:
        known = self.known(self.round(name))
        columns = ["labeler", "ratings", "gold_ratings", "gold_agreement", "peer_agreement", "excluded"]
        return {
            "round": name,
            "quality": known.filtered.quality.select(columns).to_dicts(),
            "agreement": known.agreement_by_day(),
            "disagreements": [each.to_json() for each in known.disagreements()],
        }

    # Filing.

    def file_finished(self, everything: bool = False) -> int:
        """Files what is due in the inbox, a batch a labeller and round; returns the number of records accepted.

        everything: also what is not due yet. A closed round's records wait until it is opened again.
        """
        accepted = 0
        groups = self.database.rows(
            "select round, labeler, count(*) as n, max(finished) as newest from tasks "
            "where record is not null and filed is null and refused is null group by round, labeler"
        )
        for group in groups:
            is_due = everything or group["n"] >= BATCH or group["newest"] <= self._clock() - PAUSE_SECONDS
            if is_due and group["round"] in self.rounds and self.inbox.closed(group["round"]) is None:
                accepted += self._file(group["round"], group["labeler"])
        return accepted

    def _file(self, round_name: str, labeler: str) -> int:
        rows = self.database.rows(
            "select solution, record from tasks where round = ? and labeler = ? and record is not null "
            "and filed is null and refused is null order by finished",
            round_name, labeler,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "labelling-page.jsonl"
            file.write_text("".join(row["record"] + "\n" for row in rows))
            # Killed after this and before the next lines, the same lines are sent again, which the inbox recognises.
            report = self.inbox.submit(file, round_name, self.round(round_name).check)
        refused = {violation.line: str(violation) for violation in reversed(report.violations)}
        with self.database.transaction():
            for line, row in enumerate(rows, 1):
                why = refused.get(line)
                self.database.write(
                    "update tasks set filed = ?, refused = ? "
                    "where round = ? and solution = ? and labeler = ? and record = ?",
                    None if why else report.digest, why, round_name, row["solution"], labeler, row["record"],
                )  # fmt: skip
        return report.accepted


def _whole(act: dict[str, Any], name: str) -> int:
    value = act.get(name)
    if type(value) is not int:
        raise ActRefused(f"{name} has to be a whole number.")
    return value


def _rating(act: dict[str, Any]) -> int | None:
    rating = act.get("rating")
    if rating is not None and (type(rating) is not int or rating not in (-1, 0, 1)):
        raise ActRefused("A rating is right, neutral, wrong or unsure.")
    return rating


def _text(act: dict[str, Any], longest: int) -> str:
    text = act.get("text")
    if not isinstance(text, str):
        raise ActRefused("There is no text.")
    if len(text) > longest:
        raise ActRefused(f"The text has {len(text)} characters, and {longest} are allowed.")
    return text


def _milliseconds(act: dict[str, Any]) -> int | None:
    """None where the browser measured nothing that can be true: the ratings are good all the same."""
    value = act.get("milliseconds")
    return value if type(value) is int and 0 <= value <= MOST_MILLISECONDS else None
