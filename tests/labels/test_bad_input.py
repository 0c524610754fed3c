"""Damaged and hostile files: good lines are accepted, the others reported, and nothing is lost or half written."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.files import NotAFile
from o1_assets.labels.inbox import validate as intake
from o1_assets.labels.inbox.inbox import ABANDONED_SECONDS, Inbox, SubmitReport
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

GOOD = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}

SUBMIT = """
import re, sys
from pathlib import Path
from o1_assets.labels.inbox import inbox
from tests.labels import world
root, file = Path(sys.argv[1]), Path(sys.argv[2])
selection = world.Selection.load(root / "selection", root / "train")
check = world.check(selection)
{before}
report = inbox.Inbox(root / "inbox").submit(file, world.ROUND, check)
# Not ru_maxrss: a child is born with that of the process that started it.
status = Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.exists() else None
print(report.accepted, report.known, [v.rule for v in report.violations], int(peak[1]) // 1024 if peak else 0)
"""


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def good(selection: Selection) -> Record:
    return world.rated(world.unrated(selection)["right"], GOOD)


def start(tmp_path: Path, file: Path, before: str = "") -> subprocess.Popen[str]:
    """Another process that submits `file`; `before` runs in it first."""
    command = [sys.executable, "-c", SUBMIT.format(before=before), str(tmp_path), str(file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def visible(inbox: Inbox) -> list[Path]:
    return sorted(
        path
        for path in inbox.root.rglob("*")
        if path.is_file() and not {".staging", ".lock"} & set(path.parts)
    )


def rules(report: SubmitReport) -> list[str]:
    return [violation.rule for violation in report.violations]


def test_a_gigabyte_on_one_line_is_refused_in_little_memory_and_the_line_after_it_is_taken(
    tmp_path: Path, selection: Selection, good: Record
) -> None:
    file = tmp_path / "huge.jsonl"
    with file.open("wb") as out:
        out.write(b'{"labeler": "')
        out.truncate(1 << 30)  # a hole in the file, but a gigabyte to whoever reads it
        out.seek(0, os.SEEK_END)
        out.write(b"\n" + good.to_line().encode() + b"\n")
    out_text, error = start(tmp_path, file).communicate(timeout=200)
    assert out_text.startswith("1 False ['line_too_long']"), error
    assert int(out_text.split()[-1]) < 500, "MiB at its highest"


@pytest.mark.parametrize("rating", ["2", '"1"', "true", "1.0", "-2"])
def test_a_rating_that_is_none_is_named_with_line_solution_step_and_rule(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record, rating: str
) -> None:
    line = good.to_line()
    wrong = line.replace('"text": "12-5=6", "rating": -1', f'"text": "12-5=6", "rating": {rating}')
    (tmp_path / "x.jsonl").write_text(f"{line}\n{wrong}\n")
    report = inbox.submit(tmp_path / "x.jsonl", ROUND, world.check(selection))
    (found,) = report.violations
    assert (found.line, found.solution, found.step, found.completion, found.rule) == (
        2, "right", 1, 1, "wrong_rating",
    )  # fmt: skip
    assert report.accepted == 1


def test_windows_line_ends_and_a_byte_order_mark_are_no_reason_to_refuse(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + good.to_line().encode() + b"\r\n")
    report = inbox.submit(tmp_path / "x.jsonl", ROUND, world.check(selection))
    assert (report.accepted, rules(report)) == (1, [])


def test_a_step_added_without_completions_is_a_changed_record(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    line = json.loads(good.to_line())
    line["label"]["steps"].append({"completions": None, "human_completion": None, "chosen_completion": None})
    (tmp_path / "x.jsonl").write_text(json.dumps(line))
    report = inbox.submit(tmp_path / "x.jsonl", ROUND, world.check(selection))
    assert (report.accepted, rules(report)) == (0, ["changed_steps"])


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
def test_a_time_that_cannot_be_is_a_violation(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record, timestamp: str
) -> None:
    good.timestamp = timestamp
    report = inbox.submit(world.write(tmp_path / "x.jsonl", [good]), ROUND, world.check(selection))
    assert (report.accepted, rules(report)) == (0, ["wrong_schema"])


def test_a_million_things_wrong_are_counted_and_the_first_are_listed(
    tmp_path: Path, selection: Selection, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_LISTED", 5)
    (tmp_path / "x.jsonl").write_text("{}\n" * 1000)
    report = inbox.submit(tmp_path / "x.jsonl", ROUND, world.check(selection))
    assert len(report.violations) == 5 and report.refused == 1000 and report.by_rule == {"wrong_schema": 1000}
    assert report.quarantined is not None
    assert inbox.reason(ROUND, report.quarantined)["by_rule"] == {"wrong_schema": 1000}


def test_a_closed_round_takes_nothing_keeps_what_was_sent_and_can_be_opened_again(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    file = world.write(tmp_path / "x.jsonl", [good])
    inbox.close(ROUND, "its labels are published")
    report = inbox.submit(file, ROUND, world.check(selection))
    assert (report.accepted, rules(report)) == (0, ["round_closed"])
    assert "its labels are published" in report.rejected[0][1]
    assert report.quarantined is not None
    assert (inbox.quarantine(ROUND, report.quarantined) / "sent.jsonl").read_bytes() == file.read_bytes()
    assert inbox.accepted(ROUND) == []
    inbox.reopen(ROUND)
    assert inbox.submit(file, ROUND, world.check(selection)).accepted == 1


def test_late_labels_are_taken_however_many_rounds_have_followed(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    other = world.write(tmp_path / "later.jsonl", [good])
    inbox.submit(other, "r07", world.AcceptAll(selection, "r07", DENSE))
    assert inbox.submit(other, ROUND, world.check(selection)).accepted == 1


@pytest.mark.parametrize("name", ["..%2f..%2fescape.jsonl", "...jsonl", "a\\..\\b.jsonl", "r03.jsonl\n"])
def test_a_batch_is_filed_by_its_digest_whatever_it_is_called(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record, name: str
) -> None:
    (tmp_path / "sub").mkdir()
    file = world.write(tmp_path / name, [good])
    before = {path for path in tmp_path.rglob("*")}
    report = inbox.submit(tmp_path / "sub" / ".." / name, ROUND, world.check(selection))
    assert report.digest is not None and inbox.accepted(ROUND) == [report.digest]
    assert inbox.manifest(ROUND, report.digest).name == name
    new = {path for path in tmp_path.rglob("*") if inbox.root not in path.parents} - before
    assert new == {inbox.root} and file.exists(), "nothing was written outside of the inbox"


@pytest.mark.parametrize("digest", ["../../r03", "..", "", "A" * 64, "0" * 63 + "/"])
def test_what_is_no_name_of_a_batch_opens_nothing(inbox: Inbox, digest: str) -> None:
    for read in (inbox.batch, inbox.manifest, inbox.solutions, inbox.tables, inbox.reason):
        with pytest.raises(ValueError, match="is not the name"):
            read(ROUND, digest)


def test_links_in_a_submitted_folder_are_left_out_and_named(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    secret = world.write(tmp_path / "secret.jsonl", [good])
    folder = tmp_path / "batch"
    folder.mkdir()
    (folder / "a.jsonl").symlink_to(secret)
    os.mkfifo(folder / "b.jsonl")
    world.write(folder / "c.jsonl", [good, world.rated(good, {(0, 0): 1}, labeler="")])
    report = inbox.submit(folder, ROUND, world.check(selection))
    assert report.accepted == 1
    assert [(v.file, v.line, v.rule) for v in report.violations] == [
        ("c.jsonl", 2, "no_labeler"), ("a.jsonl", 0, "not_a_file"), ("b.jsonl", 0, "not_a_file"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "device", "dangling"])
def test_what_is_not_plainly_a_file_or_a_folder_is_refused_at_once(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record, kind: str
) -> None:
    (tmp_path / "real").mkdir()
    world.write(tmp_path / "real" / "x.jsonl", [good])
    sent = tmp_path / "sent"
    targets = {
        "file": tmp_path / "real" / "x.jsonl",
        "folder": tmp_path / "real",
        "device": Path("/dev/zero"),
    }
    if kind == "pipe":
        os.mkfifo(sent)
    else:
        sent.symlink_to(targets.get(kind, tmp_path / "nowhere"))
    with pytest.raises(NotAFile, match=r"is a link|is not a file"):
        inbox.submit(sent, ROUND, world.check(selection))
    assert visible(inbox) == []


def test_a_link_among_the_accepted_batches_is_not_one(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    digest = inbox.submit(world.write(tmp_path / "x.jsonl", [good]), ROUND, world.check(selection)).digest
    assert digest is not None
    outside = tmp_path / "outside"
    (inbox.root / ROUND / "accepted" / digest).rename(outside)
    (inbox.root / ROUND / "accepted" / digest).symlink_to(outside)
    assert inbox.accepted(ROUND) == []


def test_columns_that_were_lost_changed_or_linked_are_made_again_from_the_lines(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    digest = inbox.submit(world.write(tmp_path / "x.jsonl", [good]), ROUND, world.check(selection)).digest
    assert digest is not None
    ratings, records = inbox.tables(ROUND, digest)
    file = inbox.batch(ROUND, digest).with_name("ratings.parquet")
    forged = ratings.with_columns(rating=pl.lit(1, pl.Int8))
    forged.write_parquet(file)
    for damage in ("changed", "linked", "lost"):
        again = inbox.tables(ROUND, digest)
        assert again[0].equals(ratings) and again[1].equals(records), damage
        file.unlink(missing_ok=True)
        if damage == "changed":
            forged.write_parquet(tmp_path / "forged.parquet")
            file.symlink_to(tmp_path / "forged.parquet")
    inbox.batch(ROUND, digest).write_text("{}")
    with pytest.raises(ValueError, match="is not what was accepted"):
        inbox.tables(ROUND, digest)


def test_a_disk_that_fills_up_at_any_moment_leaves_all_or_nothing(
    tmp_path: Path, selection: Selection, good: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fsync and every opening for writing is in turn where the disk is full."""
    bad = world.rated(good, GOOD, labeler="")
    real_sync, real_open = os.fsync, Path.open
    file, outcomes = world.write(tmp_path / "x.jsonl", [good, bad]), set()
    for moment in itertools.count():
        inbox, calls = Inbox(tmp_path / f"inbox{moment}"), itertools.count()

        def full(path: object, calls: itertools.count[int] = calls, moment: int = moment) -> None:
            if next(calls) == moment:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", lambda handle: (full(handle), real_sync(handle))[1])
            patched.setattr(
                Path,
                "open",
                lambda self, mode="r", *a, **k: ("w" in mode and full(self), real_open(self, mode, *a, **k))[
                    1
                ],
            )
            try:
                inbox.submit(file, ROUND, world.check(selection))
                failed = False
            except OSError as error:
                assert error.errno == errno.ENOSPC
                failed = True
        for digest in inbox.accepted(ROUND):
            assert inbox.tables(ROUND, digest)[0].height == len(GOOD)
        for digest in inbox.quarantined(ROUND):
            assert inbox.reason(ROUND, digest)["rejected"]
        assert not list((inbox.root / ".staging").iterdir())
        outcomes.add((len(inbox.quarantined(ROUND)), len(inbox.accepted(ROUND)), failed))
        if not failed:
            break
        report = inbox.submit(file, ROUND, world.check(selection))
        assert report.accepted == 1 and len(inbox.accepted(ROUND)) == len(inbox.quarantined(ROUND)) == 1
    assert moment > 10 and {(0, 0, True), (1, 0, True), (1, 1, True), (1, 1, False)} == outcomes


def test_a_real_limit_on_writing_is_one_error_and_the_same_file_is_taken_afterwards(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    file = world.write(tmp_path / "x.jsonl", [good] * 400)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
    _, error = start(tmp_path, file, limit).communicate(timeout=100)
    assert "OSError" in error.strip().splitlines()[-1]
    assert visible(inbox) == []
    assert inbox.submit(file, ROUND, world.check(selection)).accepted == 400


def test_processes_that_submit_at_once_lose_and_double_nothing(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    files = [
        world.write(tmp_path / f"{i}.jsonl", [world.rated(good, GOOD, labeler=f"labeler {i // 2}")])
        for i in range(4)
    ]
    processes = [start(tmp_path, file) for file in files]
    said = sorted(process.communicate(timeout=100)[0].split("[")[0] for process in processes)
    assert said == ["1 False ", "1 False ", "1 True ", "1 True "]
    assert len(inbox.accepted(ROUND)) == 2 and not list((inbox.root / ".staging").iterdir())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_around_accepting_is_made_up_for_by_submitting_again(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record, moment: str
) -> None:
    """Killed right before the rename nothing is seen; right after it, before anyone was told, it is known."""
    file = world.write(tmp_path / "x.jsonl", [good])
    die = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    calls = {"before": "die()", "after": "real(*a); die()"}[moment]
    patch = (
        f"def die():\n    {die}\nreal = inbox.publish\ndef publish(*a):\n    {calls}\ninbox.publish = publish"
    )
    process = start(tmp_path, file, patch)
    process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL
    assert len(inbox.accepted(ROUND)) == (moment == "after")
    report = inbox.submit(file, ROUND, world.check(selection))
    assert (report.accepted, report.known) == (1, moment == "after")
    assert len(inbox.accepted(ROUND)) == 1


def test_what_a_killed_process_left_behind_is_cleared_after_a_day(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    for name, age in (("old", ABANDONED_SECONDS + 60), ("running", 60)):
        (inbox.root / ".staging" / name).mkdir(parents=True)
        then = os.stat(inbox.root).st_mtime - age
        os.utime(inbox.root / ".staging" / name, (then, then))
    inbox.submit(world.write(tmp_path / "x.jsonl", [good]), ROUND, world.check(selection))
    assert [path.name for path in (inbox.root / ".staging").iterdir()] == ["running"]


def test_a_batch_that_was_accepted_before_there_were_columns_is_read_from_its_lines(
    tmp_path: Path, selection: Selection, inbox: Inbox, good: Record
) -> None:
    file = world.write(tmp_path / "x.jsonl", [good])
    digest = inbox.submit(file, "r00", world.AcceptAll(selection, "r00", DENSE)).digest
    assert digest is not None
    ratings, records = inbox.tables("r00", digest)
    folder = inbox.batch("r00", digest).parent
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in ("protocol", "selection", "tables", "seal"):
        del manifest[name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in ("ratings.parquet", "records.parquet"):
        (folder / name).unlink()
    again = inbox.tables("r00", digest)
    assert again[0].equals(ratings) and again[1].equals(records)
