"""The stages of an artifact that is many computations in turn: each is kept, and a killed one goes on at its stage.

unfinished/done/<stage>/out, outcome.json     whole: it got its name by one rename, after everything was on the disk
unfinished/begun/<stage>                      a killed one's; begun anew
unfinished/training/<stage>                   the last state of a stage's training
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from o1_assets.artifact import Compute, Cost, Figures, StageConfig, Task
from o1_assets.files import publish
from o1_assets.seeds import derive_seed

OUTCOME = "outcome.json"


class Stages:
    """cost: of all stages so far, those of a killed process too. figures: stage -> what it reported."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder = task, folder
        self.cost = Cost()
        self.figures: dict[str, Figures] = {}

    @classmethod
    @contextmanager
    def of(cls, task: Task) -> Iterator[Stages]:
        """In the task's unfinished folder; where nothing is to be kept, in one that goes at the end."""
        if task.unfinished is not None:
            yield cls(task, task.unfinished)
            return
        with tempfile.TemporaryDirectory() as folder:
            yield cls(task, Path(folder))

    def make(self, name: str, compute: Compute, config: StageConfig, inputs: Mapping[str, Path]) -> Path:
        """The folder of the stage `name` ("r01/prm"), made unless an earlier process finished it. Its seed follows from
        the task's and its name."""
        done, training = self.folder / "done" / name, self.folder / "training" / name
        if not done.is_dir():
            begun = self.folder / "begun" / name
            shutil.rmtree(begun, ignore_errors=True)
            (begun / "out").mkdir(parents=True)
            outcome = compute(
                Task(
                    inputs=inputs,
                    out=begun / "out",
                    seed=derive_seed(self.task.seed, name),
                    open_engine=self.task.open_engine,
                    progress=lambda line: self.task.progress(f"{name}: {line}"),
                    unfinished=training,
                ),
                config,
            )
            said = {"figures": outcome.figures, "cost": asdict(outcome.cost)}
            (begun / OUTCOME).write_text(json.dumps(said) + "\n")
            publish(begun, done)
        shutil.rmtree(training, ignore_errors=True)
        kept = json.loads((done / OUTCOME).read_text())
        self.cost += Cost(**kept["cost"])
        self.figures[name] = kept["figures"]
        return done / "out"
