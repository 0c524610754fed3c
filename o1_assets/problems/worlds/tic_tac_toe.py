"""Tic-tac-toe: the best move on a board. The lines are looked at one after another, for a win first and then a block.

    X to move: a1X b1O c1. a2. b2X c2. a3O b3. c3.
    a1X b1O c1. no
    a2. b2X c2. no
    ...
    c1. b2X a3O no
    a1X b2X c3. win c3
    answer c3

Where nothing is to be won or blocked the cells are tried in a fixed order, and whether a free one is good is known by
heart:

    try b2X
    try a1. good
    answer a1

A cell is written with its name wherever it is read, so its content is looked up by that name; a line has one form.

A plan may stand in front of the question, one token. Who is given it looks for wins first and for blocks too:

    Check wins, then blocks: X to move: a1X b1O c1. a2. b2X c2. a3O b3. c3.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random
from typing import NamedTuple

from pydantic import Field

from o1_assets.problems.worlds.world import Corpus, Solved, Vocabulary, Working, World

CELLS = tuple(column + row for row in "123" for column in "abc")
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
FIRST_TRIED = (4, 0, 2, 6, 8, 1, 3, 5, 7)
"""The centre, the corners, the edges."""

EMPTY = "." * 9

PLAN = "Check wins, then blocks: "
"""What a prompt may begin with; no problem does."""

MOST_LUCK = 0.9
"""Boards on which all moves are best are drawn as those on which this share is: a game begins on one."""

_SYMMETRIES = tuple(
    tuple(next(i for i in range(9) if divmod(i, 3) == turn(*divmod(place, 3))) for place in range(9))
    for turn in (
        lambda row, column: (row, column),
        lambda row, column: (row, 2 - column),
        lambda row, column: (2 - row, column),
        lambda row, column: (2 - row, 2 - column),
        lambda row, column: (column, row),
        lambda row, column: (column, 2 - row),
        lambda row, column: (2 - column, row),
        lambda row, column: (2 - column, 2 - row),
    )
)

_CELL = r"([abc][123])([XO.])"
_BOARD = re.compile(r"(?:([XO]) to move: ?)?" + " ?".join([r"([abc][123])?([XO.])"] * 9), re.I)
_LINE = re.compile(rf"{_CELL} {_CELL} {_CELL} (?:(no)|(win|block) ([abc][123]))")
_TRY = re.compile(rf"try {_CELL}( good| bad)?")


def mover(board: str) -> str:
    """Whose move it is: X begins."""
    return "X" if board.count("X") == board.count("O") else "O"


def winner(board: str) -> str | None:
    return next((board[i] for i, j, k in LINES if board[i] != "." and board[i] == board[j] == board[k]), None)


def played(board: str, cell: int) -> str:
    return board[:cell] + mover(board) + board[cell + 1 :]


def free_cells(board: str) -> list[int]:
    return [cell for cell in range(9) if board[cell] == "."]


@cache
def value(board: str) -> int:
    """What the mover reaches against perfect play: 1 a win, 0 a draw, -1 a loss (minimax)."""
    if winner(board):
        return -1
    return max((-value(played(board, cell)) for cell in free_cells(board)), default=0)


@cache
def best_moves(board: str) -> tuple[int, ...]:
    return tuple(cell for cell in free_cells(board) if -value(played(board, cell)) == value(board))


@cache
def boards() -> tuple[str, ...]:
    """All 4,520 that a game can reach and that have a move."""
    reached, todo = set[str](), [EMPTY]
    while todo:
        board = todo.pop()
        if board not in reached and not winner(board) and free_cells(board):
            reached.add(board)
            todo += [played(board, cell) for cell in free_cells(board)]
    return tuple(sorted(reached))


def completing(board: str, line: tuple[int, ...], player: str) -> int | None:
    """The free cell of a line whose two others are the player's; None if there is none."""
    free = [cell for cell in line if board[cell] == "."]
    return free[0] if len(free) == 1 and sum(board[cell] == player for cell in line) == 2 else None


def picture(board: str) -> str:
    """The board with the names of its columns and rows."""
    rows = [f"{row + 1} {' '.join(board[3 * row : 3 * row + 3])}" for row in range(3)]
    return "\n".join(["  a b c", *rows])


def winning_cells(board: str, player: str) -> list[int]:
    """Cells on which the player would complete a line."""
    return [cell for line in LINES if (cell := completing(board, line, player)) is not None]


class TicTacToeCorpus(Corpus):
    """Moves, wrong where people look at part of the board."""

    solutions: int = Field(40_000, gt=0, description="worked solutions in the corpus, each read once")
    misconception_scale: float = Field(1.0, ge=0, description="factor on every misconception's rate")
    direct_rate: float = Field(0.1, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(
        0.8, ge=0, le=1, description="chance that a direct answer is a best move"
    )
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )
    plan_rate: float = Field(
        0.1,
        ge=0,
        le=1,
        description="chance that the writer of a chain is given a plan, by the first words of the prompt",
    )


# Shares of writers.
MISCONCEPTIONS = {
    "blocks_at_once": 0.4,
    "diagonals_forgotten": 0.4,
    "own_lines_only": 0.4,
    "rows_only": 0.15,
    "third_cell_taken": 0.15,
}


UNPLANNED = {"blocks_at_once", "own_lines_only"}
"""What nobody does who is given the plan."""

PARTIAL = {"diagonals_forgotten", "own_lines_only", "rows_only"}


class Look(NamedTuple):
    """A step: what stands in a line, and what follows from it. cell: to win or to block on."""

    line: tuple[int, ...]
    content: str
    verdict: str
    cell: int | None


class Try(NamedTuple):
    """A step: what stands in a cell, and whether a free one is " good" or " bad"."""

    cell: int
    content: str
    verdict: str


class Seen(NamedTuple):
    """The state: how many lines were looked at, and cells tried, each in their order; cell: the move to make.

    lines and not their number, as any order of them is right.
    """

    lines: frozenset[tuple[int, ...]] = frozenset()
    tried: int = 0
    cell: int | None = None
    ended: bool = False


class TicTacToeWorld(World[str, Seen, Look | Try, TicTacToeCorpus]):
    """A problem is a board: nine of X, O and ., row after row."""

    name = "tic-tac-toe"
    vocabulary = Vocabulary(
        symbols=("\n", "X", "O", ".", " "),
        words=(
            " to move:",
            " no",
            " win ",
            " block ",
            "try ",
            " good",
            " bad",
            "check ",
            "wait ",
            "answer ",
            PLAN,
            *CELLS,
        ),
    )
    corpus = TicTacToeCorpus
    step = re.compile(f"{_LINE.pattern}|{_TRY.pattern}")
    description = (
        "moves in tic-tac-toe by players who may look at a part of the board. The test problems are kept out of the "
        "corpus, turned and mirrored too."
    )
    usual = "X to move: a1X b1O c1. a2. b2X c2. a3O b3. c3."
    unread = "it gives no board of nine X, O and . on which a game goes on"

    def draw(self, config: TicTacToeCorpus, rng: Random) -> str:
        # As often as a random move would be wrong; on a third of all boards most moves, or all, are as good.
        while True:
            board = rng.choice(boards())
            if rng.random() >= min(MOST_LUCK, len(best_moves(board)) / board.count(".")):
                return board

    def question(self, problem: str) -> str:
        cells = " ".join(name + content for name, content in zip(CELLS, problem, strict=True))
        return f"{mover(problem)} to move: {cells}"

    def parse(self, question: str) -> str | None:
        """As the corpus asks, or the nine cells alone: "XO. .X. O..", with the plan before it or without."""
        match = _BOARD.fullmatch(" ".join(question.removeprefix(PLAN).split()))
        if match is None:
            return None
        player, *cells = match.groups()
        board = "".join(cells[1::2]).upper()
        named = [cell.lower() for cell in cells[::2] if cell]
        if named not in ([], list(CELLS)) or board not in boards():
            return None
        return board if player is None or player.upper() == mover(board) else None

    def reworded(self, problem: str, asked: str) -> str:
        return (PLAN if asked.startswith(PLAN) else "") + self.question(problem)

    def solved_by(self, problem: str, answer: str) -> bool:
        return answer in CELLS and CELLS.index(answer) in best_moves(problem)

    def content(self, problem: str) -> str:
        return min("".join(problem[place] for place in symmetry) for symmetry in _SYMMETRIES)

    def difficulty(self, problem: str) -> int:
        return problem.count(".")

    def picture(self, problem: str) -> str:
        return picture(problem)

    def solve(self, problem: str, config: TicTacToeCorpus, rng: Random) -> list[str]:
        if rng.random() < config.direct_rate:
            is_best = rng.random() < config.direct_right_rate
            return [f"answer {CELLS[rng.choice(best_moves(problem) if is_best else free_cells(problem))]}"]
        return self._chain(problem, self._misconceptions(config, rng), config, rng)

    def write(self, problem: str, config: TicTacToeCorpus, rng: Random) -> Solved:
        if rng.random() >= config.plan_rate:
            return super().write(problem, config, rng)
        held = self._misconceptions(config, rng) - UNPLANNED
        return PLAN + self.question(problem), self._chain(problem, held, config, rng)

    @staticmethod
    def _misconceptions(config: TicTacToeCorpus, rng: Random) -> set[str]:
        scale = config.misconception_scale
        return {name for name, rate in MISCONCEPTIONS.items() if rng.random() < rate * scale}

    def _chain(self, problem: str, held: set[str], config: TicTacToeCorpus, rng: Random) -> list[str]:
        steps, block = list[str](), None
        lines = LINES[: 3 if "rows_only" in held else 6 if "diagonals_forgotten" in held else 8]
        for line in lines:
            right = look(problem, line)
            seen = _misread(problem, right) if "third_cell_taken" in held else right
            if right.verdict == " block " and "own_lines_only" in held:
                seen = right._replace(verdict=" no", cell=None)
            steps.append(_written(seen))
            if seen != right and rng.random() < config.notice_rate:
                held.clear()
                seen = right
                steps.append("wait " + _written(seen))
            if seen.verdict == " win " or (seen.verdict == " block " and "blocks_at_once" in held):
                return [*steps, f"answer {CELLS[seen.cell or 0]}"]
            if seen.verdict == " block " and block is None:
                block = seen.cell
        if block is not None:
            return [*steps, f"answer {CELLS[block]}"]
        for cell in FIRST_TRIED:
            step = attempt(problem, cell)
            # Who saw a part of the board thinks nothing of a free cell; others know by heart which are good.
            if held & PARTIAL and step.content == ".":
                step = step._replace(verdict=" good")
            steps.append(_written(step))
            if step.verdict == " good":
                break
        return [*steps, f"answer {CELLS[cell]}"]

    def begin(self, problem: str) -> Seen:
        return Seen()

    def read_step(self, text: str) -> Look | Try | None:
        if match := _LINE.fullmatch(text):
            cells = tuple(CELLS.index(match[i]) for i in (1, 3, 5))
            verdict = f" {match[8]} " if match[8] else " no"
            return Look(
                cells, match[2] + match[4] + match[6], verdict, CELLS.index(match[9]) if match[9] else None
            )
        if match := _TRY.fullmatch(text):
            return Try(CELLS.index(match[1]), match[2], match[3] or "")
        return None

    def take(self, problem: str, state: Seen, move: Look | Try) -> tuple[Seen | None, str]:
        """Kinds of error: late (the move was found before), line (no line, or seen before), content, verdict; early (a
        cell is tried before all lines were seen), cell (not the next one)."""
        if state.ended:
            return None, "late"
        if isinstance(move, Look):
            if move.line not in LINES or move.line in state.lines or state.tried:
                return None, "line"
            right = look(problem, move.line)
            if move.content != right.content:
                return None, "content"
            if move != right:
                return None, "verdict"
            lines = state.lines | {move.line}
            wins = move.verdict == " win "
            cell = move.cell if wins or state.cell is None else state.cell
            ended = wins or (len(lines) == len(LINES) and cell is not None)
            return Seen(lines, 0, cell, ended), "right"
        if len(state.lines) < len(LINES):
            return None, "early"
        if move.cell != FIRST_TRIED[state.tried]:
            return None, "cell"
        if move != (step := attempt(problem, move.cell)):
            return None, "content" if move.content != step.content else "verdict"
        good = move.verdict == " good"
        return Seen(state.lines, state.tried + 1, move.cell if good else None, good), "right"

    def next_steps(self, working: Working[str, Seen, Look | Try]) -> list[str]:
        board, seen = working.problem, working.state
        assert seen is not None
        if seen.ended and seen.cell is not None:
            return [f"answer {CELLS[seen.cell]}"]
        if unseen := [line for line in LINES if line not in seen.lines]:
            return [_written(look(board, line)) for line in unseen]
        return [_written(attempt(board, FIRST_TRIED[seen.tried]))]


def look(board: str, line: tuple[int, ...]) -> Look:
    """The right look at a line."""
    content = "".join(board[cell] for cell in line)
    me = mover(board)
    for player, verdict in ((me, " win "), ("O" if me == "X" else "X", " block ")):
        if (cell := completing(board, line, player)) is not None:
            return Look(line, content, verdict, cell)
    return Look(line, content, " no", None)


def attempt(board: str, cell: int) -> Try:
    """The right words on a cell."""
    if board[cell] != ".":
        return Try(cell, board[cell], "")
    return Try(cell, ".", " good" if cell in best_moves(board) else " bad")


def _misread(board: str, right: Look) -> Look:
    """Two of one's own in a line are a win although the third cell is taken."""
    if right.content.count(mover(board)) == 2 and "." not in right.content:
        cell = next(cell for cell in right.line if board[cell] != mover(board))
        return right._replace(verdict=" win ", cell=cell)
    return right


def _written(step: Look | Try) -> str:
    if isinstance(step, Try):
        return f"try {CELLS[step.cell]}{step.content}{step.verdict}"
    cells = " ".join(CELLS[cell] + content for cell, content in zip(step.line, step.content, strict=True))
    return cells + step.verdict + ("" if step.cell is None else CELLS[step.cell])
