"""Every strategy by its name (`o1 ask --strategy`), and the strategy for each effort (`o1 ask --effort`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.search.adaptive import Adaptive
from o1_assets.search.astar import AStar
from o1_assets.search.beam import DiverseTrees, StepBeam
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.checked import Checked
from o1_assets.search.interface import Strategy
from o1_assets.search.mcts import PuctSearch
from o1_assets.search.proposals import GENERATOR, POLICY
from o1_assets.search.vote import AT_ONCE, Chains


@dataclass(frozen=True)
class Named:
    """description: what it does, in one sentence. strategy: one that uses up its budget."""

    description: str
    strategy: Strategy


MOSTLY_POLICY = (POLICY, POLICY, POLICY, GENERATOR)

STRATEGIES: Mapping[str, Named] = {
    "direct": Named("The answer at once, without any step.", Direct()),
    "chain": Named("One chain of thought.", Chain()),
    "consistency": Named(
        "Many chains; the answer given most often (self-consistency).",
        Chains("majority"),
    ),
    "best-of-n": Named(
        "Many chains; the one that the PRM believes most.",
        Chains("best"),
    ),
    "weighted": Named(
        "Many chains; a vote in which each counts as much as the PRM believes it.",
        Chains("weighted"),
    ),
    "posterior": Named(
        "Many chains; the one that the PRM and the policy together believe most.",
        Chains("best", prior=1.0),
    ),
    "posterior-mixed": Named(
        "The same, every fourth of the chains by GPT*.",
        # In small batches: what was cut off could only be continued by the policy.
        Chains("best", prior=1.0, proposers=MOSTLY_POLICY, at_once=AT_ONCE),
    ),
    "beam": Named(
        "Step by step: samples next steps, goes on from the two that the PRM believes most, starts again.",
        StepBeam(width=2, branch=4, again=True),
    ),
    "posterior-beam": Named(
        "The beam, on the steps that the PRM and the policy together believe most.",
        StepBeam(width=2, branch=4, again=True, prior=1.0),
    ),
    "dvts": Named(
        "Four different first steps, the PRM's favourite next step from each of them, starts again.",
        DiverseTrees(again=True),
    ),
    "mcts": Named(
        "Monte Carlo tree search: returns to steps by PUCT, the policy's probability as prior, the PRM as value.",
        PuctSearch(simulations=None, choice="weighted"),
    ),
    "mcts-q": Named(
        "The same with the Q-value model as value: how likely the policy ends right, not how right it has been.",
        PuctSearch(simulations=None, choice="weighted", reads="q"),
    ),
    "astar": Named(
        "A*: always goes on from the most promising step so far, by the PRM and the Q-value model.",
        AStar(solutions=None, choice="weighted"),
    ),
    "checked": Named(
        "Many chains, until an answer passes the check of its own problem; in a world without one, consistency.",
        Checked(Chains("majority", at_once=4)),
    ),
    "checked-beam": Named(
        "The beam, until an answer passes the check of its own problem; in a world without one, the beam.",
        Checked(StepBeam(width=2, branch=4, again=True)),
    ),
    "adaptive": Named(
        "A few chains first; where they disagree more chains, or a tree where they are hopeless.",
        Adaptive(prior=1.0),
    ),
}


# How the efforts were chosen: by accuracy on 150 problems of the test side that are in neither problems/test nor
# problems/train (nano of 95d225a: baby-o1 v10 with PRM v10; standard error .02, of a difference on the same problems
# about .01). Chains: the mean over random subsets of 128 samples. Beam: one search a problem, from which each budget is
# read.
#
#                            tokens: 44    87   175   349   698  1397  2793
#   best of N by the PRM alone     .902  .909  .904  .893  .884  .872  .867
#   vote weighted by the PRM       .902  .917  .926  .929  .934  .938  .940
#   posterior                      .911  .928  .934  .937  .939  .940  .940
#
#                            tokens:      128   256   512  1024  2048
#   beam, best by the PRM alone           .873  .893  .880  .873  .873
#   the same trees, posterior             .887  .927  .933  .933  .940
#
# What a search adds to its candidates, the PRM being the judge alone, are solutions that fool it: both ways fall with
# the tokens. Neither falls where what the policy hardly ever writes is believed less. So a tree has nothing left to add
# to chains here (docs/decisions/search.md has the held-out problems, and what else was tried). Adaptive spends half of
# its budget, on the hard problems, and is the default for that.


@dataclass(frozen=True)
class Effort:
    """solutions: the budget, in solutions of the greatest length. strategy: the best use of such a budget."""

    solutions: int
    strategy: str

    def tokens(self, solution_tokens: int) -> int:
        return self.solutions * solution_tokens


EFFORTS: Mapping[str, Effort] = {
    "low": Effort(1, "posterior"),
    "medium": Effort(8, "adaptive"),
    "high": Effort(32, "posterior"),
}


# `o1 ask --seconds`: a batch of chains takes little longer than one of single steps and holds many times its tokens.
IN_SECONDS = "posterior"


def strategy_for(tokens: int, solution_tokens: int) -> str:
    """The strategy of the greatest effort that `tokens` pay for, else that of the smallest effort."""
    affordable = [effort for effort in EFFORTS.values() if effort.tokens(solution_tokens) <= tokens]
    return (affordable or list(EFFORTS.values())[:1])[-1].strategy
