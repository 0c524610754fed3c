"""eval/match: tic-tac-toe against an agent with rules, by base, GPT* and baby-o1, in four ways of thinking.

Writes match.parquet: a row a player, way and side, with wins, draws, losses, and of the losses those by a move that is
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from o1_assets.core.artifact import Artifact, Cost, Outcome, StageConfig, Task
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.match.games import Choose, Result, play_games, rule_player
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.search.beam import StepBeam
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.run import SearchModels, search
from o1_assets.search.vote import Chains

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1"}
WAYS: dict[str, Strategy] = {
    "direct": Direct(),
    "chain": Chain(),
    "vote": Chains("majority"),
    "tree": StepBeam(width=2, branch=4, again=True),
}
MOVES = 4.2
"""Moves of one side in a game, as wins-and-blocks plays it."""


class MatchConfig(StageConfig):
    """eval/match."""

    games: int = Field(200, gt=1, description="games of each player and way of thinking, half of them as X")
    solutions: int = Field(
        8, gt=0, description="tokens for a vote and a tree, in solutions of the greatest length"
    )
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(20, gt=0, description="steps of the longest solution")
    step_tokens: int = Field(16, gt=0, description="tokens of the longest step")


def make_match(task: Task, config: MatchConfig) -> Outcome:
    """Inputs: base, generator, policy, prm."""
    from o1_assets.reward.score import load_scorer

    # Every player meets the same agent, with the same dice.
    seed = derive_seed(task.seed, "games")
    rows = [
        row
        for name, choose in rule_player(task.seed).items()
        for row in counted(name, "rules", play_games(choose, config.games, seed))
    ]
    cost = Cost()
    for model, name in MODELS.items():
        scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
        engine = task.open_engine(task.inputs[model])
        models = SearchModels(
            engine, scorer, answer_of=config.prompt.answer, answer_start=config.prompt.answer_start
        )
        for way in WAYS:
            choose, spent = player(models, way, config)
            rows += counted(name, way, play_games(choose, config.games, seed))
            tokens = sum(spent)
            cost += Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)
            task.progress(f"{name}, {way}: {rows[-2]}")
        cost += scorer.cost()
        engine.close()
    table = pl.DataFrame(rows)
    table.write_parquet(task.out / "match.parquet")
    both = table.group_by("player", "way", maintain_order=True).agg(
        pl.col("losses").sum() / pl.col("games").sum(), pl.col("illegal").sum()
    )
    losses = {(player, way): (lost, illegal) for player, way, lost, illegal in both.iter_rows()}
    figures = {f"losses_{way}": losses["baby-o1", way][0] for way in WAYS}
    illegal = {f"illegal_{way}": losses["baby-o1", way][1] for way in WAYS}
    return Outcome(
        figures | illegal | {"losses_random": losses["random moves", "rules"][0]}, cost, len(rows), rows
    )


def player(models: SearchModels, way: str, config: MatchConfig) -> tuple[Choose, list[int]]:
    """A player who thinks about each move in this way, and the list to which it adds the tokens of its moves."""
    world = WORLDS["tic-tac-toe"]
    longest = config.prompt.max_tokens
    tokens = longest * (config.solutions if way in ("vote", "tree") else 1)
    budget = Budget(tokens, config.max_steps, config.step_tokens, longest)
    spent: list[int] = []

    def choose(boards: Sequence[str], seeds: Sequence[int]) -> list[str | None]:
        prompts = [config.prompt.render(world.question(board)) for board in boards]
        results = search(WAYS[way], prompts, models, budget, seeds)
        spent.append(sum(result.tree.tokens_generated for result in results))
        return [result.answer.answer for result in results]

    return choose, spent


def counted(player: str, way: str, results: Sequence[Result]) -> list[dict[str, str | int]]:
    """A row for each side."""
    rows: list[dict[str, str | int]] = []
    for side in "XO":
        outcomes = [result for result in results if result.side == side]
        counts = {
            f"{outcome}{'e' * (outcome == 'loss')}s": sum(r.outcome == outcome for r in outcomes)
            for outcome in ("win", "draw", "loss")
        }
        illegal = sum(result.illegal for result in outcomes)
        rows.append(
            {"player": player, "way": way, "side": side, "games": len(outcomes), **counts, "illegal": illegal}
        )
    return rows


def match_artifact(profile: Profile) -> Artifact:
    last = f"r{profile.rounds:02d}"
    return Artifact(
        key="eval/match",
        compute=make_match,
        config=profile.match,
        inputs={
            "base": "base/model",
            "generator": "generator/model",
            "policy": f"{last}/policy",
            "prm": f"{last}/prm",
        },
        seed=profile.seed_of("eval/match"),
        group="eval",
        description="Tic-tac-toe against an agent that wins, blocks, else takes centre or corner: direct answers, "
        "chains, votes and trees.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        part="match",
        estimate=estimate_match,
    )


def estimate_match(context: EstimateContext, config: MatchConfig) -> Estimate:
    """Games of three models in four ways."""
    moves = config.games * MOVES
    solution = context.solution_tokens(config.prompt)
    searched = config.solutions * config.prompt.max_tokens
    cost = Cost()
    for model in MODELS:
        cost += context.generate(model, moves * (3 + solution + 2 * searched))
    return Estimate(samples=moves * len(MODELS) * (2 + config.solutions), cost=cost, stored=TABLES)
