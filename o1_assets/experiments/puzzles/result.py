"""ablations/puzzles/result: held-out puzzles, answered at once and in other ways, by base, GPT* and baby-o1.

Only of profiles whose world is one of PUZZLES. Writes, beside what `write_result` does, answers.parquet (model, way,
problem, answer, tokens, right).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.base.config import WorldBase
from o1_assets.core.artifact import Artifact, Cost, Outcome, Task
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.match.ways import (
    MODELS,
    PLAYER,
    WAYS,
    WAYS_ON_BOARDS,
    WEIGHTED,
    WaysConfig,
    generated,
    inputs_of,
    measured,
    open_models,
    think,
    way_by_way,
)
from o1_assets.experiments.result import Claim, Result, Table, write_result
from o1_assets.problems.worlds.registry import WORLDS

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

QUESTION = "Does thinking solve puzzles that a direct answer does not?"

PUZZLES = {"letters": "letters", "tic-tac-toe": "ttt_best_move", "sudoku": "sudoku_valid"}
"""World -> the name of its figures."""

BOARDS = "tic-tac-toe"

RIGHT, GAIN = 0.9, 0.2

Unit = Literal["share", "points"]


class PuzzlesConfig(WaysConfig):
    """ablations/puzzles. Profiles of letters, tic-tac-toe and sudoku alone have it."""

    problems: int = Field(300, gt=1, description="held-out problems, the same for every model and way")


def artifacts(profile: Profile) -> list[Artifact]:
    if not (isinstance(profile.base, WorldBase) and profile.base.world in PUZZLES):
        return []
    inputs = {**inputs_of(profile), "test": "problems/test"}
    key = f"{PART}/puzzles/result"
    return [
        ablation(
            profile, key, make_puzzles, profile.ablations.puzzles, inputs, QUESTION, estimate=estimate_puzzles
        )
    ]


def estimate_puzzles(context: EstimateContext, config: PuzzlesConfig) -> Estimate:
    problems = min(config.problems, context["test"].problems)
    solution, searched = context.solution_tokens(config.prompt), config.solutions * config.prompt.max_tokens
    cost = sum((context.generate(name, problems * (solution + 3 * searched)) for name in MODELS), Cost())
    samples = problems * len(MODELS) * (2 + 3 * searched / solution)
    return Estimate(problems, samples, cost=cost, stored=TABLES + CHART)


def make_puzzles(task: Task, config: PuzzlesConfig) -> Outcome:
    """Inputs: base, generator, policy, prm, and test (problems)."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    world = next(world for world in WORLDS.values() if world.stored(test["metadata"][0]) is not None)
    problems = [problem for row in test["metadata"] if (problem := world.stored(row)) is not None]
    questions = [world.question(problem) for problem in problems]
    rows: list[dict[str, Any]] = []
    cost = Cost()
    for name, models, scoring in open_models(task, config):
        for way, strategy in (WAYS_ON_BOARDS if world.name == BOARDS else WAYS).items():
            # Equal seeds for all models.
            seeds = [derive_seed(task.seed, way, question) for question in questions]
            for i, thought in enumerate(think(models, way, strategy, config, questions, seeds)):
                answer, tokens = thought.answer.answer, thought.tree.tokens_generated
                right = answer is not None and world.solved_by(problems[i], answer)
                rows.append(
                    {
                        "model": name,
                        "way": way,
                        "problem": i,
                        "answer": answer,
                        "tokens": tokens,
                        "right": right,
                    }
                )
            tokens = sum(row["tokens"] for row in rows[-len(questions) :])
            cost += generated(models, tokens)
            task.progress(f"{name}, {way}: {sum(row['right'] for row in rows[-len(questions) :])} right")
        cost += scoring()
    table = pl.DataFrame(rows)
    table.write_parquet(task.out / "answers.parquet")
    result = puzzles_result(table, PUZZLES[world.name], config, derive_seed(task.seed, "bootstrap"))
    write_result(task.out, result)
    return Outcome({claim.name: claim.value for claim in result.claims}, cost, table.height)


def puzzles_result(table: pl.DataFrame, figure: str, config: PuzzlesConfig, seed: int) -> Result:
    """table: as answers.parquet. figure: what its claims are called."""

    def right(model: str, way: str) -> Floats:
        rows = table.filter(model=model, way=way).sort("problem")
        return rows["right"].to_numpy().astype(float)

    def claim(
        name: str, says: str, values: Floats, target: float | None = None, unit: Unit = "share"
    ) -> Claim:
        return Claim(name, says, *measured(values, None, config, seed), target=target, unit=unit)

    direct, chain, best = (right(PLAYER, way) for way in ("direct", "chain", WEIGHTED))
    ways = table["way"].unique(maintain_order=True).to_list()
    shares = {(model, way): float(np.mean(right(model, way))) for model in MODELS.values() for way in ways}
    shown = table.group_by("model", "way", maintain_order=True).agg(
        pl.len().alias("problems"), pl.col("right").mean().round(3), pl.col("tokens").mean().round(1)
    )
    return Result(
        name="puzzles",
        title="Puzzles",
        question=QUESTION,
        claims=[
            claim(f"{figure}_direct", "Held-out problems that baby-o1 answers rightly at once.", direct),
            claim(figure, "Those that it answers rightly by one chain.", chain, RIGHT),
            claim(
                f"{figure}_gain", "What the chain adds to the direct answer.", chain - direct, GAIN, "points"
            ),
            claim(f"{figure}_thinking", f"Those that it answers rightly by a {WEIGHTED}.", best, RIGHT),
        ],
        tables={"ways": Table("Right answers and tokens a problem, by model and way.", shown)},
        charts={"ways": way_by_way(shares, ways, "Puzzles, way by way", "right answers")},
        notes=[
            f"{table['problem'].n_unique()} held-out problems, whose content is in no corpus; one solution of each way "
            "a problem, sampled at temperature 1. One training: the intervals are over problems.",
            "The direct answers are those of models that were trained to write chains. What a model of direct answers "
            "alone reaches stands in docs/decisions/games.md.",
        ],
    )
