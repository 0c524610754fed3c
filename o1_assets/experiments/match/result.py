"""match/result: tic-tac-toe against an agent with rules, by base, GPT* and baby-o1, in four ways of thinking.

Writes games.parquet, a row a game, and the result: wins, draws and losses of each player, way and side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.core.artifact import Artifact, Cost, Outcome, StageConfig, Task
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.core.flops import flops_generate
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.statistics import Floats, bounds, interval_of_sums
from o1_assets.experiments import result as experiment
from o1_assets.experiments.match.games import Choose, Result, play_games, rule_player
from o1_assets.experiments.result import Claim, Table, write_result
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.search.beam import StepBeam
from o1_assets.search.chain import Chain, Direct
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.run import SearchModels, search
from o1_assets.search.vote import Chains

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

WORLD = "tic-tac-toe"
MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1"}
WAYS: dict[str, Strategy] = {
    "direct": Direct(),
    "chain": Chain(),
    "vote": Chains("majority"),
    "tree": StepBeam(width=2, branch=4, again=True),
}
PLAYER, THINKING = "baby-o1", "vote"
"""Of whom and of which way the claims speak; a vote reads no reward model."""

MOVES = 4.2
"""Moves of one side in a game, as wins-and-blocks plays it."""


class MatchConfig(StageConfig):
    """match/result."""

    games: int = Field(200, gt=1, description="games of each player and way of thinking, half of them as X")
    solutions: int = Field(
        8, gt=0, description="tokens for a vote and a tree, in solutions of the greatest length"
    )
    prompt: PromptFormat = PromptFormat()
    resamples: int = Field(1000, gt=0, description="bootstrap samples of the games, for the 95% intervals")
    max_steps: int = Field(20, gt=0, description="steps of the longest solution")
    step_tokens: int = Field(16, gt=0, description="tokens of the longest step")


def make_match(task: Task, config: MatchConfig) -> Outcome:
    """Inputs: base, generator, policy, prm."""
    from o1_assets.reward.score import load_scorer

    # Every player meets the same agent, with the same dice.
    seed = derive_seed(task.seed, "games")
    played = {
        (name, "rules"): play_games(choose, config.games, seed)
        for name, choose in rule_player(task.seed).items()
    }
    cost = Cost()
    for model, name in MODELS.items():
        scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
        engine = task.open_engine(task.inputs[model])
        models = SearchModels(
            engine, scorer, answer_of=config.prompt.answer, answer_start=config.prompt.answer_start
        )
        for way in WAYS:
            choose, spent = player(models, way, config)
            played[name, way] = play_games(choose, config.games, seed)
            tokens = sum(spent)
            cost += Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)
            task.progress(f"{name}, {way}: {counted(name, way, played[name, way])}")
        cost += scorer.cost()
        engine.close()
    games = [
        {"player": name, "way": way, "game": game, **asdict(result)}
        for (name, way), results in played.items()
        for game, result in enumerate(results)
    ]
    pl.DataFrame(games).write_parquet(task.out / "games.parquet")
    result = match_result(played, config, derive_seed(task.seed, "bootstrap"))
    write_result(task.out, result)
    return Outcome({claim.name: claim.value for claim in result.claims}, cost, len(games), games[:5])


def match_result(
    played: Mapping[tuple[str, str], Sequence[Result]], config: MatchConfig, seed: int
) -> experiment.Result:
    """played: the results of each player and way, whose games are the same."""
    rows = [row for (name, way), results in played.items() for row in counted(name, way, results)]
    lost = {
        way: np.array([float(result.outcome == "loss") for result in played[PLAYER, way]]) for way in WAYS
    }

    def share(name: str, way: str, says: str) -> Claim:
        interval = interval_of_sums(
            np.stack([lost[way], np.ones(len(lost[way]))], axis=-1)[None], _ratio, config.resamples, seed
        )
        return Claim(name, says, *bounds(interval), better="lower", unit="share")

    parts = np.stack([lost[THINKING], lost["direct"]], axis=-1)[None]
    ratio = bounds(interval_of_sums(parts, _ratio, config.resamples, seed))
    illegal = sum(result.illegal for result in played[PLAYER, THINKING])
    return experiment.Result(
        name="match",
        title="Games against an agent with rules",
        question="Does thinking win games that a direct answer loses?",
        claims=[
            share("ttt_losses_direct", "direct", "Games that baby-o1 loses by direct answers."),
            share("ttt_losses_chain", "chain", "Games that it loses by one chain a move."),
            share("ttt_losses_thinking", THINKING, f"Games that it loses by a vote of {config.solutions} solutions."),
            Claim(
                "ttt_losses_ratio", "By a vote it loses at most a fifth as often as by direct answers.", *ratio,
                target=0.2, better="lower",
            ),
            Claim(
                "ttt_illegal", "By a vote it makes no move that is none.", float(illegal),
                target=0.0, better="lower", unit="number",
            ),
        ],
        tables={"games": Table("Wins, draws and losses; illegal: lost by a move that is none.", pl.DataFrame(rows))},
        notes=[
            f"{config.games} games of each player and way, every second one as X, all against the same agent. It wins "
            "where it can, else blocks, else takes the centre, a corner or an edge. Rules: players of known strength.",
            "The direct answers are those of models that were trained to write chains. A model of right direct answers "
            "alone finds as many best moves as the base by chains (docs/decisions/games.md).",
        ],
    )  # fmt: skip


def _ratio(sums: Floats) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def player(models: SearchModels, way: str, config: MatchConfig) -> tuple[Choose, list[int]]:
    """A player who thinks about each move in this way, and the list to which it adds the tokens of its moves."""
    world = WORLDS[WORLD]
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


def artifacts(profile: Profile) -> list[Artifact]:
    """Of the world whose problems are boards."""
    if getattr(profile.base, "world", None) != WORLD:
        return []
    last = f"r{profile.rounds:02d}"
    return [
        Artifact(
            key="match/result",
            compute=make_match,
            config=profile.match,
            inputs={
                "base": "base/model",
                "generator": "generator/model",
                "policy": f"{last}/policy",
                "prm": f"{last}/prm",
            },
            seed=profile.seed_of("match/result"),
            group="eval",
            description="Tic-tac-toe against an agent that wins, blocks, else takes centre or corner: direct answers, "
            "chains, votes and trees.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
            part="match",
            estimate=estimate_match,
        )
    ]


def estimate_match(context: EstimateContext, config: MatchConfig) -> Estimate:
    """Games of three models in four ways."""
    moves = config.games * MOVES
    solution = context.solution_tokens(config.prompt)
    searched = config.solutions * config.prompt.max_tokens
    cost = Cost()
    for model in MODELS:
        cost += context.generate(model, moves * (3 + solution + 2 * searched))
    return Estimate(samples=moves * len(MODELS) * (2 + config.solutions), cost=cost, stored=TABLES)
