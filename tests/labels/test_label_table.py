"""Many batches are merged into one label table."""

from __future__ import annotations

import json
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.round_tables import write_tables
from o1_assets.labels.label_table import COLUMNS, labels_of, make_labels
from o1_assets.labels.protocol import DENSE, Slot
from o1_assets.labels.quality_control import digests_from
from o1_assets.labels.schema import HumanCompletion, Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND, rated

Blank = dict[str, Record]
CONFIG = LabelsConfig(round=ROUND, protocol="dense")


def table_of(
    selection: Selection, batches: list[list[Record]], folder: Path
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Submits the batches in order through an inbox and merges what was accepted."""
    inbox, out = Inbox(folder / "inbox"), folder / "batches"
    out.mkdir()
    for records in batches:
        report = inbox.submit(world.write(folder / "sent.jsonl", records), ROUND, world.check(selection))
        assert not report.rejected, report.rejected
    digests = inbox.accepted(ROUND)
    write_tables([(inbox, digest) for digest in digests], ROUND, selection, out)
    (out / "index.json").write_text(
        json.dumps({"batches": [{"digest": d, "source": PEOPLE} for d in digests]})
    )
    return merged(out, selection)


def merged(batches: Path, selection: Selection) -> tuple[pl.DataFrame, dict[str, int]]:
    made = labels_of(batches, selection, CONFIG, digests_from(batches))
    return made.table, dict(made.dropped)


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path)


@pytest.fixture
def blank(selection: Selection) -> dict[str, Record]:
    return world.unrated(selection)


def ratings(table: pl.DataFrame) -> dict[tuple[int, int], int]:
    return {
        (step, completion): rating
        for step, completion, rating in table.select("step", "completion", "rating").iter_rows()
    }


def at(hour: int) -> str:
    return f"2026-01-01T{hour:02}:00:00"


def test_a_row_says_what_was_rated_after_which_prefix_by_whom_and_where(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    good = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 0, (2, 0): 1}
    table, dropped = table_of(
        selection, [[rated(blank["direct"], {(0, 0): -1}), rated(blank["right"], good)]], tmp_path
    )
    assert tuple(table.columns) == COLUMNS and dropped == {"not_rated_yet": 2}
    row = table.filter(
        (pl.col("solution_id") == "right") & (pl.col("step") == 1) & (pl.col("completion") == 2)
    ).to_dicts()[0]
    [digest] = Inbox(tmp_path / "inbox").accepted(ROUND)
    assert row == {
        "solution_id": "right", "problem_id": "3*4-5", "question": "Calculate 3 * 4 - 5.", "step": 1, "completion": 2,
        "text": "check 3*4=12", "rating": 0, "labeler": "ann", "batch": digest, "line": 2,
    }  # fmt: skip
    assert table.schema["rating"] == pl.Int8 and table.schema["line"] == pl.Int32


def test_the_same_labeller_again_the_later_time_wins_whatever_arrives_first(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    early = rated(blank["right"], {(0, 0): -1, (0, 1): -1}, timestamp="2026-01-01T12:00:00+05:00")
    late = rated(blank["right"], {(0, 0): 1, (0, 1): -1}, timestamp="2026-01-01T08:00:00Z")
    for number, batches in enumerate(
        [[[early], [late]], [[late], [early]], [[early, late]], [[late, early]]]
    ):
        (tmp_path / str(number)).mkdir()
        table, dropped = table_of(selection, batches, tmp_path / str(number))
        assert ratings(table) == {(0, 0): 1, (0, 1): -1}
        assert dropped["superseded_ratings"] == 2


def test_labellers_who_disagree_are_settled_by_majority_and_ties_are_dropped_and_counted(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    batches = [
        [rated(blank["right"], {(0, 0): 1, (0, 1): -1}, labeler="a")],
        [rated(blank["right"], {(0, 0): 1, (0, 1): 0}, labeler="b")],
        [rated(blank["right"], {(0, 0): -1}, labeler="c")],
    ]
    table, dropped = table_of(selection, batches, tmp_path)
    assert ratings(table) == {(0, 0): 1}
    assert dropped["tied_completions"] == 1


def test_nothing_stands_after_a_step_that_the_majority_calls_wrong_or_cannot_settle(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    goes_on = {(0, 0): 1, (0, 1): -1, (1, 0): 1, (1, 1): -1, (1, 2): 1, (2, 0): 1}
    a = rated(blank["right"], goes_on, labeler="a")
    b, c = (rated(blank["right"], {(0, 0): -1, (0, 1): -1}, labeler=name) for name in "bc")
    for name, batches, left in [
        ("wrong", [[a], [b], [c]], {(0, 0): -1, (0, 1): -1}),
        ("tied", [[a], [b]], {(0, 1): -1}),
    ]:
        (tmp_path / name).mkdir()
        table, dropped = table_of(selection, batches, tmp_path / name)
        assert ratings(table) == left
        assert dropped["after_undecided_completions"] == 4


def test_what_the_paper_leaves_out_is_left_out_and_counted(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    gold = rated(blank["right"], {(0, 0): 1})
    gold.is_quality_control_question, gold.o1 = True, None
    screening = rated(blank["right"], {(0, 0): 1})
    screening.is_initial_screening_question = True
    bad = rated(blank["right"], {(0, 0): 1}, labeler="b")
    bad.label.finish_reason = "bad_problem"
    gave_up = rated(blank["right"], {(0, 0): 1}, labeler="c")
    gave_up.label.finish_reason = "give_up"
    flagged = rated(blank["wrong"], {(0, 0): -1, (0, 1): 1, (0, 2): None})
    flagged.label.steps[0].completions[1].flagged = True
    flagged.label.steps[0].human_completion = HumanCompletion(
        text="3*4=12", rating=None, source="human", flagged=False
    )
    table, dropped = table_of(selection, [[gold, screening, bad, gave_up, flagged]], tmp_path)
    assert table.select("solution_id", "step", "completion", "rating").rows() == [("wrong", 0, 0, -1)]
    assert dropped == {
        "quality_control_records": 1, "screening_records": 1, "bad_problem_records": 1, "give_up_records": 1,
        "flagged_ratings": 1, "null_ratings": 1,
    }  # fmt: skip


def test_gold_and_screening_records_are_events_but_never_labels(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    """A null is an event only where the protocol asked: the alternatives of a step that the labeller judged."""
    gold = rated(blank["right"], {(0, 0): 1, (0, 1): None, (1, 0): -1, (1, 1): 1})
    gold.is_quality_control_question, gold.label.finish_reason = True, "found_error"
    elsewhere = rated(blank["direct"], {(0, 0): -1})
    elsewhere.is_initial_screening_question, elsewhere.generation, elsewhere.o1 = True, -1, None
    table, _ = table_of(selection, [[gold, elsewhere]], tmp_path)
    assert table.height == 0
    events = pl.read_parquet(tmp_path / "batches" / "ratings.parquet")
    assert events.select("step", "completion", "rating", "quality_control", "screening").rows() == [
        (0, 0, 1, True, False), (0, 1, None, True, False), (1, 0, -1, True, False), (1, 1, 1, True, False),
        (1, 2, None, True, False), (0, 0, -1, False, True),
    ]  # fmt: skip
    named = events["solution_id"].unique(maintain_order=True).to_list()
    assert named[0] == "right" and len(named[1]) == 16, "one from elsewhere is named by its content"


def test_giving_up_takes_back_what_the_same_labeller_said_before_and_not_after(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    before = rated(blank["right"], {(0, 0): -1}, timestamp=at(1))
    gave_up = rated(blank["right"], {}, timestamp=at(2))
    gave_up.label.finish_reason = "give_up"
    after = rated(blank["right"], {(0, 1): -1, (0, 0): 1}, timestamp=at(3))
    other = rated(blank["direct"], {(0, 0): -1}, timestamp=at(1))
    table, dropped = table_of(selection, [[before, gave_up, other]], tmp_path)
    assert set(table["solution_id"]) == {"direct"} and dropped["withdrawn_ratings"] == 1
    (tmp_path / "2").mkdir()
    table, _ = table_of(selection, [[after], [gave_up], [before]], tmp_path / "2")
    assert ratings(table) == {(0, 0): 1, (0, 1): -1}


def test_batches_about_a_selection_that_has_changed_since_are_counted_not_used(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    table_of(
        selection, [[rated(blank["right"], {(0, 0): 1}), rated(blank["direct"], {(0, 0): -1})]], tmp_path
    )
    altered = dict(world.SOLUTIONS)
    del altered["right"]
    altered["direct"] = ("6 - 2", [["answer 5", "6-2=3"]])
    other = Selection.load(*world.write_selection(tmp_path / "altered", altered))
    inbox = Inbox(tmp_path / "inbox")
    write_tables([(inbox, digest) for digest in inbox.accepted(ROUND)], ROUND, other, tmp_path / "batches")
    table, dropped = merged(tmp_path / "batches", other)
    assert table.height == 0
    assert dropped == {"unknown_solution_records": 1, "changed_solution_records": 1}


def test_the_artifact_holds_labels_and_the_labelled_solutions(
    tmp_path: Path, selection: Selection, blank: Blank
) -> None:
    table_of(selection, [[rated(blank["direct"], {(0, 0): -1, (0, 1): 1, (0, 2): 1})]], tmp_path)
    task = world.task(
        {"selection": tmp_path / "selection", "batches": tmp_path / "batches"}, tmp_path / "out"
    )
    outcome = make_labels(task, CONFIG)
    solutions = pl.read_parquet(tmp_path / "out" / "solutions.parquet")
    assert solutions["solution_id"].to_list() == ["direct"]
    assert solutions.columns == [
        c for c in selection.table.columns if c not in ("text", "steps", "token_ids")
    ]
    assert outcome.rows == 3 and outcome.figures["solutions_not_labelled"] == 2
    assert (outcome.figures["positive"], outcome.figures["negative"]) == (2, 1)


@st.composite
def submissions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rated records as dictionaries: who, when, which solution, how far and how."""
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "solution": st.sampled_from(sorted(world.SOLUTIONS)),
                    "labeler": st.sampled_from("abc"),
                    "hour": st.integers(0, 2),
                    "answers": st.lists(st.sampled_from([-1, 0, 1, 1, 1, None]), min_size=1, max_size=6),
                    "flag": st.booleans(),
                    "give_up": st.sampled_from([False, False, False, True]),
                }
            ),
            min_size=1,
            max_size=8,
        )
    )


SHARED = tempfile.TemporaryDirectory()  # a selection reads its folder when it is asked


@cache
def shared_selection() -> Selection:
    return world.load(Path(SHARED.name))


def record_of(blank: dict[str, Record], spec: dict[str, Any]) -> Record:
    shape = [len(texts) for texts in world.SOLUTIONS[spec["solution"]][1]]
    given: dict[Slot, int | None] = {}
    for answer in spec["answers"]:
        slot = DENSE.next_to_rate(shape, given)
        if slot is None:
            break
        given[slot] = answer if given else (answer or 1)  # at least one rating
    record = rated(blank[spec["solution"]], given, labeler=spec["labeler"], timestamp=at(spec["hour"]))
    if spec["flag"]:
        record.label.steps[0].completions[0].flagged = True
    if spec["give_up"]:
        record.label.finish_reason = "give_up"
    return record


@given(submissions(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_table_is_the_same_whatever_the_order_and_the_repeats(
    specs: list[dict[str, Any]], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        selection = shared_selection()
        blank = world.unrated(selection)
        batches = [[record_of(blank, spec)] for spec in specs]
        shuffled = batches + rng.sample(batches, rng.randrange(len(batches) + 1))
        rng.shuffle(shuffled)
        (folder / "one").mkdir()
        (folder / "two").mkdir()
        table, dropped = table_of(selection, batches, folder / "one")
        again, dropped_again = table_of(selection, shuffled, folder / "two")
        assert table.equals(again) and dropped == dropped_again
        assert_own_paths_are_unbroken(table)


def assert_own_paths_are_unbroken(table: pl.DataFrame) -> None:
    for (_,), rows in table.group_by("solution_id"):
        own = dict(rows.filter(pl.col("completion") == 0).select("step", "rating").iter_rows())
        for step in rows["step"]:
            assert all(own.get(before, -1) >= 0 for before in range(step))


@given(submissions(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_any_order_any_cut_into_batches_and_any_overlap_give_the_same_labels(
    specs: list[dict[str, Any]], rng: random.Random
) -> None:
    """One batch of everything against batches of any size, in any order, some records in several of them.

    Equal times are among the submissions: two records of one labeller at one moment, and two labellers'.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        selection = shared_selection()
        blank = world.unrated(selection)
        records = [record_of(blank, spec) for spec in specs]
        shuffled = rng.sample(records, len(records)) + rng.sample(records, rng.randrange(len(records) + 1))
        cuts = sorted(rng.randrange(len(shuffled) + 1) for _ in range(rng.randrange(5)))
        pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True) if a < b]
        tables = []
        for part, batches in (("one", [records]), ("many", pieces)):
            (folder / part).mkdir()
            table, _ = table_of(selection, batches, folder / part)
            tables.append(table.drop("batch", "line"))
        assert tables[0].equals(tables[1])
        assert_own_paths_are_unbroken(tables[0])
