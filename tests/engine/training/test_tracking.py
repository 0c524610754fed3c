"""Trackers hear of every update, stop no training, and are named by one setting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.core.settings import BadSetting
from o1_assets.engine.training import tracking
from o1_assets.engine.training.tracking import record, tracked_by, tracker, tracker_names
from o1_assets.orchestration.live import live_curve


def test_nothing_is_sent_anywhere_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("O1_TRACK", raising=False)
    with tracker("r00/prm", tmp_path, print) as receiver:
        assert receiver is None
    record(1, {"loss": 1.0})
    assert not list(tmp_path.iterdir())


def test_tensorboard_has_every_update_under_the_artifacts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("O1_TRACK", "tensorboard")
    with tracker("r00/prm", tmp_path, pytest.fail) as receiver:
        assert receiver is not None and not list(tmp_path.iterdir())
        with tracked_by(receiver):
            for update in (1, 2, 3):
                record(update, {"loss": 1 / update, "note": "words are no figures"})
    read = EventAccumulator(str(tmp_path / "tensorboard" / "r00_prm")).Reload()
    scalars = [(event.step, round(event.value, 4)) for event in read.Scalars("train/loss")]
    assert scalars == [(1, 1.0), (2, 0.5), (3, 0.3333)]


def test_a_tracker_that_fails_stops_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def broken(*_: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setenv("O1_TRACK", "tensorboard")
    monkeypatch.setattr(tracking, "tracker_names", lambda: ("tensorboard",))
    monkeypatch.setattr(tracking, "_integration", broken)
    with tracker("r00/prm", tmp_path, lines.append) as receiver:
        assert receiver is not None
        with tracked_by(receiver):
            record(1, {"loss": 1.0})
            record(2, {"loss": 1.0})
        assert not tracking._receivers
    assert lines == ["tracking stops (ConnectionError: no network); the training goes on"]


@pytest.mark.parametrize(
    ("value", "says"), [("tensorbord", "there is tensorboard, wandb"), ("mlflow", "pip install mlflow")]
)
def test_a_tracker_that_cannot_be_used_is_refused(
    value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O1_TRACK", value)
    with pytest.raises(BadSetting, match=says):
        tracker_names()


def test_the_ui_sees_the_newest_figures_now_and_then() -> None:
    seen: list[dg.AssetObservation] = []
    clock = iter([0.0, 5.0, 16.0, 16.0, 20.0])
    receive = live_curve("r00/policy", seen.append, now=lambda: next(clock), every=15.0)
    figures: Mapping[str, float] = {"prm_score": 0.5}
    for update in (1, 2, 3):
        receive(update, figures)
    assert [observation.metadata["update"].value for observation in seen] == [2]
    assert seen[0].asset_key == dg.AssetKey("r00_policy") and seen[0].metadata["prm_score"].value == 0.5
