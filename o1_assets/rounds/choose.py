"""Which of a pool of scored solutions are labelled: uniformly, or by active learning (Lightman et al. 2023, 4.2).

A PRM errs in two ways: it believes wrong solutions (convincing), and it doubts right ones (condemned), which costs RL
as much. The pool may be larger than memory: what can be chosen at all is found by DuckDB in two passes over its
Parquet, and is small; the rest is exact and in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from o1_assets.core.tables import duckdb_pattern

UNIFORM, WRONG, CONDEMNED, REST = "uniform", "convincing_wrong", "condemned_right", "convincing_rest"

# DuckDB spills to disk beyond it.
MEMORY_LIMIT = "2GB"


def choose_uniform(pool: pl.DataFrame, n: int, per_problem: int, seed: int) -> pl.DataFrame:
    """n solutions drawn uniformly, at most `per_problem` of one problem; adds score (null) and reason."""
    shuffled = pool.sample(fraction=1.0, shuffle=True, seed=seed)
    return (
        _limit(shuffled, per_problem)
        .head(n)
        .with_columns(score=pl.lit(None, dtype=pl.Float64), reason=pl.lit(UNIFORM))
    )


def choose_mistaken(
    pool: pl.DataFrame,
    n: int,
    per_problem: int,
    wrong_share: float,
    condemned_share: float = 0.0,
    condemned_floor: float = 0.0,
) -> pl.DataFrame:
    """Wrong solutions with the highest score, right ones with the lowest, then the highest of the rest.

    pool: one row a solution with score, correct, problem_id, solution_id. round(n * condemned_share) are right ones
    with a score from `condemned_floor` on, and `wrong_share` of the others are wrong ones. Where there are too few of
    either the rest fills up. At most `per_problem` of one problem in all. Adds reason.
    """
    ranked = pool.sort(["score", "solution_id"], descending=[True, False])
    condemned_places = round(n * condemned_share)
    wrong = _limit(ranked.filter(~pl.col("correct")), per_problem)
    wrong = wrong.head(round((n - condemned_places) * wrong_share))
    lowest = pool.filter("correct", pl.col("score") >= condemned_floor).sort("score", "solution_id")
    condemned = _limit(lowest, per_problem, wrong).head(condemned_places)
    mistaken = pl.concat([wrong, condemned])
    remaining = ranked.join(
        mistaken.select("solution_id"), on="solution_id", how="anti", maintain_order="left"
    )
    rest = _limit(remaining, per_problem, mistaken).head(n - mistaken.height)
    reasons = ((wrong, WRONG), (condemned, CONDEMNED), (rest, REST))
    return pl.concat([part.with_columns(reason=pl.lit(reason)) for part, reason in reasons])


def choose_from_files(
    files: Sequence[Path],
    n: int,
    per_problem: int,
    wrong_share: float,
    scratch: Path,
    condemned_share: float = 0.0,
    condemned_floor: float = 0.0,
) -> pl.DataFrame:
    """What `choose_mistaken` chooses of the Parquet files' solution_id, problem_id, correct and score.

    A solution can only be chosen if it is among the `per_problem` best of its problem, its `per_problem` best wrong
    ones, or its `per_problem` worst right ones from the floor on: whatever takes a place before it takes it in the same
    problem. So the first pass finds each problem's three marks, the second keeps what reaches one of them.
    scratch: an empty folder for what does not fit into memory.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute("set temp_directory = ?", [str(scratch)])
        connection.execute("set preserve_insertion_order = false")
        patterns = [duckdb_pattern(file) for file in files]
        connection.read_parquet(patterns, hive_partitioning=False).create_view("scored")
        candidates = connection.sql(
            """
            with pool as (select *, correct and score >= $floor as doubted from scored),
            marks as (
                select problem_id, list_last(max(score, $k)) as mark,
                       list_last(max(score, $k) filter (not correct)) as wrong_mark,
                       list_last(min(score, $k) filter (doubted)) as right_mark
                from pool group by problem_id
            )
            select solution_id, problem_id, correct, score from pool join marks using (problem_id)
            where score >= mark or (not correct and score >= wrong_mark) or (doubted and score <= right_mark)
            qualify row_number() over (partition by problem_id order by score desc, solution_id) <= $k
                 or row_number() over (partition by problem_id, correct order by score desc, solution_id) <= $k
                 or doubted
                    and row_number() over (partition by problem_id, doubted order by score, solution_id) <= $k
            """,
            params={"k": per_problem, "floor": condemned_floor},
        ).to_arrow_table()
    return choose_mistaken(
        pl.DataFrame(candidates), n, per_problem, wrong_share, condemned_share, condemned_floor
    )


def _limit(ranked: pl.DataFrame, per_problem: int, chosen: pl.DataFrame | None = None) -> pl.DataFrame:
    """The first of each problem, as many as have a place. chosen: solutions that have taken theirs already."""
    place = pl.int_range(pl.len()).over("problem_id")
    if chosen is None:
        return ranked.filter(place < per_problem)
    taken = chosen.group_by("problem_id").len("taken")
    return (
        ranked.join(taken, on="problem_id", how="left", maintain_order="left")
        .filter(place + pl.col("taken").fill_null(0) < per_problem)
        .drop("taken")
    )
