"""Right solutions that the policy is taught to write again and again, so that RL does not make it forget them.

Rejection sampling: what is chosen is right by its known final answer, as GPT*'s own training set is, and by the PRM
where the configuration asks for that too. Another source of right solutions is a function in SOURCES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import split_steps
from o1_assets.labels.written import written_solutions
from o1_assets.policy.config import ReplayConfig, ReplaySource
from o1_assets.problems.solutions import uniform_samples
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.dataset import round_folders, step_sequence

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from o1_assets.reward.interface import PrefixScorer


Inputs = Mapping[str, Path]
# One right solution a row; the steps without what separates them.
SCHEMA: dict[str, Any] = {
    "problem_id": pl.String,
    "question": pl.String,
    "steps": pl.List(pl.String),
    "source": pl.String,
}


@dataclass(frozen=True)
class ReplayFormat:
    """How a policy is asked, and what stands between two of its steps."""

    prompt: PromptFormat
    separator: str


def generator_solutions(inputs: Inputs, config: ReplayConfig, format: ReplayFormat) -> pl.DataFrame:
    """What GPT* was trained on."""
    chosen = read_parquet(inputs["sft_set"] / "sft_set.parquet")
    steps = [split_steps(text, format.separator) for text in chosen["text"]]
    return chosen.with_columns(
        pl.Series("steps", steps, SCHEMA["steps"]), pl.lit("generator").alias("source")
    )


def round_solutions(inputs: Inputs, config: ReplayConfig, format: ReplayFormat) -> pl.DataFrame:
    """The finished solutions of all rounds so far with a right final answer and more than that answer, newest first."""
    tables = []
    for folder in reversed(round_folders(inputs, "solutions")):
        solutions = read_parquet(folder / "solutions.parquet")
        often_right = _shares(solutions).filter(pl.col("share") > config.most_right)
        rare = solutions.join(often_right, on="problem_id", how="anti", maintain_order="left")
        tables.append(rare.select("problem_id", "steps", "correct", "finished"))
    right = pl.concat(tables).filter(
        pl.col("correct") & pl.col("finished") & (pl.col("steps").list.len() > 1)
    )
    train = read_parquet(inputs["train"] / "problems.parquet", ["problem_id", "question"])
    return right.join(train, on="problem_id", maintain_order="left").with_columns(
        pl.lit("rounds").alias("source")
    )


def right_shares(inputs: Inputs) -> dict[str, float]:
    """problem_id -> share of its samples in the newest round that drew it whose final answer is right.

    Of problems that no round has drawn, the share of the base's, where the input `difficulty` tells it.
    """
    shares: dict[str, float] = {}
    if "difficulty" in inputs:
        measured = read_parquet(inputs["difficulty"] / "difficulty.parquet", ["problem_id", "pass_rate"])
        shares |= dict(measured.iter_rows())
    for folder in round_folders(inputs, "solutions"):
        solutions = read_parquet(folder / "solutions.parquet")
        shares |= dict(_shares(solutions).iter_rows())
    return shares


def _shares(solutions: pl.DataFrame) -> pl.DataFrame:
    """Columns problem_id and share: of its samples, those with a right final answer. What a search found is no
    sample."""
    by_problem = uniform_samples(solutions).group_by("problem_id", maintain_order=True)
    return by_problem.agg(share=pl.col("correct").mean())


def written(inputs: Inputs, config: ReplayConfig, format: ReplayFormat) -> pl.DataFrame:
    return written_solutions(inputs, format.prompt)


SOURCES: dict[ReplaySource, Callable[[Inputs, ReplayConfig, ReplayFormat], pl.DataFrame]] = {
    "generator": generator_solutions,
    "rounds": round_solutions,
    "written": written,
}


def replay_table(inputs: Inputs, config: ReplayConfig, format: ReplayFormat) -> pl.DataFrame:
    """The different solutions of all sources of the config, at most `per_problem` of a problem and source."""
    tables = [SOURCES[name](inputs, config, format).select(*SCHEMA) for name in config.sources]
    different = pl.concat(tables).unique(["problem_id", "steps"], keep="first", maintain_order=True)
    return different.filter(pl.int_range(pl.len()).over("problem_id", "source") < config.per_problem)


@dataclass(frozen=True)
class Replay:
    """The rows of every update. solutions: (tokens of the prompt, tokens of the solution with its end token).
    of_source: how many of them came from each source.
    """

    solutions: list[tuple[list[int], list[int]]]
    rows: int
    seed: int
    of_source: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: pl.DataFrame,
        tokenizer: PreTrainedTokenizerBase,
        prompt: PromptFormat,
        config: ReplayConfig,
        seed: int,
        prm: PrefixScorer | None = None,
        updates: int | None = None,
    ) -> Replay:
        """Left out is what the policy could not write: too long, or with letters that it has no token for, as people
        may have written; and sampled solutions that the PRM does not believe.

        updates: of the training; no more sampled solutions than they have rows are read.
        """
        if updates is not None:
            sampled = table.filter(pl.col("source") != "written")
            most = min(sampled.height, updates * config.rows)
            sampled = sampled.sample(most, seed=derive_seed(seed, "candidates"), shuffle=True)
            table = pl.concat([table.filter(pl.col("source") == "written"), sampled])
        solutions: list[tuple[list[int], list[int]]] = []
        sources: list[str] = []
        for row in table.iter_rows(named=True):
            sequence = step_sequence(tokenizer, prompt.render(row["question"]), row["steps"])
            tokens = list(sequence.tokens)
            solution = [*tokens[sequence.prompt_length :], int(tokenizer.eos_token_id)]
            if len(solution) <= prompt.max_tokens and tokenizer.unk_token_id not in solution:
                solutions.append((tokens[: sequence.prompt_length], solution))
                sources.append(row["source"])
        if prm is not None and config.least_score and solutions:
            rated = prm.step_probabilities([p for p, _ in solutions], [s for _, s in solutions])
            believed = [
                source == "written" or solution_score(p) >= config.least_score
                for source, p in zip(sources, rated, strict=True)
            ]
            solutions = [s for s, keep in zip(solutions, believed, strict=True) if keep]
            sources = [s for s, keep in zip(sources, believed, strict=True) if keep]
        return cls(solutions, config.rows, seed, Counter(sources))

    def drawn(self, update: int, process: int = 0, processes: int = 1) -> list[tuple[list[int], list[int]]]:
        """One process's share of the rows of an update: without repeats until every solution had its turn."""
        count = len(self.solutions)
        numbers = range(update * self.rows + process, (update + 1) * self.rows if count else 0, processes)
        orders = {
            n // count: np.random.default_rng(derive_seed(self.seed, n // count)).permutation(count)
            for n in numbers
        }
        return [self.solutions[orders[n // count][n % count]] for n in numbers]


def replay_batch(rows: list[tuple[list[int], list[int]]], pad: int) -> dict[str, torch.Tensor]:
    """What a causal language model takes: input_ids, attention_mask and labels, all (rows, longest)."""
    import torch

    longest = max(len(prompt) + len(solution) for prompt, solution in rows)
    ids = torch.full((len(rows), longest), pad)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, (prompt, solution) in enumerate(rows):
        length = len(prompt) + len(solution)
        ids[i, :length], mask[i, :length] = torch.tensor([*prompt, *solution]), 1
        labels[i, len(prompt) : length] = torch.tensor(solution)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
