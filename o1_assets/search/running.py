"""Problems that are searched together: one sampling and one scoring call for all that their strategies want next.

Each problem has its own strategy, budget and seed, and problems may join between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import PrefixScorer, StepScorer, ValueModels, ValueScorer
from o1_assets.search.attach import Attachment, Drawn
from o1_assets.search.interface import (
    Budget,
    Complete,
    Expand,
    Plan,
    Request,
    Score,
    SearchResult,
    Strategy,
)
from o1_assets.search.proposals import Proposals, Proposer
from o1_assets.search.tree import Node, Tree
from o1_assets.search.vote import best


@dataclass(frozen=True)
class SearchModels:
    """The models of a search, and how an answer looks.

    prm: for strategies that read it; q: a PRM with a Q-value model, for those that read `q`.
    generator: for strategies whose steps GPT* proposes, too.
    answer_of: the final answer in a step's text, None if there is none. answer_start: how such a step begins.
    self_check: whether an answer solves the prompt's problem, as far as the prompt alone tells; None if it cannot.
    """

    policy: Engine
    prm: StepScorer | None = None
    q: ValueModels | None = None
    answer_of: Callable[[str], str | None] = lambda step: None
    answer_start: str = ""
    self_check: Callable[[str, str], bool | None] = lambda prompt, answer: None
    temperature: float = 1.0
    generator: Engine | None = None

    def check(self, strategy: Strategy) -> None:
        """Raises ValueError if the strategy reads a model that is not here."""
        if strategy.reads != "nothing" and getattr(self, strategy.reads) is None:
            raise ValueError(f"{type(strategy).__name__} reads a model that was not given: {strategy.reads}")

    def close(self) -> None:
        """Closes the engines."""
        self.policy.close()
        if self.generator is not None and self.generator is not self.policy:
            self.generator.close()


@dataclass(eq=False)
class Problem:
    """One problem. thinking: the budget without what is kept for asking for the answer. scorer: the PRM, None if the
    strategy reads none; q: the Q-value model. pending: what the strategy asks for next, nothing once it is done."""

    tree: Tree
    strategy: Strategy
    budget: Budget
    thinking: Budget
    scorer: PrefixScorer | None
    q: ValueScorer | None
    plan: Plan
    pending: list[Request] = field(default_factory=list)

    def resume(self, reply: list[list[Node]] | None) -> bool:
        """Whether the strategy asks for more. reply: to what it asked for last, None at the beginning."""
        try:
            self.pending = next(self.plan) if reply is None else self.plan.send(reply)
        except StopIteration:
            return False
        return True


@dataclass(frozen=True, eq=False)
class Draw:
    """What a request is granted: so many samples, of at most `longest` tokens each."""

    problem: Problem
    request: Expand | Complete
    samples: int
    longest: int

    @property
    def kind(self) -> tuple[bool, bool]:
        """What one call of the policy can sample: steps or whole solutions, forced or not."""
        return isinstance(self.request, Expand), getattr(self.request, "forced", False)


class RunningSearch:
    """The problems that are searched now. One thread uses it."""

    def __init__(self, models: SearchModels) -> None:
        self.models = models
        self.problems: list[Problem] = []
        self._attachment = Attachment(models.policy.tokenizer, models.answer_of, models.self_check)
        self._prm: PrefixScorer | None = None
        self._q: ValueScorer | None = None
        self._proposals: dict[tuple[Proposer, ...], Proposals] = {}

    @contextmanager
    def prefix_caches(self, proposers: Sequence[Proposer]) -> Iterator[None]:
        """Inside of it the engines of these proposers read no prefix of a step twice."""
        with self._proposals_of(tuple(proposers)).prefix_caches():
            yield

    def add(self, strategy: Strategy, budget: Budget, prompt: str, seed: int) -> Problem:
        """One more problem. Raises ValueError if the strategy reads a model that is not there."""
        self.models.check(strategy)
        scorer, q = self._scorers(strategy, budget)
        tree = Tree(prompt, self.models.policy.tokenizer.encode(prompt, add_special_tokens=False), seed)
        thinking = budget.for_thinking()
        problem = Problem(tree, strategy, budget, thinking, scorer, q, strategy.plan(tree, thinking))
        if problem.resume(None):
            self.problems.append(problem)
        return problem

    def advance(self) -> None:
        """One batch. Problems whose strategies are done leave `problems`."""
        # Each plan is then sent the replies to its own requests.
        replies = iter(
            self._answer([(problem, request) for problem in self.problems for request in problem.pending])
        )
        self.problems = [p for p in self.problems if p.resume([next(replies) for _ in p.pending])]

    def keep(self, wanted: Callable[[Problem], bool]) -> None:
        """Ends the search of all problems that are not wanted."""
        self.problems = [problem for problem in self.problems if wanted(problem)]

    def finish(
        self, problems: Sequence[Problem], wanted: Callable[[Problem], bool] = lambda problem: True
    ) -> list[SearchResult]:
        """What has been found. Where a strategy has no answer, and it is wanted, the policy is asked for it."""
        # A solution may have ended without an answer: some strategies choose it where they have no other.
        self._force([problem for problem in problems if not _answered(problem) and wanted(problem)])
        return [
            # Without any answer, even a forced one: the best solution that ended, else the longest part of one.
            _result(p.strategy.choose(p.tree.ends) or best(p.tree.ends) or p.tree.deepest(), p.tree)
            for p in problems
        ]

    def _scorers(self, strategy: Strategy, budget: Budget) -> tuple[PrefixScorer | None, ValueScorer | None]:
        """The PRM and the Q-value model that a strategy reads; those with a KV cache serve all problems."""
        if strategy.reads == "q":
            assert self.models.q is not None
            # One object for both, so that each step's tokens are read by the generator once.
            self._q = self._q or self.models.q.with_kv_cache(values=True)
            return self._q, self._q
        if strategy.reads == "nothing":
            return None, None
        assert self.models.prm is not None
        if not strategy.cache_tokens(budget):
            # A strategy that never comes back to a prefix would fill a KV cache for nothing.
            return self.models.prm, None
        self._prm = self._prm or self.models.prm.with_kv_cache()
        return self._prm, None

    def _proposals_of(self, proposers: tuple[Proposer, ...]) -> Proposals:
        if proposers not in self._proposals:
            self._proposals[proposers] = Proposals(proposers, self.models.policy, self.models.generator)
        return self._proposals[proposers]

    def _force(self, problems: Sequence[Problem]) -> None:
        """Asks for the answer after the longest part of a solution."""
        if problems and self.models.answer_start:
            start = self.models.answer_start
            self._answer([(p, Expand(p.tree.deepest(), 1, start, forced=True)) for p in problems])

    def _answer(self, requests: Sequence[tuple[Problem, Request]]) -> list[list[Node]]:
        """The replies to requests, in their order."""
        trees = {id(problem): problem.tree for problem, _ in requests}.values()
        for tree in trees:
            tree.rounds.append(tree.clock)
        for problem, request in requests:
            if not isinstance(request, Score):
                request.node.visited.append(problem.tree.clock)
                problem.tree.clock += 1
        draws = self._grant(requests)
        replies = [
            [request.node]
            if isinstance(request, Score) or (isinstance(request, Complete) and not draw)
            else []
            for (_, request), draw in zip(requests, draws, strict=True)
        ]
        for alike in self._calls(draws):
            of_call = [draw for i in alike if (draw := draws[i]) is not None]
            for i, draw, samples in zip(alike, of_call, self._sample(of_call), strict=True):
                replies[i] = self._attachment.attach(draw.problem.tree, draw.request, samples)
        self._score(
            [
                (problem, node)
                for (problem, request), new in zip(requests, replies, strict=True)
                if not isinstance(request, Complete) or request.scored
                for end in new
                # A whole solution brings several new steps, all of which are scored.
                for node in ([end] if isinstance(request, Expand) else end.path())
            ]
        )
        for tree in trees:
            tree.ledger.append((tree.tokens_generated, tree.tokens_scored))
        return replies

    def _grant(self, requests: Sequence[tuple[Problem, Request]]) -> list[Draw | None]:
        """What each request may draw: what it asks for, or what is left of a hard budget; None for nothing."""
        left: dict[int, int] = {}
        draws: list[Draw | None] = []
        for problem, request in requests:
            if isinstance(request, Score):
                draws.append(None)
                continue
            budget, samples = problem.budget, request.samples
            longest = budget.step_tokens
            if isinstance(request, Complete):
                longest = request.longest or budget.solution_tokens
            if budget.hard:
                forced = isinstance(request, Expand) and request.forced
                limit = (budget if forced else problem.thinking).tokens
                tokens = left.setdefault(id(problem), max(0, limit - problem.tree.tokens_generated))
                # As many as surely fit. The tokens that they do not use are there for the next requests.
                samples = min(samples, tokens // longest)
                if not samples and tokens:
                    samples, longest = 1, tokens
                left[id(problem)] -= samples * longest
            draws.append(Draw(problem, request, samples, longest) if samples else None)
        return draws

    def _calls(self, draws: Sequence[Draw | None]) -> list[list[int]]:
        """Which draws are sampled together: those of one kind and the same proposers."""
        calls: dict[tuple[tuple[bool, bool], int], list[int]] = {}
        for i, draw in enumerate(draws):
            if draw is not None:
                proposals = self._proposals_of(draw.problem.strategy.proposers)
                calls.setdefault((draw.kind, id(proposals)), []).append(i)
        return [calls[call] for call in sorted(calls, key=lambda call: call[0])]

    def _sample(self, draws: Sequence[Draw]) -> list[list[Drawn]]:
        """Draws of one call: the tokens of each one's `start`, and what follows."""
        encode = self.models.policy.tokenizer.encode
        prompts, seeds, turns, limits, starts = [], [], [], [], []
        for draw in draws:
            tree, request = draw.problem.tree, draw.request
            start = request.start if isinstance(request, Expand) else ""
            starts.append(list(encode(start, add_special_tokens=False)) if start else [])
            before = [*tree.prompt_ids, *request.node.completion_ids(), *starts[-1]]
            for _ in range(draw.samples):
                prompts.append(before)
                # By the node and how often it was sampled from: coming back to a node draws new samples, and what
                # other problems do changes nothing.
                seeds.append(derive_seed(tree.seed, request.node.index, request.node.drawn))
                turns.append(request.node.drawn)
                limits.append(draw.longest)
                request.node.drawn += 1
        steps, forced = draws[0].kind
        temperature = 0.0 if forced else self.models.temperature
        # Searches without a hard budget are those of the graph, whose last bits stay as they are.
        shared = not steps and all(draw.problem.budget.hard for draw in draws)
        params = SamplingParams(max(limits), temperature, stop_at_step=steps, shared=shared)
        if min(limits) < params.max_tokens:
            params = replace(params, limits=tuple(limits))
        proposals = self._proposals_of(draws[0].problem.strategy.proposers)
        drawn = iter(proposals.sample(prompts, params, seeds, turns))
        return [
            [(start, next(drawn)) for _ in range(draw.samples)]
            for draw, start in zip(draws, starts, strict=True)
        ]

    def _score(self, new: Sequence[tuple[Problem, Node]]) -> None:
        """Gives each node that has none its step probabilities, its score and its Q-value."""
        todo: dict[int, dict[int, tuple[Problem, Node]]] = {}
        for problem, node in new:
            if problem.scorer is None or node.probabilities is not None or node.parent is None or node.cut:
                continue
            todo.setdefault(id(problem.scorer), {})[id(node)] = problem, node
        for of_scorer in todo.values():
            self._score_by_one(list(of_scorer.values()))

    def _score_by_one(self, new: Sequence[tuple[Problem, Node]]) -> None:
        """All of them by the same scorer, in one call."""
        scorer, q = new[0][0].scorer, new[0][0].q
        assert scorer is not None
        prompts = [problem.tree.prompt_ids for problem, _ in new]
        completions = [node.completion_ids() for _, node in new]
        scored = scorer.step_probabilities(prompts, completions)
        for (problem, node), probabilities in zip(new, scored, strict=True):
            tree = problem.tree
            # What a scorer with a KV cache has to read: the prompt once, and each step once.
            if tree.tokens_scored == 0:
                tree.tokens_scored = len(tree.prompt_ids)
            tree.tokens_scored += len(node.token_ids)
            node.probabilities = probabilities[-1]
            node.score = solution_score(probabilities)
        if q is not None:
            values = q.outcome_probabilities(prompts, completions)
            for (_, node), value in zip(new, values, strict=True):
                node.q = value


def _answered(problem: Problem) -> bool:
    chosen = problem.strategy.choose(problem.tree.ends)
    return chosen is not None and chosen.answer is not None


def _result(answer: Node, tree: Tree) -> SearchResult:
    return SearchResult(answer, tree, answer.completion(), answer.completion_ids(), answer.ended)
