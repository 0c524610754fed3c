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

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, Pool, curves
from o1_assets.evaluation.evaluate_policy import held_out, least_likely_tokens, prompts_of
from o1_assets.experiments.pools.config import EXPRESSION, OodConfig, OodKind, PoolConfig
from o1_assets.problems.canonical import flat_expression
from o1_assets.problems.config import ArithmeticFilter
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.solutions import generated_tokens, readable, sample_solutions
from o1_assets.problems.sources import open_source
from o1_assets.problems.split import allowed, as_table, take

# Problems that are sampled, and then scored, together: for memory, and so that progress is seen.
AT_ONCE = 25
SUBSETS = 100

# What problems/ood calls the problems of problems/longer.
LONGER = "longer"


def distinct(solutions: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """The first row of each problem's equal token sequences, and for every row the index of its own among them.

    What is computed on the first, `values`, is for all rows `[values[i] for i in index]`. A small model repeats itself,
    and equal solutions have equal scores.
    """
    place: dict[tuple[str, tuple[int, ...]], int] = {}
    first: list[int] = []
    index: list[int] = []
    for row, (problem, tokens) in enumerate(solutions.select("problem_id", "token_ids").iter_rows()):
        key = (problem, tuple(tokens))
        if key not in place:
            place[key] = len(first)
            first.append(row)
        index.append(place[key])
    return solutions[first], index


def make_pool(task: Task, config: PoolConfig) -> Outcome:
    """Inputs: generator (checkpoint), problems. Writes solutions.parquet and problems.parquet, as above."""
    from o1_assets.reward.score import open_generator

    problems = held_out(read_parquet(task.inputs["problems"] / "problems.parquet"), config.problems)
    engine = task.open_engine(task.inputs["generator"])
    prompts = prompts_of(engine, problems, config.prompt)
    parts = []
    for start in range(0, problems.height, AT_ONCE):
        parts.append(
            sample_solutions(
                engine,
                problems.slice(start, AT_ONCE),
                n=config.samples,
                params=SamplingParams(config.prompt.max_tokens, config.temperature),
                # One seed for all chunks: a sample depends on its problem and its number, not on its chunk.
                seed=derive_seed(task.seed, "samples"),
                prompt=config.prompt,
            )
        )
        task.progress(f"solved {min(start + AT_ONCE, problems.height)} of {problems.height} problems")
    parameters, tokenizer = engine.parameters, engine.tokenizer
    # On a GPU the sampler and the scorer may not fit beside each other.
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
    figures: dict[str, float] = {}
    for suffix, part in kinds.items():
        pool = Pool.from_frame(solutions.join(part.select("problem_id"), on="problem_id", how="semi"))
        at = curves(pool, (MAJORITY, PASS), (samples,), SUBSETS, derive_seed(seed, "subsets"))
        figures |= {
            f"pass@1{suffix}": float(pool.correct.mean()),
            f"majority@{samples}{suffix}": at[MAJORITY].at(samples),
            f"pass@{samples}{suffix}": at[PASS].at(samples),
        }
    return figures


# problems/ood: held-out problems of kinds that no problem of training is of, none of which the base's corpus has.


def make_ood(task: Task, config: OodConfig) -> Outcome:
    """Input: longer (problems), where there are such. Writes problems.parquet: as problems/test, and the column `kind`.

    Only the test side of the content hash is taken, so none of them is in any train table with the same
    test_fraction. No question can be in the corpus either: it is kept out of it (longer), its expression is outside of
    the corpus' limits, or its wording is none of the corpus'. Raises ProblemError where a kind has not enough problems.
    """
    tables, seen = [], set[str]()
    if "longer" in task.inputs:
        longer = held_out(read_parquet(task.inputs["longer"] / "problems.parquet"), config.longer)
        tables.append(longer.with_columns(kind=pl.lit(LONGER)))
    for kind in config.kinds:
        source = Unseen(kind, config.corpus if kind.beyond else None, seen)
        draw = take(source, kind.problems, "test", kind.problems.test, derive_seed(task.seed, kind.name))
        # Kinds must not share a problem: a table holds each only once.
        seen |= {problem.canonical for problem in draw.problems}
        reworded = [_worded(problem, kind) for problem in draw.problems]
        tables.append(as_table(reworded).with_columns(kind=pl.lit(kind.name)))
        task.progress(f"{kind.name}: {len(reworded)} problems out of {draw.counts['drawn']} that are new")
    table = pl.concat(tables).sort("problem_id")
    table.write_parquet(task.out / "problems.parquet")
    return Outcome(
        figures={
            "problems": table.height,
            **dict(table.group_by("kind").len().sort("kind").iter_rows()),
        },
        rows=table.height,
        sample=table.group_by("kind", maintain_order=True).head(3).drop("metadata").to_dicts(),
    )


class Unseen:
    """Problems of a kind that are an expression, without those taken before and those within `limits`.

    Raises ProblemError when `patience` draws in a row have brought none.
    """

    def __init__(self, kind: OodKind, limits: ArithmeticFilter | None, seen: set[str]) -> None:
        self.kind, self.limits, self.seen = kind, limits, seen
        self.source = open_source(kind.problems.source)
        self.endless = self.source.endless

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        idle = 0
        for problem in self.source.problems(seed):
            if isinstance(problem, LeftOut):
                yield problem
                continue
            expression = flat_expression(problem.canonical)
            new = expression is not None and problem.canonical not in self.seen
            if new and (self.limits is None or not allowed(expression, self.limits)):
                # Patience counts draws in a row: a rare kind is slow, an empty one never ends.
                idle = 0
                yield problem
                continue
            idle += 1
            if self.endless and idle >= self.kind.problems.patience:
                raise ProblemError(
                    f"ablations.pools.ood: {idle} problems of the kind {self.kind.name!r} in a row were within the "
                    "corpus' limits; widen its source, or lower the limits in ablations.pools.ood.corpus."
                )


def _worded(problem: RawProblem, kind: OodKind) -> RawProblem:
    if kind.wording is None:
        return problem
    expression = flat_expression(problem.canonical)
    return replace(problem, question=kind.wording.replace(EXPRESSION, str(expression)))
