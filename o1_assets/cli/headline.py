"""The headline figures as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.settings import Settings

if TYPE_CHECKING:
    from o1_assets.evaluation.headline import Headline


def print_headline(settings: Settings, headline: dict[str, Headline] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    from o1_assets.evaluation.headline import met
    from o1_assets.reporting import headline_of

    table = Table(title="Headline", title_justify="left")
    for column in ("figure", "value", "±", "target", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for name, row in (headline or headline_of(settings)).items():
        value, target, spread = row["value"], row["target"], row["spread"]
        reached = met(row)
        table.add_row(
            name,
            "-" if value is None else f"{value:.3f}",
            "" if spread is None else f"{spread:.3f}",
            "" if target is None else f"{'≥' if row['better'] == 'higher' else '≤'} {target:.3f}",
            "" if reached is None else ("met" if reached else "missed"),
        )
    Console().print(table)
