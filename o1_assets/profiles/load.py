"""Finds a profile by name and applies the overrides of O1_SET ("rounds=2 prm.updates=100")."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import ValidationError

from o1_assets.profiles.profile import Profile


class ProfileError(Exception):
    """The profile does not exist or an override does not fit it."""


def load_profile(name: str, overrides: str | None = None) -> Profile:
    """overrides: space-separated path=value pairs, values as JSON; None takes O1_SET. Raises ProfileError."""
    from o1_assets.profiles.nano import NANO

    profiles = {"nano": NANO}
    if name not in profiles:
        raise ProfileError(f"there is no profile {name!r}; choose one of: {', '.join(sorted(profiles))}")
    text = os.environ.get("O1_SET", "") if overrides is None else overrides
    return override(profiles[name], text)


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
        try:
            target[names[-1]] = json.loads(value)
        except json.JSONDecodeError:
            target[names[-1]] = value
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = [profile.name, ".".join(str(part) for part in first["loc"])]
        message = first["msg"].removeprefix("Value error, ")
        raise ProfileError(f"profile {': '.join(filter(None, where))}: {message}") from error
