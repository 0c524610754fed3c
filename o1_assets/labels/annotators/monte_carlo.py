"""Monte Carlo annotators: they rate a step by how often rollouts of the policy from it reach the right answer.

They need only the grader of final answers, and they are wrong in known ways. A wrong step that the policy can recover
from is rated positive; a right step that the policy cannot finish from is rated negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from o1_assets.core.artifact import Cost
from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.steps import as_one_step, separator
from o1_assets.labels.annotators.annotator import Request, SolutionPath
from o1_assets.labels.config import MonteCarloConfig
from o1_assets.labels.selection import Selection
from o1_assets.problems.grading import grade_all

Steps = tuple[str, ...]


@dataclass(frozen=True)
class RolloutEstimate:
    """How many of `rollouts` reached the right answer. rollouts 0: the steps end in an answer, which was graded.

    cut: how many of them the model had no room for, because the steps before are too long. They say nothing of the
    steps, which are then not rated.
    """

    rollouts: int
    right: int
    cut: int = 0

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
        self.known: dict[tuple[str, Steps], RolloutEstimate] = {}
        self.rollouts = 0
        self.tokens = 0

    def estimate(self, asked: Sequence[tuple[Mapping[str, Any], Steps]]) -> list[RolloutEstimate]:
        """One estimate for each problem row and the steps taken so far; all rollouts in one call of the engine."""
        keys = [(str(problem["problem_id"]), steps) for problem, steps in asked]
        new = {key: problem for key, (problem, _) in zip(keys, asked, strict=True) if key not in self.known}
        answer_of = self.config.prompt.answer
        # Steps that end in an answer, and the answers of the rollouts after those that do not.
        answers = {
            key: [answer_of("\n".join(key[1]))] for key in new if key[1] and answer_of(key[1][-1]) is not None
        }
        rollouts, cut = dict.fromkeys(answers, 0), dict.fromkeys(answers, 0)
        open_ended = [(key, problem) for key, problem in new.items() if key not in answers]
        for (key, _), samples in zip(open_ended, self._sample(open_ended), strict=True):
            prefix = "".join(self._closed(step) for step in key[1])
            rollouts[key] = len(samples)
            # An engine ends a sample before max_tokens where the model reads no longer sequence.
            limit = self.config.prompt.max_tokens
            cut[key] = sum(not s.finished and len(s.token_ids) < limit for s in samples)
            # A rollout that was cut off at max_tokens has no answer of its own.
            answers[key] = [answer_of(prefix + self._text(s)) for s in samples if s.finished]
        verdicts = iter(grade_all([(answer, new[key]) for key, given in answers.items() for answer in given]))
        for key, given in answers.items():
            self.known[key] = RolloutEstimate(rollouts[key], sum(next(verdicts) for _ in given), cut[key])
        return [self.known[key] for key in keys]

    @property
    def too_long(self) -> int:
        """After how many of the steps so far the model had no room for a rollout."""
        return sum(estimate.cut > 0 for estimate in self.known.values())

    def cost(self) -> Cost:
        """The cost of all rollouts so far."""
        return Cost(flops_generate(self.engine.parameters, self.tokens), tokens_generated=self.tokens)

    def _sample(self, states: Sequence[tuple[tuple[str, Steps], Mapping[str, Any]]]) -> list[list[Sample]]:
        """config.rollouts samples after each state."""
        if not states:
            return []
        # Every state's prompt k times: the engine batches them, and a seed per rollout keeps them apart.
        k, encode = self.config.rollouts, self.engine.tokenizer.encode
        questions = [str(problem["question"]) for _, problem in states]
        prompts, seeds = [], []
        for ((problem_id, steps), _), prompt in zip(
            states, self.config.prompt.encode(self.engine.tokenizer, questions), strict=True
        ):
            tokens = list(prompt)
            for step in steps:
                tokens += encode(self._closed(step), add_special_tokens=False)
            prompts += [tokens] * k
            seeds += [derive_seed(self.seed, "rollout", problem_id, *steps, i) for i in range(k)]
        params = SamplingParams(max_tokens=self.config.prompt.max_tokens, temperature=self.config.temperature)
        samples = self.engine.sample(prompts, params, seeds)
        self.rollouts += len(samples)
        self.tokens += sum(len(sample.token_ids) for sample in samples)
        return [samples[i : i + k] for i in range(0, len(samples), k)]  # (states, k)

    def _closed(self, step: str) -> str:
        between = separator(self.engine.tokenizer)
        return as_one_step(step, between) + between

    def _text(self, sample: Sample) -> str:
        return str(self.engine.tokenizer.decode(sample.token_ids, skip_special_tokens=True))


ESTIMATES = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32,
    "rollouts": pl.Int32, "right": pl.Int32, "share": pl.Float64,
}  # fmt: skip


class MonteCarlo:
    """An Annotator by Math-Shepherd's estimates (arXiv:2312.08935, section 3.3)."""

    labeler = "monte_carlo"

    def __init__(self, rollouts: Rollouts) -> None:
        self.rollouts = rollouts

    @classmethod
    def open(cls, engine: Engine, config: MonteCarloConfig, seed: int) -> MonteCarlo:
        """The annotator that config.estimate names."""
        kind = FirstErrorSearch if config.estimate == "first_error" else MonteCarlo
        return kind(Rollouts(engine, config, seed))

    def covers(self, problem: Mapping[str, Any]) -> bool:
        return True

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        estimates = self.rollouts.estimate([(r.problem, (*r.prefix, r.text)) for r in requests])
        return [rating_of(estimate, self.rollouts.config) for estimate in estimates]

    def estimates(self, selection: Selection) -> pl.DataFrame:
        """One row for each completion of the selection that has an estimate (columns of ESTIMATES)."""
        rows = []
        for solution in selection.solution_ids:
            problem = str(selection.problem_of[solution]["problem_id"])
            steps = selection.steps[solution]
            for step, texts in enumerate(steps):
                prefix = tuple(before[0] for before in steps[:step])
                for completion, text in enumerate(texts):
                    known = self.rollouts.known.get((problem, (*prefix, text)))
                    if known is not None and not known.cut:
                        rows.append((solution, step, completion, known.rollouts, known.right, known.share))
        return pl.DataFrame(rows, schema=ESTIMATES, orient="row")


class FirstErrorSearch(MonteCarlo):
    """A PathAnnotator: OmegaPRM's binary search for the first error (arXiv:2406.06592, section 3.2).

    It assumes that once the policy cannot reach the answer any more, it cannot later either. So a solution needs
    about log2(steps) estimates; its alternatives are rated by hard estimates.
    """

    def rate_paths(self, paths: Sequence[SolutionPath]) -> list[list[int | None]]:
        """+1 for every step before the first error, -1 for it. All paths advance together.

        None in place of -1: from there on the solution is too long for rollouts, and no step before is wrong.
        """
        # The first error of path i lies in [low[i], high[i]]; high[i] = its number of steps: it may have none.
        low = [0] * len(paths)
        high = [len(path.steps) for path in paths]
        at_high: list[int | None] = [-1] * len(paths)  # the rating of the step high[i]
        # The last step is probed first: a path that ends in an answer is graded there, which costs no rollout, and a
        # right one has no error.
        not_empty = [i for i in range(len(paths)) if high[i]]
        self._probe(paths, not_empty, [high[i] - 1 for i in not_empty], low, high, at_high)
        while searching := [i for i in range(len(paths)) if low[i] < high[i]]:
            self._probe(paths, searching, [(low[i] + high[i]) // 2 for i in searching], low, high, at_high)
        return [
            [*[1] * error, *[rating] * (error < len(path.steps))]
            for error, rating, path in zip(low, at_high, paths, strict=True)
        ]

    def _probe(
        self,
        paths: Sequence[SolutionPath],
        which: Sequence[int],
        at: Sequence[int],
        low: list[int],
        high: list[int],
        at_high: list[int | None],
    ) -> None:
        """Narrows the ranges of the paths `which` by an estimate after step at[i] of each."""
        asked = [(paths[i].problem, paths[i].steps[: step + 1]) for i, step in zip(which, at, strict=True)]
        for i, step, estimate in zip(which, at, self.rollouts.estimate(asked), strict=True):
            rating = rating_of(estimate, self.rollouts.config)
            if rating == 1:
                low[i] = step + 1
            else:
                high[i], at_high[i] = step, rating


def rating_of(estimate: RolloutEstimate, config: MonteCarloConfig) -> int | None:
    """Hard (and for the search): +1 if any rollout is right, else -1 (arXiv:2312.08935, equation 3).

    Soft: the share of right ones against two thresholds, neutral between them. None where rollouts had no room.
    """
    if estimate.cut:
        return None
    if config.estimate != "soft":
        return 1 if estimate.right else -1
    if estimate.share <= config.negative_to:
        return -1
    return 1 if estimate.share >= config.positive_from else 0
