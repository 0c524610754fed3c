"""Every exception that the package defines is an expected error, whose sentence a command prints."""

from __future__ import annotations

import ast
from pathlib import Path

import o1_assets

PACKAGE = Path(o1_assets.__file__).parent

BUILT_IN = {"Exception", "BaseException", "ValueError", "RuntimeError", "OSError", "KeyError", "TypeError"}

NO_ERRORS = {"O1Error", "Unreadable", "Doubtful", "Stopped"}
"""The base itself, and what is always caught beside where it is raised: no command prints it."""


def test_every_exception_of_the_package_derives_from_the_one_base() -> None:
    others = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in NO_ERRORS:
                bases = [ast.unparse(base) for base in node.bases]
                if BUILT_IN & set(bases) and "O1Error" not in bases:
                    others[node.name] = str(file.relative_to(PACKAGE))
    assert others == {}, "derive them from core.errors.O1Error"
