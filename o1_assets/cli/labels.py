"""`o1 labels`, a file for each group of its commands."""

from __future__ import annotations

import typer

from o1_assets.cli import (
    label_batches,
    label_page,
    label_rankings,
    label_rounds,
    label_sources,
    label_studio,
    label_trace,
)

app = typer.Typer(no_args_is_help=True, help="Send solutions out to be rated and take labels in.")

for group in (label_batches, label_page, label_rounds, label_trace, label_sources, label_rankings):
    app.add_typer(group.app)

app.add_typer(label_studio.app, name="studio")
