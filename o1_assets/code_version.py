"""The code version of a computation, derived from the source it depends on instead of typed by hand.

It is the digest of the function's module and of every module of this project that it imports, directly or
not, with docstrings, comments and formatting left out: rewording a comment recomputes nothing.

What was found out about a source is kept under the digest of its bytes beside the compiled files, so that a start
parses only what is new.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from o1_assets.source_digest import Source, sources

PACKAGES = ("o1_assets",)
# They describe and carry computations; a result does not depend on how they do it.
CARRIERS = (
    "o1_assets.artifact",
    "o1_assets.profiles",
    "o1_assets.settings",
    "o1_assets.store",
    "o1_assets.training.checkpoint",
)


def code_version(compute: Callable[..., Any]) -> str:
    """Sixteen hex digits for everything `compute` may run inside this project."""
    digest = hashlib.sha256()
    for module in sorted(_closure(compute.__module__)):
        digest.update(f"{module}:{_source(module).digest}\n".encode())
    sources().save()
    return digest.hexdigest()[:16]


@cache
def _closure(module: str) -> frozenset[str]:
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(_imports(name))
    return frozenset(seen)


@cache
def _path(module: str) -> Path | None:
    """Found on disk under the top package: asking the import system would import every parent module."""
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*rest)
    found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return found if found.is_file() else None


@cache
def _source(module: str) -> Source:
    path = _path(module)
    assert path is not None, f"{module} has no source"
    return sources().look(path.read_bytes())


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Project modules that `module` imports anywhere, inside functions too, but not for type checking only."""
    return tuple(
        sorted(
            name
            for name in _source(module).imports
            if name.split(".")[0] in PACKAGES and not _carrier(name) and _path(name)
        )
    )


def _carrier(name: str) -> bool:
    return any(name == carrier or name.startswith(f"{carrier}.") for carrier in CARRIERS)
