"""What an act makes of a draft: the protocol decides what is asked for, and a rating confirms the steps before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from o1_assets.labels.page.draft import ActRefused, Draft, Sheet
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Slot
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from tests.labels import world


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    return world.load(tmp_path, "solution")


def sheet(selection: Selection, solution: str, protocol: Protocol) -> Sheet:
    return Sheet(world.unrated(selection, protocol)[solution])


def rated(sheet: Sheet, draft: Draft) -> Record:
    return sheet.rated(draft, "ann", "2026-01-01T00:00:00+00:00", 1500)


def test_a_right_sparse_solution_is_one_act_and_its_end(selection: Selection) -> None:
    page = sheet(selection, "right", SPARSE)
    draft = page.confirm(Draft())
    assert page.view(draft)["finished"] and not page.view(draft)["unconfirmed"]
    record = rated(page, draft)
    assert [step.completions[0].rating for step in record.label.steps if step.completions] == [1, 1, 1]
    assert (record.label.finish_reason, record.label.total_time, record.labeler) == ("solution", 1500, "ann")


def test_a_dense_one_asks_for_its_alternatives_too_which_one_act_can_rate(selection: Selection) -> None:
    page = sheet(selection, "right", DENSE)
    draft = page.confirm(Draft())
    view = page.view(draft)
    assert (view["next"], view["others"], view["finished"]) == ("0.1", 3, False)
    with pytest.raises(ActRefused, match="left to rate"):
        rated(page, draft)
    draft = page.rate_others(page.rate(draft, Slot(1, 2), 0), -1)
    assert page.view(draft)["finished"] and page.view(draft)["ratings"]["1.2"] == 0
    assert page.view(draft)["ratings"]["0.1"] == -1


def test_the_first_wrong_step_confirms_those_before_it_and_ends_the_solution(selection: Selection) -> None:
    page = sheet(selection, "right", SPARSE)
    draft = page.rate(Draft(), Slot(1, 0), -1)
    view = page.view(draft)
    assert (view["ratings"], view["ends"], view["asked"]) == (
        {"0.0": 1, "1.0": -1},
        1,
        ["0.0", "1.0", "1.1", "1.2"],
    )
    assert page.confirm(draft) == draft, "nothing behind a wrong step is confirmed"
    with pytest.raises(ActRefused, match="ends for you at step 2"):
        page.rate(draft, Slot(2, 0), 1)
    with pytest.raises(ActRefused, match="not asked for"):
        page.rate(draft, Slot(0, 1), 1)


def test_a_change_of_an_earlier_step_leaves_out_what_is_asked_no_more_and_undo_brings_it_back(
    selection: Selection,
) -> None:
    page = sheet(selection, "right", SPARSE)
    all_right = page.confirm(Draft())
    changed = page.rate(all_right, Slot(0, 0), None)
    assert page.view(changed)["ratings"] == {"0.0": None} and page.view(changed)["finished"]
    assert page.counting(changed.undone()) == page.counting(all_right)
    assert Draft.from_json(changed.to_json()) == changed
    assert Draft().undone() == Draft()


def test_what_is_written_follows_the_right_alternative_and_counts_only_where_it_is_asked(
    selection: Selection,
) -> None:
    page = sheet(selection, "wrong", SPARSE)
    draft = page.rate(Draft(written="5*4=20\n\n answer 14 ", note="slip"), Slot(0, 0), -1)
    assert page.view(draft)["writing"] is None, "the alternatives come first"
    draft = page.rate(page.rate(draft, Slot(0, 1), 1), Slot(0, 2), -1)
    assert page.view(draft)["writing"] == {"step": 1, "after": 1, "what": "solution"}
    record = rated(page, draft)
    texts = [step.human_completion and step.human_completion.text for step in record.label.steps]
    assert texts == [None, "5*4=20", "answer 14"] and record.label.steps[0].chosen_completion == 1
    assert record.o1 is not None and record.o1.note == "slip"
    assert '"note": "slip"' in record.to_line() and Record.from_line(record.to_line()) == record
    right = page.rate(draft, Slot(0, 0), 1)
    assert page.view(right)["writing"] is None


def test_who_is_unsure_of_everything_has_given_it_up(selection: Selection) -> None:
    page = sheet(selection, "direct", SPARSE)
    assert rated(page, page.rate(Draft(), Slot(0, 0), None)).label.finish_reason == "give_up"
    bad = page.rated(Draft(), "ann", "2026-01-01T00:00:00Z", None, "bad_problem")
    assert bad.label.finish_reason == "bad_problem"
