"""What a Python source says, without comments, docstrings and formatting: its digest, and what it imports.

Parsing the project takes longer than all the rest of `o1 status`. So the answer is kept in a file beside the
compiled sources, under the digest of the source's bytes: it cannot be out of date, and whoever could write it
could as well write the compiled files.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIMIT = 2000
"""Entries kept; then those of today's sources only."""


@dataclass(frozen=True)
class Source:
    """imports: every module named in an import, each name of a `from` import too, without type-checking ones."""

    digest: str
    imports: tuple[str, ...]


class Sources:
    """What was found out about sources, by the digest of their bytes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stored = _load(file)
        self._used: dict[str, Source] = {}
        self._new = False

    def look(self, content: bytes) -> Source:
        name = hashlib.sha256(content).hexdigest()
        if name not in self._used:
            if name not in self._stored:
                self._new = True
                self._stored[name] = _parse(content)
            self._used[name] = self._stored[name]
        return self._used[name]

    def save(self) -> None:
        """Writes what is new, where Python may write its compiled files too."""
        if not self._new or sys.dont_write_bytecode:
            return
        self._new = False
        kept = self._stored if len(self._stored) <= _LIMIT else self._used
        content = {name: [source.digest, *source.imports] for name, source in kept.items()}
        temporary = self.file.with_name(f".{self.file.name}.{uuid.uuid4().hex}")
        try:
            self.file.parent.mkdir(exist_ok=True)
            temporary.write_text(json.dumps(content))
            os.replace(temporary, self.file)
        except OSError:  # a read-only installation parses every time
            with suppress(OSError):
                temporary.unlink()


@cache
def sources() -> Sources:
    """Named by the interpreter, whose syntax tree the digests are of, and by this module, which makes them."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return Sources(Path(importlib.util.cache_from_source(__file__)).with_suffix(f".{own}.json"))


def _load(file: Path) -> dict[str, Source]:
    try:
        content = json.loads(file.read_bytes())
        return {name: Source(digest, tuple(imports)) for name, (digest, *imports) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _parse(content: bytes) -> Source:
    tree = ast.parse(content)
    found: set[str] = set()
    for node in _walk_runtime(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return Source(_digest(tree), tuple(sorted(found)))


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
    """Changes the tree."""
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
