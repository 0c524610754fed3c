"""Runs a strategy on many problems at once: one sampling and one scoring call for all that they want next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from o1_assets.engine.interface import Engine, Sample, SamplingParams
from o1_assets.policy.rewards import StepScorer
from o1_assets.reward.aggregate import solution_score
from o1_assets.search.interface import Budget, Expand, Found, Strategy
from o1_assets.search.tree import Node, Tree
from o1_assets.seeds import derive_seed


def search(
    strategy: Strategy,
    prompts: Sequence[str],
    policy: Engine,
    prm: StepScorer,
    budget: Budget,
    seeds: Sequence[int],
    is_answer: Callable[[str], bool] = lambda step: False,
    temperature: float = 1.0,
) -> list[Found]:
    """One solution for each prompt.

    is_answer says of a step's text that it ends the solution, which saves sampling the end token.
    A problem's result depends on its own seed, not on the batch around it.
    """
    trees = [
        Tree(prompt, policy.tokenizer.encode(prompt, add_special_tokens=False), seed)
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    plans = [strategy.plan(tree, budget) for tree in trees]
    answers: dict[int, Node] = {}
    wanted: dict[int, list[Expand]] = {}

    def resume(i: int, reply: list[list[Node]] | None) -> None:
        try:
            wanted[i] = next(plans[i]) if reply is None else plans[i].send(reply)
        except StopIteration as stop:
            wanted.pop(i, None)
            answers[i] = stop.value

    for i in range(len(plans)):
        resume(i, None)
    while wanted:
        requests = [(i, request) for i, batch in wanted.items() for request in batch]
        samples = _sample(policy, [(trees[i], r) for i, r in requests], budget, temperature)
        replies = [
            _attach(trees[i], r, s, policy, is_answer) for (i, r), s in zip(requests, samples, strict=True)
        ]
        _score([(trees[i], n) for (i, _), new in zip(requests, replies, strict=True) for n in new], prm)
        at = 0
        for i, batch in list(wanted.items()):
            resume(i, replies[at : at + len(batch)])
            at += len(batch)
    return [_found(answers[i], tree) for i, tree in enumerate(trees)]


def _sample(
    policy: Engine, requests: Sequence[tuple[Tree, Expand]], budget: Budget, temperature: float
) -> list[list[Sample]]:
    prompts, seeds = [], []
    for tree, request in requests:
        prefix = [*tree.prompt_ids, *request.node.completion_ids()]
        for _ in range(request.samples):
            prompts.append(prefix)
            seeds.append(derive_seed(tree.seed, request.node.index, request.node.drawn))
            request.node.drawn += 1
    drawn = iter(
        policy.sample(prompts, SamplingParams(budget.step_tokens, temperature, stop_at_step=True), seeds)
    )
    return [[next(drawn) for _ in range(request.samples)] for _, request in requests]


def _attach(
    tree: Tree, request: Expand, samples: Sequence[Sample], policy: Engine, is_answer: Callable[[str], bool]
) -> list[Node]:
    """Adds the samples to the tree as children; returns those that live, identical ones once."""
    end = policy.tokenizer.eos_token_id
    live: list[Node] = []
    for sample in samples:
        tree.tokens_generated += len(sample.token_ids)
        if sample.token_ids == [end]:
            if not request.node.ended:
                request.node.ended = True
                request.node.token_ids = [*request.node.token_ids, end]
                live.append(request.node)
            continue
        spellings = (sample.token_ids, [*sample.token_ids, end])
        same = next((child for child in request.node.children if child.token_ids in spellings), None)
        if same is not None:
            same.samples += 1
            if not same.cut and same not in live:
                live.append(same)
            continue
        text = str(policy.tokenizer.decode(sample.token_ids, skip_special_tokens=True))
        node = tree.add(request.node, text, list(sample.token_ids), float(sum(sample.logprobs)))
        node.ended = sample.token_ids[-1] == end or (sample.finished and is_answer(text))
        if node.ended and sample.token_ids[-1] != end:
            node.token_ids.append(end)
        node.cut = not sample.finished or not text.strip()
        if not node.cut:
            live.append(node)
    return live


def _score(new: Sequence[tuple[Tree, Node]], prm: StepScorer) -> None:
    """Gives each node that has none its step probabilities and its score."""
    todo = [(tree, node) for tree, node in new if node.probabilities is None and node.parent is not None]
    if not todo:
        return
    scored = prm.step_probabilities(
        [tree.prompt_ids for tree, _ in todo], [node.completion_ids() for _, node in todo]
    )
    for (tree, node), probabilities in zip(todo, scored, strict=True):
        tree.tokens_scored += len(tree.prompt_ids) + len(node.completion_ids())
        node.probabilities = probabilities[-1]
        node.score = solution_score(probabilities)


def _found(answer: Node, tree: Tree) -> Found:
    return Found(answer, tree, answer.completion(), answer.completion_ids(), answer.ended)
