"""eval/thinking: base, GPT* and baby-o1 on the same problems, with everything that `thinking/evaluate.py` runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.evaluation.thinking.measure import TREES
from o1_assets.evaluation.thinking.points import FEWEST, SAMPLED
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known, rounds_of_rl
from o1_assets.search.vote import Chains

BASE, THINKERS = "base", ("generator", "policy")


ANSWER = 0.5
"""Of a step's tokens: an answer that is asked for, its first word being given."""


DOUBT = 0.5
"""Of a solution's tokens: what follows a "wait", on average (nano: 14 of 29 tokens of GPT*, 13 of 26 of baby-o1)."""


OVERDRAWN = 2.5
"""Steps that a tree search is over its budget when it looks at it again."""


SHARES = {"adaptive": 0.5}
"""Of the budget, where a strategy stops when it is sure (nano, 1,024 tokens: 527 of GPT*, 548 of baby-o1)."""


TABLES, POINT_BYTES = 14_000.0, 3.0
"""Bytes of the five tables but for their rows' values by problem, and of one of these."""


@dataclass(frozen=True)
class Tokens:
    """Of one problem. by_prm: read by the PRM; by_both: by it and the Q-value model."""

    written: float = 0
    by_prm: float = 0
    by_both: float = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.written + other.written, self.by_prm + other.by_prm, self.by_both + other.by_both)


@dataclass(frozen=True)
class _Model:
    """One model with the configuration: what it takes to solve a problem in each way."""

    config: ThinkingConfig
    known: Known
    rounds: int

    @property
    def solution(self) -> float:
        return min(self.known.typical.solution_tokens, self.config.prompt.max_tokens)

    @property
    def answer(self) -> float:
        return ANSWER * self.known.typical.step_tokens

    def samples(self, count: int) -> Tokens:
        """Whole solutions, and the answer without thinking."""
        return Tokens(count * self.solution + self.answer, self._read_in_calls(count))

    def tree(self, label: str, tokens: float) -> Tokens:
        typical = self.known.typical
        written = tokens * SHARES.get(label, 1.0) + OVERDRAWN * min(
            typical.step_tokens, self.config.step_tokens
        )
        prompt, solutions = self._prompt, written / self.solution
        read = self.known.searched(prompt, solutions, self.rounds, self.config.prompt.max_tokens)
        return Tokens(written, by_both=read) if TREES[label].reads == "q" else Tokens(written, read)

    def limits(self) -> Tokens:
        """Chains of each length, and an answer where one was cut off."""
        each = (min(n, self.solution) + self.answer * (n < self.solution) for n in self.config.limits)
        return Tokens(self.config.chains * sum(each))

    def waits(self) -> Tokens:
        return Tokens(self.config.chains * self.solution * (1 + DOUBT * max(self.config.waits)))

    def prompting(self) -> Tokens:
        """The tree that is compared with a vote of as many tokens."""
        return self.tree(self.config.tree, self.config.votes * self.solution)

    def _read_in_calls(self, count: int) -> float:
        """Samples are scored so many at once and without a memory: a call reads the new steps, and their paths again.

        Half of a path to something new is known on average.
        """
        at_once, read = Chains("weighted").at_once, 0.0
        novelty = self.known.typical.novelty(self.rounds)
        for before in range(0, count, at_once):
            drawn = min(at_once, count - before)
            new = (before + drawn) ** novelty - before**novelty if before else drawn
            read += self._distinct(min(drawn, 2 * new if before else new))
        return read

    def _distinct(self, solutions: float) -> float:
        return self.known.distinct(self._prompt, solutions, self.rounds, self.config.prompt.max_tokens)

    @property
    def _prompt(self) -> float:
        return self.known.typical.prompt_tokens(self.config.prompt)


def thinking(artifact: Artifact, config: ThinkingConfig, known: Known) -> Estimate:
    """The base is sampled and prompted alone; the others search every tree, and think for longer and shorter."""
    problems = min(config.problems, known.of(artifact, "test").problems)
    base = _Model(config, known, 0)
    total = base.samples(config.votes) + base.prompting()
    for name in THINKERS:
        model = _Model(config, known, rounds_of_rl(artifact.inputs[name]))
        total += model.samples(config.samples) + model.limits() + model.waits() + model.prompting()
        total += sum((model.tree(label, config.tree_tokens * config.tree_seeds) for label in TREES), Tokens())
    cost = known.generate(problems * total.written)
    cost += known.score(problems * (total.by_prm * known.passes(1) + total.by_both * known.passes(2)))
    solved = problems * (config.votes + len(THINKERS) * config.samples)
    values = problems * len(THINKERS) * points(config)
    return Estimate(problems, solved, cost=cost, stored=4 * PLOT + TABLES + values * POINT_BYTES)


def points(config: ThinkingConfig) -> float:
    """Of one model, over all problems."""
    sampled = len(SAMPLED) * (1 + math.floor(math.log2(config.samples)))
    trees = len(TREES) * max(0.0, 1 + math.log2(config.tree_tokens / FEWEST))
    return 1 + sampled + trees + 2 * len(config.limits) + len(config.waits)
