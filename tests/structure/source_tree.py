"""The package as its sources say: modules, what each imports, and the figures that tell how easy it is to enter."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = "o1_assets"

LAYERS = (
    ("core",),
    ("store",),
    ("engine",),
    ("problems",),
    ("base",),
    ("generator",),
    ("labels",),
    ("reward",),
    ("search",),
    ("policy",),
    ("evaluation",),
    ("rounds",),
    ("experiments",),
    ("profiles",),
    ("graph",),
    ("plan",),
    ("execution",),
    ("export", "audit"),
    ("report",),
    ("orchestration",),
    ("definitions", "cli"),
)
"""From the ground up: a room imports from lower layers only."""


@dataclass
class Module:
    """imports: modules of the package that it imports when it runs; typed: those that only a type checker reads."""

    name: str
    path: Path
    imports: set[str] = field(default_factory=set)
    typed: set[str] = field(default_factory=set)

    @property
    def room(self) -> str:
        """The folder or module at the package's root that it belongs to."""
        return self.name.split(".")[1] if "." in self.name else ""

    @property
    def folder(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by name."""
    found = {}
    for path in sorted((PROJECT / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, path)
    for module in found.values():
        for imported, typed in _imports(ast.parse(module.path.read_text()), set(found)):
            (module.typed if typed else module.imports).add(imported)
    return found


def _imports(tree: ast.AST, known: set[str], typed: bool = False) -> Iterator[tuple[str, bool]]:
    for node in ast.iter_child_nodes(tree):
        below = typed or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in known else node.module), typed
        yield from _imports(node, known, below)


def libraries(module: Module) -> set[str]:
    """Top-level names of the packages that a module imports when it runs, inside functions too."""

    def imported(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name.split(".")[0] for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield (child.module or "").split(".")[0]
            yield from imported(child)

    return set(imported(ast.parse(module.path.read_text())))


def upward_imports() -> list[str]:
    """Imports, at run time, of a room from a higher layer or from another room of the same one."""
    layer = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
    return sorted(
        f"{module.name} imports {imported}"
        for module in modules().values()
        for imported in module.imports
        if module.room
        and (room := modules()[imported].room) != module.room
        and layer[room] >= layer[module.room]
    )


def circles() -> list[list[str]]:
    """Groups of modules that import each other at run time, directly or not, inside functions too."""
    graph = {name: module.imports for name, module in modules().items()}
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(graph[name])
        reach[start] = seen
    tied = {
        name: frozenset({n for n in reach[name] if name in reach[n]}) for name in graph if name in reach[name]
    }
    return [sorted(group) for group in sorted(set(tied.values()), key=sorted)]


def single_neighbours() -> list[str]:
    """Modules that exactly one other module imports, and that one lies in the same folder."""
    importers: dict[str, set[str]] = {name: set() for name in modules()}
    for module in modules().values():
        for imported in module.imports | module.typed:
            importers[imported].add(module.name)
    return [
        name
        for name, users in importers.items()
        if len(users) == 1 and modules()[name].folder == modules()[next(iter(users))].folder
    ]


def root_entries() -> list[str]:
    """What `ls o1_assets` shows."""
    return sorted(path.name for path in (PROJECT / PACKAGE).iterdir() if path.name != "__pycache__")


def calls(name: str) -> list[str]:
    """FILE:LINE of every call of a function or class by that name outside of the tests."""
    files = [p for top in (PACKAGE, "resources", "sensors", "jobs") for p in (PROJECT / top).rglob("*.py")]
    return [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in sorted(files)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


VAGUE = ("found", "own", "one", "said", "out", "kept", "taken", "way")


def vague_names() -> list[str]:
    """MODULE:LINE NAME of every assignment to a word that fits everything, so that it tells a reader nothing."""
    return [
        f"{module.name}:{node.lineno} {node.id}"
        for module in modules().values()
        for node in ast.walk(ast.parse(module.path.read_text()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE
    ]


def lines_and_comments() -> tuple[int, int, int]:
    """Lines in all, lines of code (neither blank nor docstring nor comment alone), comments."""
    total = code = comments = 0
    for module in modules().values():
        text = module.path.read_text()
        total += text.count("\n")
        with_code: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                comments += 1
            elif token.type not in _NO_CODE and not (
                token.type == tokenize.STRING and token.line.lstrip()[:3] == '"""'
            ):
                with_code.update(range(token.start[0], token.end[0] + 1))
        code += len(with_code)
    return total, code, comments


_NO_CODE = {
    tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip
