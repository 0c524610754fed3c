"""Gives solutions out to labellers, keeps what they do, and files what is finished in the inbox.

What is finished is filed in batches, one a labeller, as soon as 25 are finished or the labeller has paused for a
minute: a batch a solution would be hundreds of batches a round. Until then the record is in the database.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Row
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.page.acts import perform
from o1_assets.labels.page.assignment import Assignment
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.draft import ActRefused, Draft, Sheet
from o1_assets.labels.page.open_rounds import OpenRound, OpenRounds
from o1_assets.labels.round_inputs import RoundInputs
from o1_assets.labels.schema import Record

BATCH = 25
PAUSE_SECONDS = 60.0


class NoSuchTask(O1Error, LookupError):
    """The labeller was not given this solution, or it is in the round no more."""


class StaleAct(O1Error):
    """The page showed an older state of the task than the server has: in another tab, it went on."""


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
        self.database, self.inbox, self._clock = database, inbox, clock
        self.rounds = OpenRounds(inbox, rounds, inputs_of)
        self.assignment = Assignment(database, self.rounds, opinions, screening, clock)

    # Giving out.

    def next_task(self, labeler: str, skip: Collection[str] = ()) -> dict[str, Any] | None:
        """The task that the labeller began and left, or a new one; None: nothing is left. skip: solutions."""
        for row in self.database.rows(
            "select * from tasks where labeler = ? and finished is null order by given", labeler
        ):
            if row["round"] in self.rounds and row["solution"] not in skip:
                # A selection that was made again may have lost the solution, and what is returned of it.
                round_ = self.rounds.round(row["round"])
                if row["selection"] == round_.selection.digest and row["solution"] in round_.selection:
                    return self._view(round_, row)
        names = [name for name in self.rounds if not self.rounds.is_closed(name)]
        # What is disputed first, while those who disagree remember it.
        for disputed in (True, False) if self.assignment.opinions > 1 else (False,):
            for name in names:
                if task := self._give(self.rounds.round(name), labeler, disputed):
                    return task
        return None

    def _give(self, round_: OpenRound, labeler: str, disputed: bool) -> dict[str, Any] | None:
        opinions = self.rounds.opinions(round_)
        with self.database.transaction():
            screened = self.assignment.next_screening(round_, labeler)
            solution = screened or self.assignment.next_solution(round_, opinions, labeler, disputed)
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

    # What a labeller does.

    def task(self, labeler: str, round_name: str, solution: str) -> dict[str, Any]:
        """A task that the labeller was given, to be corrected or gone on with. Raises NoSuchTask."""
        return self._view(
            self.rounds.round(self._known_round(round_name)), self._row(round_name, solution, labeler)
        )

    def act(self, labeler: str, act: dict[str, Any]) -> dict[str, Any]:
        """One act; returns the task after it.

        act: round, solution, version (of the task that the page shows), id (a repeated act is done once), and what is
        to be done (`acts.perform`). Raises NoSuchTask, StaleAct, ActRefused.
        """
        round_ = self.rounds.round(self._known_round(str(act.get("round"))))
        with self.database.transaction():
            row = self._row(round_.name, str(act.get("solution")), labeler)
            content = json.loads(row["draft"])
            # The answer to the act was lost, and the page sent it again.
            if act.get("id") and content.get("last") == act["id"]:
                return self._view(round_, row)
            if act.get("version") != row["version"]:
                raise StaleAct("This solution was changed in another tab or window; this is how it is now.")
            sheet, draft = self._sheet(round_, row), Draft.from_json(row["draft"])
            after, record = perform(act, sheet, draft, labeler, self._now())
            self._save(row, after, str(act.get("id") or ""))
            if record is not None:
                self._finish(round_, row, record)
            return self._view(round_, self._row(round_.name, row["solution"], labeler))

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
            if is_due and group["round"] in self.rounds and not self.rounds.is_closed(group["round"]):
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
            report = self.inbox.submit(file, round_name, self.rounds.round(round_name).check)
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
