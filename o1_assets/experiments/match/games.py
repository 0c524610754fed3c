"""Games on the board of tic-tac-toe: the game itself, against an agent that wins, else blocks, else takes the centre, a
corner or an edge; and misère, in which three in a row lose, against one that makes no such row while it can.

No model was ever trained on misère. Its positions are asked for in the same words, so that no model can be told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from o1_assets.core.seeds import derive_seed
from o1_assets.problems.worlds.tic_tac_toe import (
    CELLS,
    EMPTY,
    free_cells,
    mover,
    played,
    value,
    winner,
    winning_cells,
)

CORNERS = (0, 2, 6, 8)

Choose = Callable[[Sequence[str], Sequence[int]], Sequence[str | None]]
"""The names of the cells to play on boards; seeds: one for each."""


@dataclass(frozen=True)
class Result:
    """side: the player's. outcome: win, draw or loss, for the player; illegal: it was lost by a move that is none."""

    side: str
    outcome: str
    illegal: bool = False


def urgent_move(board: str) -> int | None:
    """The cell to win on, else to block on; None if there is none."""
    me = mover(board)
    other = "O" if me == "X" else "X"
    return next(iter([*winning_cells(board, me), *winning_cells(board, other)]), None)


def agent_move(board: str, rng: Random) -> int:
    free = free_cells(board)
    urgent = urgent_move(board)
    if urgent is not None:
        return urgent
    return 4 if 4 in free else rng.choice([cell for cell in free if cell in CORNERS] or free)


def _urgent_else_random(board: str, rng: Random) -> int:
    urgent = urgent_move(board)
    return rng.choice(free_cells(board)) if urgent is None else urgent


@dataclass(frozen=True)
class Game:
    """row_wins: whether three in a row win; else they lose. agent: the opponent's move.
    value: what the mover reaches against perfect play, 1, 0 or -1."""

    name: str
    row_wins: bool
    agent: Callable[[str, Random], int]
    value: Callable[[str], int]

    def winner(self, board: str) -> str | None:
        row = winner(board)
        return row if row is None or self.row_wins else "O" if row == "X" else "X"

    def best_moves(self, board: str) -> list[int]:
        return [cell for cell in free_cells(board) if -self.value(played(board, cell)) == self.value(board)]


@cache
def misere_value(board: str) -> int:
    if winner(board):
        return 1
    return max((-misere_value(played(board, cell)) for cell in free_cells(board)), default=0)


def careful_move(board: str, rng: Random) -> int:
    """Any cell that makes no row of one's own; where there is none, any."""
    free = free_cells(board)
    return rng.choice([cell for cell in free if not winner(played(board, cell))] or free)


TIC_TAC_TOE = Game("tic-tac-toe", True, agent_move, value)
MISERE = Game("misère", False, careful_move, misere_value)


def play_games(choose: Choose, games: int, seed: int, rules: Game = TIC_TAC_TOE) -> list[Result]:
    """Games of one player, who begins every second one. All are played at once, so that `choose` has large batches."""
    rngs = [Random(derive_seed(seed, "agent", game)) for game in range(games)]
    boards = [EMPTY] * games
    sides = ["XO"[game % 2] for game in range(games)]
    results: list[Result | None] = [None] * games
    while open_games := [game for game in range(games) if results[game] is None]:
        players = [game for game in open_games if mover(boards[game]) == sides[game]]
        asked = [boards[game] for game in players]
        seeds = [derive_seed(seed, "player", game, boards[game]) for game in players]
        answers = dict(zip(players, choose(asked, seeds) if asked else (), strict=True))
        for game in open_games:
            board, side = boards[game], sides[game]
            if game in answers:
                answer = answers[game]
                cell = CELLS.index(answer) if answer in CELLS else -1
                if cell not in free_cells(board):
                    results[game] = Result(side, "loss", illegal=True)
                    continue
            else:
                cell = rules.agent(board, rngs[game])
            boards[game] = board = played(board, cell)
            if won := rules.winner(board):
                results[game] = Result(side, "win" if won == side else "loss")
            elif not free_cells(board):
                results[game] = Result(side, "draw")
    return [result for result in results if result is not None]


def rule_player(seed: int, rules: Game = TIC_TAC_TOE) -> dict[str, Choose]:
    """What a model is held against: players of known strength, by name."""
    rng = Random(seed)

    def player(move: Callable[[str], int]) -> Choose:
        return lambda boards, seeds: [CELLS[move(board)] for board in boards]

    return {
        "random moves": player(lambda board: rng.choice(free_cells(board))),
        "wins and blocks": player(lambda board: _urgent_else_random(board, rng)),
        "perfect": player(lambda board: rng.choice(rules.best_moves(board))),
    }
