from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from o1_assets import code_version as cv

Write = Callable[[str, str], None]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    (tmp_path / "toypkg").mkdir()
    (tmp_path / "toypkg" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cv, "PACKAGES", ("toypkg",))

    def write(name: str, source: str) -> None:
        (tmp_path / "toypkg" / f"{name}.py").write_text(source)

    return write


def version() -> str:
    for cached in (cv._closure, cv._path, cv._imports, cv._source):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("toypkg")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True
    return cv.code_version(importlib.import_module("toypkg.main").run)


def test_it_follows_imports_inside_functions(package: Write) -> None:
    package("main", "def run():\n    from toypkg.helper import f\n    return f()\n")
    package("helper", "def f():\n    return 1\n")
    before = version()
    package("helper", "def f():\n    return 2\n")
    assert version() != before


def test_comments_docstrings_and_formatting_do_not_count(package: Write) -> None:
    package("main", "def run(x=1):\n    return x+1\n")
    before = version()
    package("main", '"""Head."""\n\n\ndef run(x = 1):\n    """Doc."""\n    # why\n    return x + 1\n')
    assert version() == before


def test_a_module_that_is_not_imported_does_not_count(package: Write) -> None:
    package("main", "def run():\n    return 1\n")
    package("other", "x = 1\n")
    before = version()
    package("other", "x = 2\n")
    assert version() == before


def test_imports_for_type_checking_do_not_count(package: Write) -> None:
    package(
        "main",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toypkg.kind import K\n\n"
        "def run():\n    return 1\n",
    )
    package("kind", "class K: pass\n")
    before = version()
    package("kind", "class K:\n    x = 1\n")
    assert version() == before
