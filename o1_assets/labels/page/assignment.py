"""Which solution a labeller is given next, and how many opinions are still wanted.

Two labellers are not given the same solution, unless several opinions are wanted; where these disagree, one labeller
more is asked. Everybody is given gold solutions now and then. A solution that somebody began and left is given to
others after half an hour.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from o1_assets.labels.opinions import Opinions
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.open_rounds import OpenRound, OpenRounds

LEASE_SECONDS = 30 * 60


@dataclass(frozen=True)
class Assignment:
    """opinions: how many labellers rate each solution. screening: whether who is new rates the screening solutions
    first. clock: seconds since 1970.
    """

    database: Database
    rounds: OpenRounds
    opinions: int
    screening: bool
    clock: Callable[[], float]

    def next_screening(self, round_: OpenRound, labeler: str) -> str | None:
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

    def next_solution(self, round_: OpenRound, known: Opinions, labeler: str, disputed: bool) -> str | None:
        """disputed: nothing but a solution on which labellers disagree."""
        mine, others = self._taken(round_, known, labeler)
        open_ = [s for s in round_.selection.solution_ids if s not in mine]
        regular = [
            s
            for s in open_
            if s not in round_.gold and len(others.get(s, ())) < self.wanted(known, s)
        ]  # fmt: skip
        if disputed:
            return next((s for s in regular if s in known.unsettled), None)
        gold = [s for s in open_ if s in round_.gold]
        if not regular:
            # The round goes on when all of it has come back, gold too, of which one return is enough.
            return next((s for s in gold if not others.get(s)), None)
        # Spread over what is left for this labeller, by a draw that nobody can foresee who sees the page.
        rng = random.Random(f"{round_.selection.digest} {labeler} {len(mine)}")
        share = len(regular) * max(1, self.opinions) / max(1, self.at_work(round_.name))
        if gold and rng.random() < len(gold) / (len(gold) + share):
            return rng.choice(gold)
        return regular[0]

    def wanted(self, known: Opinions, solution: str) -> int:
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
        since = self.clock() - LEASE_SECONDS
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

    def at_work(self, round_name: str) -> int:
        """How many labellers share the round: those who were at work within the last day."""
        row = self.database.row(
            "select count(distinct labeler) as n from tasks where round = ? and touched > ?",
            round_name, self.clock() - 24 * 3600,
        )  # fmt: skip
        return int(row["n"]) if row else 0
