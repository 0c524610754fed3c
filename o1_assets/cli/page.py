"""HTML pages that a command writes beside what it prints."""

from __future__ import annotations

import tempfile
from pathlib import Path

from o1_assets.files import replace_file


class PageError(Exception):
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
