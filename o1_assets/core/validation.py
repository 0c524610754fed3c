"""Why pydantic refused a value, in a sentence about the value, without words of pydantic's own workings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

SHOWN = 80
"""Characters of a refused value that are repeated."""


def first_problem(error: ValidationError, content: Any, name: str = "") -> str:
    """What is wrong with the first value that was refused: the others often follow from it.

    content: what was validated; name: what it is called.
    """
    return _problem(error.errors(include_url=False)[0], content, name)


def all_problems(error: ValidationError, content: Any) -> Iterator[str]:
    """What is wrong with each value that was refused, a clause each."""
    yield from dict.fromkeys(_problem(each, content, "") for each in error.errors(include_url=False))


def _problem(refused: ErrorDetails, content: Any, name: str) -> str:
    # pydantic names a member of a union by its tag, as base.pretrain.layers; a field that the content does not have is
    # not named.
    place = ".".join(filter(None, (name, _place(refused, content))))
    text = repr(refused["input"])
    value = f"{place} is {text if len(text) <= SHOWN else text[:SHOWN] + '...'}"
    context = refused.get("ctx", {})
    # A discriminator is the name of a field in quotes, or of a function: _kind().
    tag_field = ".".join(filter(None, (place, str(context.get("discriminator", "")).strip("'_()"))))
    match refused["type"]:
        case "value_error":
            return ": ".join(filter(None, (place, refused["msg"].removeprefix("Value error, "))))
        case "extra_forbidden":
            return f"there is no field {place}"
        case "missing":
            return f"{place} is missing"
        case "union_tag_invalid":
            return f"{tag_field} is {context['tag']!r}; it should be one of {context['expected_tags']}"
        case "union_tag_not_found":
            return f"{tag_field} is missing"
        case "too_short" | "too_long":
            limits = (("min_length", "at least"), ("max_length", "at most"))
            limit = next(f"{words} {context[name]}" for name, words in limits if name in context)
            return f"{place} has {context['actual_length']} items; it should have {limit}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{value}; it should be a JSON object, with fields"
    expected = refused["msg"].partition(", unable")[0].partition(", got")[0]
    return f"{value}; it {expected.partition(' ')[2]}"


def _place(first: ErrorDetails, content: Any) -> str:
    """The path of the refused value, as one writes it."""
    parts, at = [], content
    for depth, part in enumerate(first["loc"], 1):
        names_a_field = depth == len(first["loc"]) and first["type"] in ("missing", "extra_forbidden")
        if isinstance(at, dict) and str(part) in (keys := {str(key): key for key in at}):
            at = at[keys[str(part)]]
        elif isinstance(at, list | tuple) and isinstance(part, int) and part < len(at):
            at = at[part]
        elif not names_a_field:
            continue
        parts.append(str(part))
    return ".".join(parts)
