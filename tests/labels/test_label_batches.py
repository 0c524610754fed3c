"""rNN/label_batches: people first, the oracle for what nobody has rated; a round that waits says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import CheckContext, Outcome, Waiting
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig, MonteCarloConfig, OracleConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import CHECKS, inbox_finding, label_batches
from o1_assets.labels.label_table import make_labels
from tests.labels import world
from tests.labels.rollout_world import ChanceEngine
from tests.labels.world import ROUND


def make(
    inbox: Inbox,
    folders: tuple[Path, Path],
    out: Path,
    annotator: str = "oracle",
    protocol: str = "dense",
    share: float | None = None,
) -> Outcome:
    config = LabelBatchesConfig(round=ROUND, protocol=protocol, annotator=annotator, min_rated_share=share)
    inputs = {"selection": folders[0], "train": folders[1]}
    return label_batches(inbox)(world.task(inputs, out), config)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def labels(folders: tuple[Path, Path], batches: Path, out: Path, protocol: str = "dense") -> pl.DataFrame:
    task = world.task({"selection": folders[0], "batches": batches}, out)
    make_labels(task, LabelsConfig(round=ROUND, protocol=protocol))
    return pl.read_parquet(out / "labels.parquet")


def own_and_other(table: pl.DataFrame) -> dict[str, list[list[int]]]:
    steps = table.group_by("solution_id", "step", maintain_order=True).agg("rating").group_by("solution_id")
    return dict(steps.agg("rating").iter_rows())


def test_the_oracle_fills_the_inbox_densely(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    outcome = make(inbox, folders, tmp_path / "out")
    assert outcome.figures["batches"] == 1 and outcome.rows == 3
    assert own_and_other(labels(folders, tmp_path / "out", tmp_path / "labels")) == {
        "right": [[1, -1], [1, -1, 0], [1]],
        "wrong": [[-1, 1, -1]],
        "direct": [[-1, 1, 1]],
    }


def test_the_oracle_fills_the_inbox_sparsely(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    make(inbox, folders, tmp_path / "out", protocol="sparse")
    assert own_and_other(labels(folders, tmp_path / "out", tmp_path / "labels", "sparse")) == {
        "right": [[1], [1], [1]],
        "wrong": [[-1, 1, -1]],
        "direct": [[-1, 1, 1]],
    }


def test_the_bytes_do_not_depend_on_the_inbox_its_path_or_an_earlier_run(tmp_path: Path) -> None:
    folders = world.write_selection(tmp_path / "all")
    fewer = world.write_selection(tmp_path / "fewer", {"right": world.SOLUTIONS["right"]})
    used, fresh = Inbox(tmp_path / "used"), Inbox(tmp_path / "some" / "other")
    empty = used.version(ROUND)
    make(used, fewer, tmp_path / "out0")
    make(used, folders, tmp_path / "out1")
    make(used, folders, tmp_path / "out2")
    make(fresh, folders, tmp_path / "out3")
    assert content(tmp_path / "out1") == content(tmp_path / "out2") == content(tmp_path / "out3")
    assert used.version(ROUND) == empty, "what the oracle filed must not look like news from outside"
    for path in (tmp_path / "out1").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()


def test_where_a_machine_rates_alone_what_people_send_changes_nothing(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    selection = world.load(tmp_path)
    before = make(inbox, folders, tmp_path / "before")
    record = world.rated(world.unrated(selection)["wrong"], {(0, 0): 1, (0, 1): 1, (0, 2): 1, (1, 0): 1})
    inbox.submit(world.write(tmp_path / "a.jsonl", [record]), ROUND, world.check(selection))
    after = make(inbox, folders, tmp_path / "after")
    assert content(tmp_path / "before") == content(tmp_path / "after")
    assert (before.external, before.figures) == (after.external, after.figures)
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="oracle")
    finding = inbox_finding(inbox, config)
    assert not finding.passed and finding.figures["batches_from_people_not_used"] == 1
    assert (
        "people's labels of 1 solution are kept and not used; `o1 labels switch r03 human`" in finding.message
    )


def test_people_come_first_and_the_oracle_rates_the_rest(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    selection = world.load(tmp_path)
    make(inbox, folders, tmp_path / "before")
    before = inbox.version(ROUND)
    record = world.rated(world.unrated(selection)["wrong"], {(0, 0): 1, (0, 1): 1, (0, 2): 1, (1, 0): 1})
    inbox.submit(world.write(tmp_path / "a.jsonl", [record]), ROUND, world.check(selection))
    assert inbox.version(ROUND) != before
    outcome = make(inbox, folders, tmp_path / "out", annotator="human+oracle")
    assert (outcome.figures["batches"], outcome.figures["batches_from_people"]) == (2, 1)
    table = labels(folders, tmp_path / "out", tmp_path / "labels")
    who = dict(table.select("solution_id", "labeler").unique().iter_rows())
    assert who == {"right": "oracle", "direct": "oracle", "wrong": "ann"}


def test_a_human_round_without_batches_waits_and_says_what_to_do(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    with pytest.raises(Waiting, match=r"o1 labels export r03.*o1 labels submit FILE --round r03"):
        make(inbox, folders, tmp_path / "out", annotator="human")
    assert inbox.accepted(ROUND) == []


def test_a_human_round_takes_what_has_come(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    selection = world.load(tmp_path)
    record = world.rated(world.unrated(selection)["direct"], {(0, 0): -1, (0, 1): 1, (0, 2): 1})
    inbox.submit(world.write(tmp_path / "a.jsonl", [record]), ROUND, world.check(selection))
    outcome = make(inbox, folders, tmp_path / "out", annotator="human")
    assert outcome.figures["solutions_not_rated"] == 2
    assert json.loads((tmp_path / "out" / "index.json").read_text())["batches"][0]["source"] == "people"
    assert outcome.external == inbox.version(ROUND)


@pytest.mark.parametrize(("share", "needed"), [(0.3, 1), (0.34, 2), (1 / 3, 1), (2 / 3, 2), (1.0, 3)])
def test_a_human_round_goes_on_when_its_share_of_the_selection_has_come_back(
    tmp_path: Path, share: float, needed: int
) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    selection = world.load(tmp_path)
    for number, (solution, record) in enumerate(world.unrated(selection).items()):
        if number < needed:
            with pytest.raises(Waiting) as waiting:
                make(inbox, folders, tmp_path / f"waits{number}", annotator="human", share=share)
            assert waiting.value.figures["rated"] == number
            assert waiting.value.figures["needed"] == needed
        rated = world.rated(record, {(0, 0): -1})
        report = inbox.submit(
            world.write(tmp_path / f"{solution}.jsonl", [rated]), ROUND, world.check(selection)
        )
        assert report.accepted == 1
        if number + 1 >= needed:
            outcome = make(inbox, folders, tmp_path / f"out{number}", annotator="human", share=share)
            assert outcome.figures["solutions_not_rated"] == 2 - number


def test_a_solution_given_up_has_come_back(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    selection = world.load(tmp_path)
    records = [world.rated(record, {(0, 0): -1}) for record in world.unrated(selection).values()]
    for record in records[1:]:
        record.label.finish_reason = "give_up"
    inbox.submit(world.write(tmp_path / "a.jsonl", records), ROUND, world.check(selection))
    assert (
        make(inbox, folders, tmp_path / "out", annotator="human", share=1.0).figures["solutions_not_rated"]
        == 0
    )


def test_a_problem_that_the_oracle_cannot_check_is_reported_as_bad(tmp_path: Path) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    problems = pl.read_parquet(folders[1] / "problems.parquet")
    metadata = pl.when(pl.col("problem_id") == "6-2").then(pl.lit("{}")).otherwise("metadata")
    problems.with_columns(metadata=metadata).write_parquet(folders[1] / "problems.parquet")
    make(inbox, folders, tmp_path / "out")
    table = labels(folders, tmp_path / "out", tmp_path / "labels")
    assert set(table["solution_id"]) == {"right", "wrong"}


def by_rollouts(
    inbox: Inbox, folders: tuple[Path, Path], out: Path, estimate: str, longest: int = 10_000
) -> tuple[Outcome, ChanceEngine]:
    engine = ChanceEngine(*(expression for expression, _ in world.SOLUTIONS.values()))
    engine.longest = longest
    task = world.task({"selection": folders[0], "train": folders[1], "policy": out}, out)
    task.open_engine = lambda path: engine
    config = LabelBatchesConfig(
        round=ROUND, protocol="dense", annotator="monte_carlo",
        monte_carlo=MonteCarloConfig.model_validate({"estimate": estimate, "rollouts": 3}),
    )  # fmt: skip
    return label_batches(inbox)(task, config), engine


@pytest.mark.parametrize("estimate", ["hard", "soft", "first_error"])
def test_rollouts_rate_a_round_and_say_what_they_cost(tmp_path: Path, estimate: str) -> None:
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    outcome, engine = by_rollouts(inbox, folders, tmp_path / "out", estimate)
    assert engine.closed and sum(engine.calls) == outcome.figures["rollouts"]
    assert outcome.figures["annotator"] == "monte_carlo" and outcome.figures["estimate"] == estimate
    assert outcome.cost.tokens_generated == outcome.figures["rollout_tokens"] and outcome.cost.flops > 0
    estimates = pl.read_parquet(tmp_path / "out" / "estimates.parquet")
    assert estimates.columns == ["solution_id", "step", "completion", "rollouts", "right", "share"]
    assert (
        set(estimates["rollouts"]) == {0, 3}
        if estimate != "first_error"
        else {0} <= set(estimates["rollouts"])
    )
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [batch["source"] for batch in index["batches"]] == ["monte_carlo"]
    table = labels(folders, tmp_path / "out", tmp_path / "labels")
    assert set(table["labeler"]) == {"monte_carlo"} and set(table["solution_id"]) == set(world.SOLUTIONS)
    by_rollouts(Inbox(tmp_path / "elsewhere"), folders, tmp_path / "again", estimate)
    assert content(tmp_path / "out") == content(tmp_path / "again")


@pytest.mark.parametrize("estimate", ["hard", "first_error"])
def test_steps_that_are_too_long_for_rollouts_are_left_out_and_counted(tmp_path: Path, estimate: str) -> None:
    folders = world.write_selection(tmp_path)
    outcome, _ = by_rollouts(Inbox(tmp_path / "inbox"), folders, tmp_path / "out", estimate, longest=30)
    too_long = outcome.figures["too_long"]
    assert isinstance(too_long, int) and too_long > 0
    estimates = pl.read_parquet(tmp_path / "out" / "estimates.parquet")
    assert estimates.height and set(estimates["rollouts"]) == {0}, "only answers, which need no rollout"
    table = labels(folders, tmp_path / "out", tmp_path / "labels")
    assert table.height and not table.filter(solution_id="wrong").height
    finding = CHECKS[1].run(CheckContext(tmp_path, outcome.figures))
    assert not finding.passed and finding.message.startswith(f"{too_long} of {outcome.figures['estimates']} ")
    assert "base.max_positions" in finding.message
    assert CHECKS[1].run(CheckContext(tmp_path, {"estimates": 3})).passed


def test_an_oracle_that_errs_says_so(tmp_path: Path) -> None:
    folders = world.write_selection(tmp_path)
    tables = []
    for name, rate in (("right", 0.0), ("wrong", 1.0)):
        config = LabelBatchesConfig(
            round=ROUND, protocol="dense", annotator="oracle", oracle=OracleConfig(error_rate=rate)
        )
        task = world.task({"selection": folders[0], "train": folders[1]}, tmp_path / name)
        outcome = label_batches(Inbox(tmp_path / f"inbox_{name}"))(task, config)
        assert outcome.figures["error_rate"] == rate
        tables.append(labels(folders, tmp_path / name, tmp_path / f"labels_{name}"))
    both = tables[0].join(tables[1], on=["solution_id", "step", "completion"])
    assert both.height and not (both["rating"] == both["rating_right"]).any()
