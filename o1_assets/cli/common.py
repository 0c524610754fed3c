"""What several commands take, and how they read their settings and print."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from o1_assets.core.errors import O1Error
from o1_assets.core.files import replace_file
from o1_assets.core.settings import Settings

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="nano, micro, smol or qwen; else O1_PROFILE, else nano")
]


VersionOption = Annotated[
    str | None, typer.Option("--version", help="digest or name of a version; today's without it")
]


JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="override one number of the profile: --set prm.updates=200; a value is JSON or plain text and may "
        'hold spaces, as "TEXT" in JSON also words such as a=b',
    ),
]


def settings_of(profile: str | None, overrides: list[str] | None = None) -> Settings:
    if overrides:
        from o1_assets.profiles.load import assignments

        # Each on its own: one that is no assignment must not become part of another's value.
        for text in overrides:
            assignments(text)
        os.environ["O1_SET"] = " ".join([os.environ.get("O1_SET", ""), *overrides]).strip()
    if profile:  # whatever else reads the settings in this process has to read the same ones
        os.environ["O1_PROFILE"] = profile
    return Settings.load(profile)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=False))


# HTML pages that a command writes beside what it prints.


class PageError(O1Error):
    """A page cannot be written where it was asked for; the message says what to do."""


def check_page(file: Path, option: str) -> None:
    """Raises PageError, before any work is done, where a page cannot be written. option: that named the file."""
    if file.is_dir():
        raise PageError(f"{file} is a folder; name a file for {option}, such as {file / 'page.html'}")
    parent = next(folder for folder in file.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise _refused(file, option, error) from error


def write_page(file: Path, text: str, option: str) -> None:
    """Raises PageError where the file cannot be written after all."""
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise _refused(file, option, error) from error


def _refused(file: Path, option: str, error: OSError) -> PageError:
    return PageError(f"{file} cannot be written ({error.strerror or error}); name another file for {option}")
