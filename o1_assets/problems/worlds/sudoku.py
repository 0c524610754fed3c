"""Sudoku: whether a 4x4 grid is valid, looked at row by row, column by column and box by box.

    Is this grid valid: a1=2 b1=_ c1=4 d1=3 a2=3 ...
    row 1 a1=2 <2> b1=_ <2> c1=4 <24> d1=3 <234>
    ...
    column 1 a1=2 <2> a2=3 <23> a3=2 again
    answer no

Each cell has a name that a line repeats, as in tic-tac-toe, and behind it stand the digits that the line has had so
far. So whether a digit comes again is asked of the two tokens before, and not of cells at any distance, which small
models did not learn. The line ends there. Some cells are empty, because there are only 288 full grids, which a model
could know by heart. A grid that is not valid is a valid one in which two cells were exchanged: counting its digits
tells nothing.
"""

from __future__ import annotations

import re
from itertools import combinations, permutations
from random import Random
from typing import NamedTuple

from pydantic import Field

from o1_assets.problems.worlds.world import Corpus, Vocabulary, Working, World

COLUMNS = "abcd"
CELLS = tuple(f"{column}{row}" for row in range(1, 5) for column in COLUMNS)

EMPTY = "_"
Grid = str
"""Sixteen digits from 1 to 4, row by row; _ is an empty cell."""

# A unit, and the indices of its four cells.
UNITS: dict[str, tuple[int, ...]] = {
    **{f"row {r + 1}": tuple(range(4 * r, 4 * r + 4)) for r in range(4)},
    **{f"column {c + 1}": tuple(range(c, 16, 4)) for c in range(4)},
    **{f"box {b + 1}": tuple(8 * (b // 2) + 2 * (b % 2) + i for i in (0, 1, 4, 5)) for b in range(4)},
}
DIAGONALS: dict[str, tuple[int, ...]] = {"diagonal 1": (0, 5, 10, 15), "diagonal 2": (3, 6, 9, 12)}

SEEN = tuple("".join(digits) for count in range(5) for digits in combinations("1234", count))
"""Which digits a line has had, ascending."""

# Shares of writers.
MISCONCEPTIONS = {
    "boxes_forgotten": 0.3,
    "columns_forgotten": 0.2,
    "last_digit_alone": 0.3,
    "diagonals_too": 0.25,
}

_ASKED = "Is this grid valid:"
_SEEN = r" <[1-4]{0,4}>"
_STEP = re.compile(
    r"((?:row|column|box|diagonal) [1-4])"
    rf"((?: [a-d][1-4]=[1-4_]{_SEEN}){{0,3}} [a-d][1-4]=[1-4_](?:{_SEEN}|(?= again)))( again)?"
)


class SudokuCorpus(Corpus):
    """Grids that are checked, wrong as people's checks are."""

    min_empty: int = Field(2, ge=0, description="fewest empty cells")
    max_empty: int = Field(7, le=12, description="most empty cells")
    valid_share: float = Field(0.5, ge=0, le=1, description="share of the grids that are valid")
    misconception_scale: float = Field(1.0, ge=0, description="factor on every misconception's rate")
    direct_rate: float = Field(0.1, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.8, ge=0, le=1, description="chance that a direct answer is right")
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )


class Look(NamedTuple):
    """A step: the cells of a unit, each with the digits so far; those up to one that comes again, if there is one."""

    unit: str
    cells: str
    again: bool

    def __str__(self) -> str:
        return f"{self.unit}{self.cells}{' again' if self.again else ''}"


class Looked(NamedTuple):
    """A state: which units were looked at, and whether one of them has a digit twice."""

    units: frozenset[str]
    twice: bool


class SudokuWorld(World[Grid, Looked, Look, SudokuCorpus]):
    name = "sudoku"
    vocabulary = Vocabulary(
        symbols=("\n", *"1234_", " "),
        words=(
            _ASKED,
            *(f" {cell}=" for cell in CELLS),
            *UNITS,
            *DIAGONALS,
            *(f" <{seen}>" for seen in SEEN),
            " again",
            "check ",
            "wait ",
            "answer ",
            "yes",
            "no",
        ),
    )
    corpus = SudokuCorpus
    step = _STEP
    description = (
        "4x4 grids that are checked unit by unit. The test problems' grids are kept out of the corpus."
    )
    usual = f"{_ASKED} 2_43 3412 1_34 4321"
    unread = "it shows no grid of sixteen cells, each 1 to 4 or _"

    def draw(self, config: SudokuCorpus, rng: Random) -> Grid:
        grid = list(rng.choice(GRIDS))
        for i in rng.sample(range(16), rng.randint(config.min_empty, config.max_empty)):
            grid[i] = EMPTY
        if rng.random() < config.valid_share:
            return "".join(grid)
        while True:
            a, b = rng.sample(range(16), 2)
            exchanged = grid.copy()
            exchanged[a], exchanged[b] = grid[b], grid[a]
            if not is_valid("".join(exchanged)):
                return "".join(exchanged)

    def question(self, problem: Grid) -> str:
        return _ASKED + _cells(problem, range(16))

    def parse(self, question: str) -> Grid | None:
        question = question.strip()
        if len(question) > 200:
            return None
        grid = re.sub(r"[a-d][1-4]=|[^0-9_]", "", question)
        if question == self.question(grid.ljust(16)) or ("valid" in question.lower()):
            return grid if re.fullmatch("[1-4_]{16}", grid) else None
        return None

    def solved_by(self, problem: Grid, answer: str) -> bool:
        return answer == ("yes" if is_valid(problem) else "no")

    def content(self, problem: Grid) -> str:
        # With its digits named in the order of their occurrence: two grids that differ in the names alone are one.
        names = dict(zip(dict.fromkeys(problem.replace(EMPTY, "")), "1234", strict=False))
        return "".join(names.get(cell, EMPTY) for cell in problem)

    def picture(self, problem: Grid) -> str:
        rows = [
            " ".join(problem[i : i + 2]) + " | " + " ".join(problem[i + 2 : i + 4]) for i in range(0, 16, 4)
        ]
        return "\n".join([*rows[:2], "----+----", *rows[2:]])

    def solve(self, problem: Grid, config: SudokuCorpus, rng: Random) -> list[str]:
        if rng.random() < config.direct_rate:
            told = rng.random() < config.direct_right_rate
            return [f"answer {'yes' if is_valid(problem) == told else 'no'}"]
        held = {
            name for name, rate in MISCONCEPTIONS.items() if rng.random() < rate * config.misconception_scale
        }
        steps = list[str]()
        for unit in {**UNITS, **(DIAGONALS if "diagonals_too" in held else {})}:
            kind = unit.partition(" ")[0]
            if f"{kind}s_forgotten" in held or f"{kind}es_forgotten" in held:
                continue
            right = _look(problem, unit)
            seen = _look(problem, unit, last_digit_alone="last_digit_alone" in held)
            steps.append(str(seen))
            if seen != right and rng.random() < config.notice_rate:
                held.discard("last_digit_alone")
                seen = right
                steps.append(f"wait {right}")
            if seen.again:
                return [*steps, "answer no"]
        return [*steps, "answer yes"]

    def begin(self, problem: Grid) -> Looked:
        return Looked(frozenset(), False)

    def read_step(self, text: str) -> Look | None:
        match = _STEP.fullmatch(text)
        return Look(match[1], match[2], match[3] is not None) if match else None

    def take(self, problem: Grid, state: Looked, move: Look) -> tuple[Looked | None, str]:
        """Kinds of error: unit (none, or one that was looked at), cells (not the grid's), verdict (digits so far)."""
        if move.unit not in UNITS or move.unit in state.units or state.twice:
            return None, "unit"
        if not _cells(problem, UNITS[move.unit]).startswith(re.sub(_SEEN, "", move.cells)):
            return None, "cells"
        if move != _look(problem, move.unit):
            return None, "verdict"
        return Looked(state.units | {move.unit}, move.again), "right"

    def next_steps(self, working: Working[Grid, Looked, Look]) -> list[str]:
        assert working.state is not None
        left = [unit for unit in UNITS if unit not in working.state.units]
        if working.state.twice or not left:
            return [f"answer {'no' if working.state.twice else 'yes'}"]
        return [str(_look(working.problem, unit)) for unit in left]


def _cells(grid: Grid, indices: tuple[int, ...] | range) -> str:
    return "".join(f" {CELLS[i]}={grid[i]}" for i in indices)


def _look(grid: Grid, unit: str, *, last_digit_alone: bool = False) -> Look:
    """The step that looks at a unit, or at a diagonal. last_digit_alone: it remembers one digit."""
    cells, seen = "", ""
    for i in {**UNITS, **DIAGONALS}[unit]:
        cells += f" {CELLS[i]}={grid[i]}"
        if grid[i] in seen:
            return Look(unit, cells, True)
        if grid[i] != EMPTY:
            seen = grid[i] if last_digit_alone else "".join(sorted(seen + grid[i]))
        cells += f" <{seen}>"
    return Look(unit, cells, False)


def is_valid(grid: Grid) -> bool:
    return not any(_look(grid, unit).again for unit in UNITS)


def _grids() -> list[Grid]:
    """All 288 valid grids."""
    rows = ["".join(row) for row in permutations("1234")]
    grids = [""]
    for _ in range(4):
        grids = [grid + row for grid in grids for row in rows if _fits(grid + row)]
    return grids


def _fits(part: Grid) -> bool:
    """Whether no column or box of the first rows has a digit twice."""
    for name, indices in UNITS.items():
        digits = [part[i] for i in indices if i < len(part)]
        if not name.startswith("row") and len(set(digits)) < len(digits):
            return False
    return True


GRIDS = _grids()
