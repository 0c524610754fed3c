"""Which Label Studio is ours: the one named by environment variables, else the one `make labeling` started."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from o1_assets.files import json_bytes, replace_file
from o1_assets.settings import Settings


@dataclass(frozen=True)
class Connection:
    url: str
    token: str


@dataclass(frozen=True)
class LocalServer:
    """The server that `make labeling` starts, with the account it makes."""

    url: str
    token: str
    user: str
    password: str


def labeling_home(settings: Settings) -> Path:
    """Data of the local server: one for all profiles."""
    return settings.home.parent / "labeling"


def connection(home: Path) -> Connection | None:
    """O1_LABEL_STUDIO_URL and O1_LABEL_STUDIO_TOKEN, else the local server if it was ever started, else None.

    home: labeling_home().
    """
    url, token = os.environ.get("O1_LABEL_STUDIO_URL"), os.environ.get("O1_LABEL_STUDIO_TOKEN")
    local = read_local(home)
    if url or token:
        return Connection(url or (local.url if local else ""), token or (local.token if local else ""))
    return Connection(local.url, local.token) if local else None


def read_local(home: Path) -> LocalServer | None:
    try:
        return LocalServer(**json.loads((home / "server.json").read_text()))
    except FileNotFoundError:
        return None


def write_local(home: Path, server: LocalServer) -> None:
    """Readable by its owner only: it holds a password and a token."""
    replace_file(home / "server.json", json_bytes(asdict(server)), mode=0o600)
