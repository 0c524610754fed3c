"""`o1 ui`, which `make ui` starts."""

from __future__ import annotations

from typing import Annotated

import typer

from o1_assets.cli.common import command
from o1_assets.execution.project import Project

app = typer.Typer()


@command(app, "ui", options=("profile", "set_"), hidden=True)
def ui(
    project: Project,
    port: Annotated[int, typer.Option("--port", help="of 127.0.0.1")] = 3000,
    parent: Annotated[
        int | None, typer.Option("--parent", hidden=True, help="process whose end is this one's too")
    ] = None,
) -> None:
    """Serve the graph in Dagster's web interface, with the daemon that starts runs by themselves, until Ctrl-C."""
    from o1_assets.orchestration.ui.serve import serve

    serve(project, port, parent)
