"""The report's section on thinking longer: which parts of eval/thinking's tables are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from o1_assets.core import plots
from o1_assets.core.artifact import Figures
from o1_assets.core.formatting import count
from o1_assets.core.plots import Axis, Series
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.charts import STRATEGY_COLORS, Plot
from o1_assets.evaluation.headline import Headline, headline
from o1_assets.evaluation.thinking.paced import SECONDS
from o1_assets.evaluation.versions import ALL
from o1_assets.report.table import TextTable, share

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class ThinkingTables:
    """The rows of eval/thinking's tables, each under its file's name; none where it was not made.

    seconds: "STRATEGY N" -> mean seconds of N batches, from its manifest: of that machine, in no file.
    """

    points: Rows = ()
    fits: Rows = ()
    optimal: Rows = ()
    waits: Rows = ()
    prompting: Rows = ()
    batches: Rows = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, figures: Figures) -> ThinkingTables:
        """None of them where the folder is of an earlier version, which did not write them all."""
        files = {
            table.name: folder / f"{table.name}.parquet" for table in fields(cls) if table.name != "seconds"
        }
        # A version that an older program wrote has other tables: no section is better than half of one.
        if not all(file.exists() for file in files.values()):
            return cls()
        tables = {name: read_parquet(file).to_dicts() for name, file in files.items()}
        seconds = {
            name.removeprefix(f"{SECONDS} "): float(value)
            for name, value in figures.items()
            if name.startswith(f"{SECONDS} ") and value is not None
        }
        return cls(**tables, seconds=seconds)

    def timed(self) -> dict[str, list[tuple[float, dict[str, Any]]]]:
        """Strategy -> the mean seconds of each of its rows of batches, and the row; rising."""
        strategies = dict.fromkeys(row["strategy"] for row in self.batches)
        return {
            name: [
                (self.seconds[key], row)
                for row in self.batches
                if row["strategy"] == name and (key := f"{name} {row['batches']}") in self.seconds
            ]
            for name in strategies
        }


# Time-outs that a person may give.
LIMITS = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def accuracy_in_seconds(thinking: ThinkingTables) -> dict[str, Headline]:
    """baby-o1 with each time-out, one question at a time, as a figure. It is of one machine and one moment."""
    return {
        f"baby_o1_{name}_in_{limit:g}_s": headline(row["accuracy"], row["accuracy_error"])
        for name, rows in thinking.timed().items()
        for limit in LIMITS
        if (row := _within(rows, limit)) is not None
    }


def _within(rows: Sequence[tuple[float, dict[str, Any]]], limit: float) -> dict[str, Any] | None:
    """The last of the rows that ends within the limit; None if even the first batch takes longer."""
    return next((row for seconds, row in reversed(rows) if seconds <= limit), None)


def seconds_chart(thinking: ThinkingTables) -> Plot:
    series = []
    for name, rows in thinking.timed().items():
        x, y = [seconds for seconds, _ in rows], [row["accuracy"] for _, row in rows]
        series.append(
            Series(
                name, x, y, STRATEGY_COLORS.get(name, plots.GREY), [row["accuracy_error"] for _, row in rows]
            )
        )
    known = [x for line in series for x in line.x]
    ticks = [limit for limit in LIMITS if known and min(known) <= limit <= max(known)]
    title = "baby-o1 with a time-out, on this machine"
    return series, Axis(
        title, "seconds of thinking, one question at a time (log scale)", "accuracy", log2=True, ticks=ticks
    )


def thinking_tables(thinking: ThinkingTables) -> list[TextTable]:
    return [_prompting(thinking), _seconds(thinking), _fits(thinking), _limits(thinking), _waits(thinking)]


def _seconds(thinking: ThinkingTables) -> TextTable:
    timed = thinking.timed()
    rows = []
    for limit in LIMITS:
        within = [_within(rows, limit) for rows in timed.values()]
        if any(within):
            cells = [share(row["accuracy"], row["accuracy_error"]) if row else share(None) for row in within]
            rows.append((f"{limit:g} s", *cells))
    return TextTable(
        "A time-out",
        "What o1 ask --seconds would have answered, in percent right: the batches that end in time, and an answer "
        "that is asked for where there is none. The answers are reproducible, the seconds are not: they were measured "
        "once, on the machine that made eval/thinking, on one problem at a time. A dash: not even one batch ends.",
        ("time-out", *timed),
        rows,
    )


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
