"""Runs a strategy on many problems at once: one sampling and one scoring call for all that they want next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.steps import step_ends
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import PrefixScorer, StepScorer, Tokens
from o1_assets.search.interface import Budget, Expand, Found, Request, Rollout, Strategy
from o1_assets.search.tree import Node, Tree
from o1_assets.search.vote import best

REMEMBERED_TOKENS = 100_000
"""Problems are searched together as long as their trees, which the models remember, are no larger than this: some
3 KB a token and model for hidden 96 and four layers."""


Drawn = tuple[list[int], Sample]


class ValueScorer(PrefixScorer, Protocol):
    """A PRM, and a Q-value model: the chance that a solution which goes on from here ends right."""

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]: ...


class ValueModels(Protocol):
    """Both, as `reward.score.Scorer` loads them."""

    def with_kv_cache(self, values: bool = False) -> ValueScorer: ...


@dataclass(frozen=True)
class Thinker:
    """The models of a search, and how an answer looks.

    answer_of: the final answer in a step's text, None if it is none. answer_start: what such a step begins with.
    prm: for strategies that read it; q: it and a Q-value model, for those that read `q`.
    """

    policy: Engine
    prm: StepScorer | None = None
    q: ValueModels | None = None
    answer_of: Callable[[str], str | None] = lambda step: None
    answer_start: str = ""
    temperature: float = 1.0


def search(
    strategy: Strategy, prompts: Sequence[str], thinker: Thinker, budget: Budget, seeds: Sequence[int]
) -> list[Found]:
    """One solution for each prompt. Where the strategy has found no answer, it is asked for (`Expand.forced`).

    A problem's result depends on its own seed, not on the batch around it (up to the models' last bits).
    Raises ValueError if the strategy reads a model that the thinker lacks.
    """
    if strategy.reads != "nothing" and getattr(thinker, strategy.reads) is None:
        raise ValueError(f"{type(strategy).__name__} reads a model that was not given: {strategy.reads}")
    remembered = strategy.cache_tokens(budget)
    together = max(1, REMEMBERED_TOKENS // remembered) if remembered else len(prompts)
    found: list[Found] = []
    for start in range(0, len(prompts), max(1, together)):
        part = slice(start, start + together)
        with thinker.policy.prefix_cache() if remembered else nullcontext():
            found += _Search(strategy, thinker, budget).run(prompts[part], seeds[part])
    return found


@dataclass
class _Search:
    strategy: Strategy
    thinker: Thinker
    budget: Budget
    prm: PrefixScorer | None = None
    q: ValueScorer | None = None

    def run(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Found]:
        encode = self.thinker.policy.tokenizer.encode
        if self.strategy.reads == "q":
            assert self.thinker.q is not None
            self.prm = self.q = self.thinker.q.with_kv_cache(values=True)
        elif self.strategy.reads == "prm":
            assert self.thinker.prm is not None
            remembers = self.strategy.cache_tokens(self.budget)
            self.prm = self.thinker.prm.with_kv_cache() if remembers else self.thinker.prm
        trees = [
            Tree(prompt, encode(prompt, add_special_tokens=False), seed)
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        plans = {i: self.strategy.plan(tree, self.budget) for i, tree in enumerate(trees)}
        wanted: dict[int, list[Request]] = {}

        def resume(i: int, reply: list[list[Node]] | None) -> None:
            try:
                wanted[i] = next(plans[i]) if reply is None else plans[i].send(reply)
            except StopIteration:
                wanted.pop(i, None)

        for i in plans:
            resume(i, None)
        while wanted:
            replies = self._answer([(trees[i], request) for i, batch in wanted.items() for request in batch])
            at = 0
            for i, batch in list(wanted.items()):
                resume(i, replies[at : at + len(batch)])
                at += len(batch)
        chosen = [self.strategy.choose(tree.ends) for tree in trees]
        self._force([tree for tree, node in zip(trees, chosen, strict=True) if node is None])
        return [
            _found(node or self.strategy.choose(tree.ends) or best(tree.ends) or tree.deepest(), tree)
            for tree, node in zip(trees, chosen, strict=True)
        ]

    def _force(self, trees: Sequence[Tree]) -> None:
        if trees and self.thinker.answer_start:
            start = self.thinker.answer_start
            self._answer([(tree, Expand(tree.deepest(), 1, start, forced=True)) for tree in trees])

    def _answer(self, requests: Sequence[tuple[Tree, Request]]) -> list[list[Node]]:
        """The replies to requests, in their order."""
        for tree in {id(tree): tree for tree, _ in requests}.values():
            tree.rounds.append(tree.clock)
        for tree, request in requests:
            request.node.visited.append(tree.clock)
            tree.clock += 1
        replies: list[list[Node]] = [[] for _ in requests]
        for kind in (Rollout, Expand):
            for forced in (False, True):
                own = [
                    (i, tree, request)
                    for i, (tree, request) in enumerate(requests)
                    if isinstance(request, kind) and getattr(request, "forced", False) == forced
                ]
                if own:
                    samples = self._sample([(tree, request) for _, tree, request in own])
                    for (i, tree, request), drawn in zip(own, samples, strict=True):
                        replies[i] = self._attach(tree, request, drawn)
        self._score(
            [
                (tree, node)
                for (tree, request), new in zip(requests, replies, strict=True)
                if isinstance(request, Expand) or request.scored
                for end in new
                for node in (end.path() if isinstance(request, Rollout) else [end])
            ]
        )
        for tree in {id(tree): tree for tree, _ in requests}.values():
            tree.ledger.append((tree.tokens_generated, tree.tokens_scored))
        return replies

    def _sample(self, requests: Sequence[tuple[Tree, Request]]) -> list[list[Drawn]]:
        """Requests of one kind in one call of the policy: the tokens of each one's `start`, and what follows."""
        encode = self.thinker.policy.tokenizer.encode
        prompts, seeds, starts = [], [], []
        for tree, request in requests:
            start = request.start if isinstance(request, Expand) else ""
            starts.append(list(encode(start, add_special_tokens=False)) if start else [])
            for _ in range(request.samples):
                prompts.append([*tree.prompt_ids, *request.node.completion_ids(), *starts[-1]])
                seeds.append(derive_seed(tree.seed, request.node.index, request.node.drawn))
                request.node.drawn += 1
        first = requests[0][1]
        whole = isinstance(first, Rollout)
        params = SamplingParams(
            self.budget.solution_tokens if whole else self.budget.step_tokens,
            0.0 if isinstance(first, Expand) and first.forced else self.thinker.temperature,
            stop_at_step=not whole,
        )
        drawn = iter(self.thinker.policy.sample(prompts, params, seeds))
        samples = []
        for (_, request), start_ids in zip(requests, starts, strict=True):
            own = [next(drawn) for _ in range(request.samples)]
            samples.append([(start_ids, sample) for sample in own])
        return samples

    def _attach(self, tree: Tree, request: Request, samples: Sequence[Drawn]) -> list[Node]:
        """Adds the samples to the tree; returns what the request's reply lists."""
        reply: list[Node] = []
        made = request.node.visited[-1]
        for start, sample in samples:
            tree.tokens_generated += len(sample.token_ids)
            if isinstance(request, Rollout):
                reply.append(self._attach_solution(tree, request.node, sample, made))
                continue
            tokens = [*start, *sample.token_ids]
            node = self._attach_step(tree, request.node, tokens, sum(sample.logprobs), sample.finished, made)
            if node.ended and node is not request.node:
                node.forced = request.forced
            if not node.cut and node not in reply:
                reply.append(node)
        return reply

    def _attach_solution(self, tree: Tree, node: Node, sample: Sample, made: int) -> Node:
        ends = step_ends(sample.token_ids, self.thinker.policy.tokenizer)
        # What stands behind the last step, an end token, belongs to it.
        bounds = (
            [0, *(end + 1 for end in ends[:-1]), len(sample.token_ids)]
            if ends
            else [0, len(sample.token_ids)]
        )
        for a, b in pairwise(bounds):
            if node.ended:
                break
            last = b == len(sample.token_ids)
            logprob = sum(sample.logprobs[a:b])
            whole = sample.finished or not last
            node = self._attach_step(tree, node, sample.token_ids[a:b], logprob, whole, made)
        return node

    def _attach_step(
        self, tree: Tree, parent: Node, tokens: Sequence[int], logprob: float, whole: bool, made: int
    ) -> Node:
        """The child of `parent` with these tokens, or `parent` itself if they only end the solution."""
        tokenizer = self.thinker.policy.tokenizer
        end = tokenizer.eos_token_id
        if list(tokens) == [end]:
            if not parent.ended:
                parent.token_ids = [*parent.token_ids, end]
            tree.end(parent)
            return parent
        spellings = (list(tokens), [*tokens, end])
        node = next((child for child in parent.children if child.token_ids in spellings), None)
        if node is not None:
            node.samples += 1
            if node.ended:
                tree.end(node)
            return node
        text = str(tokenizer.decode(list(tokens), skip_special_tokens=True))
        node = tree.add(parent, text, list(tokens), float(logprob), made)
        node.cut = not whole or not text.strip()
        node.answer = None if node.cut else self.thinker.answer_of(text)
        if not node.cut and (tokens[-1] == end or node.answer is not None):
            if tokens[-1] != end:
                node.token_ids.append(end)
            tree.end(node)
        return node

    def _score(self, new: Sequence[tuple[Tree, Node]]) -> None:
        """Gives each node that has none its step probabilities, its score and its Q-value."""
        if self.prm is None:
            return
        todo = {
            id(node): (tree, node)
            for tree, node in new
            if node.probabilities is None and node.parent is not None and not node.cut
        }
        if not todo:
            return
        prompts = [tree.prompt_ids for tree, _ in todo.values()]
        completions = [node.completion_ids() for _, node in todo.values()]
        scored = self.prm.step_probabilities(prompts, completions)
        for (tree, node), probabilities in zip(todo.values(), scored, strict=True):
            if tree.tokens_scored == 0:
                tree.tokens_scored = len(tree.prompt_ids)
            tree.tokens_scored += len(node.token_ids)
            node.probabilities = probabilities[-1]
            node.score = solution_score(probabilities)
        if self.q is not None:
            values = self.q.outcome_probabilities(prompts, completions)
            for (_, node), value in zip(todo.values(), values, strict=True):
                node.q = value


def _found(answer: Node, tree: Tree) -> Found:
    return Found(answer, tree, answer.completion(), answer.completion_ids(), answer.ended)
