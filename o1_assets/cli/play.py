"""`o1 play`: a game against baby-o1, which shows its reasoning."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.cli.thinker import load_thinker
from o1_assets.core.errors import O1Error
from o1_assets.core.seeds import derive_seed
from o1_assets.execution.project import Project
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.problems.worlds.tic_tac_toe import CELLS, EMPTY, free_cells, mover, picture, played, winner
from o1_assets.search.models import choose_models
from o1_assets.search.thinking import choose_thinking

app = typer.Typer()

GAME = "tic-tac-toe"

Answered = tuple[list[str], str | None]
"""The steps of a solution, and its answer."""


class PlayError(O1Error):
    """What cannot be played, and what can."""


@command(app, "play")
def play_command(
    project: Project,
    game: Annotated[str, typer.Argument(help=GAME)],
    second: Annotated[bool, typer.Option("--second", help="let the model begin")] = False,
    effort: Annotated[str, typer.Option(help="how hard it thinks: low, medium, high")] = "low",
    strategy: Annotated[str | None, typer.Option(help="how it thinks instead, as in `o1 ask`")] = None,
    model: Annotated[str | None, typer.Option(help="as in `o1 ask`; else the newest policy")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    as_json: bool = False,
) -> Answer:
    """Play against baby-o1: o1 play tic-tac-toe --profile tic-tac-toe."""
    if game != GAME:
        raise PlayError(f"there is no game {game!r}; there is {GAME}")
    profile = project.profile
    if getattr(profile.base, "world", None) != GAME:
        raise PlayError(f"the models of profile {profile.name} do not know {GAME}; add --profile {GAME}")
    thinking = choose_thinking(profile, effort, None, strategy)
    chosen = choose_models(project.store, profile, thinking.strategy, model)
    thinker = load_thinker(project.store, profile, chosen)

    from o1_assets.search.run import search
    from o1_assets.search.trace import Trace

    def think(board: str) -> Answered:
        prompt = profile.prompt.render(WORLDS[GAME].question(board))
        (result,) = search(thinking.strategy, [prompt], thinker, thinking.budget, [derive_seed(seed, board)])
        return [seen.node.text.strip() for seen in Trace.of(result).path()], result.answer.answer

    try:
        # What is shown while a game goes on is for people; a program reads its moves.
        show = (lambda text: None) if as_json else print
        return Answer(play(think, "O" if second else "X", sys.stdin.readline, show))
    finally:
        thinker.close()


def play(
    think: Callable[[str], Answered], person: str, read: Callable[[], str], show: Callable[[str], object]
) -> dict[str, Any]:
    """One game: its moves, and who won.

    person: the person's side. read: a line that they type, "" at the end of input.
    """
    board, moves = EMPTY, list[str]()

    def ended(text: str, won: str | None) -> dict[str, Any]:
        show(text)
        return {"person": person, "moves": moves, "winner": won}

    while not winner(board) and free_cells(board):
        free = [CELLS[cell] for cell in free_cells(board)]
        if mover(board) == person:
            show(picture(board))
            show(f"Your move, {person} ({', '.join(free)}):")
            while (line := read()) and line.strip() not in free:
                show(f"{line.strip()!r} is no free cell")
            if not line:
                return ended("The game was left.", None)
            move = line.strip()
        else:
            steps, answer = think(board)
            show("\n".join(f"  {step}" for step in steps))
            if answer not in free:
                return ended(f"The model plays {answer}, which is no free cell: you win.", person)
            move = answer
        moves.append(move)
        board = played(board, CELLS.index(move))
    show(picture(board))
    won = winner(board)
    return ended("You win." if won == person else "The model wins." if won else "A draw.", won)
