"""A withdrawn batch: what was made of it is made again, and nothing else; once it is restored, all is cached."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from typer.testing import CliRunner

from o1_assets.cli.label_rounds import LabelsError
from o1_assets.cli.main import app
from o1_assets.cli.status import status_rows
from o1_assets.execution.status import graph_status
from o1_assets.labels.inbox.progress import impact, made_of
from o1_assets.labels.trace import trace
from o1_assets.store.store import StoreError
from tests.sensors.stub import ROUNDS, Lab, asked, quiet_report

HUMAN, MIXED = 'annotator="human"', 'annotator="human+oracle"'
O1 = Callable[..., Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything was made of two batches for round 1 and, where nobody rated, by the oracle."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        quiet_report(patch)
        made = tmp_path_factory.mktemp("home")
        lab = Lab(made, instance, MIXED)
        lab.run()
        lab.submit("r01", ("right", "wrong"))
        lab.submit("r01", ("wrong",))
        assert lab.run() and lab.success
    return made


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    quiet_report(monkeypatch)
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("O1_SET", f"rounds={ROUNDS}\n{MIXED}")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Lab(tmp_path / "home", instance, MIXED)


def o1(*arguments: str) -> Any:
    """What `o1 labels ... --json` prints."""
    done = CliRunner().invoke(app, ["labels", *arguments, "--json"])
    if done.exception:
        raise done.exception
    return json.loads(done.stdout)


def batch_by(lab: Lab, labeller: str, round_name: str = "r01") -> str:
    (digest,) = (
        d for d in lab.inbox.accepted(round_name) if lab.inbox.manifest(round_name, d).labelers == [labeller]
    )
    return digest


def made(computed: dict[str, bool]) -> list[str]:
    return [key for key, miss in computed.items() if miss]


def test_a_dry_run_says_exactly_what_withdrawing_makes_again_and_restoring_computes_nothing(lab: Lab) -> None:
    batch = batch_by(lab, "labeller 1")
    before = {key: lab.store.head(key) for key in lab.graph}
    said = o1("withdraw", batch[:8], "--dry-run")
    assert lab.inbox.withdrawn("r01") == [] and said["withdrawn"] is None
    assert said["remade"][:2] == ["r01/label_batches", "r01/labels"] and "r01/orm" not in said["remade"]
    assert set(said["remade"]) == lab.follows("r01") & set(lab.graph) - {"eval/report"}
    assert (said["lines"], said["solutions"], said["labelers"]) == (2, 2, ["labeller 1"])
    table = lab.store.path(before["r01/labels"].digest) / "labels.parquet"  # type: ignore[union-attr]
    mine = pl.read_parquet(table).filter(pl.col("batch") == batch)
    assert said["labels"] == mine.height > 0

    done = o1("withdraw", batch[:8], "--reason", "rated the wrong sheet")
    assert done["remade"] == said["remade"] and done["withdrawn"]["why"] == "rated the wrong sheet"
    assert lab.inbox.withdrawn("r01") == [batch] and batch not in lab.inbox.accepted("r01")
    assert sorted(made(lab.run())) == sorted(said["remade"]) and lab.success
    left = pl.read_parquet(lab.store.path(lab.store.head("r01/labels").digest) / "labels.parquet")  # type: ignore[union-attr]
    assert batch not in set(left["batch"])
    # What was made before stays as it was, and what it was made of can be said.
    old = before["r02/policy"]
    assert old is not None
    assert batch in set(trace(lab.store, "r02/policy", old.version).counts["batch"])
    assert batch not in set(trace(lab.store, "r02/policy").counts["batch"])

    o1("restore", batch[:8], "--reason", "it was the right one")
    assert made(lab.run()) == [] and lab.success
    assert {key: lab.store.head(key) for key in lab.graph} == before
    assert [(move.what, move.why) for move in lab.inbox.moves("r01", batch)] == [
        ("withdrawn", "rated the wrong sheet"),
        ("restored", "it was the right one"),
    ]


def test_the_sensor_takes_a_withdrawal_and_a_restoration_for_news(lab: Lab) -> None:
    first, second = (batch_by(lab, f"labeller {i}") for i in (1, 2))
    assert lab.tick() == "no new label batches"
    lab.inbox.withdraw("r01", first, "lead")
    request = lab.tick()
    assert asked(request) == lab.follows("r01")
    expected = made_of(lab.graph, lab.store, "r01", first)
    assert sorted(made(lab.run(request))) == sorted(expected)
    assert lab.tick() == "no new label batches"
    lab.inbox.withdraw("r01", second, "lead")  # nothing of people's is left: as before anybody had rated
    assert made(lab.run(lab.tick())) == [] and lab.tick() == "no new label batches"
    head = lab.store.head("r01/label_batches")
    assert head is not None and head.figures["batches_from_people"] == 0
    for batch in (second, first):
        lab.inbox.restore("r01", batch, "lead")
    assert made(lab.run(lab.tick())) == [] and lab.tick() == "no new label batches"


def test_a_batch_that_was_never_taken_in_makes_nothing_again(lab: Lab) -> None:
    lab.submit("r02", ("right",))
    batch = batch_by(lab, "labeller 1", "r02")
    change = impact(lab.graph, lab.store, lab.inbox, "r02", batch)
    assert (change.remade, change.labels, change.ratings) == ([], 0, 0)


def test_what_cannot_be_withdrawn_or_restored_is_one_sentence(lab: Lab) -> None:
    first = batch_by(lab, "labeller 1")
    (machine,) = lab.inbox.accepted("r00", "oracle")
    for arguments, said in (
        (("withdraw", machine), "was made by oracle: it follows from the graph"),
        (("withdraw", "0" * 64), "no batch in .* begins with"),
        (("withdraw", first[:3]), "too short"),
        (("restore", first), "is not withdrawn"),
    ):
        with pytest.raises(LabelsError, match=said):
            o1(*arguments)
    o1("withdraw", first)
    with pytest.raises(LabelsError, match=r"was withdrawn by .* already; `o1 labels restore"):
        o1("withdraw", first)


def test_a_round_of_people_waits_again_and_says_for_what(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        people = Lab(tmp_path / "people", instance, HUMAN)
        people.run()
        people.submit("r00", ("right", "wrong"))
        people.submit("r00", ("direct",))
        people.run(people.tick())
        assert people.store.head("r00/policy")
        batch = batch_by(people, "labeller 1", "r00")
        change = impact(people.graph, people.store, people.inbox, "r00", batch)
        assert "1 of 3 solutions rated, 3 needed" in change.waits and "r00/policy" in change.remade
        for each in people.inbox.accepted("r00"):
            people.inbox.withdraw("r00", each, "lead")
        assert people.tick() == "r00 waits: 0 of 3 solutions rated, 3 needed, 0 batches accepted"
        people.inbox.restore("r00", batch, "lead")
        people.submit("r00", ("direct",))
        assert "r00/prm" in made(people.run(people.tick()))


def test_the_labels_of_one_labeller_are_traced_through_rounds_to_batch_line_and_solution(lab: Lab) -> None:
    batch = batch_by(lab, "labeller 2")
    found = o1("trace", "r02/policy", "--labeler", "labeller 2", "--lines")
    (row,) = found["counts"]
    assert (row["round"], row["batch"], row["source"], row["ratings"]) == ("r01", batch, "people", 1)
    assert found["labels"] == row["labels"] == row["negative"] == 1
    (line,) = found["lines"]
    assert (line["batch"], line["line"], line["solution_id"], line["step"], line["completion"]) == (
        batch, 1, "wrong", 0, 0,
    )  # fmt: skip
    assert (line["rating"], line["text"]) == (-1, "2+3=5")
    everything = trace(lab.store, "r02/policy", lines=True)
    assert set(everything.counts["round"]) == {"r00", "r01", "r02"}
    assert set(everything.counts["source"]) == {"oracle", "people"}
    assert everything.lines is not None and everything.lines.height == everything.counts["labels"].sum()
    heads = [lab.store.head(f"r0{k}/labels") for k in range(3)]
    assert [table.version for table in everything.tables] == [head.version for head in heads if head]
    only = trace(lab.store, "r02/policy", batch=batch[:6])
    assert set(only.counts["batch"]) == {batch}
    assert trace(lab.store, "r00/prm", labeler="labeller 2").counts.is_empty()
    assert trace(lab.store, "problems/train").counts.is_empty()


def test_a_trace_is_a_table_for_people(lab: Lab) -> None:
    done = CliRunner().invoke(app, ["labels", "trace", "r01/prm", "--labeler", "labeller 2", "--lines"])
    first, head, row, columns, label = done.output.splitlines()
    assert first.startswith("r01/prm ") and first.endswith(": 1 labels by 1 labeller, of r00, r01")
    assert head.split()[-1] == "labeller" and row.split()[:3] == [
        "r01",
        batch_by(lab, "labeller 2")[:12],
        "people",
    ]
    assert columns.split("\t")[-1] == "text" and label.split("\t")[2:] == [
        "1", "wrong", "0", "0", "-1", "labeller 2", "2+3=5",
    ]  # fmt: skip


def test_a_trace_through_a_table_that_was_changed_stops_there(lab: Lab) -> None:
    head = lab.store.head("r01/labels")
    assert head is not None
    file = lab.store.path(head.digest) / "labels.parquet"
    table = pl.read_parquet(file)
    file.chmod(0o644)
    table.with_columns(labeler=pl.lit("nobody")).write_parquet(file)
    with pytest.raises(StoreError, match=r"labels.parquet of object"):
        trace(lab.store, "r02/prm")


def test_a_damaged_batch_changes_nothing_that_was_made_of_it_and_is_named(lab: Lab) -> None:
    digest, version = batch_by(lab, "labeller 1"), lab.inbox.version("r01")
    (lab.inbox.find("r01", digest) / "manifest.json").write_bytes(b"")
    rows, rounds = status_rows(lab.project, graph_status(lab.graph, lab.store))
    assert {row["state"] for row in rows} == {"fresh"} and lab.inbox.version("r01") == version
    (notice,) = rounds["r01"].notices
    assert digest in notice and "what was made of it stays" in notice
    assert notice in str(lab.tick()) and not lab.events[0].passed
