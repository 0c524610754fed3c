"""`o1 ask`: baby-o1 thinks about questions and answers them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.files import replace_file
from o1_assets.profiles.load import load_profile
from o1_assets.search.models import UnknownModel, choose_models, load_thinker
from o1_assets.search.question import Question, UnreadableQuestion, check_readable, read_question
from o1_assets.seeds import derive_seed
from o1_assets.settings import Settings
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.search.trace import Trace

__all__ = ["AskError", "Asked", "UnknownModel", "UnreadableQuestion", "ask", "questions_from"]


class AskError(Exception):
    """An option of `o1 ask` that cannot be; the message says what can."""


@dataclass(frozen=True)
class Asked:
    """questions and their traces. strategy, tokens: how each was thought about; seconds: all of them together.

    models: key -> digest of what was used, the policy first. loading: seconds until the models were there.
    """

    questions: list[Question]
    traces: list[Trace]
    strategy: str
    tokens: int
    seconds: float
    loading: float
    models: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "answers": [_answer(q, t) for q, t in zip(self.questions, self.traces, strict=True)],
            "strategy": self.strategy,
            "budget_tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "loading_seconds": round(self.loading, 3),
            "models": self.models,
        }

    def lines(self) -> Iterator[str]:
        """What a person reads: the steps with the PRM's opinion of each, and the answer."""
        for question, trace in zip(self.questions, self.traces, strict=True):
            yield question.text
            steps = trace.path()
            width = max((len(seen.node.text.strip()) for seen in steps), default=0)
            for seen in steps:
                text = seen.node.text.strip()
                opinion = "" if seen.right is None else f"   {seen.right:.2f}"
                forced = "   (asked for)" if seen.node.forced else ""
                yield f"  {text:{width}}{opinion}{forced}".rstrip()
            answer = trace.found.answer.answer
            yield f"answer: {answer}" if answer is not None else "no answer was reached; try --effort high"
            yield ""
        tokens = sum(trace.found.tree.tokens_generated for trace in self.traces)
        yield f"{next(iter(self.models))}, {self.strategy}, {tokens} tokens, {self.seconds:.1f} s"


def _answer(question: Question, trace: Trace) -> dict[str, Any]:
    tree, answer = trace.found.tree, trace.found.answer
    return {
        "question": question.asked,
        "read_as": question.text,
        "unusual": list(question.unusual),
        "answer": answer.answer,
        "forced": answer.forced,
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
        "nodes": len(tree.nodes),
    }


def questions_from(arguments: Sequence[str]) -> list[str]:
    """The questions themselves, `-` replaced by the lines of stdin that are not blank. Raises AskError on none."""
    questions: list[str] = []
    for argument in arguments:
        questions += (
            [line for line in sys.stdin.read().splitlines() if line.strip()]
            if argument == "-"
            else [argument]
        )
    if not questions:
        raise AskError('nothing was asked; write o1 ask "What is 3 * 4 - 5?"')
    return questions


def ask(
    settings: Settings,
    questions: Sequence[str],
    *,
    effort: str = "medium",
    tokens: int | None = None,
    strategy: str | None = None,
    model: str | None = None,
    seed: int = 0,
) -> Asked:
    """Thinks about all questions in one batch. A question's answer does not depend on what else is asked.

    Raises AskError, MissingInput, StoreError, UnknownModel, UnreadableQuestion.
    """
    from o1_assets.search.effort import EFFORTS, strategy_for
    from o1_assets.search.interface import Budget
    from o1_assets.search.strategies import STRATEGIES

    started = time.perf_counter()
    profile = load_profile(settings.profile)
    longest = profile.policy.max_tokens
    if effort not in EFFORTS:
        raise AskError(f"there is no effort {effort!r}; choose one of: {', '.join(EFFORTS)}")
    if tokens is not None and tokens < 1:
        raise AskError(f"{tokens} tokens are none to think with; give --tokens a number above 0")
    if tokens is None:
        tokens, usual = EFFORTS[effort].tokens(longest), EFFORTS[effort].strategy
    else:
        usual = strategy_for(tokens, longest)
    name = strategy or usual
    if name not in STRATEGIES:
        raise AskError(f"there is no strategy {name!r}; choose one of: {', '.join(STRATEGIES)}")
    budget = Budget(
        tokens,
        steps=profile.policy.max_steps,
        step_tokens=profile.later_selection.max_step_tokens,
        solution_tokens=longest,
    )
    plan = STRATEGIES[name].make(budget)
    asked = [read_question(question, profile) for question in questions]

    store = ArtifactStore(settings.store, settings.work)
    chosen = choose_models(store, profile, plan.reads, model)
    for question in asked:
        if question.warning():
            print(f"o1: {question.warning()}", file=sys.stderr)
    thinker = _load(profile.threads, profile.engine, store, chosen, profile.policy)
    prompts = [profile.policy.prompt_template.format(question=question.text) for question in asked]
    check_readable(asked, prompts, thinker.policy.tokenizer, longest)

    from o1_assets.search.run import search
    from o1_assets.search.trace import Trace

    loaded = time.perf_counter()
    seeds = [derive_seed(seed, question.text) for question in asked]
    found = search(plan, prompts, thinker, budget, seeds)
    seconds = time.perf_counter() - loaded
    thinker.policy.close()
    traces = [Trace.of(one) for one in found]
    return Asked(asked, traces, name, tokens, seconds, loaded - started, chosen.digests())


def _load(threads: int, engine: str, store: ArtifactStore, chosen: Any, policy: Any) -> Any:
    from o1_assets.engine.open import open_engine
    from o1_assets.materialize import prepare_compute

    prepare_compute(threads)
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return load_thinker(
        store, chosen, lambda path: open_engine(path, engine), policy.answer_prefix, policy.temperature
    )


def write_page(asked: Asked, file: Path) -> None:
    from o1_assets.search.page import render

    title = f"{next(iter(asked.models))}, {asked.strategy}, {asked.tokens} tokens"
    replace_file(
        file,
        render([(q.asked, t) for q, t in zip(asked.questions, asked.traces, strict=True)], title).encode(),
    )


def print_trees(asked: Asked) -> None:
    from rich.console import Console

    from o1_assets.search.show import LEGEND, terminal_tree

    console = Console(highlight=False)
    for question, trace in zip(asked.questions, asked.traces, strict=True):
        console.print(terminal_tree(question.text, trace))
        console.print(LEGEND, style="dim")
        console.print()
