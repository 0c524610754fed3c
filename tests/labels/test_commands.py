"""`o1 labels` as a labelling lead types it: what was accepted, what was refused and why, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from o1_assets.cli.label_rounds import LabelsError, user
from o1_assets.cli.main import app
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.switches import DamagedSwitches
from o1_assets.labels.protocol import SPARSE
from o1_assets.labels.round_inputs import UnknownRound
from o1_assets.profiles.load import load_profile
from tests.labels import world
from tests.labels.world import ROUND


def o1(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["labels", *arguments])


def rated(tmp_path: Path, **ratings: dict[tuple[int, int], int]) -> Path:
    """A file with one record a solution, rated as given."""
    blank = world.unrated(world.load(tmp_path), SPARSE)
    records = [world.rated(blank[name], given, protocol=SPARSE) for name, given in ratings.items()]
    return world.write(tmp_path / "rated.jsonl", records)


def test_submitting_says_what_was_taken_and_of_the_rest_line_solution_step_rule_and_where_it_lies(
    home: Settings, tmp_path: Path
) -> None:
    file = rated(
        tmp_path, right={(0, 0): 1, (1, 0): -1, (2, 0): 1}, direct={(0, 0): -1, (0, 1): 1, (0, 2): 1}
    )
    done = o1("submit", str(file), "--round", ROUND)
    assert done.exit_code == 0, done.output
    first, violation, quarantine, unused = done.output.splitlines()
    assert unused.startswith(
        "r03 is rated by oracle, and people's labels of it are kept and not used; `o1 labels switch"
    )
    assert first.startswith("r03: 1 records accepted as batch ") and first.endswith("; 1 refused")
    assert violation == (
        "  line 1, solution right, step 3: rated although step 2 before it is negative [after_first_negative]"
    )
    folder = Path(quarantine.removeprefix("the file as sent and every reason: "))
    assert (folder / "sent.jsonl").read_bytes() == file.read_bytes()
    assert json.loads((folder / "reason.json").read_text())["rejected"][0]["rule"] == "after_first_negative"
    again = o1("submit", str(file), "--round", ROUND)
    assert ", all of them were there already; 1 refused" in again.output


def test_json_names_every_part_of_a_violation(home: Settings, tmp_path: Path) -> None:
    done = o1("submit", str(rated(tmp_path, right={(0, 0): 1, (0, 1): 1})), "--round", ROUND, "--json")
    assert done.exit_code == 1, "nothing was accepted"
    result = json.loads(done.output)
    assert (result["accepted"], result["refused"], result["by_rule"]) == (0, 1, {"alternative_not_asked": 1})
    named = {key: result["rejected"][0][key] for key in ("line", "solution", "step", "completion", "rule")}
    assert named == {
        "line": 1, "solution": "right", "step": 0, "completion": 1, "rule": "alternative_not_asked",
    }  # fmt: skip


def test_many_violations_are_summed_up(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n" * 100)
    lines = o1("submit", str(tmp_path / "x.jsonl"), "--round", ROUND).output.splitlines()
    assert len(lines) < 25 and "  and 80 more; in all: wrong_schema 100" in lines


def test_a_closed_round_says_why_and_reopening_takes_the_file(home: Settings, tmp_path: Path) -> None:
    file = str(rated(tmp_path, direct={(0, 0): -1, (0, 1): 1, (0, 2): 1}))
    assert o1("close", ROUND, "--reason", "published in May").exit_code == 0
    refused = o1("submit", file, "--round", ROUND)
    assert refused.exit_code == 1 and "r03 is closed: published in May [round_closed]" in refused.output
    assert o1("reopen", ROUND).exit_code == 0
    assert "1 records accepted" in o1("submit", file, "--round", ROUND).output


@pytest.mark.parametrize(
    "arguments", [("close", "r11"), ("reopen", "../r03"), ("submit", "x", "--round", "r99")]
)
def test_a_round_that_does_not_exist_is_named_with_those_that_do(
    home: Settings, arguments: tuple[str, ...]
) -> None:
    error = o1(*arguments).exception
    assert isinstance(error, UnknownRound) and "it has r00 to r10" in str(error)


def test_a_full_disk_is_one_sentence_that_says_what_to_do(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inbox, "submit", full)
    error = o1("submit", "x.jsonl", "--round", ROUND).exception
    assert isinstance(error, LabelsError)
    assert "No space left on device" in str(error) and "submit the same file again" in str(error)


def test_a_link_is_refused_in_one_sentence(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(rated(tmp_path, direct={(0, 0): -1}))
    error = o1("submit", str(tmp_path / "link.jsonl"), "--round", ROUND).exception
    assert isinstance(error, LabelsError) and "is a link; links are not followed" in str(error)


def test_an_import_shows_its_counts_by_round_and_how_to_use_it(home: Settings, tmp_path: Path) -> None:
    record = json.loads(world.unrated(world.load(tmp_path))["right"].to_line())
    record.update(labeler="ann", timestamp="2022-01-01T00:00:00", generation=4)
    record["label"]["finish_reason"] = "give_up"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "phase2_train.jsonl").write_text(json.dumps(record) + "\n{}\n")
    done = o1("import", str(tmp_path / "data"))
    assert done.exit_code == 0, done.output
    lines = {" ".join(line.split()[:-1]): line.split()[-1] for line in done.output.splitlines() if line}
    assert lines[""] == "r05" and lines["records"] == "1" and lines["give up records"] == "1"
    assert "1 items refused (wrong_schema 1), all of them in " in done.output
    (refused,) = (home.imported / "prm800k").glob("*/refused.jsonl")
    assert json.loads(refused.read_text())["item"] == "{}" and str(refused) in done.output
    # Other rounds would wait for labels that the source does not have.
    assert '--set \'label_source={"name":"prm800k","first":5,"last":5}\'' in done.output
    wrong = o1("import", str(tmp_path / "data"), "--name", "../x").exception
    assert isinstance(wrong, LabelsError) and "cannot name a label source" in str(wrong)
    (tmp_path / "empty").mkdir()
    assert isinstance(o1("import", str(tmp_path / "empty")).exception, LabelsError)


def test_an_export_of_what_is_missing_shrinks_with_what_comes_back(home: Settings, tmp_path: Path) -> None:
    done = o1("export", ROUND, "--missing", "-o", str(tmp_path / "all.jsonl"))
    assert done.exit_code == 0 and len((tmp_path / "all.jsonl").read_text().splitlines()) == 3
    file = rated(tmp_path, right={(0, 0): -1}, direct={(0, 0): -1, (0, 1): 1, (0, 2): 1}, wrong={(0, 0): -1})
    first = file.read_text().splitlines(keepends=True)
    file.write_text("".join(first[:1]))
    o1("submit", str(file), "--round", ROUND)
    o1("export", ROUND, "--missing", "-o", str(tmp_path / "less.jsonl"))
    assert len((tmp_path / "less.jsonl").read_text().splitlines()) == 2
    file.write_text("".join(first[1:]))
    o1("submit", str(file), "--round", ROUND)
    assert "r03 misses nothing" in o1("export", ROUND, "--missing").output
    wrong = o1("export", ROUND, "--missing", "--screening").exception
    assert isinstance(wrong, LabelsError) and "exclude each other" in str(wrong)


def test_a_round_is_switched_by_name_and_back_and_each_switch_is_recorded(
    home: Settings, tmp_path: Path
) -> None:
    assert o1("submit", str(rated(tmp_path, direct={(0, 0): -1})), "--round", ROUND).exit_code == 0
    before = o1("status", ROUND).stdout
    assert (
        "r03 is rated by oracle; from people: 1 of 3 solutions rated" in before
        and "(kept, not used)" in before
    )
    switched = json.loads(o1("switch", ROUND, "human", "--reason", "pilot", "--json").stdout)
    assert switched["uses_people"] and switched["switches"][0]["why"] == "pilot"
    after = Project(home).profile.batches(3)
    assert after.annotator == "human" and after.switched and after.switched.who == user()
    assert "(used)" in o1("status", ROUND).stdout
    assert "already; nothing was changed" in o1("switch", ROUND, "human").stdout
    assert o1("switch", ROUND, "human+oracle").exit_code == o1("switch", ROUND, "profile").exit_code == 0
    assert Project(home).profile.batches(3) == load_profile("nano", "").batches(3)
    history = json.loads(o1("status", ROUND, "--json").stdout)[ROUND]["switches"]
    assert [switch["annotator"] for switch in history] == ["human", "human+oracle", "profile"]
    for arguments, why in (
        (("r99", "human"), "there is no round"),
        ((ROUND, "bob"), "choose one of: oracle,"),
    ):
        assert why in str(o1("switch", *arguments).exception)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"r03": [{"annotator": "bob"}]}', '{"r03": null}', "[" * 99_999]
)
def test_switches_that_cannot_be_read_are_one_sentence_and_can_be_made_again(
    home: Settings, content: str
) -> None:
    home.inbox.mkdir(parents=True)
    (home.inbox / "annotators.json").write_text(content)
    error = o1("status").exception
    assert isinstance(error, DamagedSwitches) and "`o1 labels switch`" in str(error)
    assert o1("switch", ROUND, "human").exit_code == 0 and Project(home).profile.annotator_of(3) == "human"
    assert (home.inbox / "annotators.json.damaged.1").read_text() == content
