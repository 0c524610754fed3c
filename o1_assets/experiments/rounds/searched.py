"""Every arm's last PRM under search: its policy solves held-out problems by searches that read it.

What a PRM is worth under search shows in its own trees alone: another PRM's search finds what fools that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from o1_assets.core.artifact import Artifact, Cost, Outcome, StageConfig, Task
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.statistics import Floats
from o1_assets.evaluation.steps import NO_ERROR
from o1_assets.experiments.experiment import ablation
from o1_assets.experiments.measure import SOLUTIONS, first_errors
from o1_assets.problems.solutions import SOURCE
from o1_assets.rounds.config import SearchConfig
from o1_assets.rounds.estimate import searched_cost
from o1_assets.rounds.search import EVEN, mistakes, search_problems

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

ACCURACY, FOOLED, CONDEMNED, CONVINCING = "accuracy", "fooled", "condemned", "convincing"


class SearchedConfig(StageConfig):
    """The searches of one arm's last policy and PRM. draw: the number of its training."""

    searches: tuple[SearchConfig, ...]
    draw: int
    prompt: PromptFormat = PromptFormat()


def searched_evaluation(
    profile: Profile, key: str, inputs: Mapping[str, str], seed_of: str, draw: int
) -> Artifact:
    """inputs: keys of policy, prm, generator and test (problems). seed_of: equal for all arms."""
    return ablation(
        profile,
        key,
        make_searched,
        SearchedConfig(
            searches=profile.ablations.rounds.searches, draw=draw, prompt=profile.ablations.judge.prompt
        ),
        inputs,
        "What searches find that read the arm's own PRM, on held-out problems.",
        seed_of=seed_of,
        estimate=estimate_searched,
    )


def make_searched(task: Task, config: SearchedConfig) -> Outcome:
    """Inputs: policy, prm, generator, test. Writes solutions.parquet, what ended in the trees, by source."""
    from o1_assets.reward.score import load_scorer

    test = read_parquet(task.inputs["test"] / "problems.parquet")
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
    figures: dict[str, float | int | None] = {}
    cost, tables = Cost(), []
    for search in config.searches:
        engine = task.open_engine(task.inputs[search.proposer])
        problems = held_out(test, search.problems)
        # By the training's number and not by its arm: arms are compared in pairs.
        seed = derive_seed(task.seed, config.draw, search.name)
        searched = search_problems(search, problems, engine, scorer, config.prompt, seed)
        cost += Cost(flops_generate(engine.parameters, searched.tokens), tokens_generated=searched.tokens)
        engine.close()
        errors = first_errors(searched.solutions, problems)
        # Without the exact checker a right answer counts as right in all steps.
        sound = searched.solutions["correct"] if errors is None else pl.Series(errors) == NO_ERROR
        tables.append(searched.solutions.with_columns(sound=sound & searched.solutions["correct"]))
        found = mistakes(tables[-1], searched.tokens)
        figures |= {f"{search.name}_{name}": value for name, value in found.items()}
    solutions = pl.concat(tables)
    solutions.write_parquet(task.out / SOLUTIONS)
    return Outcome(dict(figures), cost + scorer.cost(), solutions.height)


def estimate_searched(context: EstimateContext, config: SearchedConfig) -> Estimate:
    """As many searches as there are held-out problems for."""
    available = context["test"].problems
    cost, _ = searched_cost(context, config.searches, config.prompt, available)
    ended = sum(
        min(search.problems, available) * search.tokens / context.solution_tokens(config.prompt)
        for search in config.searches
    )
    return Estimate(cost=cost, stored=TABLES + ended * context.assumptions.solution_bytes)


def searched_parts(folder: Path, searches: Sequence[SearchConfig], test: pl.DataFrame) -> dict[str, Floats]:
    """Measure -> parts [problems, 2] of a share, for each search.

    accuracy: of the searches' answers. fooled: of the trees with right and wrong answers, those whose highest score is
    a wrong one's. condemned: of the solutions that are right in all steps, those below EVEN. convincing: of those with
    a wrong answer, those above.
    """
    table = read_parquet(folder / SOLUTIONS)
    right, score = pl.col("correct"), pl.col("score")
    highest_first = right.sort_by([score, "sample"], descending=[True, False])
    parts: dict[str, Floats] = {}
    for search in searches:
        problems = held_out(test, search.problems).select("problem_id")
        trees = table.filter(pl.col(SOURCE) == search.name).group_by("problem_id")
        counts = trees.agg(
            right=right.sum(),
            wrong=(~right).sum(),
            answered=(pl.col("winner") & right).any(),
            fooled=~highest_first.first(),
            sound=pl.col("sound").sum(),
            condemned=(pl.col("sound") & (score < EVEN)).sum(),
            convincing=(~right & (score > EVEN)).sum(),
        )
        rows = problems.join(counts, on="problem_id", how="left", maintain_order="left").cast(
            {name: pl.Float64 for name in counts.columns[1:]}
        )
        of = {name: rows[name].fill_null(0.0).to_numpy() for name in counts.columns[1:]}
        mixed = (of["right"] > 0) & (of["wrong"] > 0)
        columns = {
            ACCURACY: (of["answered"], np.ones(rows.height)),
            FOOLED: (of["fooled"] * mixed, mixed.astype(np.float64)),
            CONDEMNED: (of["condemned"], of["sound"]),
            CONVINCING: (of["convincing"], of["wrong"]),
        }
        parts |= {f"{measure}, {search.name}": np.stack(pair, axis=1) for measure, pair in columns.items()}
    return parts
