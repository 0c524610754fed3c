"""What all commands share: the project and the common options that each is given, and the printing of its answer."""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from o1_assets.core.commands import name_profile, with_profile
from o1_assets.core.errors import O1Error
from o1_assets.core.files import replace_file
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project

VersionOption = Annotated[
    str | None, typer.Option("--version", help="digest or name of a version; today's without it")
]

_SHARED: dict[str, tuple[Any, Any]] = {
    "profile": (
        Annotated[
            str | None,
            typer.Option(
                "--profile",
                metavar="NAME|FILE",
                help="nano, assistant, countdown, code, letters, tic-tac-toe, sudoku, smol, micro, qwen or a file "
                "of yours, NAME.toml (`o1 profile new`); else O1_PROFILE, else nano",
            ),
        ],
        None,
    ),
    "set_": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="FIELD=VALUE",
                help="override one number of the profile: --set policy.updates=20; a value is JSON or plain text; "
                "several are given with a --set each",
            ),
        ],
        None,
    ),
    "as_json": (Annotated[bool, typer.Option("--json", help="print JSON")], False),
}

# The options of a command that no number of the profile changes.
READS_THE_STORE_ALONE = ("profile", "as_json")


@dataclass(frozen=True)
class Answer:
    """The answer of a command, in both forms.

    document: what --json prints; a function is called only then. lines: what a person reads, or a function that
    prints it. error: raised once the answer is printed, so that the exit code is not 0.
    """

    document: Any
    lines: Iterable[str] | Callable[[], object] = ()
    error: Exception | None = None

    def show(self, as_json: bool) -> None:
        if as_json:
            print_json(with_profile(self.document() if callable(self.document) else self.document))
        elif callable(self.lines):
            self.lines()
        else:
            for line in self.lines:
                print(with_profile(line))
        if self.error is not None:
            raise self.error


Body = Callable[..., Answer | None]


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    options: Sequence[str] = tuple(_SHARED),
    hidden: bool = False,
) -> Callable[[Body], Body]:
    """Makes a command of a function that takes the Project first, and then the command's own options.

    options: which of the shared options the command takes as well. A function with a parameter `as_json` is told
    whether JSON is wanted; no function has to print it.
    """

    def register(function: Body) -> Body:
        declared = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        tells = any(parameter.name == "as_json" for parameter in declared)

        def run(**given: Any) -> None:
            project = open_project(given.pop("profile"), given.pop("set_", None))
            as_json = given.pop("as_json", False)
            answer = function(project, **given, **({"as_json": as_json} if tells else {}))
            # A command that becomes a server, or only prints a path, answers nothing.
            if answer is not None:
                answer.show(as_json)

        # typer reads the options off the signature, and the help off the name and the docstring.
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in _SHARED.items()
            if name in options
        ]
        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in declared if p.name != "as_json"] + shared
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        app.command(name, hidden=hidden)(run)
        return function

    return register


def close_home(settings: Settings) -> None:
    """Closes a home that everybody could read, and says so."""
    if note := settings.close_home():
        print_note(note)


def print_note(text: str) -> None:
    """A line on stderr that is no error."""
    tell(f"o1: {text}")


def tell(line: str) -> None:
    """A line on stderr, for whoever runs the command."""
    print(with_profile(line), file=sys.stderr, flush=True)


def open_project(profile: str | None = None, overrides: Sequence[str] | None = None) -> Project:
    """The project of a command line, whose options override the environment. Raises ProfileError."""
    settings = Settings.load(profile)
    name_profile(settings.reference)
    # An unknown profile is found out when it is first needed: commands that read the store alone work without one.
    if not overrides:
        return Project(settings)
    from o1_assets.profiles.load import as_line

    return Project(settings, "\n".join([os.environ.get("O1_SET", ""), *map(as_line, overrides)]).strip())


def refuse_together(option: str, others: Mapping[str, object], why: str) -> None:
    """Refuses options that would be dropped silently. others: option -> its value, or None if it was not given."""
    given = [name for name, value in others.items() if value is not None and value != []]
    if given:
        raise typer.BadParameter(f"not together with {option}: {why}", param_hint=", ".join(given))


def print_json(value: Any) -> None:
    """Prints a value as JSON; bytes are JSON already."""
    print(value.decode() if isinstance(value, bytes) else json.dumps(value, indent=1, sort_keys=False))


# Progress on stderr, so that stdout stays clean for JSON.

# Where lines cannot be overwritten (in a file, in CI), progress is still printed this often.
QUIET_SECONDS = 20.0


class StatusLine:
    """Lines that stay, and below them one that the next replaces. prefix: of the latter where none can be replaced."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.is_terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def keep(self, text: str) -> None:
        self._last = time.monotonic()
        tell(f"\r\x1b[K{text}" if self.is_terminal else text)

    def replace(self, text: str) -> None:
        if self.is_terminal:
            print(f"\r\x1b[K{text[:120]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._last > QUIET_SECONDS:
            self.keep(f"{self.prefix}{text[:100]}")


# HTML pages that a command writes beside what it prints.


class PageError(O1Error):
    """A page cannot be written where it was asked for; the message says what to do."""


def check_page(file: Path | None, option: str) -> None:
    """Raises PageError, before any work is done, if the page cannot be written. option: the one that names the file."""
    if file is None:
        return
    if file.is_dir():
        raise PageError(f"{file} is a folder; name a file for {option}, such as {file / 'page.html'}")
    parent = next(folder for folder in file.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise _refused(file, option, error) from error


def write_page(file: Path, text: str, option: str) -> None:
    """Writes the page. Raises PageError if the file cannot be written after all."""
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise _refused(file, option, error) from error


def _refused(file: Path, option: str, error: OSError) -> PageError:
    return PageError(f"{file} cannot be written ({error.strerror or error}); name another file for {option}")
