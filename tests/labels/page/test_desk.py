"""Who is given what, that nothing answered is lost, and that what is finished arrives in the inbox like any file."""

from __future__ import annotations

from typing import Any

import pytest

from o1_assets.labels.page.assignment import LEASE_SECONDS
from o1_assets.labels.page.desk import PAUSE_SECONDS, NoSuchTask, StaleAct
from o1_assets.labels.page.draft import ActRefused
from o1_assets.labels.page.labelers import BadInvitation, invite, labeler_of, uninvite
from o1_assets.labels.page.progress import labeler_progress, lead_progress
from o1_assets.labels.schema import Record
from tests.labels.page.conftest import Labelling, Make
from tests.labels.world import ROUND


def filed(labelling: Labelling) -> list[Record]:
    inbox = labelling.inbox
    lines = [line for d in inbox.accepted(ROUND) for line in inbox.batch(ROUND, d).read_bytes().splitlines()]
    return [Record.from_line(line) for line in lines]


def rate(labelling: Labelling, labeler: str, solution: str, step: int, note: str = "") -> None:
    """Wrong at `step`, its alternatives too; finished."""
    task = labelling.take(solution, labeler)
    task = labelling.act(task, "rate", labeler, step=step, completion=0, rating=-1)
    task = labelling.act(task, "others", labeler, rating=-1)
    labelling.finish(labelling.act(task, "note", labeler, text=note), labeler)


def test_two_labellers_get_different_solutions_until_one_left_theirs_for_half_an_hour(make: Make) -> None:
    labelling = make()
    first, second = labelling.next("ann"), labelling.next("bob")
    assert first["solution"] != second["solution"]
    assert labelling.next("ann") == first, "what is begun comes first"
    ahead = labelling.desk.next_task("ann", skip=[first["solution"]])
    assert ahead is not None and ahead["solution"] not in (first["solution"], second["solution"])
    assert labelling.desk.next_task("cleo") is None
    labelling.now += LEASE_SECONDS + 1
    assert labelling.next("cleo")["solution"] == first["solution"]


def test_what_is_finished_is_filed_when_the_labeller_pauses_and_a_correction_follows(make: Make) -> None:
    labelling = make()
    task = labelling.finish(labelling.act(labelling.next(), "confirm"))
    assert task["is_done"] and labelling.desk.file_finished() == 0, "they may still correct it"
    labelling.now += PAUSE_SECONDS
    assert (labelling.desk.file_finished(), labelling.desk.file_finished(True)) == (1, 0)
    labelling.finish(labelling.act(task, "rate", step=0, completion=0, rating=0))
    assert labelling.desk.file_finished(everything=True) == 1
    first, second = sorted(filed(labelling), key=lambda record: record.moment)
    assert [r.label.steps[0].completions[0].rating for r in (first, second)] == [1, 0]  # type: ignore[index]
    assert first.labeler == second.labeler == "ann" and first.label.total_time == 1500


def test_a_killed_server_loses_no_act(make: Make) -> None:
    labelling = make()
    task = labelling.act(labelling.next(), "rate", step=1, completion=0, rating=-1)
    task = labelling.act(task, "note", text="half a thought")
    labelling.open()
    again = labelling.next()
    assert again == task and again["note"] == "half a thought" and again["ratings"] == {"0.0": 1, "1.0": -1}
    labelling.finish(labelling.act(again, "others", rating=1))
    # Killed after the inbox took it and before the database knew.
    labelling.desk.file_finished(True)
    labelling.database.write("update tasks set filed = null")
    labelling.open()
    assert labelling.desk.file_finished(True) == 1 and len(filed(labelling)) == 1


def test_an_act_sent_twice_is_done_once_and_one_of_an_older_state_is_refused(make: Make) -> None:
    labelling = make()
    task = labelling.next()
    once = labelling.act(task, "rate", step=0, completion=0, rating=1, id="x")
    assert labelling.act(task, "rate", step=0, completion=0, rating=1, id="x") == once
    with pytest.raises(StaleAct):
        labelling.act(task, "rate", step=0, completion=0, rating=-1, id="y")


@pytest.mark.parametrize(
    "act",
    [
        {"what": "rate", "step": 9, "completion": 0, "rating": 1},
        {"what": "rate", "step": 0, "completion": 0, "rating": 2},
        {"what": "rate", "step": True, "completion": 0, "rating": 1},
        {"what": "note", "text": "x" * 5000},
        {"what": "end", "reason": "solution"},
        {"what": "finish"},
        {"what": "drop table"},
    ],
)
def test_an_act_that_cannot_be_changes_nothing(make: Make, act: dict[str, Any]) -> None:
    labelling = make()
    task = labelling.next()
    with pytest.raises(ActRefused):
        labelling.act(task, **act)
    assert labelling.next() == task


def test_a_task_of_somebody_else_is_nobodys(make: Make) -> None:
    labelling = make()
    task = labelling.next("ann")
    for change in ({}, {"round": "r01"}, {"solution": "x' or 1"}):
        with pytest.raises(NoSuchTask):
            labelling.act({**task, **change}, "confirm", "bob")


def test_what_the_inbox_would_refuse_is_said_to_the_labeller(make: Make) -> None:
    labelling = make(writing="solution")
    task = labelling.act(labelling.take("direct"), "rate", step=0, completion=0, rating=-1)
    task = labelling.act(task, "others", rating=-1)
    task = labelling.act(task, "write", text="6-2\t=4\nanswer 4")
    with pytest.raises(ActRefused, match="line break or a control character"):
        labelling.finish(task)
    labelling.finish(labelling.act(task, "write", text="6-2=4\nanswer 4"))
    assert labelling.desk.file_finished(True) > 0
    assert not labelling.inbox.quarantined(ROUND)


def test_gold_is_given_to_everybody_and_nothing_on_the_page_tells(make: Make) -> None:
    labelling = make(gold=3)
    gold = labelling.desk.rounds.round(ROUND).gold
    assert len(gold) == 3
    keys, seen = [], {"ann": [], "bob": []}  # type: ignore[var-annotated]
    while tasks := [(who, task) for who in seen if (task := labelling.desk.next_task(who))]:
        for who, task in tasks:
            keys.append(set(task))
            seen[who].append(task["solution"])
            labelling.act(task, "end", who, reason="give_up")
    assert all(gold <= set(solutions) for solutions in seen.values()) and all(k == keys[0] for k in keys)
    assert set(seen["ann"]) & set(seen["bob"]) == gold and len({*seen["ann"], *seen["bob"]}) == 31
    labelling.desk.file_finished(True)
    assert {r.o1.solution_id for r in filed(labelling) if r.is_quality_control_question and r.o1} == gold


def test_gold_that_came_back_from_nobody_is_given_at_the_end_for_the_round_waits_for_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.Random.random", lambda self: 1.0)  # gold is never drawn before
    labelling = make(gold=3)
    gold, seen = labelling.desk.rounds.round(ROUND).gold, []
    while task := labelling.desk.next_task("ann"):
        seen.append(task["solution"])
        labelling.act(task, "end", reason="give_up")
    assert set(seen[-3:]) == gold and len(seen) == 31 and labelling.desk.next_task("bob") is None


def test_who_is_new_is_tried_on_the_screening_solutions_which_count_as_labels_of_nobody(make: Make) -> None:
    labelling = make(screening=4)
    tried = labelling.desk.rounds.round(ROUND).screening
    seen = []
    for _ in range(4):
        task = labelling.next()
        seen.append(task["solution"])
        labelling.finish(labelling.act(labelling.act(task, "confirm"), "others", rating=-1))
    assert set(seen) == tried and labelling.next()["solution"] not in tried
    labelling.desk.file_finished(True)
    assert {r.generation for r in filed(labelling)} == {-1}
    assert labeler_progress(labelling.desk.assignment, "ann")["rounds"][0]["left"] == 31, (
        "they are to be labelled as usual too"
    )


def test_where_two_disagree_the_lead_sees_both_reasons_and_a_third_settles(make: Make) -> None:
    labelling = make(opinions=2)
    rate(labelling, "ann", "right", 0, note="carelessly added")
    rate(labelling, "bob", "right", 1)
    labelling.desk.file_finished(True)
    [round_] = lead_progress(labelling.desk.assignment)["rounds"]
    [dispute] = round_["disagreements"]
    assert (dispute["step"], dispute["settled"], dispute["before"]) == (0, None, [])
    said = {each["labeler"]: (each["rating"], each["note"]) for each in dispute["opinions"]}
    assert said == {"ann": (-1, "carelessly added"), "bob": (1, None)}
    assert [each["agreement"] for each in round_["agreement"]] == [0.0]
    assert "right" not in {labelling.next(who)["solution"] for who in ("ann", "bob")}
    rate(labelling, "cleo", "right", 1)
    labelling.desk.file_finished(True)
    [dispute] = lead_progress(labelling.desk.assignment)["rounds"][0]["disagreements"]
    assert dispute["settled"] == 1
    assert labelling.next("dan")["solution"] != "right", "it needs no fourth opinion"


def test_what_was_sent_as_a_file_is_not_given_out(make: Make) -> None:
    labelling = make()
    labelling.finish(labelling.act(labelling.take("right", "ann"), "confirm", "ann"))
    labelling.desk.file_finished(True)
    labelling.database.write("delete from tasks")
    assert {labelling.next(who)["solution"] for who in ("bob", "cleo")} == {"wrong", "direct"}
    [batch] = labelling.inbox.accepted(ROUND)
    labelling.inbox.withdraw(ROUND, batch, "lead")
    assert labelling.next("dan")["solution"] == "right"


def test_a_closed_round_gives_nothing_out_and_keeps_what_is_finished(make: Make) -> None:
    labelling = make()
    labelling.finish(labelling.act(labelling.take("right"), "confirm"))
    labelling.inbox.close(ROUND, "enough")
    assert labelling.desk.next_task("bob") is None and labelling.desk.file_finished(True) == 0
    labelling.inbox.reopen(ROUND)
    assert labelling.desk.file_finished(True) == 1


def test_progress_counts_what_is_mine_what_is_left_and_my_pace(make: Make) -> None:
    labelling = make()
    labelling.finish(labelling.act(labelling.take("right"), "confirm"))
    progress = labeler_progress(labelling.desk.assignment, "ann")
    assert progress["rounds"] == [{"round": ROUND, "wanted": 3, "mine": 1, "left": 2}]
    assert (progress["seconds"], progress["waiting"], progress["minutes_left"]) == (1.5, 1, 0.05)
    assert [each["solution"] for each in progress["recent"]] == ["right"]


def test_an_invitation_is_kept_as_a_hash_and_can_be_renewed_and_withdrawn(make: Make) -> None:
    labelling = make()
    database = labelling.database
    token = invite(database, "ann", is_lead=True)
    assert token.encode() not in labelling.file.read_bytes() and labelling.file.stat().st_mode & 0o77 == 0
    labeler = labeler_of(database, token)
    assert labeler is not None and (labeler.name, labeler.is_lead) == ("ann", True)
    with pytest.raises(BadInvitation, match="--renew"):
        invite(database, "ann")
    newer = invite(database, "ann", renew=True)
    assert labeler_of(database, token) is None and labeler_of(database, newer) is not None
    uninvite(database, "ann")
    assert labeler_of(database, newer) is None and labeler_of(database, "") is None
    for name in ("", " ann", "a\nb", "x" * 300):
        with pytest.raises(BadInvitation):
            invite(database, name)
