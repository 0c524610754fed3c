"""Scoring solutions with the reward models: what search, RL, selection and evaluation call.

All sequences of a call are packed by their shared prefixes: the samples of one problem share its prompt and common
steps, equal completions are computed once, and the PRM and the ORM share one pass of the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Cost
from o1_assets.reward.interface import Floats, Tokens
from o1_assets.reward.read import StepReader

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.reward.incremental import TreeScorer
    from o1_assets.reward.model import RewardModel

# How many solutions `score_all` packs together, to bound the memory.
SOLUTIONS_AT_ONCE = 2000


class Scorer(StepReader):
    """One PRM or ORM, one of each, or (for `score_all`) any number of both."""

    def score(self, prompts: Tokens, completions: Tokens) -> list[Any]:
        """By the only model loaded: as `step_probabilities` for a PRM, as `outcome_probabilities` for an ORM."""
        (model,) = self.models
        if model.classes == 3:
            return self.step_probabilities(prompts, completions)
        return self.outcome_probabilities(prompts, completions)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        """For each completion (steps, 3): P(negative), P(neutral), P(positive) of each of `engine.steps`."""
        return self._read(prompts, completions, [self.model(3)])[0]

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        """For each completion P(its answer is correct), read at its last step; 0 without any."""
        return outcomes(self._read(prompts, completions, [self.model(2)])[0])

    def score_both(self, prompts: Tokens, completions: Tokens) -> tuple[list[Floats], list[float]]:
        """`step_probabilities` and `outcome_probabilities` with one pass of the generator."""
        steps, of_orm = self._read(prompts, completions, [self.model(3), self.model(2)])
        return steps, outcomes(of_orm)

    def score_all(
        self, prompts: Tokens, completions: Tokens, progress: Callable[[str], None] = lambda line: None
    ) -> tuple[list[list[Floats]], Cost]:
        """By every model, for each completion (steps, classes); and what it cost.

        Completions of one problem should stand together: only those of one part share their prefixes.
        """
        before = self.cost()
        scores: list[list[Floats]] = [[] for _ in self.models]
        for start in range(0, len(prompts), SOLUTIONS_AT_ONCE):
            # The rows, and the generator's pass over them, are made once for all models.
            part = slice(start, start + SOLUTIONS_AT_ONCE)
            read = self._read(prompts[part], completions[part], self.models)
            for of_model, new in zip(scores, read, strict=True):
                of_model += new
            progress(
                f"{len(self.models)} reward models have read {len(scores[0])} of {len(prompts)} solutions"
            )
        return scores, self.cost_since(before)

    def with_kv_cache(self, values: bool = False) -> TreeScorer:
        """A scorer that reads no prefix twice, for a search. What it computes is counted here.

        values: the model of two classes is asked about unfinished solutions too (a Q-value model).
        """
        from o1_assets.reward.incremental import TreeScorer

        return TreeScorer(self, values)

    def _read(
        self, prompts: Tokens, completions: Tokens, models: Sequence[RewardModel]
    ) -> list[list[Floats]]:
        # Equal solutions are read once.
        solutions = [(tuple(p), tuple(c)) for p, c in zip(prompts, completions, strict=True)]
        index = {solution: i for i, solution in enumerate(dict.fromkeys(solutions))}
        of_different = self.read([self.sequence(p, c) for p, c in index], models)
        return [[values[index[solution]] for solution in solutions] for values in of_different]


def outcomes(classes: Sequence[Floats]) -> list[float]:
    """For each solution P(right) at its last step, from (steps, 2); 0 without a step."""
    return [float(c[-1, 1]) if len(c) else 0.0 for c in classes]


def load_scorer(reward_model: Path, generator: Path, orm: Path | None = None) -> Scorer:
    """A scorer with the reward model of a folder, and with an ORM beside it if one is given."""
    return load_scorers([reward_model] if orm is None else [reward_model, orm], generator)


def load_scorers(reward_models: Sequence[Path], generator: Path) -> Scorer:
    """A scorer with all these models. The generator is opened only if one of them reads its log-probabilities."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model

    precision, device = _precision_and_device()
    models = [load_reward_model(path, precision, trained=False).to(device) for path in reward_models]
    reads_generator = any(model.feature is not None for model in models)
    # It is as large as the policy, and models without the feature have no use for it.
    opened = open_generator(generator) if reads_generator else None
    return Scorer(models, opened, load_tokenizer(reward_models[0]))


def open_generator(path: Path) -> PreTrainedModel:
    """The generator for reading log-probabilities: in float32 on a CPU, in its own precision on a GPU."""
    from o1_assets.engine.checkpoint import read_causal_lm

    precision, device = _precision_and_device()
    model: Any = read_causal_lm(path, precision, attn_implementation="sdpa")
    opened: PreTrainedModel = model.to(device).eval()
    return opened


def _precision_and_device() -> tuple[Any, str]:
    """CPUs without bfloat16 units emulate it, so there everything is computed in float32."""
    import torch

    return ("auto", "cuda") if torch.cuda.is_available() else ("float32", "cpu")
