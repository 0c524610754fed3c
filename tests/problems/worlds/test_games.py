"""The worlds of letters and of tic-tac-toe: teachers, ratings, questions; what any world promises."""

from __future__ import annotations

import json
import re
from random import Random
from time import process_time

import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.labels.annotators.exact_checker import rate_steps, right_next_steps
from o1_assets.problems.config import ProblemsConfig, WorldSource
from o1_assets.problems.grading import grade
from o1_assets.problems.split import as_table, take
from o1_assets.problems.world_source import WorldProblems
from o1_assets.problems.worlds.registry import WORLDS, read_problem
from o1_assets.problems.worlds.tic_tac_toe import PLAN, Look, TicTacToeWorld, best_moves, boards, look, value

NEW = [world for world in WORLDS.values() if world.name not in ("arithmetic", "countdown")]
GAMES = ("letters", "tic-tac-toe", "sudoku")


def row(name: str, question: str) -> dict[str, str]:
    return {"answer": "", "metadata": json.dumps({"world": name, "question": question})}


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_a_world_reads_its_own_questions_and_its_answer_solves_the_problem(world) -> None:
    rng, config = Random(1), world.corpus()
    for _ in range(20):
        problem = world.draw(config, rng)
        assert world.parse(world.question(problem)) == problem and not world.unusual(problem, config)
        assert world.solved_by(problem, world.answer(problem))
        working, verdicts = world.start(problem), []
        solution = world.solve(problem, config, rng)
        if world.step is not None and len(solution) > 1:
            assert re.fullmatch(world.solution_pattern, "".join(f"{step}\n" for step in solution))
        for step in solution:
            working, verdict = world.take_step(working, step)
            verdicts.append(verdict.kind)
        assert "unreadable" not in verdicts and working.answered


@pytest.mark.parametrize("world", [w for w in WORLDS.values() if w.step is not None], ids=lambda w: w.name)
def test_a_solution_that_repeats_one_symbol_for_ever_is_read_at_once(world) -> None:
    """A pattern that can cut a run of one symbol in many ways takes time that doubles with each symbol more."""
    problem = world.draw(world.corpus(), Random(2))
    steps = list(world.solve(problem, world.corpus(), Random(3)))[:2]
    began = process_time()
    for symbol in {*world.step.pattern, *"".join(steps), "1", " ", "x"}:
        for step in steps:
            for start in range(1, len(step) + 1):
                assert not re.fullmatch(world.solution_pattern, step[:start] + symbol * 22 + "\n\n")
    assert process_time() - began < 1


@pytest.mark.parametrize("name", GAMES)
def test_teachers_without_misconceptions_are_right_and_others_often_wrong(name: str) -> None:
    world = WORLDS[name]
    faultless = {"misconception_scale": 0, "direct_rate": 0, "notice_rate": 0}
    faultless |= {"slip_rate": 0} if name == "letters" else {}
    tokenizer = make_tokenizer(512, world.vocabulary)
    for changes, least, most in ((faultless, 1.0, 1.0), ({"misconception_scale": 1.5}, 0.5, 0.9)):
        config, rng, right = world.corpus.model_validate(changes), Random(2), 0
        for _ in range(300):
            problem = world.draw(config, rng)
            steps = world.solve(problem, config, rng)
            right += world.solved_by(problem, steps[-1].removeprefix("answer "))
            text = "".join(step + "\n" for step in (world.question(problem), *steps))
            assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
            if least == 1:
                assert set(rate_steps(row(name, world.question(problem)), steps)) == {1}
        assert least <= right / 300 <= most


STRAW = "Count R in 1s 2t 3r 4a 5r."
ROW_1 = "row 1 a1=2 <2> b1=1 <12> c1=3 <123> d1=_ <123>"
GRID = "Is this grid valid:" + "".join(
    f" {column}{row}={'213_341_12432134'[4 * (row - 1) + i]}"
    for row in range(1, 5)
    for i, column in enumerate("abcd")
)
BOARD = "X to move: a1X b1O c1. a2. b2X c2. a3O b3. c3."
SCANNED = "a1X b1O c1. no; a2. b2X c2. no; a3O b3. c3. no; a1X a2. a3O no; b1O b2X b3. no; c1. c2. c3. no"


@pytest.mark.parametrize(
    ("name", "question", "steps", "ratings"),
    [
        ("letters", STRAW, "1s no 0; 2t no 0; 3r yes 1; 4a no 1; 5r yes 2; answer 2", [1, 1, 1, 1, 1, 1]),
        (
            "letters",
            STRAW,
            "1s no 0; 3r yes 1; wait 2t no 0; 3r yes 1; check 3r yes 1; answer 2",
            [1, -1, 1, 1, 0, 1],
        ),
        ("letters", STRAW, "1s no 0; 2r yes 1; 3r yes 1", [1, -1, -1]),
        ("letters", STRAW, "1s yes 1; answer 3; 2t no 0", [-1, -1, -1]),
        ("letters", STRAW, "1s no 1", [-1]),
        ("letters", STRAW, "1s no 0; 2t no 0; 3r yes 1; 4a no 1; 5r yes 2; 6b no 2", [1, 1, 1, 1, 1, -1]),
        ("letters", STRAW, "one; answer two", [-1, -1]),
        ("tic-tac-toe", BOARD, SCANNED + "; a1X b2X c3. win c3; answer c3", [1] * 8),
        ("tic-tac-toe", BOARD, "a1X b2X c3. win c3; c1. b2X a3O no; answer c3", [1, -1, 1]),
        ("tic-tac-toe", BOARD, "a1X b2X c3. no; wait a1X b2X c3. win c3; answer c3", [-1, 1, 1]),
        ("tic-tac-toe", BOARD, "a1X b1O c1. no; a1X b1O c1. no; check a1X b1O c1. no", [1, -1, 0]),
        ("tic-tac-toe", BOARD, "a1X b1. c1. no", [-1]),
        ("tic-tac-toe", BOARD, "a1X b1O c1. win c1", [-1]),
        ("tic-tac-toe", BOARD, "try b2X", [-1]),
        ("tic-tac-toe", BOARD, "answer a1", [-1]),
        ("tic-tac-toe", BOARD, "a1X b2X b3. no", [-1]),
        # In the grid 213_ / 341_ / 1243 / 2134 columns 1 and 2 and box 1 have a digit twice, in no order that counts.
        ("sudoku", GRID, "column 1 a1=2 <2> a2=3 <23> a3=1 <123> a4=2 again; answer no", [1, 1]),
        (
            "sudoku",
            GRID,
            f"{ROW_1}; {ROW_1}",
            [1, -1],
        ),
        (
            "sudoku",
            GRID,
            f"{ROW_1}; check {ROW_1}; answer yes",
            [1, 0, -1],
        ),
        (
            "sudoku",
            GRID,
            "column 1 a1=2 <2> a2=3 <23> a3=1 <123> a4=2 <123>; wait column 1 a1=2 <2> a2=3 <23> a3=1 <123> a4=2 again",
            [-1, 1],
        ),
        ("sudoku", GRID, "column 1 a1=2 <2> a2=3 <23> a3=1 again", [-1]),
        ("sudoku", GRID, "row 1 a1=2 <2> b1=1 <12>", [-1]),
        ("sudoku", GRID, "row 1 a1=2 <2> b1=1 <12> c1=3 <123> d1=4 <1234>", [-1]),
        ("sudoku", GRID, "diagonal 1 a1=2 <2> b2=4 <24> c3=4 again; answer no", [-1, 1]),
    ],
)
def test_ratings(name: str, question: str, steps: str, ratings: list[int]) -> None:
    assert rate_steps(row(name, question), steps.split("; ")) == ratings


def test_where_nothing_is_won_or_blocked_the_first_good_cell_is_played() -> None:
    # X in two opposite corners and O in the centre: a corner loses, an edge draws.
    board = row("tic-tac-toe", "O to move: a1X b1. c1. a2. b2O c2. a3. b3. c3X")
    steps: list[str] = []
    while right := right_next_steps(board, steps):
        steps.append(right[0])
    assert steps[8:] == [
        "try b2O", "try a1X", "try c1. bad", "try a3. bad", "try c3X", "try b1. good", "answer b1",
    ]  # fmt: skip


def test_who_is_given_the_plan_overlooks_no_block_and_is_more_often_right() -> None:
    world, right = TicTacToeWorld(), [0, 0]
    for planned in (False, True):
        config = world.corpus(solutions=400, misconception_scale=1.5, plan_rate=planned, direct_rate=0)
        overlooked = 0
        for question, steps in world.draw_corpus(config, 3, ()):
            assert question.startswith(PLAN) is planned
            board = world.parse(question.removeprefix(PLAN))
            assert board is not None
            looks = [move for step in steps if isinstance(move := world.read_step(step), Look)]
            overlooked += sum(
                seen.verdict == " no" and look(board, seen.line).verdict == " block " for seen in looks
            )
            right[planned] += world.solved_by(board, steps[-1].removeprefix("answer "))
        assert (overlooked == 0) is planned
    assert right[True] > right[False] + 25


def test_perfect_play_from_the_empty_board_is_a_draw() -> None:
    assert len(boards()) == 4520 and value("." * 9) == 0 and len(best_moves("." * 9)) == 9
    assert value("XX.OO....") == 1 and best_moves("XX.OO....") == (2,)


@pytest.mark.parametrize(
    ("name", "asked", "question"),
    [
        ("letters", "How many r's are there in the word 'strawberry'?",
         "Count R in 1s 2t 3r 4a 5w 6b 7e 8r 9r 10y."),
        ("letters", "count R in Straw", "Count R in 1s 2t 3r 4a 5w."),
        ("letters", "Count R in 1s 3t.", None),
        ("letters", "What is love?", None),
        ("tic-tac-toe", "xo. .x. o..", BOARD),
        ("tic-tac-toe", "XO.\n.X.\nO..", BOARD),
        ("tic-tac-toe", PLAN + "XO. .X. O..", PLAN + BOARD),
        ("tic-tac-toe", "XXXOO....", None),
        ("tic-tac-toe", "XX.......", None),
        ("tic-tac-toe", BOARD.replace("X to", "O to"), None),
        ("tic-tac-toe", "X" * 100_000, None),
        ("sudoku", "Is 213_ 341_ 1243 2134 a valid grid?", GRID),
        ("sudoku", "valid? 2135 341_ 1243 2134", None),
        ("sudoku", "213_ 341_ 1243 2134", None),
    ],
)  # fmt: skip
def test_questions_of_people(name: str, asked: str, question: str | None) -> None:
    world = WORLDS[name]
    problem = world.parse(asked)
    assert (None if problem is None else world.reworded(problem, asked)) == question


@pytest.mark.parametrize("name", GAMES)
def test_no_test_problem_has_its_content_in_train_or_corpus(name: str) -> None:
    world, corpus = WORLDS[name], WORLDS[name].corpus(solutions=300)
    source = WorldProblems(WorldSource(world=name, corpus=corpus))
    config = ProblemsConfig(source=source.config, train=80, test=40, shares=None)
    train, test = (
        as_table(take(source, config, side, size, seed=3).problems).to_dicts()
        for side, size in (("train", 80), ("test", 40))
    )
    held_out = world.contents(problem["metadata"] for problem in test)
    assert not held_out & world.contents(problem["metadata"] for problem in train)
    questions = [question for question, _ in world.draw_corpus(corpus, 5, held_out)]
    assert len(questions) == 300
    assert not held_out & {world.content(world.parse(question.removeprefix(PLAN))) for question in questions}
    assert all(grade(problem["grader"], problem["answer"], problem) for problem in test)
    assert not any(grade(problem["grader"], "z9", problem) for problem in test)


def test_mirrored_boards_stand_and_fall_together() -> None:
    world = WORLDS["tic-tac-toe"]
    assert len({world.content(board) for board in boards()}) == 627
    assert world.content("X........") == world.content("......X..") != world.content(".X.......")


def test_what_is_of_no_world_is_read_by_none() -> None:
    for metadata in (
        "",
        "[]",
        "7",
        '{"world": "letters"}',
        '{"world": "chess", "question": "Count R in 1s."}',
    ):
        assert read_problem(metadata) is None
    with pytest.raises(ValueError, match="no world 'chess'"):
        WorldSource.model_validate({"world": "chess"})


# The rows of instructed problems are those of arithmetic.
@pytest.mark.parametrize("name", [name for name in WORLDS if name != "instructed"])
def test_a_row_is_of_its_world_and_of_none_before_it(name: str) -> None:
    """So the worlds that a profile names tell which code reads its rows (`unused_worlds`)."""
    world, rng = WORLDS[name], Random(0)
    if name in ("arithmetic", "countdown"):
        generator = "countdown" if name == "countdown" else "basic_arithmetic"
        kept = {"source_dataset": generator, "expression": "1 + 2", "numbers": [1, 2], "target": 3}
        rows = [json.dumps({"question": "What is 1 + 2?", "metadata": kept})]
    else:
        drawn = [world.draw(world.corpus(), rng) for _ in range(5)]
        rows = [json.dumps({"world": name, "question": world.question(problem)}) for problem in drawn]
    for each in rows:
        assert next(other.name for other in WORLDS.values() if other.stored(each) is not None) == name
