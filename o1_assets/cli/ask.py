"""`o1 ask`: a policy thinks about questions and answers them."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.base.config import TrainedBase
from o1_assets.cli.common import Answer, check_page, command, write_page
from o1_assets.core.errors import O1Error
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.open import require_engine
from o1_assets.execution.project import Project
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.search.models import ModelVersions, choose_models, load_search_models
from o1_assets.search.question import Question, check_readable, read_question
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile
    from o1_assets.search.interface import Budget, Strategy
    from o1_assets.search.run import SearchModels
    from o1_assets.search.trace import Trace


# Search and torch are imported inside of functions: every command loads this module, and `o1 status` needs neither.
app = typer.Typer()
TREE = "--tree"

# What the check of the problem itself says of an answer; None where it has none.
CHECKED = {
    True: " (checked: it solves the problem)",
    False: " (wrong: it does not solve the problem)",
    None: "",
}


class AskError(O1Error):
    """An option of `o1 ask` has a value that it cannot have; the message lists those that it can."""


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
    """Let baby-o1 answer: its reasoning step by step, and the answer."""
    # Before anything is thought: a page that cannot be written would otherwise cost the whole search.
    check_page(tree, TREE)
    asked = ask(
        project,
        questions_from(questions),
        effort=effort,
        tokens=tokens,
        seconds=seconds,
        strategy=strategy,
        model=model,
        seed=seed,
    )
    if tree is not None:
        from o1_assets.search.show import render

        trees = [(q.text, t) for q, t in zip(asked.questions, asked.traces, strict=True)]
        write_page(tree, render(trees, asked.title), TREE)

    def show() -> None:
        if show_tree:
            print_trees(asked)
        print(*asked.lines(), sep="\n")
        if tree is not None:
            print(f"tree: {tree}")

    return Answer(asked.to_json, show)


@dataclass(frozen=True)
class Thinking:
    """How a question is thought about: a strategy, its name, its budget, and the time-out of all questions together."""

    name: str
    strategy: Strategy
    budget: Budget
    seconds: float | None = None


@dataclass(frozen=True)
class Asked:
    """Questions and the traces of their searches.

    models: key -> digest of the models that were used, the policy first. loading: seconds until they were loaded.
    seconds: of thinking, about all questions together.
    """

    questions: list[Question]
    traces: list[Trace]
    thinking: Thinking
    models: dict[str, str]
    loading: float
    seconds: float

    @property
    def title(self) -> str:
        limit = self.thinking.seconds
        budget = f"{self.thinking.budget.tokens} tokens" if limit is None else f"{limit:g} s"
        return f"{next(iter(self.models))}, {self.thinking.name}, budget {budget}"

    def to_json(self) -> dict[str, Any]:
        return {
            "answers": [_answer(q, t) for q, t in zip(self.questions, self.traces, strict=True)],
            "strategy": self.thinking.name,
            "budget_tokens": self.thinking.budget.tokens,
            "budget_seconds": self.thinking.seconds,
            "seconds": round(self.seconds, 3),
            "loading_seconds": round(self.loading, 3),
            "models": self.models,
        }

    def lines(self) -> Iterator[str]:
        """The lines for a person: each step with P(right) by the PRM, and the answer."""
        for question, trace in zip(self.questions, self.traces, strict=True):
            yield question.text
            if question.picture:
                yield question.picture
            steps = trace.path()
            width = max((len(seen.node.text.strip()) for seen in steps), default=0)
            for seen in steps:
                # A strategy that reads no PRM has no opinion about a step.
                opinion = "" if seen.right is None else f"   {seen.right:.2f}"
                forced = "   asked for: no answer was offered" if seen.node.forced else ""
                yield f"  {seen.node.text.strip():{width}}{opinion}{forced}".rstrip()
            answer = trace.result.answer.answer
            if answer is None:
                yield "no answer was reached; more --tokens may help"
            else:
                yield f"answer: {answer}{CHECKED[trace.result.answer.passes]}"
            yield ""
        tokens = sum(trace.result.tree.tokens_generated for trace in self.traces)
        yield f"{self.title}; {tokens} tokens generated, {self.seconds:.1f} s"


def _answer(question: Question, trace: Trace) -> dict[str, Any]:
    tree, answer = trace.result.tree, trace.result.answer
    return {
        "question": question.asked,
        "read_as": question.text,
        "unusual": list(question.unusual),
        "answer": answer.answer,
        "forced": answer.forced,
        "passes": answer.passes,
        "score": trace.nodes[answer.index].score,
        "steps": [
            {
                "text": seen.node.text.strip(),
                "right": seen.right,
                "score": seen.score,
                "prior": seen.prior,
                "q": seen.node.q,
            }
            for seen in trace.path()
        ],
        "votes": trace.votes(),
        "tokens": {"generated": tree.tokens_generated, "scored": tree.tokens_scored},
        "nodes": len(tree.nodes) - 1,
    }


def questions_from(arguments: Sequence[str]) -> list[str]:
    """The questions, with `-` replaced by the lines of stdin that are not blank. Raises AskError if there are none."""
    questions: list[str] = []
    for argument in arguments:
        lines = sys.stdin.read().split("\n") if argument == "-" else [argument]
        questions += [line for line in lines if line.strip()]
    if not questions:
        raise AskError('nothing was asked; write o1 ask "What is 3 * 4 - 5?"')
    return questions


def choose_thinking(
    profile: Profile,
    effort: str,
    tokens: int | None,
    strategy: str | None,
    seconds: float | None = None,
) -> Thinking:
    """The strategy to think with, and its budget, which is never exceeded.

    tokens: a budget instead of the effort's. seconds: a time-out instead of either, or beside `tokens`. strategy:
    instead of the one that makes the most of the budget. Raises AskError on an unknown effort or strategy, on a budget
    below one token, or on a time-out that is none.
    """
    from o1_assets.search.interface import Budget
    from o1_assets.search.run import CACHE_TOKENS
    from o1_assets.search.strategies import EFFORTS, IN_SECONDS, STRATEGIES, strategy_for

    # Efforts are multiples of the longest solution, so that one effort means the same in every profile.
    longest = profile.prompt.max_tokens
    if effort not in EFFORTS:
        raise AskError(f"there is no effort {effort!r}; choose one of: {', '.join(EFFORTS)}")
    if tokens is not None and tokens < 1:
        raise AskError(f"{tokens} tokens are none to think with; give --tokens a number above 0")
    if seconds is not None and not 0 < seconds < math.inf:
        raise AskError(f"{seconds:g} seconds are none to think in; give --seconds a number above 0")
    budget = Budget(
        # A time-out alone: as many tokens as the models' caches may hold, however fast the machine is.
        tokens or (EFFORTS[effort].tokens(longest) if seconds is None else CACHE_TOKENS),
        steps=profile.policy.max_steps,
        step_tokens=profile.later_selection.max_step_tokens,
        solution_tokens=longest,
        hard=True,
    )
    # Where an answer can be checked, no estimate of its chance to be right is worth as much.
    base = profile.base
    checked = "checked" if isinstance(base, TrainedBase) and WORLDS[base.world].checkable else None
    by_tokens = strategy_for(tokens, longest) if tokens else EFFORTS[effort].strategy
    name = strategy or checked or (by_tokens if seconds is None else IN_SECONDS)
    if name not in STRATEGIES:
        raise AskError(f"there is no strategy {name!r}; choose one of: {', '.join(STRATEGIES)}")
    return Thinking(name, STRATEGIES[name].strategy, budget, seconds)


def ask(
    project: Project,
    questions: Sequence[str],
    *,
    effort: str = "medium",
    tokens: int | None = None,
    seconds: float | None = None,
    strategy: str | None = None,
    model: str | None = None,
    seed: int = 0,
) -> Asked:
    """Thinks about all questions in one batch. A question's answer does not depend on what else is asked.

    Warnings about unusual questions go to stderr. Raises AskError, MissingInput, StoreError, UnknownModel,
    UnreadableQuestion, EngineMissing.
    """
    started = time.perf_counter()
    profile, store = project.profile, project.store
    thinking = choose_thinking(profile, effort, tokens, strategy, seconds)
    asked = [read_question(question, profile) for question in questions]
    # Only what the strategy reads is loaded: a chain needs no reward model.
    chosen = choose_models(store, profile, thinking.strategy, model)
    # Before torch and the checkpoints are loaded, which takes seconds: a missing engine is reported at once.
    require_engine(profile.engine)
    thinker = load_thinker(store, profile, chosen)
    prompts = [profile.prompt.render(question.text) for question in asked]
    # Only now: the tokenizer alone knows which words it has and how many tokens a prompt takes.
    check_readable(asked, prompts, thinker.policy.tokenizer, thinking.budget.solution_tokens)
    for question in asked:
        if question.warning():
            print(f"o1: {question.warning()}", file=sys.stderr)

    from o1_assets.search.clock import Clock
    from o1_assets.search.run import search
    from o1_assets.search.trace import Trace

    # Loading counts apart: it happens once, however many questions are asked.
    loaded = time.perf_counter()
    budget = replace(thinking.budget, clock=None if seconds is None else Clock(seconds))
    # By the text: an answer must not change with what else is asked, or in which order.
    seeds = [derive_seed(seed, question.text) for question in asked]
    results = search(thinking.strategy, prompts, thinker, budget, seeds)
    spent = time.perf_counter() - loaded
    thinker.close()
    return Asked(
        asked, [Trace.of(result) for result in results], thinking, chosen.digests(), loaded - started, spent
    )


def load_thinker(store: ArtifactStore, profile: Profile, chosen: ModelVersions) -> SearchModels:
    """The models of a search, in this process. Raises StoreError."""
    from o1_assets.execution.environment import prepare_compute

    # Before torch is imported, which reads the number of OpenMP's threads then.
    prepare_compute(profile.threads)
    import torch
    import transformers

    from o1_assets.engine.open import open_engine

    torch.set_num_threads(profile.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return load_search_models(
        store,
        chosen,
        lambda path: open_engine(path, profile.engine),
        profile.prompt,
        profile.policy.temperature,
    )


def print_trees(asked: Asked) -> None:
    from rich.console import Console

    from o1_assets.search.show import LEGEND, terminal_tree

    console = Console(highlight=False)
    for question, trace in zip(asked.questions, asked.traces, strict=True):
        console.print(terminal_tree(question.text, trace))
        console.print(LEGEND, style="dim")
        console.print()
