"""The base class of every error that a user, a machine or a file can cause, and the lookup of names by a prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class O1Error(Exception):
    """An expected error. Its message is one sentence that names the input and the remedy.

    A command prints the message and exits with code 1. Any other exception is a defect of this project, and keeps
    its traceback.
    """


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything that it was raised from, each once."""
    seen: set[int] = set()
    # By identity: `raise a from b` can make a circle of causes.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def unique_prefix(names: Mapping[str, T], wanted: str, what: str, error: type[Exception] = ValueError) -> T:
    """The value named `wanted`, or the only value with a name that begins with it.

    Several names may stand for one value. what: what is named, such as "version of r03/prm". Raises `error`, whose
    message lists the names that match, unless there is exactly one value.
    """
    # A whole name wins, although longer names may begin with it.
    if wanted in names:
        return names[wanted]
    matches = {name: value for name, value in names.items() if name.startswith(wanted)}
    if not matches:
        raise error(f"no {what} begins with {wanted!r}; there are {len(set(names.values()))}")
    values = list(dict.fromkeys(matches.values()))
    if len(values) > 1:
        some = ", ".join(sorted(matches)[:4])
        raise error(
            f"{wanted!r} begins {len(values)} names of a {what} ({some}); give more characters of one"
        )
    return values[0]
