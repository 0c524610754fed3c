"""Which artifacts depend on a field of the profile: those whose recorded configuration changes with its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from o1_assets.core.artifact import Artifact
from o1_assets.core.settings import Settings
from o1_assets.graph import build_graph, descendants
from o1_assets.profiles.explain import choices
from o1_assets.profiles.load import Loaded, ProfileError, changed


@dataclass(frozen=True)
class Readers:
    """value: the other value that was tried. direct: keys of the artifacts that are computed from the field's value.

    stale: these and all that is made from them. added: keys that another value adds to the graph. refused: why no other
    value could be tried, a clause; then nothing else is known.
    """

    value: Any = None
    direct: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    refused: str = ""


def readers(loaded: Loaded, settings: Settings, path: str, value: Any) -> Readers:
    """Who reads the field, found by giving it another value than `value`, which it holds.

    The store compares what an artifact was made of in the same way, so nothing else becomes stale.
    """
    refused = "no other value of it is known"
    for other in _other_values(path, value):
        try:
            profile = changed(loaded, [(path, other)]).profile
        except ProfileError as error:
            refused = str(error).partition(": ")[2]
            continue
        before, after = build_graph(loaded.profile, settings), build_graph(profile, settings)
        direct = {key for key in before if key not in after or _made_of(before[key]) != _made_of(after[key])}
        stale = descendants(before, direct)
        return Readers(
            other,
            tuple(key for key in before if key in direct),
            tuple(key for key in before if key in stale),
            tuple(key for key in after if key not in before),
        )
    return Readers(refused=refused)


def _made_of(artifact: Artifact) -> tuple[Mapping[str, Any], int, dict[str, str]]:
    """What of an artifact goes into its cache key, but for its code and the content of its inputs."""
    return artifact.config.model_dump(mode="json"), artifact.seed, dict(artifact.inputs)


def _other_values(path: str, value: Any) -> Iterator[Any]:
    """Values that the field might have instead, the nearest first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value * 2, value - 1, value // 2)
    elif isinstance(value, float):
        yield from (value * 0.99, value * 1.01, value + 0.01, value / 2)
    elif isinstance(value, str):
        yield from (each for each in choices(path) if each != value)
        # Text that has to end in something, as a file's name, or to be of hexadecimal digits alone.
        yield from (f"{value}x", f"x{value}", f"{value[:-1]}0", f"{value[:-1]}1")
    elif isinstance(value, list):
        yield from (value[:-1], [*value, *value[-1:]])
    elif value is None:
        yield from (*choices(path), 1, 0.5, "x", {}, [1, 2], [])
    else:
        yield from ({}, None, {"r00": "human"})
