"""Which of a pool of scored solutions are labelled: uniformly, or by active learning (Lightman et al. 2023, 4.2).

The pool of active learning may be larger than memory: what can be chosen at all is found by DuckDB in two
passes over its Parquet, and is small; the rest is exact and in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from o1_assets.core.tables import duckdb_pattern

UNIFORM, WRONG, REST = "uniform", "convincing_wrong", "convincing_rest"

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


def choose_convincing(pool: pl.DataFrame, n: int, per_problem: int, wrong_share: float) -> pl.DataFrame:
    """The round(n * wrong_share) wrong solutions with the highest score, then the highest of the rest.

    pool: one row a solution with score, correct, problem_id, solution_id. When there are too few wrong
    ones the rest fills up. At most `per_problem` of one problem in all. Adds reason.
    """
    ranked = pool.sort(["score", "solution_id"], descending=[True, False])
    wrong = _limit(ranked.filter(~pl.col("correct")), per_problem).head(round(n * wrong_share))
    wrong_chosen = wrong.group_by("problem_id").len("taken")
    rest = (
        ranked.join(wrong.select("solution_id"), on="solution_id", how="anti", maintain_order="left")
        .join(wrong_chosen, on="problem_id", how="left", maintain_order="left")
        .filter(pl.int_range(pl.len()).over("problem_id") + pl.col("taken").fill_null(0) < per_problem)
        .drop("taken")
        .head(n - wrong.height)
    )
    return pl.concat([wrong.with_columns(reason=pl.lit(WRONG)), rest.with_columns(reason=pl.lit(REST))])


def choose_from_files(
    files: Sequence[Path], n: int, per_problem: int, wrong_share: float, scratch: Path
) -> pl.DataFrame:
    """What `choose_convincing` chooses of the Parquet files' solution_id, problem_id, correct and score.

    A solution can only be chosen if it is among the `per_problem` best of its problem, or among the
    `per_problem` best wrong ones of it: whatever takes a place before it takes it in the same problem. So the
    first pass finds each problem's two marks, the second keeps what reaches one of them.
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
            with marks as (
                select problem_id, list_last(max(score, $k)) as mark,
                       list_last(max(score, $k) filter (not correct)) as wrong_mark
                from scored group by problem_id
            )
            select solution_id, problem_id, correct, score from scored join marks using (problem_id)
            where score >= mark or (not correct and score >= wrong_mark)
            qualify row_number() over (partition by problem_id order by score desc, solution_id) <= $k
                 or row_number() over (partition by problem_id, correct order by score desc, solution_id) <= $k
            """,
            params={"k": per_problem},
        ).to_arrow_table()
    return choose_convincing(pl.DataFrame(candidates), n, per_problem, wrong_share)


def _limit(ranked: pl.DataFrame, per_problem: int) -> pl.DataFrame:
    return ranked.filter(pl.int_range(pl.len()).over("problem_id") < per_problem)
