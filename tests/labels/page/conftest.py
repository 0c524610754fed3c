"""A desk over the small selection, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from o1_assets.labels.config import LabelBatchesConfig, QualityConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.desk import Desk
from o1_assets.labels.round_inputs import RoundInputs
from tests.labels import world
from tests.labels.world import ROUND


class Labelling:
    """The desk, and acts as the page sends them. now: in seconds since 1970."""

    def __init__(
        self, root: Path, protocol: Any, opinions: int, gold: int, writing: Any, screening: int
    ) -> None:
        solutions = world.SOLUTIONS
        if gold or screening:
            more = {f"more{n}": (f"{n} + 1 * 1", [[f"{n}+1=0"], ["answer 0"]]) for n in range(2, 30)}
            solutions = {**solutions, **more}
        selection, train = world.write_selection(root, solutions, writing)
        quality = QualityConfig(gold=gold, screening=screening)
        config = LabelBatchesConfig(round=ROUND, protocol=protocol, annotator="human", quality=quality)
        self.now = 1_780_000_000.0
        self.inbox = Inbox(root / "inbox")
        self.inputs = RoundInputs(config, selection, train)
        self.file = root / "labeling.sqlite3"
        self.opinions = opinions
        self.open()

    def open(self) -> None:
        """A server that starts: after a kill, with what the one before has kept."""
        self.database = Database(self.file)
        self.desk = Desk(
            self.database,
            self.inbox,
            [ROUND],
            lambda name: self.inputs,
            self.opinions,
            True,
            lambda: self.now,
        )

    def next(self, labeler: str = "ann") -> dict[str, Any]:
        task = self.desk.next_task(labeler)
        assert task is not None
        return task

    def take(self, solution: str, labeler: str = "ann") -> dict[str, Any]:
        """The labeller's task of this solution; those before it in the order are called bad problems."""
        while (task := self.next(labeler))["solution"] != solution:
            self.act(task, "end", labeler, reason="give_up")
        return task

    def act(self, task: dict[str, Any], what: str, labeler: str = "ann", **more: Any) -> dict[str, Any]:
        self.now += 1
        name = {"round": task["round"], "solution": task["solution"], "version": task["version"]}
        return self.desk.act(labeler, {**name, "what": what, **more})

    def finish(self, task: dict[str, Any], labeler: str = "ann") -> dict[str, Any]:
        return self.act(task, "finish", labeler, milliseconds=1500)


Make = Callable[..., Labelling]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Labelling] = []

    def build(
        protocol: str = "sparse",
        opinions: int = 1,
        gold: int = 0,
        writing: str | None = None,
        screening: int = 0,
    ) -> Labelling:
        made.append(Labelling(tmp_path, protocol, opinions, gold, writing, screening))
        return made[-1]

    yield build
    for each in made:
        each.database.close()
