"""Parses a Python source into its definitions: the digest of each one's text, and the names that it mentions.

Text means the syntax tree without comments, docstrings, formatting and the annotations of functions. Names of this
project's modules are not part of it, so a definition keeps its digest when it moves to another file.

Parsing the project takes longer than all the rest of `o1 status`. So the result is cached in a file beside the
compiled sources, under the digest of the source's bytes: it cannot be out of date, and whoever could write it
could as well write the compiled files.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeGuard

# The most sources that the cache file holds. Beyond that it keeps only those that this process has read.
_LIMIT = 2000

# What may name a module: "package.module", "package.module:name".
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+(?::\w+)?")

# A module of this project in quotes may be renamed together with its file.
_OURS = "o1_assets."

# The name under which a module keeps its statements that define nothing: they run whenever it is imported.
LOOSE = ""


@dataclass(frozen=True)
class Definition:
    """One function, class or constant of a module.

    digest: of its text. mentions: the name as written -> where it comes from. That is "" for the module itself,
    "package.module" for an imported module, and "package.module:name" for a name imported from one. An attribute of an
    imported module is written with its dot: "checks.enough" -> "package:checks.enough". A string that may name a module
    is written with its quotes.
    """

    digest: str
    mentions: dict[str, str]


@dataclass(frozen=True)
class ParsedModule:
    """A parsed module. definitions: by name, LOOSE among them where there are such statements.

    imports: names that the module imports -> where they come from, because other modules may import them from here.
    """

    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


class Sources:
    """The parsed form of sources, by the digest of their bytes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stored = _load(file)
        self._used: dict[str, ParsedModule] = {}
        self._new = False

    def parsed(self, content: bytes) -> ParsedModule:
        name = hashlib.sha256(content).hexdigest()
        if name not in self._used:
            if name not in self._stored:
                self._new = True
                self._stored[name] = _parse(content)
            self._used[name] = self._stored[name]
        return self._used[name]

    def save(self) -> None:
        """Writes new entries to the cache file, if Python may write its compiled files too."""
        if not self._new or sys.dont_write_bytecode:
            return
        self._new = False
        # Sources of other branches are remembered too, so that switching between two parses nothing.
        remembered = self._stored if len(self._stored) <= _LIMIT else self._used
        content = {name: _to_json(source) for name, source in remembered.items()}
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
    """The cache of this interpreter and this module: another version of either makes other digests."""
    this_module = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return Sources(Path(importlib.util.cache_from_source(__file__)).with_suffix(f".{this_module}.json"))


def _to_json(source: ParsedModule) -> list[object]:
    return [{name: [d.digest, d.mentions] for name, d in source.definitions.items()}, source.imports]


def _load(file: Path) -> dict[str, ParsedModule]:
    try:
        content = json.loads(file.read_bytes())
        return {
            name: ParsedModule(
                {key: Definition(digest, dict(mentions)) for key, (digest, mentions) in parts.items()},
                dict(imports),
            )
            for name, (parts, imports) in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _parse(content: bytes) -> ParsedModule:
    tree = ast.parse(content)
    # What a function imports for itself is no name of the module: another function may mean something else by it.
    imports = _imported(_at_runtime(tree.body, into_functions=False))
    statements: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) or _is_text(statement):
            continue
        for name in _defined(statement):
            statements.setdefault(name, []).append(statement)
    names = frozenset(statements) - {LOOSE}
    return ParsedModule(
        {name: _definition(defining, names, imports) for name, defining in statements.items()}, imports
    )


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module defines; LOOSE if it does something else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        flat = [
            t
            for target in targets
            for t in (target.elts if isinstance(target, ast.Tuple | ast.List) else [target])
        ]
        if all(isinstance(target, ast.Name) for target in flat):
            return [target.id for target in flat if isinstance(target, ast.Name)]
    if _for_type_checking(statement) and not statement.orelse:
        return []
    return [LOOSE]


def _definition(
    statements: list[ast.stmt], names: frozenset[str], module_imports: dict[str, str]
) -> Definition:
    """Digest and mentions of what the statements define together; changes their trees."""
    imports = {**module_imports, **_imported(node for s in statements for node in _at_runtime([s]))}
    mentions: dict[str, str] = {}
    text = []
    for statement in statements:
        # A parameter's annotation leads to the methods called on it: it counts here, and not in the text.
        for node in ast.walk(statement):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in imports
            ):
                # Which attribute of a module is used decides what is reached; of a class it is all the same.
                mentions[f"{node.value.id}.{node.attr}"] = f"{imports[node.value.id]}.{node.attr}"
            elif isinstance(node, ast.Name):
                if node.id in imports:
                    mentions[node.id] = imports[node.id]
                elif node.id in names:
                    mentions[node.id] = ""
    # A name of which only attributes are used leads to those and not to the whole module.
    for whole in {name.partition(".")[0] for name in mentions if "." in name}:
        if not _used_whole(statements, whole):
            mentions.pop(whole, None)
    for statement in statements:
        stripped = _Stripped(mentions).visit(statement)
        text.append(ast.dump(stripped))
    return Definition(hashlib.sha256("\n".join(text).encode()).hexdigest(), dict(sorted(mentions.items())))


def _used_whole(statements: list[ast.stmt], name: str) -> bool:
    within = {id(n.value) for s in statements for n in ast.walk(s) if isinstance(n, ast.Attribute)}
    return any(
        isinstance(n, ast.Name) and n.id == name and id(n) not in within
        for s in statements
        for n in ast.walk(s)
    )


class _Stripped(ast.NodeTransformer):
    """Removes from a definition whatever cannot change its results, and notes the modules that its strings name."""

    def __init__(self, mentions: dict[str, str]) -> None:
        self.mentions = mentions
        self.inside_function = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.returns = None
        return self._body(node, inside_function=True)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # The annotations of fields stay: they say what a dataclass or a configuration holds.
        return self._body(node, inside_function=False)

    def _body(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, inside_function: bool
    ) -> ast.AST:
        outer, self.inside_function = self.inside_function, inside_function
        node.body = [statement for statement in node.body if not _is_text(statement)]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        self.inside_function = outer
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        if not self.inside_function:
            return node
        return ast.Assign([node.target], node.value) if node.value else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Each name that it imports is a mention, with where it comes from."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            # A module named in a string is started or imported by that name, so all of it is reached. Whether there
            # is such a module is seen when the mention is resolved.
            self.mentions[f"'{node.value}'"] = node.value
            # All other text stays as it is: which of two tables is written to "steps.parquet" does count.
            if node.value.startswith(_OURS):
                return ast.Constant(node.value.rpartition(".")[2])
        return node


def _imported(nodes: Iterator[ast.AST]) -> dict[str, str]:
    """Names that import statements bind -> where they come from."""
    imports: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds a, `import a.b as c` binds the module itself.
                top = alias.name.partition(".")[0]
                imports[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                imports[alias.asname or alias.name] = f"{node.module}:{alias.name}"
    return imports


def _at_runtime(body: list[ast.stmt], into_functions: bool = True) -> Iterator[ast.AST]:
    """Every node but those that only a type checker sees. into_functions: those inside of functions too."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        yield node
        if into_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo.extend(node.orelse if _for_type_checking(node) else ast.iter_child_nodes(node))


def _for_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    # The name alone: the body of `if not TYPE_CHECKING` runs.
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name | ast.Attribute)
        and "TYPE_CHECKING" in ast.dump(node.test)
    )


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
