"""Trains what o1 is thought to be made of, and shows how every artifact came to be.

Begin with `o1 status` and `o1 run`. --json prints one JSON document on stdout.
"""

from __future__ import annotations

import typer

from o1_assets.cli import (
    ask,
    audit,
    gc,
    labels,
    plan,
    play,
    problems,
    profile,
    report,
    run,
    serve,
    share,
    status,
)
from o1_assets.cli.errors import run as run_app

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

# In the order of the help: making things, looking at them, using them, keeping the store small.
for group in (run, status, plan, audit, report, share, ask, serve, play, gc):
    app.add_typer(group.app)

app.add_typer(labels.app, name="labels")
app.add_typer(profile.app, name="profile")
app.add_typer(share.evaluate, name="evaluate")
app.add_typer(problems.app, name="problems")


def main() -> None:
    run_app(app)
