"""The report's section on thinking longer: which parts of eval/thinking's tables are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from o1_assets.core.formatting import count
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.versions import ALL
from o1_assets.report.table import TextTable, share

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class ThinkingTables:
    """The rows of eval/thinking's tables, each under its file's name; none where it was not made."""

    points: Rows = ()
    fits: Rows = ()
    optimal: Rows = ()
    waits: Rows = ()
    prompting: Rows = ()

    @classmethod
    def read(cls, folder: Path | None) -> ThinkingTables:
        """None of them where the folder is of an earlier version, which did not write them all."""
        if folder is None:
            return cls()
        files = {field.name: folder / f"{field.name}.parquet" for field in fields(cls)}
        # A version that an older program wrote has other tables: no section is better than half of one.
        if not all(file.exists() for file in files.values()):
            return cls()
        return cls(**{name: read_parquet(file).to_dicts() for name, file in files.items()})


def thinking_tables(thinking: ThinkingTables) -> list[TextTable]:
    return [_prompting(thinking), _fits(thinking), _limits(thinking), _waits(thinking)]


def _prompting(thinking: ThinkingTables) -> TextTable:
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
    return TextTable(
        "Four ways of prompting",
        "An answer at once, a chain of thought, chains that vote, a tree of thoughts searched with the PRM; the votes "
        "and the tree at equal generated tokens. Tokens and FLOPs are those of a problem, in the models' order.",
        ("way", *(f"{model}, % right" for model in models), "tokens", "FLOPs"),
        rows,
    )


def _fits(thinking: ThinkingTables) -> TextTable:
    rows = [
        (
            f"{row['model']}, {row['strategy']}",
            # Points, not shares: a gain of .06 a doubling reads as 6.0.
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
    return TextTable(
        "Lines through the curves",
        "Least squares of accuracy against log2 FLOPs: up to the first budget that the best one no longer beats by its "
        "standard error, and through every budget. Compute-optimal takes the best strategy for the compute, chosen on "
        "other problems than those it is measured on; intervals are 95%, over problems.",
        ("curve", "points gained a doubling", "R²", "decades", "R², whole curve", "its decades"),
        rows,
    )


def _limits(thinking: ThinkingTables) -> TextTable:
    # Extended chains ("chain, extended") have waits in place of a limit, and a table of their own.
    treatments = {"chain, cut off": "cut off", "chain, answer forced": "forced"}
    cells = {
        (row["model"], row["strategy"], row["budget"]): share(row["accuracy"], row["accuracy_error"])
        for row in thinking.points
        if row["difficulty"] == ALL and row["strategy"] in treatments
    }
    models = list(dict.fromkeys(model for model, _, _ in cells))
    # Both treatments were measured at the same limits, so that every cell exists.
    columns = [(model, treatment) for model in models for treatment in treatments]
    return TextTable(
        "A chain with a limit",
        "The same chains: at the limit the answer is asked for, or there is none.",
        ("limit", *(f"{model}, {treatments[treatment]}" for model, treatment in columns)),
        [
            (f"{limit} tokens", *(cells[*column, limit] for column in columns))
            for limit in sorted({budget for _, _, budget in cells})
        ],
    )


def _waits(thinking: ThinkingTables) -> TextTable:
    shares = ("accuracy", "extended", "wrong_to_right", "right_to_wrong")
    return TextTable(
        "A chain that is made to doubt",
        'Its answer is replaced by "wait" so many times. Changes are against the first answer, in percent of all '
        "chains.",
        ("model, waits", "% right", "extended so often", "wrong to right", "right to wrong", "tokens"),
        [
            (
                f"{row['model']}, {row['waits']}",
                *(share(row[name], row[f"{name}_error"]) for name in shares),
                f"{row['tokens']:.1f}",
            )
            for row in thinking.waits
        ],
    )
