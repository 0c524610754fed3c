"""Games against the agent with rules, and against a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from o1_assets.cli.play import play
from o1_assets.core.settings import Settings
from o1_assets.experiments.match.games import (
    CORNERS,
    MISERE,
    TIC_TAC_TOE,
    Choose,
    Game,
    Result,
    agent_move,
    careful_move,
    play_games,
    rule_player,
)
from o1_assets.experiments.match.result import (
    HELD_OUT,
    PLAYS,
    THINKING,
    MatchConfig,
    counted,
    match_result,
    permitted,
    player,
)
from o1_assets.experiments.match.ways import MODELS, PLAYER
from o1_assets.experiments.result import verdict
from o1_assets.graph import build_graph
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.profiles.load import load_profile
from o1_assets.search.run import SearchModels
from tests.search.test_search import answer_of
from tests.search.toy import PathScorer, TablePolicy


def outcomes(choose: Choose, games: int = 200, rules: Game = TIC_TAC_TOE) -> dict[str, Counter[str]]:
    results = play_games(choose, games, 3, rules)
    assert len(results) == games
    return {side: Counter(r.outcome for r in results if r.side == side) for side in "XO"}


def test_players_of_known_strength_end_as_expected() -> None:
    """4,000 games each: random .01/.15/.84 as X, wins and blocks .19/.73/.08, perfect .20/.80/0."""
    players = {name: outcomes(choose) for name, choose in rule_player(1).items()}
    assert players["perfect"]["X"]["loss"] == players["perfect"]["O"]["loss"] == 0
    assert players["random moves"]["X"]["loss"] > 70 and players["random moves"]["O"]["loss"] > 85
    assert 60 <= players["wins and blocks"]["X"]["draw"] <= 85


def test_in_misere_three_in_a_row_lose_and_who_plays_to_win_them_does() -> None:
    assert MISERE.winner("XXXOO....") == "O" and MISERE.winner("XX.OO....") is None
    # X completes a row on c1, O threatens one on c2: what wins tic-tac-toe is the one move that loses at once.
    assert TIC_TAC_TOE.best_moves("XX.OO....") == [2] and 2 not in MISERE.best_moves("XX.OO....")
    assert all(careful_move("XX.OO....", Random(seed)) != 2 for seed in range(20))
    assert careful_move("XXOOOXX.O", Random(0)) == 7, "with no other cell left it loses"
    players = {name: outcomes(choose, 100, MISERE) for name, choose in rule_player(1, MISERE).items()}
    assert players["perfect"]["X"]["loss"] == players["perfect"]["O"]["loss"] == 0
    for side in "XO":
        assert players["wins and blocks"][side]["loss"] > players["perfect"][side]["loss"]
    assert players["random moves"]["X"] != outcomes(rule_player(1)["random moves"], 100)["X"]


def test_a_move_that_is_none_loses_at_once_and_is_counted() -> None:
    def first_cell(boards: Sequence[str], seeds: Sequence[int]) -> list[str | None]:
        return ["a1" if board[0] == "." else None for board in boards]

    rows = counted("first", "rules", play_games(first_cell, 40, seed=3))
    assert [row["side"] for row in rows] == ["X", "O"]
    for row in rows:
        assert row["games"] == row["losses"] == 20 and row["wins"] == row["draws"] == 0
        assert 10 < int(row["illegal"]) <= 20


def test_a_game_does_not_depend_on_those_beside_it() -> None:
    choose = rule_player(1)["perfect"]
    assert [r.side for r in play_games(choose, 4, seed=3)] == ["X", "O", "X", "O"]
    lone = play_games(lambda boards, seeds: ["a1" for _ in boards], 2, seed=3)
    assert lone == play_games(lambda boards, seeds: ["a1" for _ in boards], 6, seed=3)[:2]


@pytest.mark.parametrize("way", PLAYS)
def test_a_model_is_asked_for_the_board_and_its_answer_is_the_move(way: str) -> None:
    plan = "Check wins, then blocks: " if way == "chain, plan given" else ""
    prompt = plan + "X to move: a1. b1. c1. a2. b2. c2. a3. b3. c3.\n"
    table = {
        prompt: {"answer b2\n": 1.0},
        prompt + "answer b2\n": {"": 1.0},
        prompt + "answer ": {"b2\n": 1.0},
    }
    models = SearchModels(
        TablePolicy(table),
        PathScorer("answer b2\n"),
        answer_of=lambda s: answer_of(s),
        answer_start="answer ",
    )
    choose, spent = player(models, way, MatchConfig())
    (answer,) = choose(["." * 9], [1])
    assert answer is not None and answer.removeprefix("answer ").strip() == "b2" and sum(spent) > 0


@pytest.mark.parametrize(
    ("answers", "weighted", "kept"),
    [({"b1": 0.9, "b3": 0.1}, "b1", "b3"), ({"b1": 0.9, "z": 0.1}, "b1", "b1"), ({"b3": 1.0}, "b3", "b3")],
)
def test_a_permitted_vote_leaves_out_moves_onto_taken_cells(
    answers: dict[str, float], weighted: str, kept: str
) -> None:
    """On a board that b3 fills; where no answer is permitted the vote stands, and loses."""
    prompt = WORLDS["tic-tac-toe"].question("XOOOXXX.O") + "\n"
    steps = {f"answer {cell}\n": share for cell, share in answers.items()}
    table = {prompt: steps, **{prompt + step: {"": 1.0} for step in steps}}
    models = SearchModels(
        TablePolicy(table),
        PathScorer("answer b1\n"),
        answer_of=lambda step: (answer_of(step) or "").removeprefix("answer ").strip() or None,
        answer_start="answer ",
    )
    for way, cell in (("weighted vote", weighted), ("permitted vote", kept)):
        choose, _ = player(models, way, MatchConfig())
        assert choose(["XOOOXXX.O"], [1]) == [cell]
    assert permitted(prompt, "b3") is None and permitted(prompt, "b1") is permitted(prompt, "z") is False


def test_the_claims_are_of_the_losses_by_thinking_and_without() -> None:
    draws, losses = [Result("X", "draw")] * 10, [Result("O", "loss", illegal=True)] * 10
    rules = [(name, "rules") for name in rule_player(0)]
    played = {
        key: [*draws, *losses]
        for key in [*rules, *((name, way) for name in MODELS.values() for way in PLAYS)]
    }
    played[PLAYER, THINKING] = [*draws, *draws[:9], losses[0]]
    played["base", "chain, plan given"] = [*draws, *draws[:5], *losses[:5]]
    held_out = {key: [*losses, *losses] for key in [*rules, *((PLAYER, way) for way in HELD_OUT)]}
    held_out["random moves", "rules"] = [*losses, *draws]
    result = match_result(played, held_out, MatchConfig(resamples=50), seed=1)
    claims = {claim.name: claim for claim in result.claims}
    values = {name: claim.value for name, claim in claims.items()}
    assert values["ttt_losses_direct"] == 0.5 and values["ttt_losses_thinking"] == 0.05
    assert values["ttt_losses_base_chain"] == 0.5 and values["ttt_losses_base_plan"] == 0.25
    assert values["misere_losses_thinking"] == 1 and values["misere_losses_random"] == 0.5
    ratio, illegal = claims["ttt_losses_ratio"], claims["ttt_illegal"]
    assert ratio.value == 0.1 and ratio.low is not None and ratio.high is not None
    assert ratio.low <= 0.1 <= ratio.high
    assert illegal.value == 1 and verdict(illegal) == "missed" and verdict(ratio) == "met"
    assert "-45 points in tic-tac-toe, and +50 in mis" in result.notes[-1]
    assert result.tables["games"].frame["illegal"].sum() == 10 * (len(played) - 2) + 1 + 5
    (line,) = (line for line in result.charts["losses"].series if line.label == "baby-o1")
    assert dict(zip(PLAYS, line.y, strict=True))[THINKING] == 0.05


def test_only_the_profile_of_the_game_has_a_match(tmp_path: Path) -> None:
    for name, has_match in (("tic-tac-toe", True), ("letters", False)):
        graph = build_graph(load_profile(name, ""), Settings(name, tmp_path))
        assert ("match/result" in graph) is has_match


def test_a_person_can_win_lose_and_leave() -> None:
    def against(moves: list[str], answers: list[str]) -> str:
        shown: list[str] = []
        lines = iter([*(move + "\n" for move in moves), ""])
        replies = iter(answers)
        game = play(lambda board: (["a step"], next(replies)), "X", lambda: next(lines), shown.append)
        return "\n".join([*shown, str(game["winner"])])

    won = against(["a1", "b1", "z9", "a1", "c1"], ["b2", "b3"])
    assert "'z9' is no free cell" in won and won.endswith("1 X X X\n2 . O .\n3 . O .\nYou win.\nX")
    assert against(["a1", "c2", "b1"], ["a3", "b3", "c3"]).endswith("The model wins.\nO")
    assert "no free cell: you win" in against(["a1"], ["a1"])
    assert against(["a1"], ["b2"]).endswith("c3):\nThe game was left.\nNone")  # the end of input


def test_the_agent_wins_before_it_blocks_and_else_takes_the_centre_or_a_corner() -> None:
    moves = [agent_move(board, Random(0)) for board in ("XX.OO....", "XX..O....", "X........", "....X....")]
    assert moves[:3] == [2, 2, 4] and moves[3] in CORNERS
