"""What the compared verifiers are worth: PRMs that differ in their start alone, and one that has no training.

They read every sample of the first problems of the test pool, because what is wanted of a verifier is that more samples
never harm. Their steps are judged too, on a few samples of each problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import find_steps
from o1_assets.evaluation.best_of_n import Pool, exact_curves
from o1_assets.evaluation.evaluate_policy import held_out, least_likely_by_step
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import ranking_figures, rated_steps, step_figures
from o1_assets.experiments.pools.measure import distinct
from o1_assets.experiments.verifiers.config import WORKS_AGAIN, AgainConfig, ComparedConfig, GrowConfig
from o1_assets.experiments.verifiers.measure import CHUNK_PROBLEMS, kept
from o1_assets.reward.aggregate import right_probabilities, solution_score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAST_LIKELY = "least_likely"

Classes = list[NDArray[np.float64]]
"""For each solution (steps, 3), as a PRM gives them."""

Reader = Callable[[Sequence[Sequence[int]], pl.DataFrame], tuple[list[Classes], Cost]]
"""Prompts and their solutions -> the classes by each arm, and what they cost."""


def grow_base(task: Task, config: GrowConfig) -> Outcome:
    """The base with new layers that change nothing, which has read no homework. Inputs: base."""
    import torch

    from o1_assets.core.flops import non_embedding_parameters
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import grow_verifier

    torch.manual_seed(task.seed)
    model = grow_verifier(task.inputs["base"], config.new_layers)
    model.save(task.out)
    load_tokenizer(task.inputs["base"]).save_pretrained(task.out)
    return Outcome({"parameters": non_embedding_parameters(model.backbone)})


def score_compared(task: Task, config: ComparedConfig) -> Outcome:
    """Inputs: generator, test (a pool), and each arm's PRM by its name.

    Writes solutions.parquet: problem_id, sample, and for each arm its score and, of the first samples, P(right) of each
    step in the column "<arm>:steps"; LEAST_LIKELY has the log-probability of each step's least likely token.
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model
    from o1_assets.reward.score import Scorer, open_generator

    generator = open_generator(task.inputs["generator"])
    device = generator.device
    precision: Any = "float32" if device.type == "cpu" else "auto"
    models = [load_reward_model(task.inputs[arm], precision).to(device) for arm in config.arms]
    tokenizer = load_tokenizer(task.inputs["generator"])
    scorer = Scorer(models, generator, tokenizer)

    def read(prompts: Sequence[Sequence[int]], part: pl.DataFrame) -> tuple[list[Classes], Cost]:
        return scorer.score_all(prompts, part["token_ids"].to_list())

    def likelihoods(prompts: Sequence[Sequence[int]], part: pl.DataFrame) -> tuple[pl.DataFrame, Cost]:
        steps, cost = least_likely_by_step(generator, tokenizer, prompts, part["token_ids"].to_list())
        lists = pl.Series(LEAST_LIKELY, [s.tolist() for s in steps], dtype=pl.List(pl.Float64))
        return part.select("problem_id", "sample").with_columns(lists), cost

    table, cost = _read_pool(task, config, config.arms, tokenizer, read, likelihoods)
    return Outcome({"models": len(models), "solutions": table.height}, cost, table.height)


def work_again(task: Task, config: AgainConfig) -> Outcome:
    """Inputs: generator, test (a pool). Writes solutions.parquet as `score_compared` does, without LEAST_LIKELY."""
    engine = task.open_engine(task.inputs["generator"])

    def read(prompts: Sequence[Sequence[int]], part: pl.DataFrame) -> tuple[list[Classes], Cost]:
        classes, tokens = agreement(engine, prompts, part, config, task.seed)
        return [classes], Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)

    table, cost = _read_pool(task, config, [WORKS_AGAIN], engine.tokenizer, read)
    engine.close()
    each = cost.tokens_generated / table.height
    return Outcome({"solutions": table.height, "tokens_a_solution": each}, cost, table.height)


def agreement(
    engine: Engine, prompts: Sequence[Sequence[int]], solutions: pl.DataFrame, config: AgainConfig, seed: int
) -> tuple[Classes, int]:
    """A verifier that works each step out again: P(right) is the share of sampled next steps that agree with it.

    Solutions with equal steps before a step share the samples. Returns classes (steps, 3) of each solution, none of
    them neutral, and the tokens generated.
    """
    asked: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    steps_of: list[tuple[str, list[str]]] = []
    for problem, prompt, tokens in zip(
        solutions["problem_id"], prompts, solutions["token_ids"].to_list(), strict=True
    ):
        steps, start = find_steps(tokens, engine.tokenizer), 0
        texts = [step.text.strip() for step in steps]
        for i, step in enumerate(steps):
            asked.setdefault((problem, tuple(texts[:i])), [*prompt, *tokens[:start]])
            start = step.end + 1
        steps_of.append((problem, texts))
    samples = engine.sample(
        [tokens for tokens in asked.values() for _ in range(config.samples)],
        SamplingParams(config.max_step_tokens, config.temperature, stop_at_step=True),
        [
            derive_seed(seed, problem, *before, number)
            for problem, before in asked
            for number in range(config.samples)
        ],
    )
    texts_of = [
        str(engine.tokenizer.decode(sample.token_ids, skip_special_tokens=True)).strip() for sample in samples
    ]
    votes = {
        place: Counter(texts_of[i * config.samples : (i + 1) * config.samples])
        for i, place in enumerate(asked)
    }
    classes = []
    for problem, texts in steps_of:
        agreeing = [votes[problem, tuple(texts[:i])][text] for i, text in enumerate(texts)]
        # Half a sample more on either side: a step that no sample agrees with does not make all others worthless.
        share = (np.array(agreeing, dtype=np.float64) + 0.5) / (config.samples + 1)
        classes.append(np.stack([1 - share, np.zeros_like(share), share], axis=-1))
    return classes, sum(len(sample.token_ids) for sample in samples)


def _read_pool(
    task: Task,
    config: ComparedConfig | AgainConfig,
    arms: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    read: Reader,
    more: Callable[[Sequence[Sequence[int]], pl.DataFrame], tuple[pl.DataFrame, Cost]] | None = None,
) -> tuple[pl.DataFrame, Cost]:
    """The table that both write. more: further columns of the samples that have values for steps."""
    solutions = read_parquet(task.inputs["test"] / "solutions.parquet")
    problems = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    prompts = _prompts(config.prompt, tokenizer, problems)
    ids = problems["problem_id"].to_list()
    parts, cost = [], Cost()
    for start in range(0, len(ids), CHUNK_PROBLEMS):
        part = solutions.filter(pl.col("problem_id").is_in(ids[start : start + CHUNK_PROBLEMS]))
        table, spent = kept(
            task,
            f"problems_{start}",
            partial(_read_part, part, prompts, arms, config.step_samples, read, more),
        )
        parts.append(table)
        cost += spent
        task.progress(f"read the solutions of {min(start + CHUNK_PROBLEMS, len(ids))} of {len(ids)} problems")
    whole = pl.concat(parts)
    whole.write_parquet(task.out / "solutions.parquet")
    return whole, cost


def _prompts(
    prompt: PromptFormat, tokenizer: PreTrainedTokenizerBase, problems: pl.DataFrame
) -> dict[str, list[int]]:
    encoded = prompt.encode(tokenizer, problems["question"].to_list())
    return dict(zip(problems["problem_id"].to_list(), encoded, strict=True))


def _read_part(
    part: pl.DataFrame,
    prompts: dict[str, list[int]],
    arms: Sequence[str],
    step_samples: int,
    read: Reader,
    more: Callable[[Sequence[Sequence[int]], pl.DataFrame], tuple[pl.DataFrame, Cost]] | None,
) -> tuple[pl.DataFrame, Cost]:
    once, index = distinct(part)
    classes, cost = read([prompts[problem] for problem in once["problem_id"]], once)
    has_steps = (part["sample"] < step_samples).to_list()
    columns = []
    for arm, of_arm in zip(arms, classes, strict=True):
        scores = np.array([solution_score(steps) for steps in of_arm])
        steps = [
            right_probabilities(of_arm[i]).tolist() if has else None
            for i, has in zip(index, has_steps, strict=True)
        ]
        columns += [
            pl.Series(arm, scores[index], dtype=pl.Float64),
            pl.Series(f"{arm}:steps", steps, dtype=pl.List(pl.Float64)),
        ]
    table = part.select("problem_id", "sample").with_columns(columns)
    if more is not None:
        few = part.filter(pl.col("sample") < step_samples)
        further, spent = more([prompts[problem] for problem in few["problem_id"]], few)
        cost += spent
        table = table.join(further, on=["problem_id", "sample"], how="left", maintain_order="left")
    return table, cost


# The judgement.

STEP_FIGURES = ("step_f1", "step_auc", "hard_step_auc")


class Comparison:
    """curves: arm -> N -> [seeds, problems], over all subsets of the samples. figures: arm -> a row for each seed."""

    def __init__(self, arms: Sequence[str]) -> None:
        self.curves: dict[str, dict[int, Floats]] = {}
        self.figures: dict[str, list[Figures]] = {arm: [] for arm in arms}

    def figure(self, arm: str, name: str) -> float | None:
        """Mean over the seeds in which it is defined."""
        defined = [float(f[name]) for f in self.figures[arm] if f.get(name) is not None]  # type: ignore[arg-type]
        return float(np.mean(defined)) if defined else None


def compare(task: Task, prms: Sequence[str], seeds: int) -> Comparison:
    """Every compared PRM, and works_again. Inputs: test, compared_<seed>, works_again."""
    solutions = read_parquet(task.inputs["test"] / "solutions.parquet")
    problems = read_parquet(task.inputs["test"] / "problems.parquet")
    again = read_parquet(task.inputs[WORKS_AGAIN] / "solutions.parquet")
    arms = [*prms, WORKS_AGAIN]
    comparison, curves = Comparison(arms), dict[str, list[dict[int, Floats]]]()
    for seed in range(seeds):
        table = solutions.join(again, on=["problem_id", "sample"], how="inner", maintain_order="left").join(
            read_parquet(task.inputs[f"compared_{seed}"] / "solutions.parquet"),
            on=["problem_id", "sample"],
            how="inner",
            maintain_order="left",
        )
        pool = Pool.from_frame(table, arms)
        few = table.drop_nulls(LEAST_LIKELY)
        for arm in arms:
            # It has no training, so that there is one of it.
            if arm == WORKS_AGAIN and seed:
                curves[arm].append(curves[arm][0])
                continue
            curves.setdefault(arm, []).append(exact_curves(pool, arm)[arm])
            steps = rated_steps(few.with_columns(p_right=pl.col(f"{arm}:steps")), problems)
            comparison.figures[arm].append({**step_figures(steps), **ranking_figures(steps)})
        task.progress(f"compared the models of training {seed + 1}")
    comparison.curves = {
        arm: {n: np.stack([curve[n] for curve in of_arm]) for n in of_arm[0]}
        for arm, of_arm in curves.items()
    }
    return comparison
