"""ablations/rounds/result: what the rounds of labels do, held against controls that each leave one thing out.

Writes what `write_result` does, and measured.parquet (measure, arm, seed, parts), from which every figure follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import SUBSETS_OF
from o1_assets.evaluation.evaluate_policy import PASS_AT_1, held_out
from o1_assets.evaluation.statistics import (
    Floats,
    mean_parts,
)
from o1_assets.experiments.measure import SOLUTIONS
from o1_assets.experiments.result import write_result
from o1_assets.experiments.rounds.measure import (
    Prompts,
    best_of,
    first_samples,
    mixed_pool,
    of_searched_pool,
    policy_parts,
    prm_parts,
)
from o1_assets.experiments.rounds.searched import searched_parts
from o1_assets.experiments.rounds.shown import ByRound, RoundsResultConfig, arms_table, rounds_result


def make_rounds_result(task: Task, config: RoundsResultConfig) -> Outcome:
    """Inputs: <arm>_<seed>, an evaluation; <arm>_<seed>_searched where searches are measured; <arm>_<seed>_prm_<k> of
    every round that trained a PRM; prm and policy (of round 0), generator, pool (GPT*'s samples of held-out problems),
    test (problems)."""
    from o1_assets.engine.checkpoint import load_tokenizer

    test = read_parquet(task.inputs["test"] / "problems.parquet").sort("problem_id")
    problems = held_out(test, config.judge.problems)
    tokenizer = load_tokenizer(task.inputs["policy"])
    encoded = config.judge.prompt.encode(tokenizer, test["question"].to_list())
    prompts = dict(zip(test["problem_id"].to_list(), encoded, strict=True))
    names = [f"{arm}_{seed}" for seed in range(config.seeds) for arm in config.names]
    last, n = config.rounds.rounds, config.rounds.best_of
    by_round, cost = _of_every_round(task, config, names, problems, prompts)
    samples = first_samples(task.inputs["pool"], SUBSETS_OF * n, test["problem_id"].to_list())
    chosen, spent = best_of(
        task,
        {name: newest_prm(task, name, last) for name in names},
        samples,
        prompts,
        n,
        config.judge.subsets,
        derive_seed(task.seed, "pool"),
    )
    under_search: dict[str, dict[str, Floats]] = {name: {} for name in names}
    if config.rounds.searches:
        under_search, read = _under_search(task, config, names, problems, prompts)
        spent += read
    parts: dict[str, dict[str, Floats]] = {}
    for name in names:
        seed = derive_seed(task.seed, "fooled", int(name.rpartition("_")[2]))
        parts[name] = {
            **policy_parts(task.inputs[name], config.judge, seed),
            **by_round[name][last],
            f"best of {n}, GPT*'s samples": mean_parts(chosen[name]),
            **under_search[name],
        }
    measured = {
        measure: {
            # Of one arm's seeds: [seeds, problems, values].
            arm: np.stack([parts[f"{arm}_{s}"][measure] for s in range(config.seeds)])
            for arm in config.names
        }
        for measure in parts[names[0]]
    }
    _raw(parts).write_parquet(task.out / "measured.parquet")
    seed = derive_seed(task.seed, "bootstrap")
    table = arms_table(measured, config.control, config.judge.resamples, seed)
    write_result(task.out, rounds_result(task, config, table, by_round, measured, seed))
    figures = {
        f"{arm} {measure}": value
        for measure, arm, value in table.select("measure", "arm", "value").iter_rows()
    }
    shown = table.filter(pl.col("measure") == PASS_AT_1)
    return Outcome(figures, cost + spent, table.height, shown.to_dicts())


def newest_prm(task: Task, name: str, k: int) -> Path:
    """The PRM of <arm>_<seed> after round k: the last that was trained by then; round 0's where none was."""
    trained = [f"{name}_prm_{i}" for i in range(k, 0, -1)]
    return next((task.inputs[prm] for prm in trained if prm in task.inputs), task.inputs["prm"])


def _of_every_round(
    task: Task,
    config: RoundsResultConfig,
    names: Sequence[str],
    problems: pl.DataFrame,
    prompts: Prompts,
) -> tuple[ByRound, Cost]:
    """Each PRM of each arm on one fixed pool, made of what all arms' last policies write."""
    fresh = {name: read_parquet(task.inputs[name] / SOLUTIONS) for name in names}
    pool = mixed_pool(fresh, config.rounds.pool_solutions, derive_seed(task.seed, "mixed"))
    pool.write_parquet(task.out / "pool.parquet")
    rounds = range(config.rounds.rounds + 1)
    prms = {name: {k: newest_prm(task, name, k) for k in rounds} for name in names}
    different = {str(path): path for of_round in prms.values() for path in of_round.values()}
    task.progress(f"{len(different)} PRMs judge the steps of {pool.height} solutions")
    parts, cost = prm_parts(task, different, pool, problems, prompts)
    return {
        name: {k: parts[str(path)] for k, path in of_round.items()} for name, of_round in prms.items()
    }, cost


def _under_search(
    task: Task,
    config: RoundsResultConfig,
    names: Sequence[str],
    problems: pl.DataFrame,
    prompts: Prompts,
) -> tuple[dict[str, dict[str, Floats]], Cost]:
    """Each arm's own searches, and its last PRM on one pool of what all arms' searches found."""
    test = read_parquet(task.inputs["test"] / "problems.parquet")
    folders = {name: task.inputs[f"{name}_searched"] for name in names}
    found = {
        name: read_parquet(folder / SOLUTIONS).filter(
            pl.col("problem_id").is_in(problems["problem_id"].implode())
        )
        for name, folder in folders.items()
    }
    pool = mixed_pool(found, config.rounds.pool_solutions, derive_seed(task.seed, "searched"))
    prms = {str(prm): prm for name in names if (prm := newest_prm(task, name, config.rounds.rounds))}
    parts, cost = prm_parts(task, prms, pool, problems, prompts, condemned=True)
    return {
        name: {
            **searched_parts(folders[name], config.rounds.searches, test),
            **{
                of_searched_pool(measure): values
                for measure, values in parts[str(newest_prm(task, name, config.rounds.rounds))].items()
            },
        }
        for name in names
    }, cost


def _raw(parts: Mapping[str, Mapping[str, Floats]]) -> pl.DataFrame:
    rows = [
        (measure, name.rpartition("_")[0], int(name.rpartition("_")[2]), values.tolist())
        for name, measures in parts.items()
        for measure, values in measures.items()
    ]
    schema: dict[str, Any] = {
        "measure": pl.String,
        "arm": pl.String,
        "seed": pl.Int32,
        "parts": pl.List(pl.List(pl.Float64)),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
