"""A batch is withdrawn and restored by one rename, whenever the process is killed; nothing is deleted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from o1_assets.labels.inbox import inbox as inbox_module
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import find_batch
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

GOOD = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}

DIE = """
import os, signal, sys
from o1_assets.labels.inbox import inbox
def die():
    os.kill(os.getpid(), signal.SIGKILL)
real = {{name: getattr(inbox, name) for name in ("replace_file", "publish")}}
def {name}(*a):
    {calls}
inbox.{name} = {name}
inbox.Inbox(sys.argv[1]).withdraw({round!r}, sys.argv[2], "lead", "killed")
"""


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


def record(selection: Selection, who: str = "ann") -> Record:
    return world.rated(world.unrated(selection)["right"], GOOD, labeler=who)


def send(inbox: Inbox, selection: Selection, *records: Record) -> str:
    file = world.write(inbox.root.parent / "sent.jsonl", list(records))
    digest = inbox.submit(file, ROUND, world.check(selection)).digest
    assert digest is not None
    return digest


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "moves.json"}


def test_withdrawn_it_counts_no_more_and_is_kept_as_it_was(inbox: Inbox, selection: Selection) -> None:
    empty = inbox.version(ROUND)
    digest = send(inbox, selection, record(selection))
    before, version = files(inbox.find(ROUND, digest)), inbox.version(ROUND)
    move = inbox.withdraw(ROUND, digest, "lead", "wrong sheet")
    assert inbox.accepted(ROUND) == [] and inbox.version(ROUND) == empty
    assert inbox.withdrawn(ROUND) == [digest] and inbox.withdrawal(ROUND, digest) == move
    assert inbox.find(ROUND, digest) == inbox.root / ROUND / "withdrawn" / digest
    assert files(inbox.find(ROUND, digest)) == before
    assert inbox.tables(ROUND, digest)[0].height == len(GOOD)  # an audit of last year still reads it
    inbox.restore(ROUND, digest, "lead")
    assert inbox.version(ROUND) == version and inbox.withdrawn(ROUND) == []
    assert files(inbox.find(ROUND, digest)) == before
    assert [move.what for move in inbox.moves(ROUND, digest)] == ["withdrawn", "restored"]


def test_sent_again_it_is_quarantined_with_who_withdrew_it_and_why(
    inbox: Inbox, selection: Selection, tmp_path: Path
) -> None:
    digest = send(inbox, selection, record(selection))
    inbox.withdraw(ROUND, digest, "lead", "wrong sheet")
    for extra in ([], [record(selection, who="")]):  # with a line that is wrong, too
        sent = world.write(tmp_path / "again.jsonl", [record(selection), *extra])
        report = inbox.submit(sent, ROUND, world.check(selection))
        assert (report.accepted, report.digest, report.refused) == (0, None, 1 + len(extra))
        assert report.by_rule["batch_withdrawn"] == 1
        first = report.violations[0]
        assert (
            first.rule == "batch_withdrawn"
            and "by lead" in first.message
            and "(wrong sheet)" in first.message
        )
        assert report.quarantined is not None
        kept = inbox.quarantine(ROUND, report.quarantined) / "sent.jsonl"
        assert kept.read_bytes() == sent.read_bytes()
    assert inbox.accepted(ROUND) == []
    corrected = send(inbox, selection, record(selection), record(selection, "bea"))
    assert inbox.accepted(ROUND) == [corrected]
    inbox.restore(ROUND, digest, "lead")
    assert inbox.submit(tmp_path / "sent.jsonl", ROUND, world.check(selection)).known


def test_what_a_machine_filed_and_what_is_not_there_cannot_be_withdrawn(
    inbox: Inbox, selection: Selection, tmp_path: Path
) -> None:
    file = world.write(tmp_path / "o.jsonl", [record(selection)])
    digest = inbox.submit(file, ROUND, world.check(selection), source="oracle").digest
    assert digest is not None
    with pytest.raises(ValueError, match="was made by oracle: it follows from the graph"):
        inbox.withdraw(ROUND, digest, "lead")
    assert inbox.accepted(ROUND) == [digest]
    with pytest.raises(FileNotFoundError, match=r"has no batch 0+ that is accepted"):
        inbox.withdraw(ROUND, "0" * 64, "lead")
    with pytest.raises(FileNotFoundError):
        inbox.find(ROUND, "0" * 64)
    with pytest.raises(ValueError, match="named by 64 hex digits"):
        inbox.find(ROUND, "../" + "0" * 61)


def test_the_same_batch_in_two_rounds_is_told_apart_by_its_round(inbox: Inbox, selection: Selection) -> None:
    digest = send(inbox, selection, record(selection))
    lines = inbox.batch(ROUND, digest)
    assert inbox.submit(lines, "r09", world.AcceptAll(selection, "r09", DENSE)).digest == digest
    with pytest.raises(ValueError, match=f"is in {ROUND} and r09; say which with --round"):
        find_batch(inbox, [ROUND, "r09"], digest[:12], withdrawn=False)
    assert find_batch(inbox, ["r09"], digest[:12], withdrawn=False) == ("r09", digest)
    with pytest.raises(ValueError, match="`o1 labels trace rNN/labels` names those of a round"):
        find_batch(inbox, [ROUND], "0123456", withdrawn=False)


@pytest.mark.parametrize(
    ("name", "calls", "moved"),
    [
        ("replace_file", "die()", False),
        ("replace_file", "real['replace_file'](*a); die()", False),
        ("publish", "real['publish'](*a); die()", True),
    ],
)
def test_killed_in_the_middle_it_is_either_withdrawn_or_not_and_can_be_done_again(
    inbox: Inbox, selection: Selection, name: str, calls: str, moved: bool
) -> None:
    digest = send(inbox, selection, record(selection))
    code = DIE.format(name=name, calls=calls, round=ROUND)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    died = subprocess.run([sys.executable, "-c", code, str(inbox.root), digest], env=environment, timeout=100)
    assert died.returncode == -signal.SIGKILL
    assert (inbox.withdrawn(ROUND) == [digest]) is moved
    assert (inbox.accepted(ROUND) == [digest]) is not moved
    assert len(inbox.moves(ROUND, digest)) == moved, "what did not happen is not told"
    if moved:
        inbox.restore(ROUND, digest, "lead")
    inbox.withdraw(ROUND, digest, "lead", "again")
    assert (
        [move.why for move in inbox.moves(ROUND, digest)] == ["killed", "", "again"] if moved else ["again"]
    )
    assert inbox.withdrawn(ROUND) == [digest] and inbox.accepted(ROUND) == []


def test_a_batch_sent_while_it_is_withdrawn_is_in_one_place_only(
    inbox: Inbox, selection: Selection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The sender has looked, then somebody withdraws: the withdrawal has to wait for the sender's rename."""
    digest, real = send(inbox, selection, record(selection)), inbox_module.publish
    other = threading.Thread(target=Inbox(inbox.root).withdraw, args=(ROUND, digest, "lead"))

    def publish(folder: Path, target: Path) -> bool:
        if folder.name == "accepted":
            other.start()
            other.join(0.5)
            assert other.is_alive()
        return real(folder, target)

    monkeypatch.setattr(inbox_module, "publish", publish)
    assert inbox.submit(tmp_path / "sent.jsonl", ROUND, world.check(selection)).known
    other.join(60)
    assert inbox.withdrawn(ROUND) == [digest] and inbox.accepted(ROUND) == []
