"""The searched share of rNN/solutions: what a search that reads the PRM of the round before finds.

A search optimizes the PRM's score: it finds the wrong steps that the PRM believes, and drops the right ones that it
does not. Samples of the policy seldom contain either, so a PRM that was trained on samples alone fails under search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from o1_assets.core.artifact import Cost, Figures, Task
from o1_assets.core.engine import Engine, Sample
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed, sample_seeds
from o1_assets.problems.solutions import SAMPLED, SOURCE, graded_table
from o1_assets.rounds.config import SearchConfig, SolutionsConfig
from o1_assets.search.interface import Budget, SearchResult, proposed_by
from o1_assets.search.proposals import GENERATOR, POLICY
from o1_assets.search.run import SearchModels, search
from o1_assets.search.strategies import STRATEGIES

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer

# A solution is convincing if its score is above, and condemned if it is below.
EVEN = 0.5


@dataclass(frozen=True)
class Searched:
    """What one search found.

    solutions: a row for each distinct solution that ended, as in solutions.parquet, with `source`, `score` (the product
    by the PRM) and `winner` (what the search would have answered). tokens: generated.
    """

    solutions: pl.DataFrame
    tokens: int


def search_problems(
    config: SearchConfig,
    problems: pl.DataFrame,
    engine: Engine,
    scorer: Scorer,
    prompt: PromptFormat,
    seed: int,
    generator: Engine | None = None,
) -> Searched:
    """One search for each problem. engine: proposes the steps, in turn with the generator if there is one; scorer: the
    PRM."""
    models = SearchModels(
        engine, scorer, answer_of=prompt.answer, temperature=config.temperature, generator=generator
    )
    strategy = STRATEGIES[config.strategy].strategy
    if generator is not None:
        strategy = proposed_by(strategy, (POLICY, GENERATOR))
    # No more steps and tokens than a sampled solution may have, so that both kinds are alike for what reads them.
    budget = Budget(config.tokens, step_tokens=config.max_step_tokens, solution_tokens=prompt.max_tokens)
    results = search(
        strategy,
        [prompt.render(question) for question in problems["question"]],
        models,
        budget,
        sample_seeds(seed, problems["problem_id"].to_list(), 1),
    )
    table = _ended(results, problems, engine, prompt)
    return Searched(
        table.with_columns(pl.lit(config.name).alias(SOURCE)), sum(r.tree.tokens_generated for r in results)
    )


def _ended(
    results: Sequence[SearchResult], problems: pl.DataFrame, engine: Engine, prompt: PromptFormat
) -> pl.DataFrame:
    """Each distinct solution that ended by itself, in the order in which they ended."""
    rows, numbers, samples, scores, winners = [], [], [], [], []
    for problem, result in zip(problems.iter_rows(named=True), results, strict=True):
        nodes = dict.fromkeys(end.node for end in result.tree.ends if not end.node.forced)
        for number, node in enumerate(nodes):
            ids = node.completion_ids()
            rows.append(problem)
            numbers.append(number)
            samples.append(Sample(ids, [0.0] * len(ids), finished=True))
            scores.append(node.score)
            winners.append(node is result.answer)
    return graded_table(engine, rows, numbers, samples, prompt).with_columns(
        score=pl.Series(scores, dtype=pl.Float64), winner=pl.Series(winners, dtype=pl.Boolean)
    )


def with_searched(
    task: Task, config: SolutionsConfig, problems: pl.DataFrame, sampled: pl.DataFrame, policy: Engine
) -> tuple[pl.DataFrame, Figures, Cost]:
    """The sampled solutions, then those of each search that are in neither yet; figures and cost of the searches.

    Task's inputs: prm (of the round before), generator. Searched are problems of which some sample is wrong.
    """
    from o1_assets.reward.score import load_scorer

    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
    # Where every sample is right, a PRM condemned half as many of the right solutions that a search found (nano, r02).
    missed = problems.join(
        sampled.filter(~pl.col("correct")), on="problem_id", how="semi", maintain_order="left"
    )
    tables = [sampled.with_columns(pl.lit(SAMPLED).alias(SOURCE))]
    figures: Figures = {}
    cost = Cost()
    for search_config in config.searches:
        opened = None if search_config.proposer == "policy" else task.open_engine(task.inputs["generator"])
        alone = search_config.proposer == "generator"
        engine = opened if alone and opened is not None else policy
        seed = derive_seed(task.seed, "search", search_config.name)
        # Each search has its own draw, because two searches of one problem often find the same.
        chosen = missed.sample(min(search_config.problems, missed.height), seed=seed, shuffle=True)
        searched = search_problems(
            search_config, chosen, engine, scorer, config.prompt, seed, None if alone else opened
        )
        cost += Cost(flops_generate(engine.parameters, searched.tokens), tokens_generated=searched.tokens)
        if opened is not None:
            opened.close()
        figures |= {
            f"{search_config.name}_{k}": v for k, v in mistakes(searched.solutions, searched.tokens).items()
        }
        task.progress(f"{search_config.name}: searched {chosen.height} problems")
        known = pl.concat([table.select("problem_id", "text") for table in tables])
        new = searched.solutions.join(known, on=["problem_id", "text"], how="anti", maintain_order="left")
        tables.append(new.select(tables[0].columns))
    return pl.concat(tables), figures, cost + scorer.cost()


def mistakes(solutions: pl.DataFrame, tokens: int) -> dict[str, float | int | None]:
    """How much a source of solutions finds of what a PRM has to learn. solutions: scored.

    convincing: share of the wrong answers with a score above EVEN. condemned: share of the right answers with one
    below; where a column `sound` says that all steps are right, of those alone: a right answer may be luck.
    per_1000: of all distinct ones, per 1000 generated tokens; convincing_per_1000, condemned_per_1000: of those two.
    """
    distinct = solutions.unique(["problem_id", "text"], keep="first")
    wrong, right = distinct.filter(~pl.col("correct")), distinct.filter("correct")
    sound = right.filter("sound") if "sound" in right.columns else right
    convincing = wrong.filter(pl.col("score") > EVEN).height
    condemned = sound.filter(pl.col("score") < EVEN).height
    return {
        "solutions": distinct.height,
        "correct": right.height / distinct.height if distinct.height else None,
        "convincing": convincing / wrong.height if wrong.height else None,
        "condemned": condemned / sound.height if sound.height else None,
        "tokens": tokens,
        **{
            name: 1000 * count / tokens if tokens else None
            for name, count in (
                ("per_1000", distinct.height),
                ("convincing_per_1000", convincing),
                ("condemned_per_1000", condemned),
            )
        },
    }
