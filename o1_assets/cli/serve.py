"""`o1 serve`: baby-o1 behind OpenAI's chat completions, on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from o1_assets.cli.common import command, print_json
from o1_assets.execution.project import Project

app = typer.Typer()


@command(app, "serve")
def serve_command(
    project: Project,
    port: Annotated[int, typer.Option(help="of the host; 0 takes any free one")] = 8000,
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="let other machines connect to --host")
    ] = False,
    as_json: bool = False,
) -> None:
    """Serve baby-o1 as OpenAI's chat completions, until Ctrl-C; `o1 ask` of this home then answers at once."""
    from o1_assets.cli.serving.server import serve

    def ready(address: str, models: dict[str, str]) -> None:
        if as_json:
            print_json({"address": f"{address}/v1", "models": models})
        else:
            print(f"{next(iter(models))} answers on {address}/v1 (Ctrl-C ends it)")
        sys.stdout.flush()

    serve(project, host, port, allow_remote, ready)
