"""The `o1` command. Errors are one sentence on stderr and exit code 1; --json prints one JSON document on stdout."""

from __future__ import annotations

import errno
import sys

import typer

from o1_assets.cli import ask, audit, gc, labels, plan, report, run, status, ui
from o1_assets.core.disk import disk_full
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

# In the order of the help: making things, looking at them, using them, keeping the store small.
for group in (run, status, plan, audit, report, ask, gc, ui):
    app.add_typer(group.app)

app.add_typer(labels.app, name="labels")


def main() -> None:
    try:
        app()
    except KeyboardInterrupt:
        print("o1: interrupted; what was finished is kept, `o1 run` continues", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        print(f"o1: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def _message(error: Exception) -> str | None:
    """For the person at the terminal; None if the error is a defect, whose traceback is wanted."""
    # A file that the user named and that is not there: the system's own sentence already names it.
    if isinstance(error, O1Error | FileNotFoundError):
        return str(error)
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename}: {error.strerror}; correct its permissions, or use another O1_HOME"
    full = disk_full(error, Settings.load().home)
    return str(full) if full else None
