"""ablations/pools/*: GPT* solves held-out problems many times, once for all experiments.

Writes solutions.parquet, sorted by problem_id and sample, one row a sample:

    solution_id  String         16 hex digits
    problem_id   String         of problems.parquet
    sample       Int32          0 .. samples - 1
    text         String         decoded, without special tokens
    steps        List[String]   one a line
    answer       String         null where it was cut off or has none
    correct      Boolean        graded on the answer
    token_ids    List[Int32]    generated, the end token included
    finished     Boolean        the end token came within max_tokens
    min_logprob  Float64        of the steps' least likely token under GPT*; -inf without a step

and problems.parquet, the rows of the problems that were solved.
"""

from __future__ import annotations

import polars as pl

from o1_assets.ablations.pools.config import PoolConfig
from o1_assets.ablations.pools.distinct import distinct
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.engine.interface import SamplingParams
from o1_assets.engine.solutions import generated_tokens, readable, sample_solutions
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, curves
from o1_assets.evaluation.pool import Pool
from o1_assets.evaluation.scored import held_out, least_likely_tokens, prompts_of
from o1_assets.flops import flops_generate
from o1_assets.seeds import derive_seed

AT_ONCE = 25
"""Problems that are sampled, and then scored, together: for memory, and so that progress is seen."""
SUBSETS = 100


def make_pool(task: Task, config: PoolConfig) -> Outcome:
    """Inputs: generator (checkpoint), problems. Writes solutions.parquet and problems.parquet, as above."""
    from o1_assets.reward.score import open_generator

    problems = held_out(pl.read_parquet(task.inputs["problems"] / "problems.parquet"), config.problems)
    engine = task.open_engine(task.inputs["generator"])
    prompts = prompts_of(engine, problems, config.prompt_template)
    parts = []
    for start in range(0, problems.height, AT_ONCE):
        parts.append(
            sample_solutions(
                engine,
                problems.slice(start, AT_ONCE),
                n=config.samples,
                params=SamplingParams(config.max_tokens, config.temperature),
                seed=derive_seed(task.seed, "samples"),
                answer_prefix=config.answer_prefix,
                prompt_template=config.prompt_template,
            )
        )
        task.progress(f"solved {min(start + AT_ONCE, problems.height)} of {problems.height} problems")
    parameters, tokenizer = engine.parameters, engine.tokenizer
    engine.close()
    generator = open_generator(task.inputs["generator"])
    cost, scored = Cost(), []
    for part in parts:
        once, index = distinct(part)
        minima, spent = least_likely_tokens(
            generator, tokenizer, [prompts[p] for p in once["problem_id"]], once["token_ids"].to_list()
        )
        cost += spent
        scored.append(part.with_columns(min_logprob=pl.Series([minima[i] for i in index], dtype=pl.Float64)))
    solutions = pl.concat(scored)
    tokens = generated_tokens(solutions)
    cost += Cost(flops_generate(parameters, tokens), tokens_generated=tokens)
    solutions.write_parquet(task.out / "solutions.parquet")
    problems.write_parquet(task.out / "problems.parquet")
    return Outcome(
        figures={
            "problems": problems.height,
            "solutions": solutions.height,
            "distinct": solutions.select("problem_id", "text").n_unique() / solutions.height,
            "finished": float(solutions.select(pl.col("finished").mean()).item()),
            **_accuracies(solutions, problems, config.samples, task.seed),
        },
        cost=cost,
        rows=solutions.height,
        sample=readable(problems, solutions),
    )


def _accuracies(solutions: pl.DataFrame, problems: pl.DataFrame, samples: int, seed: int) -> dict[str, float]:
    """pass@1, majority and pass@N, of all problems and of each kind."""
    kinds = {"": problems}
    if "kind" in problems.columns:
        kinds |= {f"_{name}": part for (name,), part in sorted(problems.group_by("kind"), key=lambda k: k[0])}
    found: dict[str, float] = {}
    for suffix, part in kinds.items():
        pool = Pool.from_frame(solutions.join(part.select("problem_id"), on="problem_id", how="semi"))
        at = curves(pool, (MAJORITY, PASS), (samples,), SUBSETS, derive_seed(seed, "subsets"))
        found |= {
            f"pass@1{suffix}": float(pool.correct.mean()),
            f"majority@{samples}{suffix}": at[MAJORITY].at(samples),
            f"pass@{samples}{suffix}": at[PASS].at(samples),
        }
    return found
