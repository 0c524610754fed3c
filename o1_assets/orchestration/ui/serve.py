"""`o1 ui`: takes the home and the port, or says who has them, and supervises the server."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from o1_assets.core.errors import O1Error
from o1_assets.core.settings import PROJECT
from o1_assets.execution.project import Project
from o1_assets.orchestration.ui.supervisor import supervise

# Only programs of this machine can connect, because whoever connects may do everything.
HOST = "127.0.0.1"


class UIError(O1Error):
    """The interface cannot be served; the message says why."""


def serve(project: Project, port: int, parent: int | None = None) -> None:
    """Serves the interface until it is asked to stop, or `parent`, this process's parent, has ended. Raises UIError.

    port: 0 is any free one.
    """
    settings = project.settings
    # What is wrong in the settings is said here, and not in the log of a process that loads them later.
    _ = project.profile, settings.ui_origins
    settings.make_home()
    with home_lock(settings.home) as lock, listener(port) as listening:
        print(f"http://{HOST}:{listening.getsockname()[1]}", end="", file=lock, flush=True)
        project.export_to_environment()
        os.environ["O1_PICTURES"] = "1"
        status = supervise(
            [sys.executable, "-m", "o1_assets.orchestration.ui.server", str(listening.fileno())],
            # `python -m` prefers modules of the folder it runs in to every library.
            folder=PROJECT,
            keep=[listening.fileno(), lock.fileno()],
            parent=parent,
        )
    if status is not None:
        raise UIError(
            f"the interface's server ended by itself (exit code {status}); what it printed says why"
        )


def home_lock(home: Path, name: str = "ui.lock") -> IO[str]:
    """A file that is locked as long as a process has it open, to write the address into. Raises UIError.

    Two daemons on one home would start every run twice.
    """
    # Not a FileLock: the server inherits this one, and keeps it while it ends after its supervisor was killed.
    lock = (home / name).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        address = lock.readline().strip() or "an address that it has not chosen yet"
        lock.close()
        raise UIError(
            f"{home} is served already, on {address}: open that, or end it with Ctrl-C first"
        ) from None
    lock.truncate(0)
    return lock


def listener(port: int, choose: str = "make ui PORT=", host: str = HOST) -> socket.socket:
    """A socket that listens on a port of this machine. Raises UIError, which names the program that has the port.

    choose: the command that chooses another port, up to the port.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections of an ended server that are still being closed do not keep the port.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except (OSError, OverflowError) as error:
        listening.close()
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = f"is in use by {_holder(port)}" if in_use else f"cannot be used ({error})"
        other = port + 1 if in_use and port < 65535 else 3000
        raise UIError(f"port {port} {why}; choose another, such as `{choose}{other}`") from None
    return listening


def _holder(port: int) -> str:
    """The program that listens on the port, as far as this user may know it."""
    try:
        connections = psutil.net_connections("tcp4")
    except psutil.Error:  # macOS shows them to root only
        connections = []
    for connection in connections:
        if connection.pid and connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            with suppress(psutil.Error):
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"process {connection.pid} ({command[:80]})"
    return "another program"
