"""`make labeling`: Label Studio of its own environment on this machine, with SQLite under O1_HOME."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from o1_assets.core.settings import Settings
from o1_assets.labels.studio.client import LocalServer, labeling_home, read_local, write_local

HOST = "127.0.0.1"


def serve(settings: Settings, executable: Path, port: int) -> None:
    """Replaces this process by the server. On first use makes an account with a password and a token of its own.

    Raises FileNotFoundError if the executable is not there.
    """
    executable = executable.absolute()
    if not executable.exists():
        raise FileNotFoundError(
            f"{executable} is not there; `make labeling` installs Label Studio and starts it"
        )
    home = labeling_home(settings)
    known = read_local(home)
    server = LocalServer(
        url=f"http://{HOST}:{port}",
        token=known.token if known else secrets.token_hex(20),
        user=known.user if known else "lead@example.com",
        password=known.password if known else secrets.token_urlsafe(9),
    )
    write_local(home, server)
    print(
        f"Label Studio: {server.url} in about a minute; sign in as {server.user}, password {server.password}"
    )
    sys.stdout.flush()
    os.execve(executable, arguments(executable, server, home, port), environment())


def arguments(executable: Path, server: LocalServer, data: Path, port: int) -> list[str]:
    return [
        str(executable), "start", "--no-browser", "--internal-host", HOST, "--port", str(port),
        "--data-dir", str(data), "--username", server.user, "--password", server.password,
        "--user-token", server.token, "--enable-legacy-api-token", "--log-level", "WARNING",
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Nothing is sent home: no analytics, no crash reports, no look for newer versions."""
    return {
        **os.environ,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
    }
