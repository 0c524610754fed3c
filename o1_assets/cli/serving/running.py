"""The server that runs in a home: how `o1 ask` finds it, and asks it. Needs neither torch nor an HTTP library."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any

import o1_assets
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project

LOCK = "serve.lock"
"""In the home: held by the server, as long as it runs. Its lines: the address, and the server's `program`."""

PATH = "/o1/ask"
CONNECT_SECONDS = 2.0


class ServedError(O1Error):
    """The running server refuses a question; its sentence is what this process would have said."""


def program() -> str:
    """What tells this program from one of another version or environment: its source files and where it is installed.

    By sizes and times: reading the files would take as long as the answer.
    """
    folder = Path(o1_assets.__file__).parent
    digest = hashlib.sha256(f"{sys.prefix} {sys.version}".encode())
    for path in sorted(folder.rglob("*.py")):
        info = path.stat()
        digest.update(f"{path.relative_to(folder)} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def running_address(home: Path) -> str | None:
    """HOST:PORT of the home's server if it runs, and is this very program."""
    try:
        with (home / LOCK).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                address, _, of_server = file.read().partition("\n")
                return address.removeprefix("http://") if of_server.strip() == program() else None
    except OSError:  # there has never been a server, or the file is not ours to read
        pass
    # Nobody holds the lock: what the file says is what an ended server left.
    return None


def ask_server(project: Project, request: dict[str, Any]) -> dict[str, Any] | None:
    """The answer of the home's running server; None if there is none, or it would not answer as this process.

    Raises ServedError where the question is refused.
    """
    if os.environ.get("O1_STORE"):
        return None  # which store the server was started with cannot be told from outside
    address = running_address(project.settings.home)
    if address is None:
        return None
    body = {"profile": project.settings.reference, "overrides": project.overrides, **request}
    connection = http.client.HTTPConnection(address, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(None)  # of thinking, as long as it takes
        connection.request("POST", PATH, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None  # it ended meanwhile
    finally:
        connection.close()
    if response.status == 422:
        raise ServedError(answer["error"]["message"])
    return answer if response.status == 200 else None
