"""match/result: tic-tac-toe against an agent with rules, by base, GPT* and baby-o1, in seven ways of thinking; and
misère, which no model was trained on.

Writes games.parquet, a row a game, and the result: wins, draws and losses of each player, way and side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.core.artifact import Artifact, Cost, Outcome, Task
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments import result as experiment
from o1_assets.experiments.match.games import MISERE, TIC_TAC_TOE, Choose, Result, play_games, rule_player
from o1_assets.experiments.match.ways import (
    MODELS,
    PLANNED,
    PLAYER,
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
from o1_assets.experiments.result import Claim, Table, write_result
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.problems.worlds.tic_tac_toe import CELLS, PLAN, free_cells
from o1_assets.search.checked import Permitted
from o1_assets.search.interface import Strategy
from o1_assets.search.run import SearchModels

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

WORLD = "tic-tac-toe"
THINKING = "permitted vote"
PLAYS: dict[str, Strategy] = {**WAYS_ON_BOARDS, THINKING: Permitted(WAYS_ON_BOARDS[WEIGHTED])}
"""Way -> strategy. A permitted vote leaves out solutions that end in a cell that is taken, which the question tells:
the rules of the game, and nothing of how to play it."""

HELD_OUT = ("direct", THINKING)
"""The ways in which misère is played too, by PLAYER."""

MOVES = 4.2
"""Moves of one side in a game, as wins-and-blocks plays it."""

Played = Mapping[tuple[str, str], Sequence[Result]]
"""Results of each player and way, whose games are the same."""


class MatchConfig(WaysConfig):
    """match/result."""

    games: int = Field(200, gt=1, description="baby-o1's games by each way of thinking, half of them as X")
    others: int = Field(60, gt=1, description="the games of base and GPT*, the first of the same games")


def make_match(task: Task, config: MatchConfig) -> Outcome:
    """Inputs: base, generator, policy, prm."""
    # Every player meets the same agent, with the same dice.
    seed = derive_seed(task.seed, "games")
    tables: dict[str, dict[tuple[str, str], list[Result]]] = {
        rules.name: {
            (name, "rules"): play_games(choose, config.games, seed, rules)
            for name, choose in rule_player(task.seed, rules).items()
        }
        for rules in (TIC_TAC_TOE, MISERE)
    }
    cost = Cost()
    for name, models, scoring in open_models(task, config):
        for rules in (TIC_TAC_TOE, MISERE):
            for way in PLAYS if rules is TIC_TAC_TOE else HELD_OUT if name == PLAYER else ():
                choose, spent = player(models, way, config)
                games = config.games if name == PLAYER else min(config.others, config.games)
                tables[rules.name][name, way] = results = play_games(choose, games, seed, rules)
                cost += generated(models, sum(spent))
                task.progress(f"{rules.name}, {name}, {way}: {counted(name, way, results)}")
        cost += scoring()
    rows = [
        {"rules": rules, "player": name, "way": way, "game": game, **asdict(result)}
        for rules, played in tables.items()
        for (name, way), results in played.items()
        for game, result in enumerate(results)
    ]
    pl.DataFrame(rows).write_parquet(task.out / "games.parquet")
    result = match_result(
        tables[TIC_TAC_TOE.name], tables[MISERE.name], config, derive_seed(task.seed, "bootstrap")
    )
    write_result(task.out, result)
    return Outcome({claim.name: claim.value for claim in result.claims}, cost, len(rows), rows[:5])


def match_result(played: Played, held_out: Played, config: MatchConfig, seed: int) -> experiment.Result:
    """held_out: of misère."""
    lost = {key: losses(results) for key, results in played.items()}
    lost_held_out = {key: losses(results) for key, results in held_out.items()}

    def figure(
        name: str,
        says: str,
        part: Floats,
        whole: Floats | None = None,
        target: float | None = None,
        unit: Literal["", "share"] = "share",
    ) -> Claim:
        return Claim(
            name, says, *measured(part, whole, config, seed), target=target, better="lower", unit=unit
        )

    illegal = {way: sum(result.illegal for result in played[PLAYER, way]) for way in PLAYS}
    known, unknown = (
        np.mean(table[PLAYER, THINKING] - table["random moves", "rules"]) for table in (lost, lost_held_out)
    )
    return experiment.Result(
        name="match",
        title="Games against an agent with rules",
        question="Does thinking win games that a direct answer loses?",
        claims=[
            figure("ttt_losses_direct", "Games that baby-o1 loses by direct answers.", lost[PLAYER, "direct"]),
            figure("ttt_losses_chain", "Games that it loses by one chain a move.", lost[PLAYER, "chain"]),
            figure(
                "ttt_losses_base_chain", "Games that the base loses by one chain a move.", lost["base", "chain"]
            ),
            figure(
                "ttt_losses_base_plan", "Games that the base loses so where it is told: check wins, then blocks.",
                lost["base", PLANNED],
            ),
            figure(
                "ttt_losses_thinking", f"Games that baby-o1 loses by a {THINKING} of as many chains as "
                f"{config.solutions} solutions of the greatest length have tokens.", lost[PLAYER, THINKING],
            ),
            figure(
                "ttt_losses_weighted", "The same, where no solution is left out.", lost[PLAYER, WEIGHTED]
            ),
            figure(
                "ttt_losses_ratio", f"By a {THINKING} it loses at most a fifth as often as by direct answers.",
                lost[PLAYER, THINKING], lost[PLAYER, "direct"], target=0.2, unit="",
            ),
            Claim(
                "ttt_illegal", f"By a {THINKING} it makes no move that is none.", float(illegal[THINKING]),
                target=0.0, better="lower", unit="number",
            ),
            figure(
                "misere_losses_thinking", "Games of misère, on which no model was trained, that it loses so.",
                lost_held_out[PLAYER, THINKING],
            ),
            figure(
                "misere_losses_random", "Those that random moves lose.", lost_held_out["random moves", "rules"]
            ),
        ],
        tables={
            "games": Table("Wins, draws and losses; illegal: lost by a move that is none.", _rows(played)),
            "held_out": Table(
                "The same of misère, where three in a row lose: what was not trained on.", _rows(held_out)
            ),
        },
        charts={
            "losses": way_by_way(
                {key: float(games.mean()) for key, games in lost.items()}, list(PLAYS), "Games lost to the agent",
                "share of games",
            )
        },
        notes=[
            f"{config.games} games of baby-o1 by each way and the first {config.others} of them of base and GPT*, "
            "every second one as X, all against the same agent. It wins where it can, else blocks, else takes the "
            "centre, a corner or an edge. Rules: players of known strength.",
            "The direct answers are those of models that were trained to write chains. A model of right direct answers "
            "alone finds as many best moves as the base by chains (docs/decisions/games.md).",
            "A permitted vote leaves out solutions that end in a cell that is taken, which the question tells; every "
            f"free cell is permitted. Without this, baby-o1 makes {illegal[WEIGHTED]} illegal moves.",
            f'The plan is the words "{PLAN.strip()}" before the question. A tenth of the corpus begins with them, and '
            "who is given them overlooks no block and blocks nothing before having looked for wins.",
            "Misère is asked for in the words of tic-tac-toe, because no model knows others: none can be told that the "
            "rules have changed, and this shows what it does then. Its agent makes no row of its own while it can. "
            f"Its share of lost games minus that of random moves is {100 * known:+.0f} points in tic-tac-toe, and "
            f"{100 * unknown:+.0f} in misère.",
        ],
    )  # fmt: skip


def losses(results: Sequence[Result]) -> Floats:
    return np.array([float(result.outcome == "loss") for result in results])


def _rows(played: Played) -> pl.DataFrame:
    return pl.DataFrame(
        [row for (name, way), results in played.items() for row in counted(name, way, results)]
    )


def player(models: SearchModels, way: str, config: MatchConfig) -> tuple[Choose, list[int]]:
    """A player who thinks about each move in this way, and the list to which it adds the tokens of its moves."""
    world = WORLDS[WORLD]
    spent: list[int] = []

    def choose(boards: Sequence[str], seeds: Sequence[int]) -> list[str | None]:
        questions = [world.question(board) for board in boards]
        results = think(replace(models, self_check=permitted), way, PLAYS[way], config, questions, seeds)
        spent.append(sum(result.tree.tokens_generated for result in results))
        return [result.answer.answer for result in results]

    return choose, spent


def permitted(prompt: str, answer: str) -> bool | None:
    """False for a move that the board does not have; None for any other."""
    board = WORLDS[WORLD].parse(prompt)
    legal = board is None or (answer in CELLS and CELLS.index(answer) in free_cells(board))
    return None if legal else False


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
    return [
        Artifact(
            key="match/result",
            compute=make_match,
            config=profile.match,
            inputs=inputs_of(profile),
            seed=profile.seed_of("match/result"),
            group="eval",
            description="Tic-tac-toe against an agent that wins, blocks, else takes centre or corner: direct answers, "
            "chains, a plan in the prompt, votes and trees; and misère, which no model was trained on.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
            part="match",
            estimate=estimate_match,
        )
    ]


def estimate_match(context: EstimateContext, config: MatchConfig) -> Estimate:
    """Games of three models in all ways, and of one in those of misère."""
    solution = context.solution_tokens(config.prompt)
    searched = config.solutions * config.prompt.max_tokens
    cost, samples = Cost(), 0.0
    for model, name in MODELS.items():
        more = name == PLAYER
        moves = MOVES * (config.games if more else min(config.others, config.games))
        tokens = moves * (2 * solution + (4 + more) * searched + 3 * (1 + more))
        cost += context.generate(model, tokens)
        samples += tokens / solution
    return Estimate(samples=samples, cost=cost, stored=2 * TABLES + CHART)
