"""Which of two ratings by one labeller counts: the later one, and never one that nobody can tell to be later."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from o1_assets.cli.main import app
from o1_assets.core.settings import Settings
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.protocol import SPARSE
from tests.labels import world
from tests.labels.world import ROUND

RIGHT, WRONG = {(0, 0): 1, (1, 0): 1, (2, 0): 1}, {(0, 0): 1, (1, 0): -1, (1, 1): 1, (1, 2): 0}


def submit(file: Path) -> dict[str, Any]:
    return json.loads(
        CliRunner().invoke(app, ["labels", "submit", str(file), "--round", ROUND, "--json"]).output
    )


def lines(tmp_path: Path, *given: tuple[dict[tuple[int, int], int], str], name: str = "rated.jsonl") -> Path:
    blank = world.unrated(world.load(tmp_path), SPARSE)["right"]
    records = [world.rated(blank, ratings, timestamp=when, protocol=SPARSE) for ratings, when in given]
    return world.write(tmp_path / name, records)


def test_a_rating_of_the_future_is_refused_and_the_others_are_taken(home: Settings, tmp_path: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    result = submit(lines(tmp_path, (RIGHT, "2099-01-01T00:00:00"), (WRONG, soon)))
    assert (result["accepted"], result["by_rule"]) == (1, {"future_timestamp": 1})
    (refused,) = result["rejected"]
    assert (
        refused["line"] == 1
        and "2099-01-01T00:00:00 is in the future; write when it was rated" in refused["message"]
    )


@pytest.mark.parametrize("second", ["2026-01-01T00:00:00", "2026-01-01T02:00:00+02:00"])
def test_another_rating_of_the_same_moment_is_refused_with_the_batch_that_it_contradicts(
    home: Settings, tmp_path: Path, second: str
) -> None:
    first = submit(lines(tmp_path, (RIGHT, "2026-01-01T00:00:00")))
    result = submit(lines(tmp_path, (WRONG, second)))
    assert (result["accepted"], result["by_rule"]) == (0, {"same_moment": 1})
    (refused,) = result["rejected"]
    assert (refused["solution"], refused["step"], refused["completion"]) == ("right", 1, 0)
    assert (
        f"in batch {first['digest'][:12]}" in refused["message"] and "a later timestamp" in refused["message"]
    )
    assert "line 1, solution right, step 2: ann says otherwise at the same time" in refused["reason"]
    assert submit(lines(tmp_path, (WRONG, "2026-01-01T00:00:01")))["accepted"] == 1


def test_in_one_file_the_first_of_two_ratings_of_one_moment_stays_also_in_a_folder(
    home: Settings, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    lines(tmp_path, (RIGHT, "2026-01-01"), name="folder/a.jsonl")
    lines(
        tmp_path, (RIGHT, "2026-01-01"), (WRONG, "2026-01-01"), (WRONG, "2026-01-02"), name="folder/b.jsonl"
    )
    result = submit(tmp_path / "folder")
    assert (result["accepted"], result["by_rule"]) == (3, {"same_moment": 1})
    assert [(each["file"], each["line"]) for each in result["rejected"]] == [("b.jsonl", 2)]
    assert submit(tmp_path / "folder")["known"], "what was sent once may be sent again"


def test_who_gives_a_solution_up_and_rates_it_at_once_is_asked_which(home: Settings, tmp_path: Path) -> None:
    submit(lines(tmp_path, (RIGHT, "2026-01-01")))
    file = lines(tmp_path, (RIGHT, "2026-01-01"))
    file.write_text(file.read_text().replace('"finish_reason": "solution"', '"finish_reason": "give_up"'))
    assert submit(file)["by_rule"] == {"same_moment": 1}


def test_what_was_withdrawn_contradicts_nothing(home: Settings, tmp_path: Path) -> None:
    digest = submit(lines(tmp_path, (RIGHT, "2026-01-01")))["digest"]
    Inbox(home.inbox).withdraw(ROUND, digest, "lead")
    assert submit(lines(tmp_path, (WRONG, "2026-01-01")))["accepted"] == 1


def trl(tmp_path: Path, name: str, *labels: list[bool], at: int) -> Path:
    """A file of the solution "right" in TRL's format, last written at a time."""
    steps = [texts[0] for texts in world.SOLUTIONS["right"][1]]
    rows = [{"prompt": "Calculate 3 * 4 - 5.", "completions": steps, "labels": each} for each in labels]
    other = {"prompt": "Calculate 6 - 2.", "completions": ["answer 5"], "labels": [False]}
    file = tmp_path / name
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, other]))
    os.utime(file, (at, at))
    return file


def by_ann(file: Path) -> dict[str, Any]:
    command = ["labels", "submit", str(file), "--round", ROUND, "--labeler", "ann", "--json"]
    return json.loads(CliRunner().invoke(app, command).output)


def latest(home: Settings) -> list[int]:
    """What ann says last of each step of the solution."""
    inbox = Inbox(home.inbox)
    events = pl.concat([inbox.tables(ROUND, digest)[0] for digest in inbox.accepted(ROUND)])
    last = (
        events.filter(pl.col("solution_id") == "right")
        .sort("step", "moment")
        .group_by("step", maintain_order=True)
    )
    return last.agg(pl.col("rating").last())["rating"].to_list()


def test_a_copy_of_an_old_file_without_times_overrides_no_correction(home: Settings, tmp_path: Path) -> None:
    first, second = [True, True, True], [True, True, False]
    sent = by_ann(trl(tmp_path, "a.jsonl", first, at=1_770_000_000))
    assert by_ann(trl(tmp_path, "b.jsonl", second, at=1_771_000_000))["accepted"] == 2
    copy = by_ann(trl(tmp_path, "copy of a.jsonl", first, at=1_772_000_000))
    assert copy["known"] and copy["digest"] == sent["digest"] and not copy["refused"]
    assert latest(home) == [1, 1, -1]
    # In a file with something else in it, the old rating is refused, so that nobody takes it for a new one.
    mixed = trl(tmp_path, "c.jsonl", first, at=1_773_000_000)
    mixed.write_text(mixed.read_text().replace("[false]", "[true]"))
    result = by_ann(mixed)
    assert (result["accepted"], result["by_rule"]) == (1, {"corrected_since": 1})
    (refused,) = result["rejected"]
    assert "ann sent these ratings before" in refused["message"] and "PRM800K's record" in refused["message"]
    assert latest(home) == [1, 1, -1]


def test_a_copy_of_a_withdrawn_file_without_times_overrides_no_correction_either(
    home: Settings, tmp_path: Path
) -> None:
    first, second = [True, True, True], [True, True, False]
    sent = by_ann(trl(tmp_path, "a.jsonl", first, at=1_770_000_000))
    by_ann(trl(tmp_path, "b.jsonl", second, at=1_771_000_000))
    Inbox(home.inbox).withdraw(ROUND, sent["digest"], "lead")
    copy = by_ann(trl(tmp_path, "copy of a.jsonl", first, at=1_772_000_000))
    assert copy["accepted"] == 0 and copy["by_rule"]["batch_withdrawn"] == 1
    assert latest(home) == [1, 1, -1]
