"""A damaged batch is set aside and named, the others are read, what was trained stays, and it can come back."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from o1_assets.core.errors import O1Error
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.batch import DamagedBatch
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import find_batch
from o1_assets.labels.inbox.reader import PEOPLE, UnreadableInbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

GOOD = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}
FILES = ("batch.jsonl", "manifest.json", "solutions.json", "ratings.parquet", "records.parquet")


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def batches(inbox: Inbox, selection: Selection, tmp_path: Path) -> tuple[str, str]:
    """Digests of ann's and of bob's batch, of which ann's will be damaged."""
    record = world.unrated(selection)["right"]
    digests = []
    for name in ("ann", "bob"):
        file = world.write(tmp_path / f"{name}.jsonl", [world.rated(record, GOOD, labeler=name)])
        digests.append(str(inbox.submit(file, ROUND, world.check(selection)).digest))
    return digests[0], digests[1]


def changed(manifest: Path, **fields: object) -> None:
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **fields}))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated manifest": lambda f: os.truncate(f / "manifest.json", 100),
    "empty manifest": lambda f: os.truncate(f / "manifest.json", 0),
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "manifest of another shape": lambda f: (f / "manifest.json").write_text("[1, null]"),
    "manifest of the future": lambda f: changed(f / "manifest.json", weight=2),
    "manifest of another number": lambda f: changed(f / "manifest.json", lines=10**30),
    "manifest of another source": lambda f: changed(f / "manifest.json", source="oracle"),
    "manifest of another batch": lambda f: changed(f / "manifest.json", digest="0" * 64),
    "manifest of another round": lambda f: changed(f / "manifest.json", round="r04"),
    "manifest that leads out": lambda f: changed(f / "manifest.json", tables={"../x": "0" * 64}, seal=""),
    "manifest of bytes": lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"),
    "deep manifest": lambda f: (f / "manifest.json").write_text("[" * 100_000),
    "linked manifest": lambda f: ((f / "manifest.json").unlink(), (f / "manifest.json").symlink_to("nowhere")),
    "no solutions": lambda f: (f / "solutions.json").unlink(),
    "other solutions": lambda f: (f / "solutions.json").write_text('["wrong"]'),
    "no lines and no tables": lambda f: [os.truncate(f / n, 3) for n in ("batch.jsonl", "records.parquet")],
    "empty folder": lambda f: [path.unlink() for path in f.iterdir()],
    "no folder": shutil.rmtree,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_set_aside_and_named_and_comes_in_when_it_is_sent_again(
    tmp_path: Path, inbox: Inbox, selection: Selection, batches: tuple[str, str], damage: str
) -> None:
    ann, bob = batches
    version = inbox.version(ROUND)
    DAMAGES[damage](inbox.find(ROUND, ann))
    assert inbox.accepted(ROUND, PEOPLE) == [bob]
    (found,) = inbox.damages(ROUND)
    assert found.place.name == ann and "nothing of it counts" in str(found)
    for read in (inbox.manifest, inbox.solutions, inbox.tables):
        if not (read == inbox.tables and "solutions" in damage):
            with pytest.raises(DamagedBatch, match=ann[:12]):
                read(ROUND, ann)
    report = inbox.submit(tmp_path / "ann.jsonl", ROUND, world.check(selection))
    assert (report.accepted, report.digest, report.known) == (1, ann, False)
    assert inbox.damages(ROUND) == [] and inbox.version(ROUND) == version
    kept = list((inbox.root / ROUND / "damaged").iterdir()) if damage != "no folder" else [ann]
    assert len(kept) == 1, "nothing is lost"


@pytest.mark.parametrize("file", ["batch.jsonl", "ratings.parquet", "records.parquet"])
def test_where_lines_or_tables_are_whole_it_counts_and_is_named(
    inbox: Inbox, batches: tuple[str, str], file: str
) -> None:
    ann, _ = batches
    version, tables = inbox.version(ROUND), inbox.tables(ROUND, ann)
    os.truncate(inbox.find(ROUND, ann) / file, 3)
    again = inbox.tables(ROUND, ann)
    assert all(a.equals(b) for a, b in zip(tables, again, strict=True)) and inbox.version(ROUND) == version
    (found,) = inbox.damages(ROUND)
    assert file in found.why and found.effect == "its ratings are whole and count"


@pytest.mark.parametrize("damage", ["truncated manifest", "no folder"])
def test_what_was_trained_on_it_stays_and_new_labels_come_in_beside_its_recorded_ratings(
    tmp_path: Path, selection: Selection, inbox: Inbox, batches: tuple[str, str], damage: str
) -> None:
    ann, bob = batches
    folders = world.write_selection(tmp_path)
    inputs = {"selection": folders[0], "train": folders[1]}
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human")
    before = label_batches(inbox)(world.task(inputs, tmp_path / "before"), config)
    reader = Inbox(inbox.root, lambda name: tmp_path / "before" if name == ROUND else None)
    DAMAGES[damage](inbox.find(ROUND, ann))
    inbox.withdraw(ROUND, bob, "lead")
    assert reader.accepted(ROUND, PEOPLE) == [ann] and reader.manifest(ROUND, ann).labelers == ["ann"]
    assert "what was made of it stays" in reader.damages(ROUND)[0].effect
    reader.restore(ROUND, bob, "lead")
    after = label_batches(reader)(world.task(inputs, tmp_path / "after"), config)
    assert before.external == after.external
    for name in ("ratings.parquet", "records.parquet", "index.json"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes(), name


def test_what_is_no_batch_is_named_and_a_copy_by_hand_is_not_read_as_a_second_one(
    inbox: Inbox, batches: tuple[str, str]
) -> None:
    ann, bob = batches
    accepted = inbox.root / ROUND / "accepted"
    shutil.copytree(accepted / ann, accepted / f"{ann} copy")
    shutil.copytree(accepted / ann, accepted / ("0" * 64))
    shutil.copytree(accepted, inbox.root / "r04" / "accepted")
    shutil.copytree(accepted / bob, inbox.root / ROUND / "withdrawn" / bob)
    (accepted / "labels.jsonl").write_text("{}")
    (accepted / ".DS_Store").write_text("")
    (accepted / ("1" * 64)).symlink_to(accepted / ann)
    assert inbox.accepted(ROUND) == sorted(batches) and inbox.accepted("r04") == []
    assert sorted(found.place.name for found in inbox.damages(ROUND)) == sorted(
        ["0" * 64, "1" * 64, f"{ann} copy", "labels.jsonl", bob]
    )


@pytest.mark.parametrize("damage", ["truncated manifest", "no folder"])
def test_it_can_be_withdrawn_and_restored(inbox: Inbox, batches: tuple[str, str], damage: str) -> None:
    ann, _ = batches
    DAMAGES[damage](inbox.find(ROUND, ann))
    assert find_batch(inbox, [ROUND], ann[:8], withdrawn=False) == (ROUND, ann)
    inbox.withdraw(ROUND, ann, "lead")
    assert inbox.damages(ROUND) == [] and inbox.withdrawn(ROUND) == [ann]
    inbox.restore(ROUND, ann, "lead")
    assert inbox.damages(ROUND)[0].place.name == ann


@pytest.mark.parametrize("content", [b"", b"{", b"[{}]", b"\xff", b"7"])
def test_records_of_withdrawals_and_closings_that_cannot_be_read_decide_nothing(
    tmp_path: Path, inbox: Inbox, selection: Selection, batches: tuple[str, str], content: bytes
) -> None:
    ann, bob = batches
    inbox.withdraw(ROUND, ann, "lead")
    (inbox.find(ROUND, ann) / "moves.json").write_bytes(content)
    (inbox.root / ROUND / "closed.json").write_bytes(content)
    assert inbox.accepted(ROUND) == [bob] and len(inbox.damages(ROUND)) == 2
    closed = inbox.closed(ROUND)
    assert closed is not None and "o1 labels reopen r03" in closed
    inbox.reopen(ROUND)
    report = inbox.submit(tmp_path / "ann.jsonl", ROUND, world.check(selection))
    assert [violation.rule for violation in report.violations] == ["batch_withdrawn"]
    inbox.restore(ROUND, ann, "lead")
    assert [move.what for move in inbox.moves(ROUND, ann)] == ["withdrawn", "restored"]
    assert (inbox.find(ROUND, ann) / "moves.damaged.1").read_bytes() == content


def test_a_folder_that_cannot_be_listed_is_one_sentence(inbox: Inbox) -> None:
    (inbox.root / ROUND).mkdir(parents=True)
    (inbox.root / ROUND / "accepted").write_text("")
    with pytest.raises(UnreadableInbox, match="make it a folder that you may read"):
        inbox.accepted(ROUND)


def texts(record: dict[str, Any]) -> list[list[str]]:
    return [[item["text"] for item in step["completions"]] for step in record["label"]["steps"]]


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content with a byte flipped, a part cut off, taken out, written twice, or zeroed."""
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    kind = draw.randrange(5)
    if kind == 0:
        place = draw.randrange(len(content))
        return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]
    part = (b"", b"", content[start:end] * 2, bytes(end - start))[kind - 1]
    return content[:start] + (part if kind == 1 else part + content[end:])


def test_random_damage_raises_nothing_unexpected_loses_no_good_batch_and_lets_no_wrong_one_in(
    tmp_path: Path, inbox: Inbox, batches: tuple[str, str]
) -> None:
    draw, (ann, bob) = random.Random(16), batches
    folder = inbox.find(ROUND, ann)
    whole = {name: (folder / name).read_bytes() for name in FILES}
    manifest, tables, solutions = (
        inbox.manifest(ROUND, ann),
        inbox.tables(ROUND, ann),
        inbox.solutions(ROUND, ann),
    )
    counted = 0
    for _ in range(100):
        for name, content in whole.items():
            (folder / name).write_bytes(content)
        names = draw.sample(FILES, draw.choice((1, 1, 2)))
        for name in names:
            (folder / name).write_bytes(damaged(whole[name], draw))
        is_changed = any((folder / name).read_bytes() != whole[name] for name in names)
        assert bool(inbox.damages(ROUND)) == is_changed, names
        assert bob in inbox.accepted(ROUND, PEOPLE)
        if ann in inbox.accepted(ROUND):
            counted += is_changed
            assert inbox.manifest(ROUND, ann) == manifest and inbox.solutions(ROUND, ann) == solutions
            assert all(a.equals(b) for a, b in zip(inbox.tables(ROUND, ann), tables, strict=True))
    assert counted > 20, "of many, lines or tables were whole"


def test_random_damage_of_a_sent_file_costs_the_lines_it_hits_only(
    tmp_path: Path, selection: Selection
) -> None:
    draw, record = random.Random(16), world.unrated(selection)["right"]
    lines = [world.rated(record, GOOD, labeler=f"labeller {n}").to_line().encode() for n in range(4)]
    check = world.check(selection)
    for number in range(30):
        content = damaged(b"\n".join(lines) + b"\n", draw)
        (tmp_path / "x.jsonl").write_bytes(content)
        inbox = Inbox(tmp_path / f"inbox {number}")
        try:
            report = inbox.submit(tmp_path / "x.jsonl", ROUND, check)
        except O1Error as error:
            raise AssertionError("a damaged file is no error, its lines are refused") from error
        accepted = inbox.batch(ROUND, report.digest).read_bytes().splitlines() if report.digest else []
        untouched = [line for line in content.split(b"\n") if line in lines]
        assert [line for line in accepted if line in lines] == untouched
        # Of a rating, a name or a time nobody can tell that a bit was flipped; of texts everybody can.
        for line in set(accepted) - set(lines):
            assert texts(json.loads(line)) == texts(json.loads(lines[0]))
