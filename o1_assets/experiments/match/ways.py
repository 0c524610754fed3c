"""Ways of thinking about a game's moves and about puzzles, by base, GPT* and baby-o1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from o1_assets.core.artifact import Cost, StageConfig, Task
from o1_assets.core.flops import flops_generate
from o1_assets.core.plots import BLUE, GREY, ORANGE, Axis, Series
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.statistics import Floats, bounds, interval_of_sums
from o1_assets.experiments.result import Chart
from o1_assets.problems.worlds.tic_tac_toe import PLAN
from o1_assets.search.beam import StepBeam
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.run import SearchModels, search
from o1_assets.search.vote import Chains

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1"}
COLORS = {"base": GREY, "GPT*": BLUE, "baby-o1": ORANGE}

WAYS: dict[str, Strategy] = {
    "direct": Direct(),
    "chain": Chain(),
    "vote": Chains("majority"),
    "weighted vote": Chains("weighted"),
    "tree": StepBeam(width=2, branch=4, again=True),
}
PLANNED = "chain, plan given"
WAYS_ON_BOARDS: dict[str, Strategy] = {
    "direct": WAYS["direct"],
    "chain": WAYS["chain"],
    PLANNED: WAYS["chain"],
    **WAYS,
}
"""With a plan given the prompt begins with it."""

ONE_SOLUTION = Direct | Chain

PLAYER, WEIGHTED = "baby-o1", "weighted vote"
"""Of whom and of which way the claims speak. In a corpus whose writers mostly overlook the same things a majority is
wrong with them, so the vote is weighted by what the PRM thinks of each solution."""


class WaysConfig(StageConfig):
    """How long each way may think."""

    solutions: int = Field(
        4, gt=0, description="tokens for votes and for a tree, in solutions of the greatest length"
    )
    prompt: PromptFormat = PromptFormat()
    resamples: int = Field(1000, gt=0, description="bootstrap samples, for the 95% intervals")
    max_steps: int = Field(24, gt=0, description="steps of the longest solution")
    step_tokens: int = Field(24, gt=0, description="tokens of the longest step")

    def budget(self, strategy: Strategy) -> Budget:
        longest = self.prompt.max_tokens
        tokens = longest * (1 if isinstance(strategy, ONE_SOLUTION) else self.solutions)
        return Budget(tokens, self.max_steps, self.step_tokens, longest)


def open_models(task: Task, config: WaysConfig) -> Iterator[tuple[str, SearchModels, Callable[[], Cost]]]:
    """Each model by its name, with the newest PRM, and what its scoring has cost; closed when the next one is asked
    for. Inputs: those of `inputs_of`."""
    from o1_assets.reward.score import load_scorer

    for model, name in MODELS.items():
        scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
        engine = task.open_engine(task.inputs[model])
        models = SearchModels(
            engine, scorer, answer_of=config.prompt.answer, answer_start=config.prompt.answer_start
        )
        yield name, models, scorer.cost
        engine.close()


def think(
    models: SearchModels,
    way: str,
    strategy: Strategy,
    config: WaysConfig,
    questions: Sequence[str],
    seeds: Sequence[int],
) -> list[SearchResult]:
    """One solution for each question."""
    plan = PLAN if way == PLANNED else ""
    prompts = [config.prompt.render(plan + question) for question in questions]
    return search(strategy, prompts, models, config.budget(strategy), seeds)


def generated(models: SearchModels, tokens: int) -> Cost:
    return Cost(flops_generate(models.policy.parameters, tokens), tokens_generated=tokens)


def inputs_of(profile: Profile) -> dict[str, str]:
    last = f"r{profile.rounds:02d}"
    return {
        "base": "base/model",
        "generator": "generator/model",
        "policy": f"{last}/policy",
        "prm": f"{last}/prm",
    }


def measured(
    part: Floats, whole: Floats | None, config: WaysConfig, seed: int
) -> tuple[float | None, float | None, float | None]:
    """A mean over games or problems, or with `whole` a ratio of two sums over them, and its 95% interval."""
    whole = np.ones(len(part)) if whole is None else whole
    return bounds(interval_of_sums(np.stack([part, whole], axis=-1)[None], _ratio, config.resamples, seed))


def _ratio(sums: Floats) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def way_by_way(shares: Mapping[tuple[str, str], float], ways: Sequence[str], title: str, y: str) -> Chart:
    """A line for each model. shares: of each model and way."""
    ticks = list(range(len(ways)))
    series = [
        Series(name, ticks, [shares[name, way] for way in ways], COLORS[name]) for name in MODELS.values()
    ]
    return Chart(
        series,
        Axis(title, "", y, ticks=ticks, tick_labels=[way.replace(" ", "\n") for way in ways], from_zero=True),
    )
