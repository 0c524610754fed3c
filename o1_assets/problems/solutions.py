"""Solutions of problems: the table that the generator, every round and the evaluation sample into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from o1_assets.core.seeds import sample_seeds

if TYPE_CHECKING:
    from o1_assets.core.engine import Engine, Sample, SamplingParams
    from o1_assets.core.prompt_format import PromptFormat


SCHEMA: dict[str, Any] = {
    "solution_id": pl.String,
    "problem_id": pl.String,
    "sample": pl.Int32,
    "text": pl.String,
    "steps": pl.List(pl.String),
    "answer": pl.String,
    "correct": pl.Boolean,
    "token_ids": pl.List(pl.Int32),
    "finished": pl.Boolean,
}

# Where a solution came from, a column of rNN/solutions in rounds that search; elsewhere all were sampled.
SOURCE, SAMPLED = "source", "sampled"


def uniform_samples(solutions: pl.DataFrame) -> pl.DataFrame:
    """The solutions that the policy sampled by itself, without those that a search chose."""
    return solutions.filter(pl.col(SOURCE) == SAMPLED) if SOURCE in solutions.columns else solutions


def sample_solutions(
    engine: Engine,
    problems: pl.DataFrame,
    n: int,
    params: SamplingParams,
    seed: int,
    prompt: PromptFormat,
) -> pl.DataFrame:
    """n solutions of each problem, graded on their final answer; sorted as `problems`, then by sample.

    A problem's solutions depend on its id and the seed, not on the problems around it.
    """
    prompts = prompt.encode(engine.tokenizer, problems["question"].to_list())
    seeds = sample_seeds(seed, problems["problem_id"].to_list(), n)
    samples = engine.sample([ids for ids in prompts for _ in range(n)], params, seeds)
    return solutions_table(engine, problems, samples, n, prompt)


def solutions_table(
    engine: Engine, problems: pl.DataFrame, samples: Sequence[Sample], n: int, prompt: PromptFormat
) -> pl.DataFrame:
    """The table of samples that are given problem by problem, n for each."""
    problem_rows = [row for row in problems.iter_rows(named=True) for _ in range(n)]
    return graded_table(engine, problem_rows, [i % n for i in range(len(samples))], samples, prompt)


def graded_table(
    engine: Engine,
    problems: Sequence[dict[str, Any]],
    numbers: Sequence[int],
    samples: Sequence[Sample],
    prompt: PromptFormat,
) -> pl.DataFrame:
    """The table of samples, each with its problem's row of problems.parquet and its number."""
    from o1_assets.engine.steps import separator, split_steps
    from o1_assets.problems.grading import grade_all

    between = separator(engine.tokenizer)
    texts = [str(engine.tokenizer.decode(s.token_ids, skip_special_tokens=True)) for s in samples]
    # A sample that was cut off has no final answer: its last line may be half of one.
    answers = [prompt.answer(text) if s.finished else None for s, text in zip(samples, texts, strict=True)]
    verdicts = grade_all(list(zip(answers, problems, strict=True)))
    rows = [
        {
            "solution_id": solution_id(problem["problem_id"], number, text),
            "problem_id": problem["problem_id"],
            "sample": number,
            "text": text,
            "steps": split_steps(text, between),
            "answer": answer,
            "correct": verdict,
            "token_ids": sample.token_ids,
            "finished": sample.finished,
        }
        for problem, number, sample, text, answer, verdict in zip(
            problems, numbers, samples, texts, answers, verdicts, strict=True
        )
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def solution_id(problem_id: str, sample: int, text: str) -> str:
    """16 hex digits that name one solution."""
    return hashlib.sha256(f"{problem_id}\0{sample}\0{text}".encode()).hexdigest()[:16]


def generated_tokens(solutions: pl.DataFrame) -> int:
    return int(solutions["token_ids"].list.len().sum())


def readable(problems: pl.DataFrame, solutions: pl.DataFrame, count: int = 5) -> list[dict[str, Any]]:
    """The first solutions with their questions, for a person to look at."""
    joined = solutions.head(count).join(
        problems.select("problem_id", "question"), on="problem_id", how="left"
    )
    rows: list[dict[str, Any]] = json.loads(joined.select("question", "text", "correct").write_json())
    return rows
