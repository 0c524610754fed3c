"""The commands that messages tell people to run, with the profile without which they would be about another one.

A message names a command where it is made, in a stage or in the inbox, which know no profile: `o1 labels export r00`.
Where messages leave the process, for a terminal, as JSON or to Dagster, `with_profile` completes the commands in them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

DEFAULT_PROFILE = "nano"

_COMMAND = re.compile(r"`(o1 [a-z][^`]*)`")
_named: str | None = None


def name_profile(reference: str) -> None:
    """From now on messages are about this profile: its name or file, as `Settings.reference` has it."""
    global _named
    _named = reference


def with_profile(message: T) -> T:
    """A message, or all of those in mappings and lists, whose commands find the profile that the message is about.

    "`o1 run` makes it" -> "`o1 run --profile smol` makes it"; unchanged where the profile is the default one.
    """
    found: Any = message
    if isinstance(message, str):
        found = _COMMAND.sub(lambda match: f"`{_completed(match[1])}`", message)
    elif isinstance(message, Mapping):
        found = {key: with_profile(value) for key, value in message.items()}
    elif isinstance(message, list | tuple):
        found = [with_profile(value) for value in message]
    return found


def _completed(command: str) -> str:
    from_environment = os.environ.get("O1_PROFILE") or DEFAULT_PROFILE
    reference = _named or from_environment
    # Who reads it may have another shell, without the variable.
    is_default = reference == from_environment == DEFAULT_PROFILE
    if is_default or "--profile" in command or "--help" in command:
        return command
    return f"{command} --profile {shlex.quote(reference)}"
