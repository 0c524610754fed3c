"""The code version of a computation, derived from the source it depends on instead of typed by hand.

It is the digest of the function's module and of every module of this project that it imports, directly or
not, with docstrings, comments and formatting left out: rewording a comment recomputes nothing.

What a source comes to is kept beside Python's own compiled files, under the digest of its bytes.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from o1_assets.files import json_bytes, replace_file

PACKAGES = ("o1_assets",)
# They describe and carry computations; a result does not depend on how they do it.
CARRIERS = (
    "o1_assets.artifact",
    "o1_assets.profiles",
    "o1_assets.settings",
    "o1_assets.store",
    "o1_assets.training.checkpoint",
)


MEMORY = Path(importlib.util.cache_from_source(__file__)).with_suffix(".json")
MOST = 2000
"""Sources that are remembered before those that nobody has now are forgotten."""


class Source(NamedTuple):
    """digest: of the module without what does not count. imports: all names that it may import at run time."""

    digest: str
    imports: list[str]


def code_version(compute: Callable[..., Any]) -> str:
    """Sixteen hex digits for everything `compute` may run inside this project."""
    digest = hashlib.sha256()
    for module in sorted(_closure(compute.__module__)):
        digest.update(f"{module}:{_source(module).digest}\n".encode())
    _memory().keep()
    return digest.hexdigest()[:16]


class _Memory:
    """SHA-256 of a source -> Source. Of another Python, or of another version of this file, it knows nothing."""

    def __init__(self) -> None:
        self.of = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).hexdigest()
        self.known: dict[str, Source] = {}
        self.used: dict[str, Source] = {}
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(MEMORY.read_bytes())
            if content["of"] == self.of:
                self.known = {name: Source(*source) for name, source in content["sources"].items()}
        self.kept = len(self.known)

    def source(self, text: bytes) -> Source:
        name = hashlib.sha256(text).hexdigest()
        if name not in self.known:
            tree = ast.parse(text)
            self.known[name] = Source(_digest(tree), sorted(_imported(tree)))
        self.used[name] = self.known[name]
        return self.known[name]

    def keep(self) -> None:
        """It only saves time: where it cannot be written it is left."""
        if len(self.known) > self.kept and not sys.dont_write_bytecode:
            self.kept = len(self.known)
            sources = self.used if self.kept > MOST else self.known
            with suppress(OSError):
                replace_file(MEMORY, json_bytes({"of": self.of, "sources": sources}))


@cache
def _memory() -> _Memory:
    return _Memory()


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
    return _memory().source(path.read_bytes())


def _imports(module: str) -> list[str]:
    """Project modules that `module` imports anywhere, inside functions too, but not for type checking only."""
    return [
        name
        for name in _source(module).imports
        if name.split(".")[0] in PACKAGES and not _carrier(name) and _path(name)
    ]


def _imported(tree: ast.Module) -> set[str]:
    """Every name that may be a module's in an import statement that can run."""
    found: set[str] = set()
    for node in _walk_runtime(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _carrier(name: str) -> bool:
    return any(name == carrier or name.startswith(f"{carrier}.") for carrier in CARRIERS)


def _walk_runtime(tree: ast.AST) -> list[ast.AST]:
    nodes, todo = [], [tree]
    while todo:
        node = todo.pop()
        nodes.append(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))
    return nodes


def _digest(tree: ast.Module) -> str:
    tree = ast.parse(ast.unparse(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
