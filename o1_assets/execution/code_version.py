"""The code version of a computation, derived from the source it depends on instead of typed by hand.

It is the digest of every function, class and constant of this project that the compute function can reach, directly
or not. Where they stand is not part of it: moving a function to another file, or renaming a file, changes no version,
so nothing is computed again. Nor are comments, docstrings, formatting, and the annotations of functions.

What is reached is read from the text: every name that a definition mentions, followed through imports. A class is
reached as a whole, and so are the statements of a module that define nothing. Only of the table of worlds those entries
count that a profile has: a change in sudoku is none of nano's.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from o1_assets.execution.source_digest import LOOSE, ParsedModule, sources

PACKAGES = ("o1_assets",)

# Modules that describe and carry computations: a result does not depend on how they do it.
CARRIERS = (
    "o1_assets.core.artifact",
    "o1_assets.profiles",
    "o1_assets.core.settings",
    "o1_assets.store",
    "o1_assets.engine.training.checkpoint",
)

# A module and the name of one of its definitions.
DefinitionKey = tuple[str, str]

# The table of alternatives, of which each profile uses some.
TABLE: DefinitionKey = ("o1_assets.problems.worlds.registry", "WORLDS")


def code_version(compute: Callable[..., Any], unused: frozenset[str] = frozenset()) -> str:
    """Sixteen hex digits for everything `compute` may run inside this project and inside its own package.

    unused: modules that do not count where the table of worlds alone leads to them (`Artifact.unused`).
    """
    version = _version((compute.__module__, compute.__qualname__.partition(".")[0]), unused)
    sources().save()
    return version


@cache
def _version(start: DefinitionKey, unused: frozenset[str]) -> str:
    # A stage may come from a package of its own: its helpers count as ours do, and libraries by their names alone.
    packages = (*PACKAGES, start[0].split(".")[0])
    reached: set[DefinitionKey] = set()
    lines: set[str] = set()
    todo = [start]
    while todo:
        place = todo.pop()
        if place in reached:
            continue
        reached.add(place)
        if _source(place[0]).definitions.get(LOOSE) is not None:
            todo.append((place[0], LOOSE))
        targets = _targets(place, packages)
        if place == TABLE:
            targets = tuple(each for each in targets if not _in(each[1], unused))
        todo.extend(target for _, target in targets if isinstance(target, tuple))
        # Each mention is written with the text that it leads to, so that two helpers of one name cannot change places.
        mentions = [f"{_last(name)} {_digest(t) if isinstance(t, tuple) else t}" for name, t in targets]
        lines.add("\n".join([_digest(place), *sorted(mentions)]))
    return hashlib.sha256("\n\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _in(target: DefinitionKey | str, modules: frozenset[str]) -> bool:
    module = target[0] if isinstance(target, tuple) else target
    return any(f"{module}.".startswith(f"{each}.") for each in modules)


def _last(name: str) -> str:
    """The quoted name of a module without the packages that it is in; any other name as it is."""
    return f"'{name.rpartition('.')[2]}" if name.startswith("'") else name


def _digest(place: DefinitionKey) -> str:
    if place == TABLE:  # its text names the unused entries too
        return ""
    return _source(place[0]).definitions[place[1]].digest


@cache
def _targets(place: DefinitionKey, packages: tuple[str, ...]) -> tuple[tuple[str, DefinitionKey | str], ...]:
    """Each name that a definition mentions, as written, with the definition or the library that it leads to."""
    module, name = place
    return tuple(
        (written, target)
        for written, origin in _source(module).definitions[name].mentions.items()
        for target in (_resolved(origin, packages) if origin else [(module, written)])
    )


def _resolved(origin: str, packages: tuple[str, ...]) -> Iterator[DefinitionKey | str]:
    """The definitions that a mention leads to, or the library's name.

    origin: "module", "module:name" or "module:name.attribute", as in `Definition.mentions`.
    """
    module, _, name = origin.partition(":")
    if module.split(".")[0] not in packages:
        yield origin
        return
    if not name:  # `import package.module`, or a string that names it or looks as if it did
        if _path(module):
            yield from _all_of(module)
        else:
            yield origin
        return
    first, _, rest = name.partition(".")
    if _path(module) and not _is_carrier(module):
        source = _source(module)
        if first in source.definitions:
            yield (module, first)
            return
        if first in source.imports:  # it is imported there, and from there here
            yield from _resolved(source.imports[first] + (f".{rest}" if rest else ""), packages)
            return
        # It may be defined under a condition, as in `if sys.platform == ...:`.
        if LOOSE in source.definitions:
            yield (module, LOOSE)
    inner = f"{module}.{first}"
    if _path(inner) and not _is_carrier(inner):
        if rest:
            yield from _resolved(f"{inner}:{rest}", packages)
        else:
            yield from _all_of(inner)


def _all_of(module: str) -> Iterator[DefinitionKey]:
    if not _is_carrier(module):
        yield from ((module, name) for name in _source(module).definitions)


@cache
def _path(module: str) -> Path | None:
    """The file of a module, or None."""
    # On disk under the top package: asking the import system would import every parent module.
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*rest)
    # A folder alone is no package: an upgrade may have left one behind with nothing but __pycache__ in it.
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


@cache
def _source(module: str) -> ParsedModule:
    path = _path(module)
    assert path is not None, f"{module} has no source"
    return sources().parsed(path.read_bytes())


def _is_carrier(name: str) -> bool:
    return any(name == carrier or name.startswith(f"{carrier}.") for carrier in CARRIERS)
