"""rNN/selection: which solutions people rate, and the alternatives that they rate with them.

Round 0 draws uniformly. Later rounds follow Lightman et al. 2023, section 4.2: most of what is chosen are
convincing wrong answers (scored high by the newest PRM, final answer wrong), the rest the most convincing
of what remains, right or wrong. A share may go to right answers that the PRM condemns, which is ours. The
paper chooses N of 1,000 samples of every problem; here the whole round's pool is ranked together, with a
limit a problem, so that labels go where the PRM is fooled most.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import is_blank, pair_steps, step_ends
from o1_assets.labels.protocol import Writing
from o1_assets.problems.solutions import SOURCE, uniform_samples
from o1_assets.rounds.choose import choose_from_files, choose_uniform
from o1_assets.rounds.config import SelectionConfig

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer


def make_selection(task: Task, config: SelectionConfig) -> Outcome:
    """Inputs: solutions, policy, train; from round 1 also prm (of the round before) and generator.

    Writes solutions.parquet (the chosen ones, with score and reason) and completions.parquet (every
    completion that may be rated).
    """
    pool = read_parquet(task.inputs["solutions"] / "solutions.parquet")
    if config.strategy == "uniform":
        pool = uniform_samples(pool)
    problems = read_parquet(task.inputs["train"] / "problems.parquet").select("problem_id", "question")
    # A person should not rate the same text twice; the policy writes its favourite solutions again and again.
    pool = pool.unique(["problem_id", "text"], keep="first", maintain_order=True).join(
        problems, on="problem_id", how="inner", maintain_order="left"
    )
    engine = task.open_engine(task.inputs["policy"])
    pool = pool.with_columns(
        prompt=pl.Series(config.prompt.encode(engine.tokenizer, pool["question"].to_list()))
    )
    cost = Cost()
    if config.strategy == "uniform":
        chosen = choose_uniform(pool, config.solutions, config.per_problem, task.seed)
    else:
        pool, cost = _score(task, pool)
        chosen = _most_mistaken(pool, config)
    completions, generated = sample_alternatives(
        engine, chosen, config, derive_seed(task.seed, "alternatives")
    )
    cost += Cost(flops=flops_generate(engine.parameters, generated), tokens_generated=generated)
    engine.close()
    chosen = chosen.drop("question", "prompt")
    if config.written_steps != "none":
        chosen = with_writing(chosen, solved_problems(pool), config.written_steps, config.most_written)
    chosen.write_parquet(task.out / "solutions.parquet")
    completions.write_parquet(task.out / "completions.parquet")
    # With the origin of what was chosen, where the round searched.
    counted = [name for name in ("reason", SOURCE) if name in chosen.columns]
    counts = {
        f"{name}_{value}": n for name in counted for value, n in chosen[name].value_counts().iter_rows()
    }
    return Outcome(
        figures={
            "pool": pool.height,
            "solutions": chosen.height,
            "completions": completions.height,
            "correct": chosen.select(pl.col("correct").mean()).item(),
            "mean_score": chosen.select(pl.col("score").mean()).item(),
            **({"to_be_written": chosen["writing"].count()} if "writing" in chosen.columns else {}),
            **dict(sorted(counts.items())),
        },
        cost=cost,
        rows=chosen.height,
        sample=chosen.head(5).select("problem_id", "text", "correct", "score", "reason").to_dicts(),
    )


def solved_problems(pool: pl.DataFrame) -> list[str]:
    """The problems of which some solution of the pool has the right answer."""
    return pool.filter("correct")["problem_id"].unique().to_list()


def with_writing(chosen: pl.DataFrame, solved: Sequence[str], writing: Writing, most: int) -> pl.DataFrame:
    """Adds the column `writing`: what a labeller may write in the solution if it goes wrong, null for most.

    Of the solutions with a wrong answer at most `most`: first those of problems that the policy solved in no sample,
    because a written solution is all that it can learn from there; one of each problem before a second of any.
    """
    wrong = chosen.filter(~pl.col("correct")).select("solution_id", "problem_id")
    ranked = wrong.with_columns(
        solved=pl.col("problem_id").is_in(list(solved)), nth=pl.int_range(pl.len()).over("problem_id")
    ).sort("solved", "nth", maintain_order=True)
    may_write = ranked.head(most)["solution_id"].to_list()
    return chosen.with_columns(
        writing=pl.when(pl.col("solution_id").is_in(may_write)).then(pl.lit(writing)).otherwise(None)
    )


def _most_mistaken(pool: pl.DataFrame, config: SelectionConfig) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        scored, spill = Path(folder) / "scored.parquet", Path(folder) / "spill"
        pool.select("solution_id", "problem_id", "correct", "score").write_parquet(scored)
        chosen = choose_from_files(
            [scored], config.solutions, config.per_problem, config.wrong_share, spill,
            config.condemned_share, config.condemned_floor,
        )  # fmt: skip
    reasons = chosen.select("solution_id", "reason")
    return reasons.join(pool, on="solution_id", how="inner", maintain_order="left").select(
        *pool.columns, "reason"
    )


def sample_alternatives(
    engine: Engine, chosen: pl.DataFrame, config: SelectionConfig, seed: int
) -> tuple[pl.DataFrame, int]:
    """Every step of every chosen solution with alternatives drawn after the same prefix.

    chosen: solutions with their prompt's token ids in the column prompt.
    Returns completions.parquet's rows (completion 0 is the solution's own step; equal alternatives are
    listed once) and the number of tokens generated.
    """
    rows, prompts, seeds, asked = [], [], [], []
    for row in chosen.iter_rows(named=True):
        start = 0
        ends = step_ends(row["token_ids"], engine.tokenizer)
        for step, (text, end) in enumerate(pair_steps(row["solution_id"], row["steps"], ends)):
            rows.append((row["solution_id"], row["problem_id"], step, 0, text))
            for alternative in range(1, config.completions):
                prompts.append([*row["prompt"], *row["token_ids"][:start]])
                seeds.append(derive_seed(seed, row["solution_id"], step, alternative))
                asked.append((row["solution_id"], row["problem_id"], step, text))
            start = end + 1
    params = SamplingParams(
        max_tokens=config.max_step_tokens, temperature=config.temperature, stop_at_step=True
    )
    samples = engine.sample(prompts, params, seeds)
    known: dict[tuple[str, int], list[str]] = {}
    for (solution, problem, step, chosen_text), sample in zip(asked, samples, strict=True):
        text = str(engine.tokenizer.decode(sample.token_ids, skip_special_tokens=True)).strip()
        texts = known.setdefault((solution, step), [chosen_text])
        # An alternative that equals the own step or another one would be rated twice.
        if sample.finished and not is_blank(text) and text not in texts:
            rows.append((solution, problem, step, len(texts), text))
            texts.append(text)
    schema = {
        "solution_id": pl.String, "problem_id": pl.String, "step": pl.Int32,
        "completion": pl.Int32, "text": pl.String,
    }  # fmt: skip
    order = {solution: i for i, solution in enumerate(chosen["solution_id"])}
    # Own steps were added first, alternatives as they came: people are shown them by solution, step and completion.
    rows.sort(key=lambda row: (order[row[0]], row[2], row[3]))
    return pl.DataFrame(rows, schema=schema, orient="row"), sum(len(s.token_ids) for s in samples)


def _score(task: Task, pool: pl.DataFrame) -> tuple[pl.DataFrame, Cost]:
    from o1_assets.reward.score import load_scorer

    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
    return pool.with_columns(score=product_scores(scorer, pool["prompt"].to_list(), pool)), scorer.cost()


def product_scores(scorer: Scorer, prompts: Sequence[Sequence[int]], solutions: pl.DataFrame) -> pl.Series:
    """The PRM's score of each solution. prompts: token ids, one prompt a solution."""
    from o1_assets.reward.aggregate import solution_score

    steps = scorer.step_probabilities(prompts, solutions["token_ids"].to_list())
    return pl.Series([solution_score(probabilities) for probabilities in steps], dtype=pl.Float64)
