"""`o1 ask`: a policy thinks about questions and answers them, in a running server of this home if there is one."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, check_page, command, print_note, write_page
from o1_assets.execution.project import Project

if TYPE_CHECKING:
    from o1_assets.search.asked import Asked


# Profiles, search and torch are imported inside of functions: a running server has them, and then this process needs
# none of them.
app = typer.Typer()
TREE = "--tree"


@command(app, "ask")
def ask_command(
    project: Project,
    questions: Annotated[list[str], typer.Argument(metavar="QUESTION...", help="- reads stdin, one a line")],
    effort: Annotated[str, typer.Option(help="how hard to think: low, medium, high")] = "medium",
    tokens: Annotated[int | None, typer.Option(help="most tokens a question, instead of --effort")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="think until this time-out, instead of --effort; loading comes on top"),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="how to think instead: an unknown name lists what there is")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="base/model, generator/model, mini/model or rNN/policy; else the newest policy"),
    ] = None,
    show_tree: Annotated[bool, typer.Option("--show-tree", help="show what was thought on the way")] = False,
    tree: Annotated[Path | None, typer.Option(help="write that as an interactive HTML page")] = None,
    seed: Annotated[int, typer.Option()] = 0,
) -> Answer:
    """Let baby-o1 answer: its reasoning step by step, and the answer. Uses a running `o1 serve` of this home."""
    # Before anything is thought: a page that cannot be written would otherwise cost the whole search.
    check_page(tree, TREE)
    asked, places = questions_from(questions)
    options = {
        "effort": effort,
        "tokens": tokens,
        "seconds": seconds,
        "strategy": strategy,
        "model": model,
        "seed": seed,
    }
    # The tree that the terminal shows is drawn from the search itself, which a server does not hand out.
    served = None if show_tree else _ask_server(project, asked, places, options, page=tree is not None)
    if served is None:
        return _answer(project, asked, places, options, show_tree, tree)
    for warning in served["warnings"]:
        print_note(warning)
    lines = list(served["lines"])
    if tree is not None:
        write_page(tree, served["page"], TREE)
        lines.append(f"tree: {tree}")
    return Answer(served["document"], lines, _tell_refused(served["document"]["refused"]))


def questions_from(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The questions, with `-` replaced by the lines of stdin that are not blank, and where each stands: "line 3" of
    stdin, "" for an argument. Raises AskError if there are none."""
    asked: list[tuple[str, str]] = []
    for argument in arguments:
        if argument == "-":
            if isinstance(sys.stdin, io.TextIOWrapper):
                # Bytes that are no text are then an error of their own line.
                sys.stdin.reconfigure(errors="surrogateescape")
            lines = enumerate(sys.stdin.read().split("\n"), 1)
            asked += [(line, f"line {number}") for number, line in lines if line.strip()]
        elif argument.strip():
            asked.append((argument, ""))
    if not asked:
        from o1_assets.search.thinking import AskError

        raise AskError('nothing was asked; write o1 ask "What is 3 * 4 - 5?"')
    return [question for question, _ in asked], [place for _, place in asked]


def _tell_refused(refused: Sequence[str]) -> typer.Exit | None:
    """Says which questions could not be asked; the exit that the command ends in for them, once the others are
    answered."""
    for sentence in refused:
        print_note(sentence)
    return typer.Exit(1) if refused else None


def _ask_server(
    project: Project, questions: Sequence[str], places: Sequence[str], options: dict[str, Any], page: bool
) -> dict[str, Any] | None:
    """The answer of the running server; None if there is none that would answer as this process."""
    from o1_assets.cli.serving.running import ask_server

    return ask_server(
        project, {"questions": list(questions), "places": list(places), **options, "page": page}
    )


def _answer(
    project: Project,
    questions: Sequence[str],
    places: Sequence[str],
    options: dict[str, Any],
    show_tree: bool,
    tree: Path | None,
) -> Answer:
    from o1_assets.cli.thinker import ask

    asked = ask(project, questions, places=places, **options)
    error = _tell_refused(asked.refused)
    if tree is not None:
        write_page(tree, asked.page(), TREE)

    def show() -> None:
        if show_tree:
            print_trees(asked)
        print(*asked.lines(), sep="\n")
        if tree is not None:
            print(f"tree: {tree}")

    return Answer(asked.to_json, show, error)


def print_trees(asked: Asked) -> None:
    from rich.console import Console

    from o1_assets.search.show import LEGEND, terminal_tree

    console = Console(highlight=False)
    for question, trace in zip(asked.questions, asked.traces, strict=True):
        console.print(terminal_tree(question.text, trace))
        console.print(LEGEND, style="dim")
        console.print()
