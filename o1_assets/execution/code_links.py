"""Where a computation's source is: the file here, and a page of the git host that shows it at a commit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from o1_assets.core.settings import PROJECT

_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)(?P<host>[^:/]+)[:/](?:\d+/)?(?P<path>.+)")


class Place(NamedTuple):
    """file: absolute; line: from 1; path: relative to the project, as git names it."""

    file: str
    line: int
    path: str


def place_of(compute: Callable[..., Any]) -> Place:
    code = compute.__code__
    file = Path(code.co_filename).resolve()
    path = file.relative_to(PROJECT).as_posix() if file.is_relative_to(PROJECT) else file.name
    return Place(str(file), code.co_firstlineno, path)


def source_url(place: Place, commit: str | None, repository: str | None = None) -> str | None:
    """The page that shows the place at a commit; None where no git host is known.

    repository: its address on the web; None asks git for its remote.
    """
    repository = repository or repository_url()
    if repository is None or commit is None:
        return None
    blob = "-/blob" if "gitlab" in repository else "blob"
    return f"{repository}/{blob}/{commit}/{place.path}#L{place.line}"


@cache
def repository_url() -> str | None:
    """The address on the web of the git remote `origin`; None without one, or if it is a folder."""
    return web_address(_git("remote", "get-url", "origin") or "")


def web_address(remote: str) -> str | None:
    """https://HOST/PATH of a remote as git writes it, without its password; None if it is not on a host."""
    match = _SSH.fullmatch(remote)
    if match and not remote.startswith("http"):
        address = f"https://{match['host']}/{match['path']}"
    elif remote.startswith(("https://", "http://")):
        scheme, _, rest = remote.partition("://")
        address = f"{scheme}://{rest.rpartition('@')[2]}"
    else:
        return None
    return address.rstrip("/").removesuffix(".git")


@cache
def head_commit() -> str | None:
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
