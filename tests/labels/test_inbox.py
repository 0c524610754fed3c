"""Batches arrive as a whole or not at all, once, in any order, and what is wrong with them is reported."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from pathlib import Path

import msgspec
import pytest

from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox import inbox as inbox_module
from o1_assets.labels.inbox import validate as intake
from o1_assets.labels.inbox.inbox import Inbox, SubmitReport
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Violation
from o1_assets.labels.round_inputs import RoundInputs, export_to_file
from o1_assets.labels.schema import Origin, Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

GOOD = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


def submit(
    inbox: Inbox,
    folder: Path,
    selection: Selection,
    records: list[Record],
    name: str = "sent.jsonl",
    protocol: Protocol = DENSE,
) -> SubmitReport:
    return inbox.submit(world.write(folder / name, records), ROUND, world.check(selection, protocol))


def test_a_good_batch_is_accepted_and_kept_as_sent(tmp_path: Path, selection: Selection) -> None:
    inbox = Inbox(tmp_path / "inbox")
    record = world.rated(world.unrated(selection)["right"], GOOD)
    report = submit(inbox, tmp_path, selection, [record])
    assert (report.accepted, report.rejected, report.known) == (1, [], False)
    assert inbox.accepted(ROUND) == [report.digest]
    assert inbox.batch(ROUND, report.digest).read_bytes() == (tmp_path / "sent.jsonl").read_bytes()
    assert inbox.solutions(ROUND, report.digest) == ["right"]
    manifest = inbox.manifest(ROUND, report.digest)
    assert (manifest.lines, manifest.labelers, manifest.source) == (1, ["ann"], PEOPLE)


def test_the_same_batch_again_changes_nothing(tmp_path: Path, selection: Selection) -> None:
    inbox = Inbox(tmp_path / "inbox")
    record = world.rated(world.unrated(selection)["right"], GOOD)
    first = submit(inbox, tmp_path, selection, [record])
    before, files = inbox.version(ROUND), sorted(inbox.root.rglob("*"))
    again = submit(inbox, tmp_path, selection, [record], name="other_name.jsonl")
    assert again.known and again.digest == first.digest
    assert inbox.version(ROUND) == before
    assert sorted(inbox.root.rglob("*")) == files


def test_the_version_does_not_depend_on_the_order_of_arrival(tmp_path: Path, selection: Selection) -> None:
    records = [world.rated(world.unrated(selection)["right"], GOOD, labeler=name) for name in "abc"]
    versions = set()
    for number, order in enumerate(itertools.permutations(records)):
        inbox = Inbox(tmp_path / f"inbox{number}")
        for record in order:
            submit(inbox, tmp_path, selection, [record])
        versions.add(inbox.version(ROUND))
    assert len(versions) == 1
    assert versions != {Inbox(tmp_path / "empty").version(ROUND)}


@pytest.fixture
def good_and_bad(selection: Selection) -> list[Record]:
    """The third is as it should be; each other breaks a rule, the last one two."""
    blank = world.unrated(selection)

    def right(labeler: str = "ann") -> Record:
        return world.rated(blank["right"], GOOD, labeler)

    changed = right()
    changed.label.steps[1].completions[2].text = "check 3*4=13"
    rated_on = world.rated(blank["wrong"], {(0, 0): -1, (0, 1): 1, (0, 2): -1, (1, 0): 1})
    good = world.rated(blank["direct"], {(0, 0): -1, (0, 1): 1, (0, 2): 1})
    shorter = right()
    del shorter.label.steps[2]
    other_question = world.rated(blank["direct"], {(0, 0): -1})
    other_question.question.problem = "Calculate 6 - 1."
    unknown, elsewhere, foreign = right(), right(), right()
    unknown.o1 = msgspec.structs.replace(unknown.o1, solution_id="nobody")
    elsewhere.o1 = msgspec.structs.replace(elsewhere.o1, round="r04")
    foreign.o1 = None
    anonymous, unrated = right(labeler=""), blank["right"]
    return [
        changed, rated_on, good, shorter, other_question, unknown, elsewhere, anonymous, foreign, unrated,
    ]  # fmt: skip


def test_good_lines_are_taken_and_each_bad_one_is_named_with_line_solution_step_and_rule(
    tmp_path: Path, selection: Selection, good_and_bad: list[Record]
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    report = submit(inbox, tmp_path, selection, good_and_bad)
    assert report.accepted == 1 and inbox.solutions(ROUND, report.digest) == ["direct"]
    assert [(v.line, v.solution, v.step, v.completion, v.rule) for v in report.violations] == [
        (1, "right", 1, 2, "changed_text"),
        (2, "wrong", 1, 0, "after_first_negative"),
        (4, "right", None, None, "changed_steps"),
        (5, "direct", None, None, "changed_question"),
        (6, "nobody", None, None, "unknown_solution"),
        (7, "right", None, None, "wrong_round"),
        (8, "right", None, None, "no_labeler"),
        (9, None, None, None, "no_solution_id"),
        (10, "right", None, None, "no_labeler"),
        (10, "right", None, None, "no_timestamp"),
    ]
    assert report.rejected[1][1].startswith("line 2, solution wrong, step 2: ")


def test_a_file_with_bad_lines_is_kept_as_sent_beside_the_reasons(
    tmp_path: Path, selection: Selection, good_and_bad: list[Record]
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    submit(inbox, tmp_path, selection, good_and_bad)
    [quarantined] = inbox.quarantined(ROUND)
    assert inbox.reason(ROUND, quarantined)["rejected"][0]["rule"] == "changed_text"
    kept = inbox.root / ROUND / "quarantine" / quarantined / "sent.jsonl"
    assert kept.read_bytes() == (tmp_path / "sent.jsonl").read_bytes()


def test_lines_that_the_sender_refuses_are_kept_beside_its_reasons(
    tmp_path: Path, selection: Selection
) -> None:
    inbox, unrated = Inbox(tmp_path / "inbox"), world.unrated(selection)
    records = [world.rated(unrated["right"], GOOD), world.rated(unrated["direct"], {(0, 0): 1})]
    file = world.write(tmp_path / "sent.jsonl", records)
    file.write_text(file.read_text() + '{"no": "record"}\n')
    mine = {number: Violation("damaged_annotation", "say it again", 9) for number in (2, 3)}
    report = inbox.submit(file, ROUND, world.check(selection), refused_lines=mine)
    assert report.accepted == 1 and report.by_rule == {"damaged_annotation": 2}
    assert [(v.line, v.message) for v in report.violations] == [(2, "say it again"), (3, "say it again")]
    [folder] = (tmp_path / "inbox" / ROUND / "quarantine").iterdir()
    assert (folder / "sent.jsonl").read_bytes() == file.read_bytes()


def test_sparse_rounds_refuse_alternatives_that_were_not_asked_for(
    tmp_path: Path, selection: Selection
) -> None:
    record = world.rated(world.unrated(selection, SPARSE)["right"], GOOD, protocol=SPARSE)
    report = submit(Inbox(tmp_path / "inbox"), tmp_path, selection, [record], protocol=SPARSE)
    assert [v.rule for v in report.violations] == ["alternative_not_asked"] * 3


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b"{}", "wrong_schema"),
        (b'{"lab', "not_json"),
    ],
)
def test_a_file_without_a_good_line_is_quarantined_whole(
    tmp_path: Path, selection: Selection, content: bytes, rule: str
) -> None:
    inbox, file = Inbox(tmp_path / "inbox"), tmp_path / "bad.jsonl"
    file.write_bytes(content)
    for _ in range(2):
        report = inbox.submit(file, ROUND, world.check(selection))
        assert (report.accepted, report.digest) == (0, None)
        assert [v.rule for v in report.violations] == [rule]
    assert inbox.accepted(ROUND) == [] and len(inbox.quarantined(ROUND)) == 1


def test_a_file_cut_in_the_middle_gives_its_whole_lines(tmp_path: Path, selection: Selection) -> None:
    blank = world.unrated(selection)
    whole = world.write(tmp_path / "whole.jsonl", [world.rated(blank["right"], GOOD)] * 2).read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[:-100])
    report = Inbox(tmp_path / "inbox").submit(tmp_path / "cut.jsonl", ROUND, world.check(selection))
    assert report.accepted == 1 and [(v.line, v.rule) for v in report.violations] == [(2, "not_json")]


def test_a_folder_of_files_is_one_batch(tmp_path: Path, selection: Selection) -> None:
    blank, folder = world.unrated(selection), tmp_path / "batch"
    folder.mkdir()
    world.write(folder / "b.jsonl", [world.rated(blank["right"], GOOD)])
    (folder / "a.jsonl").write_text(
        world.rated(blank["direct"], {(0, 0): -1}).to_line()
    )  # no newline at its end
    report = Inbox(tmp_path / "inbox").submit(folder, ROUND, world.check(selection))
    assert report.accepted == 2 and not report.rejected


@pytest.mark.parametrize("name", ["../r03", "r3", "r003", "", "r03/../..", "r0３", "r03\n"])
def test_a_name_that_is_no_round_is_refused(tmp_path: Path, selection: Selection, name: str) -> None:
    inbox, file = Inbox(tmp_path / "inbox"), tmp_path / "x.jsonl"
    file.write_text("{}")
    with pytest.raises(ValueError, match="is not a round"):
        inbox.submit(file, name, world.check(selection))
    assert not inbox.root.exists()


def test_a_full_disk_leaves_nothing_visible_and_a_second_try_succeeds(
    tmp_path: Path, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, record = Inbox(tmp_path / "inbox"), world.rated(world.unrated(selection)["right"], GOOD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(inbox_module, "json_bytes", full)
        with pytest.raises(OSError, match="No space"):
            submit(inbox, tmp_path, selection, [record])
    assert inbox.accepted(ROUND) == [] and list((inbox.root / ".staging").iterdir()) == []
    assert submit(inbox, tmp_path, selection, [record]).accepted == 1


def test_a_batch_left_half_written_by_a_killed_process_is_not_seen(
    tmp_path: Path, selection: Selection
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    digest = submit(inbox, tmp_path, selection, [world.rated(world.unrated(selection)["right"], GOOD)]).digest
    shutil.copytree(inbox.root / ROUND / "accepted" / digest, inbox.root / ".staging" / "tmp1")
    (inbox.root / ROUND / "accepted" / ".DS_Store").write_text("")
    assert inbox.accepted(ROUND) == [digest]


def test_many_submitting_the_same_and_different_batches_at_once_lose_nothing(
    tmp_path: Path, selection: Selection
) -> None:
    inbox, blank = Inbox(tmp_path / "inbox"), world.unrated(selection)
    files = [
        world.write(tmp_path / f"{i}.jsonl", [world.rated(blank["right"], GOOD, labeler=f"labeler {i // 2}")])
        for i in range(12)
    ]
    failures: list[BaseException] = []

    def run(file: Path) -> None:
        try:
            inbox.submit(file, ROUND, world.check(selection))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(inbox.accepted(ROUND)) == 6
    assert list((inbox.root / ".staging").iterdir()) == []


def test_listing_never_opens_labels(tmp_path: Path, selection: Selection) -> None:
    inbox = Inbox(tmp_path / "inbox")
    digest = submit(inbox, tmp_path, selection, [world.rated(world.unrated(selection)["right"], GOOD)]).digest
    version = inbox.version(ROUND)
    inbox.batch(ROUND, digest).unlink()
    assert inbox.accepted(ROUND) == [digest] and inbox.version(ROUND) == version


def test_what_is_exported_can_be_rated_and_submitted(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    config = LabelBatchesConfig(round=ROUND, protocol="sparse", annotator="human")
    inputs = RoundInputs(config, *folders)
    assert export_to_file(inputs, inbox, tmp_path / "out.jsonl") == 3
    lines = []
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        record = json.loads(line)
        record.update(labeler="ann", timestamp="2026-01-01T10:00:00Z")
        record["label"]["steps"][0]["completions"][0]["rating"] = 1
        lines.append(json.dumps(record))
    (tmp_path / "rated.jsonl").write_text("\n".join(lines))
    report = inbox.submit(tmp_path / "rated.jsonl", ROUND, inputs.check())
    assert (report.accepted, report.rejected) == (3, [])
    unchanged = inbox.submit(tmp_path / "out.jsonl", ROUND, inputs.check())
    assert unchanged.accepted == 0 and {line for line, _ in unchanged.rejected} == {1, 2, 3}


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_a_file_is_judged_alike_whether_all_of_the_selection_is_read_or_what_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(intake, "SMALL_BYTES", small)
    blank, fresh = world.unrated(world.load(tmp_path)), world.load(tmp_path)
    gone, changed = world.rated(blank["wrong"], {(0, 0): -1}), world.rated(blank["direct"], {(0, 0): -1})
    gone.o1 = Origin(ROUND, "gone", fresh.digest, "dense")
    changed.label.steps[0].completions[1].text = "6-2=5"  # type: ignore[index]
    records = [world.rated(blank["right"], GOOD), gone, changed]
    report = submit(Inbox(tmp_path / "inbox"), tmp_path, fresh, records)
    assert [v.rule for v in report.violations] == ["unknown_solution", "changed_text"]
    assert report.accepted == 1 and ("completions" in fresh.__dict__) is (small == 0)
