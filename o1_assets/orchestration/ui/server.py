"""The process behind `o1 ui`: Dagster's webserver behind the guard, and its daemon and code servers as children.

    python -m o1_assets.orchestration.ui.server LISTENING_SOCKET SUPERVISORS_PIPE

Dagster's `dg dev` starts the same processes, but its webserver answers the pages of every site.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from dagster import DagsterInstance

from o1_assets.core.disk import disk_full
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.orchestration.instance import instance_lost, open_instance
from o1_assets.orchestration.internals import code_server, daemon_command, webserver
from o1_assets.orchestration.records import report_unknown
from o1_assets.orchestration.ui.guard import Guard, local_origins
from o1_assets.orchestration.ui.story import Story
from o1_assets.orchestration.ui.supervisor import STOP_SIGNALS, end_session, stop_with


def main() -> None:
    listening, pipe = (int(number) for number in sys.argv[1:])
    for number in STOP_SIGNALS:
        # SIGINT too: a shell starts its background jobs without it, and what is started here would inherit that.
        signal.signal(number, _stop)
    stop_with(pipe)
    settings = Settings.load()
    try:
        serve(settings, socket.socket(fileno=listening))
    except Exception as error:
        expected = error if isinstance(error, O1Error) else disk_full(error, settings.home)
        if not (expected := expected or instance_lost(error, settings)):
            raise
        sys.exit(f"o1: {expected}")
    finally:
        end_session()


def serve(settings: Settings, listening: socket.socket) -> None:
    """Serves until a signal, or until the daemon ends. Raises SystemExit."""
    origins = [*local_origins(listening.getsockname()[1]), *settings.ui_origins]
    project = Project.of_environment()
    with open_instance(settings) as instance, code_server(instance) as workspace:
        daemon = subprocess.Popen(daemon_command(instance, workspace))
        _show_what_is_made(instance, project)
        with application(instance, workspace, origins, project) as app:
            # An open page holds a WebSocket, whose end would be waited for.
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
            threading.Thread(target=_stop_after, args=(daemon, server), daemon=True).start()
            print(f"The graph: {origins[0]} (Ctrl-C ends it)", flush=True)
            server.run([listening])
        sys.exit(f"o1: Dagster's daemon ended by itself (exit code {daemon.wait()})")


@contextmanager
def application(
    instance: DagsterInstance, workspace: Path | None, origins: Sequence[str], project: Project | None = None
) -> Iterator[Guard]:
    """Dagster's web interface, for the pages of `origins` only; with a project its story and plots too."""
    with webserver(instance, workspace) as app:
        yield Guard(Story(app, project) if project else app, origins)


def _show_what_is_made(instance: DagsterInstance, project: Project) -> None:
    """Tells Dagster of what the store holds and it does not know, so that no page is empty that need not be."""
    # A run that is at work tells Dagster itself, and tells it of more than its store shows this moment.
    if not project.lock.busy():
        report_unknown(instance, project.loaded, project.store)


def _stop(*_: object) -> None:
    # uvicorn raises the signals that it caught once more, and others may follow while everything is being closed.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _stop_after(daemon: subprocess.Popen[bytes], server: uvicorn.Server) -> None:
    daemon.wait()
    server.should_exit = True


if __name__ == "__main__":
    main()
