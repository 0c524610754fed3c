"""A round's labellers side by side: how far each agrees with what is known, and who is excluded."""

from __future__ import annotations

import polars as pl

from o1_assets.evaluation import plots
from o1_assets.evaluation.plots import Axis, Series

NAMES = 8
"""Labellers named below the axis; more are numbered, in the order of quality.parquet sorted by agreement."""


def quality_chart(quality: pl.DataFrame, min_agreement: float) -> tuple[list[Series], Axis] | None:
    """Labellers from the lowest agreement to the highest; None if nobody rated gold or screening solutions."""
    judged = quality.with_columns(
        agreement=pl.when(pl.col("reason") == "screening")
        .then("screening_agreement")
        .otherwise(pl.coalesce("gold_agreement", "screening_agreement"))
    )
    rows = judged.drop_nulls("agreement").sort("agreement", "labeler")
    if rows.is_empty():
        return None
    x = list(range(1, rows.height + 1))

    def column(name: str, where: pl.Expr) -> list[float | None]:
        return rows.select(pl.when(where).then(name)).to_series().to_list()

    out, everybody = pl.col("excluded"), pl.lit(True)
    series = [
        Series("threshold", [0.5, rows.height + 0.5], [min_agreement] * 2, plots.GREY, style="dashed"),
        Series("with others", x, column("peer_agreement", everybody), plots.SKY, style="points"),
        Series("with gold", x, column("agreement", ~out), plots.BLUE, style="points"),
        Series("excluded", x, column("agreement", out), plots.RED, style="points"),
    ]
    named = rows.height <= NAMES
    axis = Axis(
        f"{rows['excluded'].sum()} of {rows.height} labellers excluded",
        "labeller" if named else "labeller, by agreement",
        "ratings that agree",
        ticks=x if named else None,
        tick_labels=[str(name)[:10] for name in rows["labeler"]] if named else None,
        from_zero=True,
    )
    return [one for one in series if any(y is not None for y in one.y)], axis
