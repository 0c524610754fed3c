"""The code version of a computation, derived from the source it depends on instead of typed by hand.

It is the digest of the function's module and of every module of this project that it imports, directly or
not, with docstrings, comments and formatting left out: rewording a comment recomputes nothing.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

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
        digest.update(f"{module}:{_source_digest(module)}\n".encode())
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
def _tree(module: str) -> ast.Module:
    path = _path(module)
    assert path is not None, f"{module} has no source"
    return ast.parse(path.read_text())


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Project modules that `module` imports anywhere, inside functions too, but not for type checking only."""
    found: set[str] = set()
    for node in _walk_runtime(_tree(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(
        sorted(
            name for name in found if name.split(".")[0] in PACKAGES and not _carrier(name) and _path(name)
        )
    )


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


@cache
def _source_digest(module: str) -> str:
    tree = ast.parse(ast.unparse(_tree(module)))
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
