"""A policy whose chance of reaching the right answer is known: the last step says it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from o1_assets.core.engine import Sample, SamplingParams
from tests.labels import world
from tests.search.toy import END, ToyTokenizer


class CallableTokenizer(ToyTokenizer):
    def __call__(self, texts: Sequence[str]) -> dict[str, list[list[int]]]:
        return {"input_ids": [self.encode(text) for text in texts]}


class ChanceEngine:
    """After a last step "... p=0.3" a rollout gives the right answer with that probability, else a wrong one.

    answers: question -> right answer. Every call's number of prompts is in `calls`. longest: the longest sequence that
    it reads, where its samples end.
    """

    parameters = 7
    longest = 10_000

    def __init__(self, *expressions: str) -> None:
        problems = [world.problem(expression) for expression in expressions]
        self.answers = {problem["question"]: problem["answer"] for problem in problems}
        self.tokenizer = CallableTokenizer()
        self.calls: list[int] = []
        self.closed = False

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        self.calls.append(len(prompts))
        samples = [self._one(self.tokenizer.decode(p), s) for p, s in zip(prompts, seeds, strict=True)]
        for sample, prompt in zip(samples, prompts, strict=True):
            if (room := max(0, self.longest - len(prompt))) < len(sample.token_ids):
                sample.token_ids, sample.logprobs = sample.token_ids[:room], sample.logprobs[:room]
                sample.finished = False
        return samples

    def _one(self, text: str, seed: int) -> Sample:
        question, *_, last = text.splitlines()
        chance = float(last.rpartition("p=")[2]) if "p=" in last else 0.0
        right = random.Random(seed).random() < chance
        answer = self.answers[question] if right else "999"
        ids = [*self.tokenizer.encode(f"answer {answer}\n"), END]
        return Sample(ids, [0.0] * len(ids), True)

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        raise AssertionError("rollouts need no log-probabilities")

    def close(self) -> None:
        self.closed = True
