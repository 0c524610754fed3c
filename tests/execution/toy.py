"""A graph of three text files, small enough to follow by eye: letters -> upper -> both."""

from __future__ import annotations

from pathlib import Path

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.engine import Engine
from o1_assets.execution.materialize import Made, materialize
from o1_assets.store.store import ArtifactStore


class LettersConfig(StageConfig):
    count: int = 3


class UpperConfig(StageConfig):
    suffix: str = ""


def letters(task: Task, config: LettersConfig) -> Outcome:
    (task.out / "text.txt").write_text("abcdefgh"[: config.count])
    return Outcome(figures={"count": config.count})


def upper(task: Task, config: UpperConfig) -> Outcome:
    text = (task.inputs["letters"] / "text.txt").read_text()
    (task.out / "text.txt").write_text(text.upper() + config.suffix)
    return Outcome()


def both(task: Task, config: UpperConfig) -> Outcome:
    parts = [(task.inputs[name] / "text.txt").read_text() for name in ("letters", "upper")]
    (task.out / "text.txt").write_text("|".join(parts) + config.suffix)
    return Outcome()


def toy_graph(count: int = 3, suffix: str = "", seed: int = 0) -> dict[str, Artifact]:
    rows = [
        Artifact("toy/letters", letters, LettersConfig(count=count), {}, "letters", "toy", seed=seed),
        Artifact("toy/upper", upper, UpperConfig(suffix=suffix), {"letters": "toy/letters"}, "upper", "toy"),
        Artifact(
            "toy/both", both, UpperConfig(), {"letters": "toy/letters", "upper": "toy/upper"}, "both", "toy"
        ),
    ]
    return {row.key: row for row in rows}


def no_engine(checkpoint: Path) -> Engine:
    raise AssertionError(f"the toy graph samples nothing, asked for {checkpoint}")


def make(store: ArtifactStore, artifact: Artifact) -> Made:
    return materialize(artifact, store, profile="toy", open_engine=no_engine, threads=1)


def make_all(store: ArtifactStore, graph: dict[str, Artifact]) -> dict[str, Made]:
    return {key: make(store, artifact) for key, artifact in graph.items()}
