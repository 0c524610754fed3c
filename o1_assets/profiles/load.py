"""Finds a profile by name and applies the overrides of O1_SET ("rounds=2 prm.updates=100")."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from o1_assets.profiles.profile import Profile


class ProfileError(Exception):
    """The profile does not exist or an override does not fit it."""


def load_profile(name: str, overrides: str | None = None) -> Profile:
    """overrides: space-separated path=value pairs, values as JSON; None takes O1_SET. Raises ProfileError.

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
    for pair in text.split():
        path, equals, value = pair.partition("=")
        if equals and path in own.get(name, ()):
            settings[path] = _value(value)
        else:
            rest.append(pair)
    try:
        profile = profiles[name](**settings)
    except ValidationError as error:
        raise _refused(name, error) from error
    except ValueError as error:
        raise ProfileError(f"profile {name}: {error}") from error
    return override(profile, " ".join(rest))


def override(profile: Profile, text: str) -> Profile:
    """A copy of the profile with path=value pairs applied, validated as a whole."""
    content = profile.model_dump(mode="json")
    for pair in text.split():
        path, equals, value = pair.partition("=")
        names = path.split(".")
        target: Any = content
        for name in names[:-1]:
            target = target.get(name) if isinstance(target, dict) else None
        if not equals or not isinstance(target, dict) or names[-1] not in target:
            raise ProfileError(f"{pair!r} sets nothing in profile {profile.name}; write FIELD.FIELD=VALUE")
        target[names[-1]] = _value(value)
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise _refused(profile.name, error) from error


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
