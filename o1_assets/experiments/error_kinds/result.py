"""ablations/kinds/result: which kinds of errors there are, how often each is made, and which versions find it.

Only where the base was pre-trained on the corpus whose kinds these are. Writes, beside what `write_result` does,
found.parquet (kind, model, version, errors, found, rank) and plots/found_prm.png, plots/found_orm.png: kind by round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Artifact, Figures, Outcome, Task
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.plots import Axis, Series, save_heat_map
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.error_kinds.measure import (
    ALL,
    EXAMPLES,
    GENERATOR,
    KINDS,
    ORM,
    OTHERS,
    PRM,
    RATES,
    RIGHT,
    detection,
    expressions_of,
    how_often,
    in_corpus,
    pool_of,
)
from o1_assets.experiments.experiment import PART, ablation, base_of
from o1_assets.experiments.result import Chart, Result, Table, write_result
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

QUESTION = "Which kinds of errors are there, who still makes them, and which version finds which?"


def artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    inputs = {
        **{f"prm_{k}": f"r{k}/prm" for k in rounds},
        **{f"orm_{k}": f"r{k}/orm" for k in rounds},
        **{f"eval_{k}": f"r{k}/eval" for k in rounds},
        "generator_eval": "eval/generator",
        "policy_eval": "eval/baby_o1",
        "generator": "generator/model",
        "test": "problems/test",
    }
    config = KindsResultConfig(**profile.ablations.kinds.model_dump(), corpus=base_of(profile).corpus)
    key = f"{PART}/kinds/result"
    return [ablation(profile, key, make_kinds, config, inputs, QUESTION, estimate=estimate_kinds)]


def estimate_kinds(context: EstimateContext, config: KindsResultConfig) -> Estimate:
    """Every reward model of the run reads a pool of GPT*'s and the last policy's solutions."""
    problems = context["generator_eval"].problems
    tokens = problems * distinct_tokens(context, config.prompt, 2 * config.samples, rl_rounds=1)
    models = (*context.starting_with("prm_"), *context.starting_with("orm_"))
    return Estimate(problems, cost=read(context, tokens, *models), stored=5 * CHART + 6 * TABLES)


def make_kinds(task: Task, config: KindsResultConfig) -> Outcome:
    """Inputs: prm_00, .., orm_00, .., eval_00, .., generator_eval, policy_eval, generator, test (problems)."""
    rounds = sorted(int(name.removeprefix("prm_")) for name in task.inputs if name.startswith("prm_"))
    test = read_parquet(task.inputs["test"] / "problems.parquet")
    expressions = expressions_of(test)
    pool = pool_of(task, config, expressions)
    found, cost = detection(task, pool, test, rounds, config)
    found.write_parquet(task.out / "found.parquet")
    made = how_often(task, rounds, expressions, config)
    corpus = in_corpus(config, derive_seed(task.seed, "corpus"))
    errors = dict(pool.drop_nulls("kind").group_by("kind").len().sort("kind").iter_rows())
    kinds = kind_table(errors, made, corpus, config)
    # A share of a few errors is noise: rare kinds are in the table of kinds alone.
    shown = [kind for kind in kinds["kind"] if errors.get(kind, 0) >= config.least]
    for model in (PRM, ORM):
        save_heat_map(
            task.out / "plots" / f"found_{model.lower()}.png",
            matrix(found, model, shown, rounds),
            ["all", RIGHT, *(f"{kind.replace('_', ' ')} ({errors[kind]})" for kind in shown)],
            [f"v{k}" for k in rounds],
            f"Errors of each kind that the {model} finds, %",
            "round",
        )
    write_result(task.out, _result(kinds, found, made, errors, rounds, pool.height, config))
    whole = found.filter((pl.col("kind") == ALL) & pl.col("version").is_in([rounds[0], rounds[-1]]))
    figures: Figures = {
        f"{row['model']} v{row['version']} finds": row["found"] for row in whole.iter_rows(named=True)
    }
    return Outcome({"solutions": pool.height, "kinds": len(shown), **figures}, cost, found.height)


def kind_table(
    errors: Mapping[str, int],
    made: Mapping[str, Mapping[str, float]],
    corpus: Mapping[str, float],
    config: KindsResultConfig,
) -> pl.DataFrame:
    """A row a kind, the most common among GPT*'s errors first: what it is, how many writers of the corpus hold it, and
    first errors in a thousand solutions of the corpus, of GPT* and of each baby-o1."""
    # The corpus holds each misconception in its own share of writers, scaled for the profile.
    scale = config.corpus.misconception_scale
    rows = [
        {
            "kind": kind,
            "is": OTHERS.get(kind) or f"as in {EXAMPLES[kind]}",
            # A profile scales all misconceptions together; no more than every writer can hold one.
            "held by writers": min(1.0, RATES[kind] * scale) if kind in RATES else None,
            "corpus, a thousand": corpus.get(kind, 0.0),
            **{f"{author}, a thousand": counts.get(kind, 0.0) for author, counts in made.items()},
            "errors in the pool": errors.get(kind, 0),
        }
        for kind in KINDS
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort(
        f"{GENERATOR}, a thousand", "corpus, a thousand", descending=True, maintain_order=True
    )


def matrix(found: pl.DataFrame, model: str, kinds: Sequence[str], rounds: Sequence[int]) -> Floats:
    """[2 + kinds, rounds]: share found of all errors, of what is right, and of each kind; NaN where there is none."""
    shares = {
        (row["kind"], row["version"]): row["found"]
        for row in found.filter(pl.col("model") == model).iter_rows(named=True)
    }
    cells = [[shares[kind, k] for k in rounds] for kind in (ALL, RIGHT, *kinds)]
    return np.array(
        [[np.nan if share is None else share for share in row] for row in cells], dtype=np.float64
    )


def wide(found: pl.DataFrame, model: str, value: str, errors: Mapping[str, int], least: int) -> pl.DataFrame:
    """kind, errors, v0, v1, ..: of kinds with at least `least` errors that the model could find."""
    enough = found.filter((pl.col("model") == model) & (pl.col("errors") >= least))
    # Wide, as people read it: a column for each version.
    across = enough.with_columns(version=pl.format("v{}", "version")).pivot(
        "version", index=["kind", "errors"], values=value, maintain_order=True
    )
    # The two rows of everything come first, then the kinds from the most errors to the fewest.
    rank = {kind: -count for kind, count in errors.items()} | {ALL: -(10**9), RIGHT: 1 - 10**9}
    return across.sort(pl.col("kind").replace_strict(rank, default=0, return_dtype=pl.Int64), "kind")


def _result(
    kinds: pl.DataFrame,
    found: pl.DataFrame,
    made: Mapping[str, Mapping[str, float]],
    errors: Mapping[str, int],
    rounds: Sequence[int],
    solutions: int,
    config: KindsResultConfig,
) -> Result:
    detected = (
        ("prm_found", PRM, "found", "Share of each kind that PRM v0, v1, .. find: P(right) below the threshold."),
        ("prm_rank", PRM, "rank", "The same without a threshold: how often such a step ranks below a right one."),
        ("orm_found", ORM, "found", "Share of each kind that ORM v0, v1, .. find, of wrong answers: P(correct) below "
         "1/2."),
        ("orm_rank", ORM, "rank", "The same without a threshold: how often it ranks below a right one."),
    )  # fmt: skip
    return Result(
        name="kinds",
        title="Kinds of errors",
        question=QUESTION,
        tables={
            "kinds": Table("Every kind of error, and how often it is a solution's first one.", kinds),
            **{
                name: Table(title, wide(found, model, value, errors, config.least))
                for name, model, value, title in detected
            },
        },
        charts={
            "found": Chart(
                _lines(found, rounds), Axis("Errors that are found", "round", "share of all errors")
            ),
            "made": Chart(
                _made(made, rounds),
                Axis(
                    "Errors that are made",
                    "GPT*, then baby-o1 v0, v1, ..",
                    "solutions with one",
                    ticks=[-1, *rounds],
                    tick_labels=[GENERATOR, *(f"v{k}" for k in rounds)],
                ),
            ),
        },
        notes=[
            f"The pool: {solutions} different held-out solutions of GPT* and of the last baby-o1; "
            f"{sum(errors.values())} hold an error, of which the first one counts.",
            "Where several misconceptions would have written a step, it counts as the one that most writers hold.",
            "The PRM's threshold is the one of the round's own evaluation, chosen on its problems for the best F1; the "
            "ORM's is one half.",
            f"Kinds with fewer than {config.least} errors in the pool have no row; plots/found_prm.png and "
            "found_orm.png show the same matrices, with the number of errors behind each kind.",
        ],
    )


def _lines(found: pl.DataFrame, rounds: Sequence[int]) -> list[Series]:
    whole = found.filter(pl.col("kind") == ALL).sort("version")
    colors = {PRM: plots.BLUE, ORM: plots.ORANGE}
    return [
        Series(model, list(rounds), whole.filter(pl.col("model") == model)["found"].to_list(), color)
        for model, color in colors.items()
    ]


def _made(made: Mapping[str, Mapping[str, float]], rounds: Sequence[int]) -> list[Series]:
    """GPT* stands at -1; the five kinds that it makes most, and all together."""
    # Five lines are what a chart can hold; the rest is in the table.
    ranked = sorted(made[GENERATOR], key=lambda kind: (-made[GENERATOR][kind], kind))[:5]
    # GPT* stands before the first round.
    x = [-1, *rounds]
    colors = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.RED)
    series = [
        Series(kind.replace("_", " "), x, [rates.get(kind, 0.0) / 1000 for rates in made.values()], color)
        for kind, color in zip(ranked, colors, strict=False)
    ]
    return [Series("any", x, [sum(rates.values()) / 1000 for rates in made.values()], plots.GREY), *series]
