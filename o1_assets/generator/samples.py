"""generator/samples and generator/sft_set: what the prompted base writes, and what of it is worth imitating.

Imitated are the samples whose final answer is correct (Lightman et al. 2023, arXiv:2305.20050, section 2.4).
"""

from __future__ import annotations

import re

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.errors import O1Error
from o1_assets.core.flops import flops_generate
from o1_assets.core.tables import read_parquet
from o1_assets.generator.config import SamplesConfig, SftSetConfig
from o1_assets.problems.problem import stored_solution


class NothingToImitate(O1Error, ValueError):
    """The base solved no problem; the message says what to change."""


def make_samples(task: Task, config: SamplesConfig) -> Outcome:
    """Inputs "base" and "train"; writes solutions.parquet, config.per_problem rows a problem."""
    from o1_assets.problems.solutions import generated_tokens, readable, sample_solutions

    problems = read_parquet(task.inputs["train"] / "problems.parquet")
    # Ids are hashes of the content, so the first ones are a fair sample.
    problems = problems.sort("problem_id").head(config.problems)
    engine = task.open_engine(task.inputs["base"])
    task.progress(f"{len(problems)} problems, {config.per_problem} solutions each")
    solutions = sample_solutions(
        engine,
        problems,
        config.per_problem,
        SamplingParams(config.prompt.max_tokens, config.temperature, shared=True),
        task.seed,
        config.first_prompt,
    )
    solutions.write_parquet(task.out / "solutions.parquet")
    tokens = generated_tokens(solutions)
    solved = solutions.group_by("problem_id").agg(pl.col("correct").any())
    outcome = Outcome(
        figures={
            "solutions": len(solutions),
            "correct_share": _share(solutions, "correct"),
            "solved_problems_share": _share(solved, "correct"),
            "finished_share": _share(solutions, "finished"),
            "tokens": tokens,
        },
        cost=Cost(flops=flops_generate(engine.parameters, tokens), tokens_generated=tokens),
        rows=len(solutions),
        sample=readable(problems, solutions),
    )
    engine.close()
    return outcome


def _share(table: pl.DataFrame, column: str) -> float:
    return float(table.select(pl.col(column).mean()).item() or 0)


def make_sft_set(task: Task, config: SftSetConfig) -> Outcome:
    """Inputs "samples" and "train"; writes sft_set.parquet: solution_id, problem_id, question, text."""
    samples = read_parquet(task.inputs["samples"] / "solutions.parquet")
    train = read_parquet(task.inputs["train"] / "problems.parquet")
    problems = train.select("problem_id", "question")
    examples = select(samples, config).join(problems, on="problem_id", how="inner", maintain_order="left")
    examples = examples.select("solution_id", "problem_id", "question", "text")
    sampled = len(examples)
    if config.references is not None:
        # Only for problems that the base was asked and failed: what it writes itself comes first.
        tried = train.join(samples, on="problem_id", how="semi", maintain_order="left")
        unsolved = tried.join(examples, on="problem_id", how="anti", maintain_order="left")
        examples = pl.concat([examples, references(unsolved, config.references)])
    if examples.is_empty():
        raise NothingToImitate(
            f"no sample has the correct final answer and {config.min_steps} steps or more, of {len(samples)} by the "
            "base: let it learn from worked solutions (sft_set.references), take easier problems (`o1 problems "
            "difficulty` measures them), sample more (samples.problems, samples.per_problem), or take a stronger base"
        )
    examples.write_parquet(task.out / "sft_set.parquet")
    return Outcome(
        figures={
            "solutions": len(examples),
            "problems": examples["problem_id"].n_unique(),
            "kept_share": sampled / len(samples),
            **({} if config.references is None else {"references": len(examples) - sampled}),
        },
        rows=len(examples),
        sample=examples.head(5).select("question", "text").to_dicts(),
    )


def select(samples: pl.DataFrame, config: SftSetConfig) -> pl.DataFrame:
    """The first distinct correct solutions of each problem, at most config.per_problem; in the given order."""
    # A bare answer that happens to be right shows no reasoning, and would teach to leave it out.
    correct = samples.filter(pl.col("correct") & (pl.col("steps").list.len() >= config.min_steps))
    distinct = correct.unique(subset=["problem_id", "text"], keep="first", maintain_order=True)
    # Easy problems have many correct samples. Without a limit they would be most of the set.
    return distinct.filter(pl.int_range(pl.len()).over("problem_id") < config.per_problem)


def reference(template: str, solution: str, answer: str) -> str:
    """A worked solution as it is imitated, without GSM8K's <<48/2=24>>; "" where there is none."""
    solution = re.sub(r"<<[^>]*>>", "", solution).strip()
    # The answer first: a solution may itself hold the text "{answer}".
    return template.replace("{answer}", answer).replace("{solution}", solution) if solution else ""


def references(problems: pl.DataFrame, template: str) -> pl.DataFrame:
    """The worked solutions that came with the problems, for those that have one."""
    rows = []
    for problem in problems.iter_rows(named=True):
        if text := reference(template, stored_solution(problem["metadata"]), problem["answer"]):
            name = problem["problem_id"]
            rows.append((f"reference-{name}", name, problem["question"], text))
    columns = ("solution_id", "problem_id", "question", "text")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
