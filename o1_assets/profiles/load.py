"""Reads a profile: a TOML file, what it extends, and over both the assignments of `--set` and O1_SET."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from o1_assets.core.errors import O1Error
from o1_assets.core.settings import BUILT_IN, BadSetting, built_in_profiles, profile_file
from o1_assets.core.validation import all_problems
from o1_assets.profiles.overlay import Overlay
from o1_assets.profiles.profile import Profile

_ASSIGNMENT = re.compile(r"([^\W\d][\w.-]*)=(.*)", re.DOTALL)


SET = "--set"
"""What set a field that is set by --set or O1_SET."""


class ProfileError(O1Error):
    """The profile does not exist, or what it or an assignment sets does not fit."""


@dataclass(frozen=True)
class Loaded:
    """content: what the files and the assignments set, without defaults. origins: field -> which of them set it."""

    profile: Profile
    content: Mapping[str, Any]
    origins: Mapping[str, str]


def load_profile(profile: str, overrides: str | None = None) -> Profile:
    """The profile of this name or in this file. Raises ProfileError, BadSetting.

    overrides: assignments, see `assignments`; None takes those of O1_SET.
    """
    return read_profile(profile, overrides).profile


def read_profile(profile: str, overrides: str | None = None) -> Loaded:
    """As `load_profile`, with where each value comes from."""
    loaded = _read(profile_file(profile) or BUILT_IN / f"{_known(profile)}.toml", ())
    pairs = assignments(os.environ.get("O1_SET", "") if overrides is None else overrides)
    return changed(loaded, pairs) if pairs else loaded


def changed(loaded: Loaded, pairs: Sequence[tuple[str, Any]]) -> Loaded:
    """The profile with other values of the fields, given as (field, value). Raises ProfileError."""
    overlay = Overlay(SET, origins=dict(loaded.origins))
    content = overlay.apply(loaded.content, _tree(pairs))
    return _checked(f"profile {loaded.profile.name}", content, overlay)


def assignments(text: str) -> list[tuple[str, Any]]:
    """(field, value) of the assignments in a text, one a line; a value is JSON or plain text. Raises ProfileError.

    >>> assignments('rounds=2\\nannotators={"r03": "human"}\\nproblems.source.folder=/my data')
    [('rounds', 2), ('annotators', {'r03': 'human'}), ('problems.source.folder', '/my data')]
    """
    pairs = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            raise ProfileError(
                f"{line!r} sets nothing; write FIELD=VALUE, such as policy.updates=20: each in a --set of its own, "
                "or on a line of its own in O1_SET"
            )
        pairs.append((match[1], _value(match[2])))
    return pairs


def as_line(assignment: str) -> str:
    """The assignment of one --set as the line that O1_SET has for it. Raises ProfileError."""
    if "\n" not in assignment:
        assignments(assignment)
        return assignment
    path, _, value = assignment.partition("=")
    return as_line(f"{path}={json.dumps(_value(value))}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _tree(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The assignments as the tables of a file; a later one goes over an earlier one."""
    tree: dict[str, Any] = {}
    for path, value in pairs:
        *outer, field = path.split(".")
        table = tree
        for part in outer:
            if not isinstance(table.get(part), dict):
                table[part] = {}
            table = table[part]
        before = table.get(field)
        table[field] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return tree


def _known(name: str) -> str:
    """The name of a built-in profile. Raises ProfileError on any other."""
    names = built_in_profiles()
    if name in names:
        return name
    file = Path(f"{name}.toml")
    hint = f"; {file} is here, write --profile {file}" if file.is_file() else ""
    raise ProfileError(
        f"there is no profile {name!r}; choose one of: {', '.join(names)}; or the path of a .toml file{hint}"
    )


def _read(file: Path, readers: tuple[Path, ...]) -> Loaded:
    """The profile in a file. readers: the files that extend it."""
    called = file.stem if file.parent == BUILT_IN else str(file)
    if file in readers:
        chain = " extends ".join(path.name for path in (*readers[readers.index(file) :], file))
        raise ProfileError(f"{called} extends itself: {chain}; end it in a built-in profile")
    layer = _parse(file)
    parent = layer.pop("extends", None)
    content: Mapping[str, Any] = {}
    origins: Mapping[str, str] = {}
    if parent is not None:
        below = _read(_extended(parent, file), (*readers, file))
        content, origins = below.content, below.origins
    overlay = Overlay(called, file.parent if file.parent != BUILT_IN else None, origins=dict(origins))
    if "name" in layer:
        overlay.problems.append("name cannot be set: a profile is called as its file is")
        del layer["name"]
    merged = overlay.apply(content, layer)
    merged["name"] = file.stem
    if parent is None and (missing := _missing(merged)):
        overlay.problems.append(
            f'it extends no profile and lacks {", ".join(missing)}; begin it with extends = "nano"'
        )
    return _checked(called, merged, overlay)


def _missing(content: Mapping[str, Any]) -> list[str]:
    return [n for n, field in Profile.model_fields.items() if field.is_required() and n not in content]


def _extended(parent: object, file: Path) -> Path:
    """The file of the profile that `file` extends."""
    if not isinstance(parent, str):
        raise ProfileError(f"{file}: extends is {parent!r}; it should be the name or the path of a profile")
    try:
        return profile_file(parent, file.parent) or BUILT_IN / f"{_known(parent)}.toml"
    except (BadSetting, ProfileError) as error:
        raise ProfileError(f"{file}: extends is {parent!r}, and {error}") from None


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{file} is not TOML: {error}; text stands in quotes") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{file} is not text in UTF-8; save it as such") from None


def _checked(called: str, content: dict[str, Any], overlay: Overlay) -> Loaded:
    """What the content comes to. Raises ProfileError, with everything that is wrong about it."""
    problems = overlay.problems
    if not problems:
        try:
            return Loaded(Profile.model_validate(content), content, overlay.origins)
        except ValidationError as error:
            problems = list(all_problems(error, content))
    raise ProfileError(
        "\n  ".join([f"{called}:", *problems]) if len(problems) > 1 else f"{called}: {problems[0]}"
    )
