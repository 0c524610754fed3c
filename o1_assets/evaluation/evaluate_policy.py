"""How well a policy solves held-out problems, by itself and with reward models that choose among its solutions.

Every evaluation of the graph is this one: it samples, scores, and draws random subsets of the samples for best of N
and the votes. Whoever evaluates chooses the models, the problems and the seeds, and gives the measures their names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.best_of_n import MAJORITY, Curve, Floats, Pool, curves
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.reward.aggregate import right_probabilities, solution_score
from o1_assets.reward.config import SCORE_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.core.engine import Engine
    from o1_assets.reward.score import Scorer

Progress = Callable[[str], None]
PRM = "prm_product"
PASS_AT_1, GREEDY = "pass@1", "greedy"

# Columns that choose a solution; all are better when higher.
SCORES = (PRM, "prm_minimum", "orm", "min_logprob")

# Beginnings of the names of columns that have a value for each step.
LISTS = ("p_right", "least_likely")

# Solutions are scored by problems, so that samples share their prefixes, some at a time, for memory.
PROBLEMS_A_CHUNK = 25


def held_out(test: pl.DataFrame, count: int) -> pl.DataFrame:
    """The same `count` problems in every round: ids are hashes, so their order is as good as random."""
    # Sorted, because the order of a table is no promise of its source.
    return test.sort("problem_id").head(count)


def sample(
    engine: Engine, problems: pl.DataFrame, config: SamplingConfig, seed: int, greedy: bool = False
) -> tuple[pl.DataFrame, Cost]:
    """A solutions table: `samples` of each problem at the temperature of the config, or one greedy one."""
    from o1_assets.core.engine import SamplingParams
    from o1_assets.problems.solutions import sample_solutions

    solutions = sample_solutions(
        engine,
        problems,
        n=1 if greedy else config.samples,
        params=SamplingParams(config.prompt.max_tokens, 0.0 if greedy else config.temperature, shared=True),
        seed=seed,
        prompt=config.prompt,
    )
    tokens = int(solutions["token_ids"].list.len().sum())
    return solutions, Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)


def prompts_of(engine: Engine, problems: pl.DataFrame, prompt: PromptFormat) -> dict[str, list[int]]:
    """problem_id -> token ids of its prompt, exactly as the sampler makes them."""
    encoded = prompt.encode(engine.tokenizer, problems["question"].to_list())
    return dict(zip(problems["problem_id"].to_list(), encoded, strict=True))


@dataclass(frozen=True)
class EvalModels:
    """The folders of the models that read a policy's solutions; each is opened when it is first needed.

    prm: always read. orm: read where it is given. generator: GPT*, whose log-probabilities the reward models read, and
    which chooses a solution by its least likely token, unless `log_probabilities` is off. other_prms: name -> folder;
    the score by the PRM `x` stands in the column `prm_x`, its chances in `p_right_x`.
    """

    prm: Path
    generator: Path
    orm: Path | None = None
    other_prms: Mapping[str, Path] | None = None
    log_probabilities: bool = True

    @classmethod
    def of(cls, inputs: Mapping[str, Path]) -> Self:
        """From an artifact's inputs prm, orm and generator."""
        return cls(inputs["prm"], inputs["generator"], inputs["orm"])

    @property
    def selectors(self) -> tuple[str, ...]:
        """The columns that `score` adds and that choose a solution; each is better when it is higher."""
        return (
            PRM,
            "prm_minimum",
            *(("orm",) if self.orm else ()),
            *(("min_logprob",) if self.log_probabilities else ()),
            *(f"prm_{name}" for name in self.other_prms or {}),
        )

    @cached_property
    def scorer(self) -> Scorer:
        from o1_assets.reward.score import load_scorer

        return load_scorer(self.prm, self.generator, self.orm)

    @cached_property
    def opened_generator(self) -> PreTrainedModel:
        from o1_assets.reward.score import open_generator

        # Reward models that read the log-probabilities have opened it already.
        return self.scorer.generator or open_generator(self.generator)

    @cached_property
    def other_scorers(self) -> dict[str, Scorer]:
        from o1_assets.reward.score import load_scorer

        return {name: load_scorer(path, self.generator) for name, path in (self.other_prms or {}).items()}

    def score(
        self, solutions: pl.DataFrame, prompts: Mapping[str, Sequence[int]], progress: Progress
    ) -> tuple[pl.DataFrame, Cost]:
        """The solutions with a column for each of `selectors`, and two of type list[f64] with a value for each step.

        p_right is P(right) by the PRM, and least_likely, with `log_probabilities`, the lowest log-probability of one of
        the step's tokens under GPT*.

        prompts: problem_id -> token ids. The solutions should stand in the order of their problems: samples of one
        problem share their prefixes, which are then read once.
        """
        scorers = [self.scorer, *self.other_scorers.values()]
        # A scorer counts from when it was opened, and it may be used before and after this.
        before = [scorer.cost() for scorer in scorers]
        parts, cost = [], Cost()
        samples = max(1, solutions.height // max(1, solutions["problem_id"].n_unique()))
        # All at once would not fit into memory; whole problems at a time keep the shared prefixes together.
        for part in solutions.iter_slices(PROBLEMS_A_CHUNK * samples):
            columns, read = self._score_part(part, [prompts[problem] for problem in part["problem_id"]])
            parts.append(part.with_columns(columns))
            cost += read
            progress(f"scored {sum(part.height for part in parts)} of {solutions.height} solutions")
        for scorer, earlier in zip(scorers, before, strict=True):
            cost += scorer.cost_since(earlier)
        return pl.concat(parts), cost

    def _score_part(
        self, solutions: pl.DataFrame, prompts: Sequence[Sequence[int]]
    ) -> tuple[list[pl.Series], Cost]:
        completions = solutions["token_ids"].to_list()
        cost, outcomes = Cost(), dict[str, Any]()
        if self.orm:
            steps, outcomes["orm"] = self.scorer.score_both(prompts, completions)
        else:
            steps = self.scorer.step_probabilities(prompts, completions)
        if self.log_probabilities:
            least_likely, cost = least_likely_by_step(
                self.opened_generator,
                self.scorer.tokenizer,
                prompts,
                completions,
                self.scorer.batch_tokens,
            )
            outcomes["min_logprob"] = [lowest(steps) for steps in least_likely]
            outcomes["least_likely"] = [steps.tolist() for steps in least_likely]
        columns: dict[str, Any] = {
            # The PRM reads each solution once; product and minimum are two ways to add up the same chances.
            "p_right": [right_probabilities(p).tolist() for p in steps],
            PRM: [solution_score(p, "product") for p in steps],
            "prm_minimum": [solution_score(p, "minimum") for p in steps],
            **outcomes,
        }
        for name, scorer in self.other_scorers.items():
            steps = scorer.step_probabilities(prompts, completions)
            columns[f"p_right_{name}"] = [right_probabilities(p).tolist() for p in steps]
            columns[f"prm_{name}"] = [solution_score(p, "product") for p in steps]
        lists = pl.List(pl.Float64)
        return [
            pl.Series(name, values, dtype=lists if name.startswith(LISTS) else pl.Float64)
            for name, values in columns.items()
        ], cost


@dataclass(frozen=True)
class Draw:
    """One independent set of samples. number: stands in the column `seed`. samples, subsets: seeds of the two draws."""

    number: int
    samples: int
    subsets: int

    @classmethod
    def of(cls, seed: int, number: int) -> Self:
        """Draw `number` of an artifact with this seed."""
        return cls(number, derive_seed(seed, "samples", number), derive_seed(seed, "subsets", number))


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gives.

    problem_ids: in the order of every measure's values. solutions: all samples with their scores, sorted by problem,
    seed and sample. greedy: one solution a problem, or None where none was asked for. curves: draw's number ->
    selector -> its accuracy for each N.
    """

    problem_ids: Sequence[str]
    solutions: pl.DataFrame
    greedy: pl.DataFrame | None
    pools: Mapping[int, Pool]
    curves: Mapping[int, Mapping[str, Curve]]
    cost: Cost

    def measures(self, draw: int) -> dict[str, Floats]:
        """Measure -> [problems], of one draw: pass@1, greedy, and `<selector>@<N>` of every curve."""
        greedy = {}
        if self.greedy is not None:
            greedy[GREEDY] = self.greedy.sort("problem_id")["correct"].cast(pl.Float64).to_numpy()
        return {
            PASS_AT_1: self.pools[draw].correct.mean(1),
            **greedy,
            **{
                f"{selector}@{n}": curve.per_problem[k]
                for selector, curve in self.curves[draw].items()
                for k, n in enumerate(curve.ns)
            },
        }

    @property
    def table(self) -> pl.DataFrame:
        """measure, seed, problem, value: `measures` of all draws."""
        rows = [
            (measure, draw, problem, float(value))
            for draw in self.pools
            for measure, values in self.measures(draw).items()
            for problem, value in zip(self.problem_ids, values, strict=True)
        ]
        return pl.DataFrame(rows, schema=["measure", "seed", "problem", "value"], orient="row")


def evaluate_policy(
    policy: Engine,
    models: EvalModels,
    problems: pl.DataFrame,
    config: SamplingConfig,
    draws: Sequence[Draw],
    *,
    greedy: int | None = None,
    selectors: Sequence[str] = (PRM, MAJORITY),
    ns: Sequence[int] = (),
    progress: Progress = lambda line: None,
) -> Evaluation:
    """`config.samples` solutions of each problem and draw by `policy`, scored by the models.

    greedy: the seed of a greedy solution of each problem; without it there is none. selectors: what chooses a
    solution, as in `best_of_n.curves`. ns: sizes of the subsets that are chosen from; all samples where nothing is
    said. Closes `policy` before a reward model is opened: on a GPU both may not fit.
    """
    greedy_solutions, cost = None, Cost()
    if greedy is not None:
        greedy_solutions, cost = sample(policy, problems, config, greedy, greedy=True)
    sampled = []
    for draw in draws:
        progress(f"solving {problems.height} problems {config.samples} times, draw {draw.number + 1}")
        solutions, spent = sample(policy, problems, config, draw.samples)
        sampled.append(solutions.with_columns(seed=pl.lit(draw.number, pl.Int32)))
        cost += spent
    prompts = prompts_of(policy, problems, config.prompt)
    # Closed before the reward models are opened: on a GPU both may not fit.
    policy.close()
    # Sorted by problem, so that the samples of all draws share their prefixes when they are scored.
    solutions = pl.concat(sampled).sort("problem_id", "seed", "sample")
    evaluation = evaluate_solutions(
        solutions, prompts, models, config.subsets, draws, selectors=selectors, ns=ns, progress=progress
    )
    return replace(evaluation, greedy=greedy_solutions, cost=cost + evaluation.cost)


def evaluate_solutions(
    solutions: pl.DataFrame,
    prompts: Mapping[str, Sequence[int]],
    models: EvalModels,
    subsets: int,
    draws: Sequence[Draw],
    *,
    selectors: Sequence[str] = (PRM, MAJORITY),
    ns: Sequence[int] = (),
    progress: Progress = lambda line: None,
) -> Evaluation:
    """As `evaluate_policy`, of solutions that were sampled before; each has its draw's number in the column `seed`."""
    scored, cost = models.score(solutions, prompts, progress)
    pools = {
        draw.number: Pool.from_frame(scored.filter(pl.col("seed") == draw.number), models.selectors)
        for draw in draws
    }
    # One curve for each draw and not one over all: the spread between draws is what a single draw does not know.
    by_draw = {
        draw.number: curves(
            pools[draw.number], selectors, ns or (pools[draw.number].samples,), subsets, draw.subsets
        )
        for draw in draws
    }
    # All draws hold the same problems in the same order.
    problem_ids = next(iter(pools.values())).problem_ids
    return Evaluation(problem_ids, scored, None, pools, by_draw, cost)


def least_likely_tokens(
    generator: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
) -> tuple[list[float], Cost]:
    """The lowest log-probability of any token of a solution's steps under the generator: no training at all.

    What every reward model has to beat.
    """
    steps, cost = least_likely_by_step(generator, tokenizer, prompts, completions)
    return [lowest(of_solution) for of_solution in steps], cost


def lowest(steps: NDArray[np.float32]) -> float:
    """-inf for a solution without a step."""
    return float(steps.min()) if len(steps) else float("-inf")


def least_likely_by_step(
    generator: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    batch_tokens: int = SCORE_TOKENS,
) -> tuple[list[NDArray[np.float32]], Cost]:
    """For each solution [steps]: the lowest log-probability of a token of the step under the generator."""
    from o1_assets.engine.steps import step_ends
    from o1_assets.reward.read import pack_sequences, reading_cost
    from o1_assets.reward.tree import StepSequence

    sequences = []
    for prompt, completion in zip(prompts, completions, strict=True):
        ends = tuple(len(prompt) + end for end in step_ends(completion, tokenizer))
        # What follows the last step's end, an end token or a step that was cut off, is not read.
        length = ends[-1] + 1 if ends else len(prompt)
        sequences.append(StepSequence((*prompt, *completion)[:length], len(prompt), ends))
    packed = pack_sequences(sequences, generator, batch_tokens)
    assert packed.features is not None
    return packed.at_step_ends(packed.features), reading_cost(generator, packed.tokens)
