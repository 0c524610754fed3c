"""Runs a strategy on many problems at once: one sampling and one scoring call for all that they want next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.steps import separator, split_steps, step_ends
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import PrefixScorer, StepScorer, ValueModels, ValueScorer
from o1_assets.search.interface import Budget, Complete, Expand, Request, SearchResult, Strategy
from o1_assets.search.proposals import Proposals
from o1_assets.search.tree import Node, Tree
from o1_assets.search.vote import best

# Problems are searched together as long as the KV caches of their trees hold no more tokens than this: some 3 KB a
# token and model for hidden 96 and four layers.
CACHE_TOKENS = 100_000

# The tokens that a request's `start` put before a sample, and the sample.
Drawn = tuple[list[int], Sample]


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

    def close(self) -> None:
        """Closes the engines."""
        self.policy.close()
        if self.generator is not None and self.generator is not self.policy:
            self.generator.close()


@dataclass(frozen=True, eq=False)
class Draw:
    """What a request is granted: so many samples, of at most `longest` tokens each."""

    tree: Tree
    request: Request
    samples: int
    longest: int

    @property
    def kind(self) -> tuple[bool, bool, int]:
        """Alike for what one call of the policy can sample: steps or whole solutions, forced, longest."""
        return isinstance(self.request, Expand), getattr(self.request, "forced", False), self.longest


def search(
    strategy: Strategy,
    prompts: Sequence[str],
    models: SearchModels,
    budget: Budget,
    seeds: Sequence[int],
    wanted: Callable[[int], bool] = lambda problem: True,
) -> list[SearchResult]:
    """One solution for each prompt. Where the strategy has found no answer, it is asked for (`Expand.forced`).

    wanted: asked after each batch about each problem, by its index in `prompts`; the search of a problem that is no
    longer wanted ends with what it has.

    A problem's result depends on its own seed and not on the batch around it (up to the models' last bits), unless
    `budget.clock` ends the search: then it is the best answer so far.
    Raises ValueError if the strategy reads a model that `models` lacks.
    """
    if strategy.reads != "nothing" and getattr(models, strategy.reads) is None:
        raise ValueError(f"{type(strategy).__name__} reads a model that was not given: {strategy.reads}")
    proposals = Proposals(strategy.proposers, models.policy, models.generator)
    cache_tokens = strategy.cache_tokens(budget)
    at_once = max(1, CACHE_TOKENS // cache_tokens) if cache_tokens else len(prompts)
    results: list[SearchResult] = []
    for start in range(0, len(prompts), max(1, at_once)):
        part = slice(start, start + at_once)
        # What is searched one after another shares the time: each part ends when its share of all problems is over.
        share = min(1.0, (start + at_once) / len(prompts))
        with proposals.prefix_caches() if cache_tokens else nullcontext():
            wanted_here = partial(_wanted_from, wanted, start)
            part_search = _Search(strategy, models, budget, proposals, share, wanted_here)
            results += part_search.run(prompts[part], seeds[part])
    return results


def _wanted_from(wanted: Callable[[int], bool], start: int, problem: int) -> bool:
    return wanted(start + problem)


class _Search:
    """One strategy on a batch of problems."""

    def __init__(
        self,
        strategy: Strategy,
        models: SearchModels,
        budget: Budget,
        proposals: Proposals,
        share: float = 1.0,
        wanted: Callable[[int], bool] = lambda problem: True,
    ) -> None:
        self.strategy, self.models, self.proposals = strategy, models, proposals
        self.share, self.wanted = share, wanted
        self.budget, self.thinking = budget, budget.for_thinking()
        self.prm: PrefixScorer | None = None
        self.q: ValueScorer | None = None
        if strategy.reads == "q":
            assert models.q is not None
            # One object for both, so that each step's tokens are read by the generator once.
            self.prm = self.q = models.q.with_kv_cache(values=True)
        elif strategy.reads == "prm":
            assert models.prm is not None
            # A strategy that never comes back to a prefix would fill a KV cache for nothing.
            self.prm = models.prm.with_kv_cache() if strategy.cache_tokens(budget) else models.prm

    def run(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[SearchResult]:
        encode = self.models.policy.tokenizer.encode
        trees = [
            Tree(prompt, encode(prompt, add_special_tokens=False), seed)
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        plans = {i: self.strategy.plan(tree, self.thinking) for i, tree in enumerate(trees)}
        pending: dict[int, list[Request]] = {}  # problems that are still searched, and what they ask for

        def resume(i: int, reply: list[list[Node]] | None) -> None:
            try:
                pending[i] = next(plans[i]) if reply is None else plans[i].send(reply)
            except StopIteration:
                pending.pop(i, None)

        for i in plans:
            resume(i, None)
        while pending and self._in_time(trees):
            # All problems' requests in one batch; each plan is then sent the replies to its own.
            replies = self._answer([(trees[i], request) for i, batch in pending.items() for request in batch])
            at = 0
            for i, batch in list(pending.items()):
                resume(i, replies[at : at + len(batch)])
                at += len(batch)
            if self.budget.clock is not None:
                self.budget.clock.batch_ended()
            pending = {i: batch for i, batch in pending.items() if self.wanted(i)}
        chosen = [self.strategy.choose(tree.ends) for tree in trees]
        self._force([trees[i] for i, node in enumerate(chosen) if node is None and self.wanted(i)])
        return [
            # Without any answer, even a forced one: the best solution that ended, else the longest part of one.
            _result(node or self.strategy.choose(tree.ends) or best(tree.ends) or tree.deepest(), tree)
            for tree, node in zip(trees, chosen, strict=True)
        ]

    def _in_time(self, trees: Sequence[Tree]) -> bool:
        """Whether the time lasts for one more batch, and for asking for the answers that are missing."""
        if self.budget.clock is None:
            return True
        asking = any(all(end.node.answer is None for end in tree.ends) for tree in trees)
        return self.budget.clock.allows(2 if asking else 1, self.share)

    def _force(self, trees: Sequence[Tree]) -> None:
        """Asks for the answer after the longest part of a solution."""
        if trees and self.models.answer_start:
            start = self.models.answer_start
            self._answer([(tree, Expand(tree.deepest(), 1, start, forced=True)) for tree in trees])

    def _answer(self, requests: Sequence[tuple[Tree, Request]]) -> list[list[Node]]:
        """The replies to requests, in their order."""
        trees = {id(tree): tree for tree, _ in requests}.values()
        for tree in trees:
            tree.rounds.append(tree.clock)
        for tree, request in requests:
            request.node.visited.append(tree.clock)
            tree.clock += 1
        draws = self._grant(requests)
        replies = [
            [d.request.node] if isinstance(d.request, Complete) and not d.samples else [] for d in draws
        ]
        for kind in sorted({draw.kind for draw in draws if draw.samples}):
            alike = [i for i, draw in enumerate(draws) if draw.samples and draw.kind == kind]
            for i, samples in zip(alike, self._sample([draws[i] for i in alike]), strict=True):
                replies[i] = self._attach(draws[i].tree, draws[i].request, samples)
        self._score(
            [
                (tree, node)
                for (tree, request), new in zip(requests, replies, strict=True)
                if isinstance(request, Expand) or request.scored
                for end in new
                # A whole solution brings several new steps, all of which are scored.
                for node in (end.path() if isinstance(request, Complete) else [end])
            ]
        )
        for tree in trees:
            tree.ledger.append((tree.tokens_generated, tree.tokens_scored))
        return replies

    def _grant(self, requests: Sequence[tuple[Tree, Request]]) -> list[Draw]:
        """What each request may draw: what it asks for, or what is left of a hard budget."""
        left: dict[int, int] = {}
        draws = []
        for tree, request in requests:
            whole, samples = isinstance(request, Complete), request.samples
            longest = self.budget.solution_tokens if whole else self.budget.step_tokens
            if self.budget.hard:
                forced = isinstance(request, Expand) and request.forced
                limit = self.budget.tokens if forced else self.thinking.tokens
                tokens = left.setdefault(id(tree), max(0, limit - tree.tokens_generated))
                # As many as surely fit. The tokens that they do not use are there for the next requests.
                samples = min(samples, tokens // longest)
                if not samples and tokens:
                    samples, longest = 1, tokens
                left[id(tree)] -= samples * longest
            draws.append(Draw(tree, request, samples, longest))
        return draws

    def _sample(self, draws: Sequence[Draw]) -> list[list[Drawn]]:
        """Draws of one kind in one call of the policy: the tokens of each one's `start`, and what follows."""
        encode = self.models.policy.tokenizer.encode
        prompts, seeds, turns, starts = [], [], [], []
        for draw in draws:
            tree, request = draw.tree, draw.request
            start = request.start if isinstance(request, Expand) else ""
            starts.append(list(encode(start, add_special_tokens=False)) if start else [])
            for _ in range(draw.samples):
                prompts.append([*tree.prompt_ids, *request.node.completion_ids(), *starts[-1]])
                # By the node and how often it was sampled from: coming back to a node draws new samples, and what
                # other problems do changes nothing.
                seeds.append(derive_seed(tree.seed, request.node.index, request.node.drawn))
                turns.append(request.node.drawn)
                request.node.drawn += 1
        steps, forced, longest = draws[0].kind
        params = SamplingParams(longest, 0.0 if forced else self.models.temperature, stop_at_step=steps)
        drawn = iter(self.proposals.sample(prompts, params, seeds, turns))
        return [
            [(start, next(drawn)) for _ in range(draw.samples)]
            for draw, start in zip(draws, starts, strict=True)
        ]

    def _attach(self, tree: Tree, request: Request, samples: Sequence[Drawn]) -> list[Node]:
        """Adds the samples to the tree; returns what the request's reply lists."""
        reply: list[Node] = []
        made = request.node.visited[-1]
        for start, sample in samples:
            tree.tokens_generated += len(sample.token_ids)
            if isinstance(request, Complete):
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
        """Adds a solution step by step; steps that others share are not added again. Returns its last node."""
        ends = step_ends(sample.token_ids, self.models.policy.tokenizer)
        # The last step reaches to the end of the sample: an end token after it belongs to it.
        bounds = sorted({0, *(end + 1 for end in ends[:-1]), len(sample.token_ids)})
        for a, b in pairwise(bounds):
            if node.ended or node.cut:
                break
            whole = sample.finished or b < len(sample.token_ids)
            logprob = sum(sample.logprobs[a:b])
            node = self._attach_step(tree, node, sample.token_ids[a:b], logprob, whole, made)
        return node

    def _attach_step(
        self, tree: Tree, parent: Node, tokens: Sequence[int], logprob: float, whole: bool, made: int
    ) -> Node:
        """The child of `parent` with these tokens, or `parent` itself if they only end the solution."""
        tokenizer = self.models.policy.tokenizer
        end = tokenizer.eos_token_id
        if list(tokens) == [end]:
            if not parent.ended:
                parent.token_ids = [*parent.token_ids, end]
            tree.end(parent)
            return parent
        # A node that ended has got an end token, which a sample of that one step does not have.
        spellings = (list(tokens), [*tokens, end])
        node = next((child for child in parent.children if child.token_ids in spellings), None)
        if node is not None:
            node.samples += 1
            if node.ended:
                tree.end(node)
            return node
        text = str(tokenizer.decode(list(tokens), skip_special_tokens=True))
        node = tree.add(parent, text, list(tokens), float(logprob), made)
        # Exactly one step: the reward models read as many steps on a path as it has nodes.
        node.cut = not whole or len(split_steps(text, separator(tokenizer))) != 1
        node.answer = None if node.cut else self.models.answer_of(text)
        if node.answer is not None:
            node.passes = self.models.self_check(tree.prompt, node.answer)
        if not node.cut and (tokens[-1] == end or node.answer is not None):
            # A step with the answer ends the solution even where sampling stopped before the end token.
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
            # What a scorer with a KV cache has to read: the prompt once, and each step once.
            if tree.tokens_scored == 0:
                tree.tokens_scored = len(tree.prompt_ids)
            tree.tokens_scored += len(node.token_ids)
            node.probabilities = probabilities[-1]
            node.score = solution_score(probabilities)
        if self.q is not None:
            values = self.q.outcome_probabilities(prompts, completions)
            for (_, node), value in zip(todo.values(), values, strict=True):
                node.q = value


def _result(answer: Node, tree: Tree) -> SearchResult:
    return SearchResult(answer, tree, answer.completion(), answer.completion_ids(), answer.ended)
