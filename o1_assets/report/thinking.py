"""The report's section on thinking longer: which parts of eval/thinking's tables are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.formatting import count
from o1_assets.evaluation.versions import ALL
from o1_assets.report.table import Table, share

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Thinking:
    """The rows of eval/thinking's tables, each under its file's name; none where it was not made."""

    points: Rows = ()
    fits: Rows = ()
    optimal: Rows = ()
    waits: Rows = ()
    prompting: Rows = ()

    @classmethod
    def read(cls, folder: Path | None) -> Thinking:
        """None of them where the folder is of an earlier version, which did not write them all."""
        if folder is None:
            return cls()
        files = {field.name: folder / f"{field.name}.parquet" for field in fields(cls)}
        # A version that an older program wrote has other tables: no section is better than half of one.
        if not all(file.exists() for file in files.values()):
            return cls()
        return cls(**{name: pl.read_parquet(file).to_dicts() for name, file in files.items()})


def thinking_tables(thinking: Thinking) -> list[Table]:
    return [_prompting(thinking), _fits(thinking), _limits(thinking), _waits(thinking)]


def _prompting(thinking: Thinking) -> Table:
    # dict.fromkeys: each model once, in the order of the table.
    models = list(dict.fromkeys(row["model"] for row in thinking.prompting))
    rows = []
    for way in dict.fromkeys(row["way"] for row in thinking.prompting):
        by_model = {row["model"]: row for row in thinking.prompting if row["way"] == way}
        rows.append(
            (
                way,
                *(share(by_model[model]["accuracy"], by_model[model]["accuracy_error"]) for model in models),
                " / ".join(count(by_model[model]["generated"]) for model in models),
                " / ".join(count(by_model[model]["flops"]) for model in models),
            )
        )
    return Table(
        "Four ways of prompting",
        "An answer at once, a chain of thought, chains that vote, a tree of thoughts searched with the PRM; the votes "
        "and the tree at equal generated tokens. Tokens and FLOPs are those of a problem, in the models' order.",
        ("way", *(f"{model}, % right" for model in models), "tokens", "FLOPs"),
        rows,
    )


def _fits(thinking: Thinking) -> Table:
    rows = [
        (
            f"{row['model']}, {row['strategy']}",
            f"{100 * row['gain']:.1f} ({100 * row['gain_low']:.1f} to {100 * row['gain_high']:.1f})",
            f"{row['r2']:.3f}",
            f"{row['decades']:.1f}",
            f"{row['r2_whole']:.3f}",
            f"{row['decades_whole']:.1f}",
        )
        for row in thinking.fits
        # The thirds have some thirty problems each, too few for a line that says something.
        if row.get("difficulty", ALL) == ALL
    ]
    return Table(
        "Lines through the curves",
        "Least squares of accuracy against log2 FLOPs: up to the first budget that the best one no longer beats by its "
        "standard error, and through every budget. Compute-optimal takes the best strategy for the compute, chosen on "
        "other problems than those it is measured on; intervals are 95%, over problems.",
        ("curve", "points gained a doubling", "R²", "decades", "R², whole curve", "its decades"),
        rows,
    )


def _limits(thinking: Thinking) -> Table:
    chains = [
        row for row in thinking.points if row["difficulty"] == ALL and row["strategy"].startswith("chain, ")
    ]
    # Extended chains ("chain, extended") have waits in place of a limit, and a table of their own.
    forced = [row for row in chains if row["strategy"] == "chain, answer forced"]
    models = list(dict.fromkeys(row["model"] for row in forced))
    by = {(row["model"], row["strategy"], row["budget"]): row for row in chains}

    # Both treatments were measured at the same limits, so that every cell exists.
    def cell(model: str, strategy: str, limit: int) -> str:
        row = by[model, strategy, limit]
        return share(row["accuracy"], row["accuracy_error"])

    rows = []
    for limit in sorted({row["budget"] for row in forced}):
        cells = [
            cell(model, strategy, limit)
            for model in models
            for strategy in ("chain, cut off", "chain, answer forced")
        ]
        rows.append((f"{limit} tokens", *cells))
    head = [f"{model}, {what}" for model in models for what in ("cut off", "forced")]
    return Table(
        "A chain with a limit",
        "The same chains: at the limit the answer is asked for, or there is none.",
        ("limit", *head),
        rows,
    )


def _waits(thinking: Thinking) -> Table:
    rows = [
        (
            f"{row['model']}, {row['waits']}",
            share(row["accuracy"], row["accuracy_error"]),
            share(row["extended"], row["extended_error"]),
            share(row["wrong_to_right"], row["wrong_to_right_error"]),
            share(row["right_to_wrong"], row["right_to_wrong_error"]),
            f"{row['tokens']:.1f}",
        )
        for row in thinking.waits
    ]
    return Table(
        "A chain that is made to doubt",
        'Its answer is replaced by "wait" so many times. Changes are against the first answer, in percent of all '
        "chains.",
        ("model, waits", "% right", "extended so often", "wrong to right", "right to wrong", "tokens"),
        rows,
    )
