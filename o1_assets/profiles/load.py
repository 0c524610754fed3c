"""Finds a profile by name and applies the overrides of O1_SET ('rounds=2 annotators={"r03": "human"}')."""

from __future__ import annotations

import difflib
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from o1_assets.core.artifact import StageConfig
from o1_assets.core.errors import O1Error
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.validation import first_problem
from o1_assets.profiles.profile import Profile

_NAME = re.compile(r"[^\W\d][\w.-]*")
_NEXT = re.compile(rf"\s+(?={_NAME.pattern}=)")


class ProfileError(O1Error):
    """The profile does not exist, or an override does not fit it."""


def assignments(text: str) -> list[tuple[str, str]]:
    """(path, value) of every assignment in O1_SET's text. Raises ProfileError on a text that begins with none.

    An assignment ends where a word begins the next one, NAME.NAME=, or the text ends. So values may hold spaces.
    A value that holds such a word is written as JSON, inside which nothing begins an assignment.

    >>> assignments('rounds=2 annotators={"r03": "human"} problems.source.folder=/my data')
    [('rounds', '2'), ('annotators', '{"r03": "human"}'), ('problems.source.folder', '/my data')]
    """
    # Shell quoting (shlex) was the other choice. It would take the quotes out of JSON, which most values are.
    pairs, text = [], text.strip()
    while text:
        path, equals, rest = text.partition("=")
        if not equals or not _NAME.fullmatch(path):
            raise ProfileError(f"{text.split()[0]!r} sets nothing; write FIELD.FIELD=VALUE")
        following = _NEXT.search(rest, _json_end(rest))
        end = following.start() if following else len(rest)
        pairs.append((path, rest[:end]))
        text = rest[end:].strip()
    return pairs


def _json_end(text: str) -> int:
    """Where the JSON object, list or string ends that the text begins with; 0 if it begins with none."""
    try:
        return json.JSONDecoder().raw_decode(text)[1] if text[:1] in ("{", "[", '"') else 0
    except json.JSONDecodeError:
        return 0


def load_profile(name: str, overrides: str | None = None) -> Profile:
    """The profile of this name. overrides: see `assignments`; values are JSON or text; None takes O1_SET.

    Raises ProfileError. A profile may have settings of its own, such as smol's `size`, that decide many of its numbers;
    the other overrides are applied after them.
    """
    from o1_assets.profiles.code import CODE
    from o1_assets.profiles.countdown import COUNTDOWN
    from o1_assets.profiles.games import LETTERS, TIC_TAC_TOE
    from o1_assets.profiles.micro import MICRO
    from o1_assets.profiles.nano import NANO
    from o1_assets.profiles.qwen import qwen
    from o1_assets.profiles.smol import smol

    profiles: dict[str, Callable[..., Profile]] = {
        "code": lambda: CODE,
        "countdown": lambda: COUNTDOWN,
        "letters": lambda: LETTERS,
        "micro": lambda: MICRO,
        "nano": lambda: NANO,
        "qwen": qwen,
        "smol": smol,
        "tic-tac-toe": lambda: TIC_TAC_TOE,
    }
    if name not in profiles:
        raise ProfileError(f"there is no profile {name!r}; choose one of: {', '.join(sorted(profiles))}")
    pairs = assignments(os.environ.get("O1_SET", "") if overrides is None else overrides)
    settings = inspect.signature(profiles[name]).parameters
    given = {path: _value(value) for path, value in pairs if path in settings}
    try:
        profile = profiles[name](**given)
    except ValidationError as error:
        raise ProfileError(f"profile {name}: {first_problem(error, given)}") from error
    except ValueError as error:
        raise ProfileError(f"profile {name}: {error}") from error
    return override(profile, [(path, value) for path, value in pairs if path not in settings])


def override(profile: Profile, pairs: Iterable[tuple[str, str]]) -> Profile:
    """A copy of the profile with (path, value) pairs applied, validated as a whole. Raises ProfileError."""
    content = profile.model_dump(mode="json")
    _drop_prompts(profile, content)
    for path, value in pairs:
        *outer, field = path.split(".")
        if "prompt" in path.split(".")[1:]:
            raise ProfileError(f"{path} is a copy of `prompt`, which is one for all stages; set prompt.FIELD")
        parent, target = content, content
        for depth, part in enumerate((*outer, field)):
            if not isinstance(target, dict) or part not in target:
                raise _no_field(profile, f"{path}={value}", outer[:depth], part, target)
            parent, target = target, target[part]
        parent[field] = _value(value)
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise ProfileError(f"profile {profile.name}: {first_problem(error, content)}") from error


def _drop_prompts(config: StageConfig, content: dict[str, Any]) -> None:
    """Remove the stages' copies from `content`, the dump of `config`: the profile makes them anew."""
    for name, value in config:
        if isinstance(value, StageConfig) and not isinstance(value, PromptFormat):
            content[name].pop("prompt", None)
            _drop_prompts(value, content[name])


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _no_field(
    profile: Profile, assignment: str, outer: Sequence[str], field: str, fields: Any
) -> ProfileError:
    """An assignment that sets nothing. fields: those at the path `outer`, of which `field` is none."""
    place, close = ".".join(outer), []
    if isinstance(fields, dict):
        close = difflib.get_close_matches(field, fields, n=3)
    known = f" (there is {', '.join(close)})" if close else ""
    return ProfileError(
        f"{assignment!r} sets nothing in profile {profile.name}: {place or 'it'} has no field {field}{known}; write "
        "FIELD.FIELD=VALUE, and text that itself holds a word such as a=b in JSON's quotes"
    )
