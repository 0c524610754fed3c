"""Runs a command line. Errors are one sentence on stderr and exit code 1, and everything else is a bug."""

from __future__ import annotations

import errno
import sys
from typing import Any

import typer
from typer.exceptions import TyperException

from o1_assets.core.commands import with_profile
from o1_assets.core.disk import disk_full
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings

INTERRUPTED = 130
UNUSABLE_FILE = FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError


def run(app: typer.Typer) -> None:
    """Runs the command that sys.argv names. Raises SystemExit."""
    try:
        # Not typer's standalone mode, which shows a refused value in a box and in words of pydantic's.
        code = app(prog_name="o1", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except TyperException as error:
        _show_usage(error)
        raise SystemExit(getattr(error, "exit_code", 2)) from None
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        print(f"o1: {with_profile(message)}", file=sys.stderr)
        raise SystemExit(1) from None
    if code == INTERRUPTED:
        print(with_profile("o1: interrupted; what was finished is kept, `o1 run` continues"), file=sys.stderr)
    raise SystemExit(code)


def run_alone(group: typer.Typer) -> None:
    """As `run`, with the commands of one group alone."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.add_typer(group)
    run(alone)


def _show_usage(error: Any) -> None:
    """One sentence on a command line that cannot be; nothing where the help was shown, as nothing was asked for."""
    message, context = error.format_message().strip().rstrip(".?"), getattr(error, "ctx", None)
    if not message:
        return
    if error.__cause__ is not None and _is_validation_error(error.__cause__):
        from o1_assets.core.validation import first_problem

        option = error.param.get_error_hint().strip("'")
        message = first_problem(error.__cause__, None, option)
    more = f"; `{context.command_path} --help` lists what can be given" if context is not None else ""
    # Typer's own suggestion is a question in a sentence of its own.
    message = message.replace(". Did you mean ", "; perhaps you mean ")
    print(f"o1: {message[0].lower()}{message[1:]}{more}", file=sys.stderr)


def _is_validation_error(error: BaseException) -> bool:
    # Without pydantic no such error was raised, and importing it takes a tenth of a second.
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(error, pydantic.ValidationError)


def _message(error: Exception) -> str | None:
    """For the person at the terminal; None if the error is a defect, whose traceback is wanted."""
    if isinstance(error, O1Error):
        return str(error)
    # A file that the user named, and that is not there, or is not theirs or of another kind.
    if not isinstance(error, OSError):
        return None
    unusable = isinstance(error, UNUSABLE_FILE) or error.errno == errno.EROFS
    if unusable and error.filename is not None:
        return f"{error.filename}: {(error.strerror or 'cannot be used').lower()}; give another path"
    full = disk_full(error, Settings.load().home)
    return str(full) if full else None
