"""Finds a profile by name and applies the overrides of O1_SET ('rounds=2 annotators={"r03": "human"}')."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from o1_assets.core.artifact import StageConfig
from o1_assets.core.errors import O1Error
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.profiles.profile import Profile

_NAME = re.compile(r"[^\W\d][\w.-]*")


_NEXT = re.compile(rf"\s+(?={_NAME.pattern}=)")


class ProfileError(O1Error):
    """The profile does not exist or an override does not fit it."""


def assignments(text: str) -> list[tuple[str, str]]:
    """(path, value) of every assignment in O1_SET's text. Raises ProfileError on a text that begins with none.

    An assignment ends where a word begins the next one, NAME.NAME=, or the text ends. So values may hold spaces;
    one that holds such a word is written as JSON, in which nothing begins an assignment: "a b=c", {"r03": "human"}.
    """
    found, text = [], text.strip()
    while text:
        path, equals, rest = text.partition("=")
        if not equals or not _NAME.fullmatch(path):
            raise ProfileError(f"{text.split()[0]!r} sets nothing; write FIELD.FIELD=VALUE")
        following = _NEXT.search(rest)
        end = _json_end(rest) or (following.start() if following else len(rest))
        found.append((path, rest[:end]))
        text = rest[end:].strip()
    return found


def _json_end(text: str) -> int | None:
    """Where the JSON object, list or string ends that a value is; None if it is none of them."""
    try:
        end = json.JSONDecoder().raw_decode(text)[1] if text[:1] in ("{", "[", '"') else 0
    except json.JSONDecodeError:
        return None
    whole = end and (not text[end:].strip() or _NEXT.match(text, end))
    return end if whole else None


def load_profile(name: str, overrides: str | None = None) -> Profile:
    """overrides: see `assignments`, values as JSON or as text; None takes O1_SET. Raises ProfileError.

    A profile's own settings, such as smol's `size`, decide many of its numbers; what else is given changes those.
    """
    from o1_assets.profiles.micro import MICRO
    from o1_assets.profiles.nano import NANO
    from o1_assets.profiles.qwen import qwen
    from o1_assets.profiles.smol import smol

    profiles: dict[str, Callable[..., Profile]] = {
        "micro": lambda: MICRO,
        "nano": lambda: NANO,
        "qwen": qwen,
        "smol": smol,
    }
    own: dict[str, tuple[str, ...]] = {"qwen": ("size", "tuning"), "smol": ("size", "weights")}
    if name not in profiles:
        raise ProfileError(f"there is no profile {name!r}; choose one of: {', '.join(sorted(profiles))}")
    text = os.environ.get("O1_SET", "") if overrides is None else overrides
    settings, rest = {}, []
    for path, value in assignments(text):
        if path in own.get(name, ()):
            settings[path] = _value(value)
        else:
            rest.append((path, value))
    try:
        profile = profiles[name](**settings)
    except ValidationError as error:
        raise _refused(name, error) from error
    except ValueError as error:
        raise ProfileError(f"profile {name}: {error}") from error
    return override(profile, rest)


def override(profile: Profile, pairs: Iterable[tuple[str, str]]) -> Profile:
    """A copy of the profile with (path, value) pairs applied, validated as a whole."""
    content = profile.model_dump(mode="json")
    _drop_prompt_copies(profile, content)
    for path, value in pairs:
        names = path.split(".")
        if "prompt" in names[1:]:
            raise ProfileError(f"{path} is a copy of `prompt`, which is one for all stages; set prompt.FIELD")
        target: Any = content
        for name in names[:-1]:
            target = target.get(name) if isinstance(target, dict) else None
        if not isinstance(target, dict) or names[-1] not in target:
            raise ProfileError(
                f"{f'{path}={value}'!r} sets nothing in profile {profile.name}; write FIELD.FIELD=VALUE, and text "
                "that itself holds a word such as a=b in JSON's quotes"
            )
        target[names[-1]] = _value(value)
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise _refused(profile.name, error) from error


def _drop_prompt_copies(config: StageConfig, content: dict[str, Any]) -> None:
    """Remove the stages' copies from `content`, the dump of `config`, so that the profile fills them in anew."""
    for name, value in config:
        if isinstance(value, StageConfig) and not isinstance(value, PromptFormat):
            content[name].pop("prompt", None)
            _drop_prompt_copies(value, content[name])


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _refused(name: str, error: ValidationError) -> ProfileError:
    first = error.errors()[0]
    where = [name, ".".join(str(part) for part in first["loc"])]
    message = first["msg"].removeprefix("Value error, ")
    return ProfileError(f"profile {': '.join(filter(None, where))}: {message}")
