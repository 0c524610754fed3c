"""How often the policy reaches the right answer from some steps on: what Monte Carlo labels are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from o1_assets.artifact import Cost
from o1_assets.engine.interface import Engine, Sample, SamplingParams
from o1_assets.engine.solutions import prompt_ids
from o1_assets.engine.steps import separator
from o1_assets.flops import flops_generate
from o1_assets.labels.config import MonteCarloConfig
from o1_assets.problems.answers import extract_answer
from o1_assets.problems.grading import grade
from o1_assets.seeds import derive_seed

Steps = tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """right of `rollouts` reached the right answer. rollouts 0: the steps end in an answer, which was graded."""

    rollouts: int
    right: int

    @property
    def share(self) -> float:
        """In [0, 1]: Math-Shepherd's soft estimate (arXiv:2312.08935, section 3.3, equation 4)."""
        return self.right / max(1, self.rollouts)


class Rollouts:
    """Estimates after given steps of given problems, each computed once.

    Seeds follow from the problem and the steps, so an estimate does not depend on what else is asked for, and
    solutions that share steps share it.
    """

    def __init__(self, engine: Engine, config: MonteCarloConfig, seed: int) -> None:
        self.engine, self.config, self.seed = engine, config, seed
        self.known: dict[tuple[str, Steps], Estimate] = {}
        self.rollouts = 0
        self.tokens = 0
        self._verdicts: dict[tuple[str, str], bool] = {}

    def estimate(self, asked: Sequence[tuple[Mapping[str, Any], Steps]]) -> list[Estimate]:
        """One estimate for each problem row and the steps taken so far; all rollouts in one call of the engine."""
        keys = [(str(problem["problem_id"]), steps) for problem, steps in asked]
        new = {key: problem for key, (problem, _) in zip(keys, asked, strict=True) if key not in self.known}
        open_ended = []
        for key, problem in new.items():
            if key[1] and extract_answer(key[1][-1], self.config.answer_prefix) is not None:
                self.known[key] = Estimate(0, int(self._is_right(problem, "\n".join(key[1]))))
            else:
                open_ended.append((key, problem))
        for (key, problem), samples in zip(open_ended, self._sample(open_ended), strict=True):
            taken = "".join(step + separator(self.engine.tokenizer) for step in key[1])
            right = sum(
                sample.finished and self._is_right(problem, taken + self._text(sample)) for sample in samples
            )
            self.known[key] = Estimate(len(samples), right)
        return [self.known[key] for key in keys]

    def cost(self) -> Cost:
        """Of all rollouts so far."""
        return Cost(flops_generate(self.engine.parameters, self.tokens), tokens_generated=self.tokens)

    def _sample(self, states: Sequence[tuple[tuple[str, Steps], Mapping[str, Any]]]) -> list[list[Sample]]:
        """config.rollouts samples after each state."""
        if not states:
            return []
        k, encode = self.config.rollouts, self.engine.tokenizer.encode
        end = separator(self.engine.tokenizer)
        questions = [str(problem["question"]) for _, problem in states]
        prompts, seeds = [], []
        for ((problem_id, steps), _), prompt in zip(
            states, prompt_ids(self.engine, questions, self.config.prompt_template), strict=True
        ):
            tokens = list(prompt)
            for step in steps:
                tokens += encode(step + end, add_special_tokens=False)
            prompts += [tokens] * k
            seeds += [derive_seed(self.seed, "rollout", problem_id, *steps, i) for i in range(k)]
        params = SamplingParams(max_tokens=self.config.max_tokens, temperature=self.config.temperature)
        samples = self.engine.sample(prompts, params, seeds)
        self.rollouts += len(samples)
        self.tokens += sum(len(sample.token_ids) for sample in samples)
        return [samples[i : i + k] for i in range(0, len(samples), k)]

    def _text(self, sample: Sample) -> str:
        return str(self.engine.tokenizer.decode(sample.token_ids, skip_special_tokens=True))

    def _is_right(self, problem: Mapping[str, Any], text: str) -> bool:
        answer = extract_answer(text, self.config.answer_prefix)
        if answer is None:
            return False
        key = (str(problem["problem_id"]), answer)
        if key not in self._verdicts:
            self._verdicts[key] = grade(problem["grader"], answer, problem)
        return self._verdicts[key]
