"""A process of a shared training that fails ends with a failure: the others wait for it, and are ended with it."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.settings import Settings
from o1_assets.engine.training import processes
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.orchestration import train
from o1_assets.profiles.load import load_profile
from tests.execution.toy import toy_graph

SENTENCE = "train.jsonl is not here"


def fails(task: Task, config: Any) -> Any:
    raise FileNotFoundError(SENTENCE)


def sent(task: Task | None) -> Any:
    """As it arrives in another process."""
    return pickle.loads(pickle.dumps(task))


def test_a_task_arrives_with_everything_that_a_training_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[Task] = []
    arrived: list[Task] = []

    def computes(task: Task, config: Any) -> Outcome:
        began.append(task)
        (task.out / "letters.txt").write_text("a")
        return Outcome()

    artifact = replace(toy_graph()["toy/letters"], compute=computes)
    monkeypatch.setattr(train, "prepare_compute", lambda *about: None)
    monkeypatch.setattr(train, "_hand_out", lambda task: arrived.append(sent(task)))
    train.make(artifact, Project(Settings.load("nano", tmp_path), "threads=1"), print)
    for name in ("inputs", "seed", "unfinished"):
        assert getattr(arrived[0], name) == getattr(began[0], name)


def test_one_that_assists_does_not_leave_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = replace(toy_graph()["toy/letters"], compute=fails)
    task = Task({}, tmp_path, 0, open_engine=train._nothing)
    monkeypatch.setattr(train, "_hand_out", lambda none: task)
    with pytest.raises(train.Abandoned, match=SENTENCE):
        train._assist(artifact, train._nothing)


@pytest.mark.parametrize("number", [1, 2])
def test_process_0_abandons_only_who_computes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    artifact = replace(toy_graph()["toy/letters"], compute=fails)
    monkeypatch.setattr(train, "prepare_compute", lambda *about: None)
    monkeypatch.setattr(processes, "processes", lambda: number)
    monkeypatch.setattr(train, "_hand_out", sent)
    with pytest.raises(FileNotFoundError if number == 1 else train.Abandoned, match=SENTENCE):
        train.make(artifact, Project(Settings.load("nano", tmp_path), "threads=1"), print)


def test_it_says_why_and_its_exit_code_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(*arguments: Any) -> Any:
        raise train.Abandoned(SENTENCE)

    monkeypatch.setenv("O1_HOME", str(tmp_path))
    monkeypatch.setattr(train, "make", make)
    monkeypatch.setattr(sys, "argv", ["train", "r00/prm"])
    assert build_graph(load_profile("nano", ""), Settings.load("nano", tmp_path))["r00/prm"].launches
    with pytest.raises(SystemExit, match=SENTENCE) as ended:
        train.main()
    assert ended.value.code == f"o1: {SENTENCE}"
    assert SENTENCE in capsys.readouterr().err
