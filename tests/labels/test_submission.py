"""Files as they arrive from other programs and systems: what can be read is taken, each other file is named."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import pytest

from o1_assets.labels.inbox import submission
from o1_assets.labels.inbox.inbox import Inbox, SubmitReport
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

BOM = b"\xef\xbb\xbf"
GOOD = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


@pytest.fixture
def lines(selection: Selection) -> list[bytes]:
    """Three good lines by different labellers."""
    record = world.unrated(selection)["right"]
    return [world.rated(record, GOOD, labeler=name).to_line().encode() + b"\n" for name in "abc"]


def submit(tmp_path: Path, selection: Selection, files: dict[str, bytes]) -> SubmitReport:
    folder = tmp_path / "batch"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Inbox(tmp_path / "inbox").submit(folder, ROUND, world.check(selection))


def named(report: SubmitReport) -> list[tuple[str | None, int, str]]:
    return [(violation.file, violation.line, violation.rule) for violation in report.violations]


def test_a_byte_order_mark_costs_no_line_in_whichever_file_it_is_and_where_files_were_put_together(
    tmp_path: Path, selection: Selection, lines: list[bytes]
) -> None:
    first, second, third = lines
    files = {"a.jsonl": BOM + first, "b.jsonl": BOM + second + BOM + third.replace(b"\n", b"\r\n")}
    report = submit(tmp_path, selection, files)
    assert (report.accepted, named(report)) == (3, [])
    assert Inbox(tmp_path / "inbox").batch(ROUND, str(report.digest)).read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("b.jsonl", b"", "empty"),
        ("b.jsonl", "{}\n".encode("utf-16"), "not_utf8"),
        ("b.jsonl", "{}\n".encode("utf-32"), "not_utf8"),
        ("b.jsonl", b"\xfe\xff\x00{\x00}", "not_utf8"),
        ("b.jsonl", gzip.compress(b"{}\n", mtime=0), "not_text"),
        ("b.jsonl", b"PK\x03\x04...", "not_text"),
        ("b.jsonl.gz", gzip.compress(b"{}\n", mtime=0), "not_jsonl"),
        ("b.json", b"{}", "not_jsonl"),
    ],
)
def test_a_file_that_holds_no_lines_is_named_in_one_sentence_and_the_others_are_taken(
    tmp_path: Path, selection: Selection, lines: list[bytes], name: str, content: bytes, rule: str
) -> None:
    files = {"a.jsonl": lines[0], name: content, "c.JSONL": lines[1].rstrip(), ".hidden": b"x"}
    report = submit(tmp_path, selection, files)
    assert (report.accepted, named(report)) == (2, [(name, 0, rule)])


def test_lines_of_zeros_cut_lines_and_garbage_at_the_end_cost_themselves_only(
    tmp_path: Path, selection: Selection, lines: list[bytes]
) -> None:
    garbage = [b"\0" * 100 + b"\n", lines[1].rstrip() + b" x\n", lines[1][:200]]
    report = submit(tmp_path, selection, {"a.jsonl": lines[0] + b"".join(garbage), "b.jsonl": lines[2]})
    assert (report.accepted, named(report)) == (2, [("a.jsonl", line, "not_json") for line in (2, 3, 4)])
    assert "was not written to its end" in report.rejected[0][1]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("moment", ["open", "read"])
def test_a_file_that_goes_or_cannot_be_read_is_named_and_the_others_are_taken(
    tmp_path: Path,
    selection: Selection,
    lines: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    moment: str,
) -> None:
    """At its opening, or after a part of it was copied."""
    real_open, real_chunks = submission.open_regular, submission._chunks

    def fail(name: object) -> None:
        if str(name).endswith("b.jsonl"):
            raise OSError(number, os.strerror(number))

    def opened(path: Path) -> BufferedReader:
        if moment == "open":
            fail(path)
        return real_open(path)

    def chunks(file: BufferedReader, path: Path) -> Iterator[bytes]:
        for chunk in real_chunks(file, path):
            yield chunk
            try:
                fail(path)
            except OSError as error:
                raise submission._unreadable(path, error) from error

    monkeypatch.setattr(submission, "open_regular", opened)
    monkeypatch.setattr(submission, "_chunks", chunks)
    files = {"a.jsonl": lines[0], "b.jsonl": lines[1], "c.jsonl": lines[2] + b"{\n"}
    report = submit(tmp_path, selection, files)
    assert report.accepted == 2
    assert named(report) == [("c.jsonl", 2, "not_json"), ("b.jsonl", 0, "not_readable")]
    assert os.strerror(number) in report.rejected[1][1]


def test_a_file_that_grows_while_it_is_read_gives_its_whole_lines_and_is_named(
    tmp_path: Path, selection: Selection, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = submission._chunks

    def chunks(file: BufferedReader, path: Path) -> Iterator[bytes]:
        yield from real(file, path)
        with (tmp_path / "batch" / "a.jsonl").open("ab") as more:
            more.write(lines[2])

    monkeypatch.setattr(submission, "_chunks", chunks)
    report = submit(tmp_path, selection, {"a.jsonl": lines[0] + lines[1]})
    assert (report.accepted, named(report)) == (2, [("a.jsonl", 0, "still_written")])


def test_an_empty_folder_is_refused_and_an_accepted_batch_can_be_sent_again_as_a_folder(
    tmp_path: Path, selection: Selection, lines: list[bytes]
) -> None:
    report = submit(tmp_path, selection, {})
    assert (report.accepted, named(report)) == (0, [(None, 0, "empty")])
    inbox = Inbox(tmp_path / "inbox")
    (tmp_path / "x.jsonl").write_bytes(lines[0])
    digest = inbox.submit(tmp_path / "x.jsonl", ROUND, world.check(selection)).digest
    again = inbox.submit(inbox.find(ROUND, str(digest)), ROUND, world.check(selection))
    assert (again.digest, again.known, named(again)) == (digest, True, [])


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('"chosen_completion": 0', f'"chosen_completion": 1{"0" * 30}', "wrong_schema"),
        ('"chosen_completion": 0', '"chosen_completion": 7', "no_such_completion"),
        ('"chosen_completion": 0', '"chosen_completion": 0.0', "wrong_schema"),
        ('"chosen_completion": 0', '"chosen_completion": false', "wrong_schema"),
        ('"total_time": 0', '"total_time": -1', "wrong_schema"),
        ('"total_time": 0', '"total_time": 1e999', "wrong_schema"),
        ('"total_time": 0', f'"total_time": 1{"0" * 30}', "wrong_schema"),
        ('"total_time": 0', '"total_time": NaN', "not_json"),
        ('"total_time": 0', '"total_time": 0, "total_time": 0', "repeated_field"),
        ('"total_time": 0', '"total_time": 0, "\\u0022": 1, "x": 1, "x": 2', "repeated_field"),
        ('"rating": 1', '"rating": 1, "rating": -1', "repeated_field"),
        ('"generation": 2', f'"generation": {10**30}', "wrong_schema"),
        ('"pre_generated_verifier_score": 0.5', '"pre_generated_verifier_score": 1e300', "wrong_schema"),
        ('"protocol": "dense"', f'"protocol": "{"x" * 100_000}"', "wrong_schema"),
        ('"labeler": "ann"', '"labeler": "a\\u202enn"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": "ann\\u200b"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": "\\u2066ann"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": "\\ufeffann"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": "ann\\u0000"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": "ann "', "wrong_labeler"),
        ('"labeler": "ann"', f'"labeler": "{"x" * 100_000}"', "wrong_labeler"),
        ('"labeler": "ann"', '"labeler": " "', "no_labeler"),
        ('"labeler": "ann"', '"labeler": "\\ud800"', "not_json"),
        ('"round": "r03"', '"round": "r03\\u0000"', "wrong_round"),
        ('"solution_id": "right"', f'"solution_id": "{"x" * 100_000}"', "unknown_solution"),
        ("2026-01-01T00:00:00", "1000000-01-01T00:00:00", "wrong_schema"),
        ("2026-01-01T00:00:00", "2100-01-01T00:00:00", "wrong_schema"),
        ("2026-01-01T00:00:00", "x" * 100_000, "wrong_schema"),
        ('"steps": [', '"steps": [null, ', "wrong_schema"),
        ('"steps": [', '"steps": [[], ', "wrong_schema"),
        ('"completions": [', '"completions": [null, ', "wrong_schema"),
        ('"text": "12-5=7"', '"text": null', "wrong_schema"),
    ],
)
def test_a_record_with_a_field_that_cannot_be_is_refused_in_one_short_sentence_and_the_others_are_taken(
    tmp_path: Path, selection: Selection, lines: list[bytes], old: str, new: str, rule: str
) -> None:
    line = world.rated(world.unrated(selection)["right"], GOOD).to_line()
    assert old in line
    content = lines[0] + line.replace(old, new, 1).encode() + b"\n" + lines[1]
    report = submit(tmp_path, selection, {"a.jsonl": content})
    assert (report.accepted, report.refused, named(report)) == (2, 1, [("a.jsonl", 2, rule)])
    sentence = report.rejected[0][1]
    assert len(sentence) < 400 and sentence.isprintable()


@pytest.mark.parametrize(
    "timestamp", ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00.123456+05:30", "20260101T100000"]
)
def test_a_time_counts_with_and_without_its_zone(
    tmp_path: Path, selection: Selection, lines: list[bytes], timestamp: str
) -> None:
    line = lines[0].replace(b"2026-01-01T00:00:00", timestamp.encode())
    assert submit(tmp_path, selection, {"a.jsonl": line}).accepted == 1


def test_a_gold_record_that_names_a_solution_of_the_round_has_to_have_its_texts(
    tmp_path: Path, selection: Selection
) -> None:
    record: Record = world.rated(world.unrated(selection)["right"], GOOD)
    record.is_quality_control_question = True
    good = record.to_line()
    changed = good.replace('"text": "12-5=7"', '"text": "12-5=8"')
    report = submit(tmp_path, selection, {"a.jsonl": f"{good}\n{changed}\n".encode()})
    assert (report.accepted, named(report)) == (1, [("a.jsonl", 2, "changed_text")])
