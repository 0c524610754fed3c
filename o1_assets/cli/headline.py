"""The headline figures as a table."""

from __future__ import annotations

from typing import Any

from o1_assets.settings import Settings


def print_headline(settings: Settings, headline: dict[str, Any] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    from o1_assets.reporting import headline_of

    table = Table(title="Headline", title_justify="left")
    for column in ("figure", "value", "±", "target", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for name, row in (headline or headline_of(settings)).items():
        value, target, spread = row["value"], row["target"], row["spread"]
        met = None
        if target is not None and value is not None:
            met = value >= target if row["better"] == "higher" else value <= target
        table.add_row(
            name,
            "-" if value is None else f"{value:.3f}",
            "" if spread is None else f"{spread:.3f}",
            "" if target is None else f"{'≥' if row['better'] == 'higher' else '≤'} {target:.3f}",
            "" if met is None else ("met" if met else "missed"),
        )
    Console().print(table)
