"""What SFT is to learn from: as many solutions as RL made, of the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl

from o1_assets.base.config import CorpusConfig
from o1_assets.base.corpus import Teacher
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.experiments.chains.config import ChainSetConfig
from o1_assets.labels.annotators.arithmetic_checker import expression_of
from o1_assets.policy.train import draw_problems

# (problem_id, question, text).
Rows = list[tuple[str, str, str]]


def make_chain_set(task: Task, config: ChainSetConfig) -> Outcome:
    """Inputs: policy (GPT*), train (problems). Writes sft_set.parquet: solution_id, problem_id, question, text.

    The seed is that of RL's training, so that the problems are the same. Solutions that are too few are repeated.
    """
    problems = pl.read_parquet(task.inputs["train"] / "problems.parquet")
    drawn = draw_problems(problems, config.policy, task.seed)
    each, cost = config.policy.group_size, Cost()
    rng = Random(derive_seed(task.seed, config.source))
    if config.source == "own":
        solutions, cost = own_solutions(task, drawn, config)
    else:
        few = config.source == "written_few"
        solutions = written(drawn[: config.few] if few else drawn, 1 if few else each, config.teacher, rng)
    wanted = len(drawn) * each
    rows = repeated_to(solutions, wanted, rng)
    table = pl.DataFrame(rows, schema=["problem_id", "question", "text"], orient="row")
    table = table.select(pl.int_range(pl.len()).cast(pl.String).alias("solution_id"), pl.all())
    table.write_parquet(task.out / "sft_set.parquet")
    figures = {
        "solutions": table.height,
        "different": table.n_unique(["problem_id", "text"]),
        "problems": table["problem_id"].n_unique(),
    }
    return Outcome({**figures}, cost, table.height, table.head(5).select("question", "text").to_dicts())


def written(problems: Sequence[dict[str, Any]], each: int, teacher: CorpusConfig, rng: Random) -> Rows:
    """`each` solutions a problem by a teacher without misconceptions, slips and shortcuts: every step is right.

    Raises ValueError at a problem that is not an expression: the teacher cannot write its solution.
    """
    perfect = teacher.model_copy(
        update={"misconception_scale": 0.0, "slip_rate": 0.0, "direct_rate": 0.0, "notice_rate": 0.0}
    )
    rows: Rows = []
    for problem in problems:
        expression = expression_of(problem)
        if expression is None:
            raise ValueError(f"the teacher can only solve expressions, not {problem['question']!r}")
        for _ in range(each):
            text = "\n".join(Teacher(perfect, rng).solve(expression)) + "\n"
            rows.append((problem["problem_id"], problem["question"], text))
    return rows


def own_solutions(
    task: Task, problems: Sequence[dict[str, Any]], config: ChainSetConfig
) -> tuple[Rows, Cost]:
    """The right ones among the policy's samples, at most a group's number of each problem."""
    from o1_assets.core.engine import SamplingParams
    from o1_assets.problems.solutions import sample_solutions

    policy = config.policy
    engine = task.open_engine(task.inputs["policy"])
    frame = pl.DataFrame(problems, infer_schema_length=None).unique("problem_id", maintain_order=True)
    solutions = sample_solutions(
        engine,
        frame,
        n=config.tries * policy.group_size,
        params=SamplingParams(policy.prompt.max_tokens, policy.temperature),
        seed=derive_seed(task.seed, "own"),
        prompt=policy.prompt,
    )
    tokens = int(solutions["token_ids"].list.len().sum())
    right = solutions.filter("correct").filter(pl.int_range(pl.len()).over("problem_id") < policy.group_size)
    chosen = right.join(frame.select("problem_id", "question"), on="problem_id", maintain_order="left")
    if chosen.is_empty():
        raise ValueError("none of the policy's solutions is right: there is nothing to fine-tune on")
    cost = Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)
    engine.close()
    return chosen.select("problem_id", "question", "text").rows(), cost


def repeated_to(rows: Rows, wanted: int, rng: Random) -> Rows:
    """`wanted` rows: all of them as often as it goes, and some once more, drawn without replacement."""
    whole, rest = divmod(wanted, len(rows))
    return [*(rows * whole), *rng.sample(rows, rest)]
