"""What people are told of a search is what happened in it."""

from __future__ import annotations

import io
import json

import pytest

from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.run import SearchModels, search
from o1_assets.search.show import terminal_tree
from o1_assets.search.trace import Trace
from o1_assets.search.vote import Chains
from tests.search.test_search import RIGHT, TABLE, answer_of
from tests.search.toy import PathScorer, TablePolicy
from tests.search.wide import large, think


def traced(strategy: object, tokens: int = 2000, seed: int = 0) -> Trace:
    thinker = SearchModels(TablePolicy(TABLE), PathScorer(RIGHT), answer_of=answer_of)
    [found] = search(strategy, ["q\n"], thinker, Budget(tokens), [seed])  # type: ignore[arg-type]
    return Trace.of(found)


def by_text(trace: Trace) -> dict[str, str]:
    return {seen.node.text.strip(): seen.fate for seen in trace.nodes[1:]}


def test_a_beam_follows_the_best_and_only_looks_at_the_others() -> None:
    trace = traced(StepBeam(width=1, branch=16))
    assert by_text(trace) == {
        "bad": "open", "good": "followed", "slip": "open", "fine": "followed", "answer 3": "ended",
    }  # fmt: skip
    assert [seen.node.text.strip() for seen in trace.path()] == ["good", "fine", "answer 3"]
    assert [move.left for move in trace.moves] == [None, None, None]


def test_moves_that_were_made_together_go_back_nowhere_and_starting_again_does() -> None:
    trace = Trace.of(think(StepBeam(width=2, branch=4, again=True), tokens=400))
    rounds = [move.round for move in trace.moves]
    assert rounds == sorted(rounds) and len(set(rounds)) < len(rounds)
    again = [move for move in trace.moves if move.node.parent is None][1:]
    assert again and all(move.left is not None for move in again)
    assert all(move.left is None for move in trace.moves if move.node.parent is not None)


def test_every_new_step_belongs_to_the_move_that_made_it() -> None:
    for strategy in (StepBeam(3, 4, again=True), PuctSearch(40), Chains("best", 12, at_once=3)):
        trace = Trace.of(think(strategy, tokens=900))
        new = [node.index for move in trace.moves for node in move.new]
        assert sorted(new) == list(range(1, len(trace.nodes)))
        for move in trace.moves:
            assert all(
                move.node is node.parent or move.node in [*node.path(), trace.nodes[0].node]
                for node in move.new
            )
        if not isinstance(strategy, Chains):
            after_the_first = trace.moves[isinstance(strategy, PuctSearch) :]
            assert all(node.parent is move.node for move in after_the_first for node in move.new)


def test_tree_search_that_returns_to_another_branch_went_back_from_where_it_was() -> None:
    trace = Trace.of(think(PuctSearch(60), tokens=3000))
    jumps = [(move.left, move.node) for move in trace.moves if move.left is not None]
    assert jumps
    for left, node in jumps:
        assert left is not node and left not in node.path()


def test_a_line_that_led_to_no_solution_was_given_up() -> None:
    table = {
        "q\n": {"a\n": 0.5, "b\n": 0.5},
        "q\na\n": {"a very long step that is cut off\n": 1.0},
        "q\nb\n": {"answer 1\n": 1.0},
    }
    thinker = SearchModels(TablePolicy(table), PathScorer("a\n"), answer_of=answer_of)
    budget = Budget(tokens=400, step_tokens=9, solution_tokens=500)
    [found] = search(PuctSearch(12, branch=8), ["q\n"], thinker, budget, [0])
    fates = by_text(Trace.of(found))
    assert fates["a"] == "gave up" and fates["b"] == "followed" and fates["answer 1"] == "ended"
    assert fates["a very lo"] == "cut"


def test_priors_are_shares_among_siblings_and_a_forced_step_has_none() -> None:
    trace = traced(StepBeam(width=1, branch=16))
    shares = {seen.node.text.strip(): seen.prior for seen in trace.nodes[1:]}
    assert shares["bad"] == pytest.approx(0.7) and shares["good"] == pytest.approx(0.3)
    forced = think(StepBeam(1, 2), tokens=1, table={"q\n": {"a\n": 1.0}, "q\na\nanswer ": {"7\n": 1.0}})
    last = Trace.of(forced).path()[-1]
    assert last.node.forced and last.prior is None and last.node.answer == "7"


def test_votes_count_solutions_by_their_answer() -> None:
    trace = traced(Chains("weighted", 20))
    votes = trace.votes()
    assert sum(vote["solutions"] for vote in votes) == 20
    assert [vote["solutions"] for vote in votes] == sorted((v["solutions"] for v in votes), reverse=True)
    unscored = traced(Chains("majority", 20))
    assert unscored.votes()[0]["score"] is None and unscored.nodes[1].score is None
    json.dumps([seen.to_json() for seen in trace.nodes], allow_nan=False)


def test_a_large_tree_is_pruned_in_the_terminal_and_nothing_is_dropped_silently() -> None:
    from rich.console import Console

    trace = Trace.of(large())
    assert len(trace.nodes) > 500
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(terminal_tree("q", trace, lines=40))
    lines = console.export_text().splitlines()
    assert 40 < len(lines) < 200
    for seen in trace.path():
        assert any(f"* {seen.node.text.strip()}" in line for line in lines)
    counted = 0
    for line in lines[1:]:
        words = line.split("── ")[-1].replace(",", "").split()
        if words[1:2] == ["more"]:
            counted += int(words[0]) + (int(words[2]) if "below" in words else 0)
        else:
            counted += 1
    assert counted == len(trace.nodes) - 1
