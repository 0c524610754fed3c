"""Every way of thinking by its name: what `o1 ask --strategy` offers and what evaluation compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from o1_assets.search.adaptive import Adaptive
from o1_assets.search.astar import AStar
from o1_assets.search.beam import StepBeam
from o1_assets.search.chain import Chain
from o1_assets.search.direct import Direct
from o1_assets.search.dvts import DiverseTrees
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.vote import Chains

AT_ONCE = 16
"""Most chains sampled together before the budget is looked at again."""


@dataclass(frozen=True)
class Named:
    """says: what it does, in one sentence. make: the strategy, of a size that uses a budget up."""

    says: str
    make: Callable[[Budget], Strategy]


def chains_at_once(budget: Budget) -> int:
    """As many as the budget surely has tokens for, so that it is not overdrawn by a whole batch."""
    return max(1, min(AT_ONCE, budget.tokens // budget.solution_tokens))


STRATEGIES: Mapping[str, Named] = {
    "direct": Named("The answer at once, without any step.", lambda budget: Direct()),
    "chain": Named("One chain of thought.", lambda budget: Chain()),
    "consistency": Named(
        "Many chains; the answer given most often (self-consistency).",
        lambda budget: Chains("majority", at_once=chains_at_once(budget)),
    ),
    "best-of-n": Named(
        "Many chains; the one that the PRM believes most.",
        lambda budget: Chains("best", at_once=chains_at_once(budget)),
    ),
    "weighted": Named(
        "Many chains; a vote in which each counts as much as the PRM believes it.",
        lambda budget: Chains("weighted", at_once=chains_at_once(budget)),
    ),
    "beam": Named(
        "Step by step: samples next steps, goes on from the two that the PRM believes most, starts again.",
        lambda budget: StepBeam(width=2, branch=4, again=True),
    ),
    "dvts": Named(
        "Four different first steps, the PRM's favourite next step from each of them, starts again.",
        lambda budget: DiverseTrees(again=True),
    ),
    "mcts": Named(
        "Monte Carlo tree search: returns to steps by PUCT, the policy's probability as prior, the PRM as value.",
        lambda budget: PuctSearch(simulations=None, choice="weighted"),
    ),
    "mcts-q": Named(
        "The same with the Q-value model as value: how likely the policy ends right, not how right it has been.",
        lambda budget: PuctSearch(simulations=None, choice="weighted", reads="q"),
    ),
    "astar": Named(
        "A*: always goes on from the most promising step so far, by the PRM and the Q-value model.",
        lambda budget: AStar(solutions=None, choice="weighted"),
    ),
    "adaptive": Named(
        "A few chains first; where they disagree more chains, or a tree where they are hopeless.",
        lambda budget: Adaptive(),
    ),
}
