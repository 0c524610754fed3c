"""What fields a profile has, read off the classes of its configurations: its tables, and what each field may hold."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.problems.worlds.registry import WORLDS, OfWorld
from o1_assets.problems.worlds.world import Corpus
from o1_assets.profiles.profile import Profile

Config = type[StageConfig]

_TUNED = ("sft", "first_prm", "later_prm", "first_orm", "later_orm", "policy", "q_value")

GROUPS: dict[str, tuple[str, ...]] = {
    "tuning": tuple(f"{stage}.tuning" for stage in _TUNED),
    "rewards": ("first_prm", "later_prm", "first_orm", "later_orm", "q_value"),
    "prm": ("first_prm", "later_prm"),
    "orm": ("first_orm", "later_orm"),
    "solutions": ("first_solutions", "later_solutions"),
    "selection": ("first_selection", "later_selection"),
    "evaluation": ("round_eval", "headline_eval"),
}
"""Tables that set several others. In one file a later group goes over an earlier one, and a table over all groups."""


def tables(annotation: Any, tag: str = "") -> dict[str, Config]:
    """The tables that a field of this type may hold, by their tags (such as the base's `kind`); {} for plain values."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return tables(inner, next((each.tag for each in metadata if isinstance(each, Tag)), tag))
    if origin in (Union, types.UnionType):
        return {name: config for each in get_args(annotation) for name, config in tables(each, tag).items()}
    if annotation is Corpus:
        return {name: world.corpus for name, world in WORLDS.items()}
    if origin is None and isinstance(annotation, type) and issubclass(annotation, StageConfig):
        return {tag or _tag(annotation)[1]: annotation}
    return {}


def tables_in(config: Config, name: str, content: Mapping[str, Any]) -> dict[str, Config]:
    """As `tables`, of a field of a table with this content: the world that it names decides on its corpus."""
    choices = tables(config.model_fields[name].annotation)
    if issubclass(config, OfWorld) and name == "corpus":
        return {world: corpus for world, corpus in choices.items() if world == content.get("world")}
    return choices


def rows(annotation: Any) -> dict[str, Config]:
    """The tables that a field of this type may hold a list of."""
    if get_origin(annotation) is tuple:
        return tables(get_args(annotation)[0])
    return {name: config for each in get_args(annotation) for name, config in rows(each).items()}


def _tag(config: Config) -> tuple[str, str]:
    """Name and value of the field that tells a table from others that may stand in its place; ("", "") without one."""
    for name, field in config.model_fields.items():
        values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if len(values) == 1:
            return name, str(values[0])
    return "", ""


def tag_field(choices: Mapping[str, Config]) -> str:
    """The name of the field whose value chooses among several tables; "" where there is one alone."""
    return max((_tag(config)[0] for config in choices.values()), default="") if len(choices) > 1 else ""


def chosen(choices: Mapping[str, Config], content: Mapping[str, Any]) -> Config | None:
    """The table that the content's tag names; without a tag the one that has none. None: there is no such table."""
    if len(choices) == 1:
        return next(iter(choices.values()))
    tag = content.get(tag_field(choices))
    if tag is None:
        return next((config for config in choices.values() if not _tag(config)[0]), None)
    return choices.get(tag) if isinstance(tag, str) else None


def allows_none(annotation: Any) -> bool:
    return annotation is type(None) or (
        get_origin(annotation) in (Union, types.UnionType, Annotated)
        and any(map(allows_none, get_args(annotation)))
    )


def is_prompt(annotation: Any) -> bool:
    return PromptFormat in tables(annotation).values()


@cache
def all_fields() -> tuple[str, ...]:
    """Every field that a profile may have, as one writes it, those of all kinds of a table."""

    def walk(config: Config, place: str) -> Iterator[str]:
        for name, field in config.model_fields.items():
            path = f"{place}{name}"
            if place and is_prompt(field.annotation):
                continue
            yield path
            for inner in tables(field.annotation).values():
                yield from walk(inner, f"{path}.")

    return tuple(dict.fromkeys(walk(Profile, "")))


def nearest(path: str) -> list[str]:
    """The fields that somebody may have meant who wrote a path that is none, the likeliest first."""
    place, _, name = path.rpartition(".")
    siblings = [field for field in (*all_fields(), *GROUPS) if field.rpartition(".")[0] == place]
    close = difflib.get_close_matches(path, siblings, n=3, cutoff=0.75)
    # The right name in the wrong table, as a field that is written below the wrong heading.
    elsewhere = [field for field in all_fields() if field.rpartition(".")[2] == name]
    return close or elsewhere[:3] or difflib.get_close_matches(path, all_fields(), n=1)
