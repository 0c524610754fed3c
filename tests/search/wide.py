"""A search with as many nodes as one likes: steps and verdicts drawn from the text before them."""

from __future__ import annotations

import random

from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.run import SearchModels, search
from tests.search.toy import PathScorer, TablePolicy

QUESTION = "q\n"


class Endless(dict[str, dict[str, float]]):
    """After any text four steps may come; the sixth step is an answer, after which it ends."""

    def __missing__(self, text: str) -> dict[str, float]:
        rng = random.Random(text)
        steps = text.count("\n") - 1
        if steps == 6:
            return {"": 1.0}
        if steps == 5:
            return {f"answer {rng.randint(1, 3)}\n": 0.6, "answer 4\n": 0.4}
        return {f"{rng.randint(1, 99)}+{k}={rng.randint(1, 99)}\n": 0.25 for k in range(4)}


def answer_of(step: str) -> str | None:
    return step.split()[1] if step.startswith("answer ") else None


def think(
    strategy: Strategy, tokens: int, seed: int = 0, table: dict[str, dict[str, float]] | None = None
) -> SearchResult:
    policy = TablePolicy(Endless() if table is None else table)
    thinker = SearchModels(
        policy,
        PathScorer("", right=0.9, wrong=0.6),
        answer_of=answer_of,
        answer_start="answer ",
        generator=policy,
    )
    [found] = search(strategy, [QUESTION], thinker, Budget(tokens, step_tokens=200), [seed])
    return found


def large() -> SearchResult:
    """More than 500 nodes."""
    return think(StepBeam(width=48, branch=8, again=True), tokens=16000)
