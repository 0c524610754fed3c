from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution import code_version as cv
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile

Write = Callable[[str, str], None]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    (tmp_path / "toypkg").mkdir()
    (tmp_path / "toypkg" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> None:
        file = tmp_path / "toypkg" / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)

    return write


def version(unused: frozenset[str] = frozenset()) -> str:
    for cached in (cv._version, cv._targets, cv._path, cv._source):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("toypkg")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True
    return cv.code_version(importlib.import_module("toypkg.main").run, unused)


def test_it_follows_imports_inside_functions(package: Write) -> None:
    package("main", "def run():\n    from toypkg.helper import f\n    return f()\n")
    package("helper", "def f():\n    return 1\n")
    before = version()
    package("helper", "def f():\n    return 2\n")
    assert version() != before


def test_where_a_function_stands_does_not_count(package: Write) -> None:
    package("main", "from toypkg.helper import f\n\ndef run():\n    return f()\n")
    package("helper", "from toypkg.deep import LIMIT\n\ndef f():\n    return LIMIT\n")
    package("deep", "LIMIT = 1\n")
    before = version()
    package("main", "from toypkg.inner.all import f\n\ndef run():\n    return f()\n")
    package("inner.all", "LIMIT = 1\n\ndef f():\n    return LIMIT\n")
    assert version() == before
    package("inner.all", "LIMIT = 2\n\ndef f():\n    return LIMIT\n")
    assert version() != before


def test_what_is_never_called_does_not_count(package: Write) -> None:
    package("main", "from toypkg.helper import f\n\ndef run():\n    return f()\n")
    package("helper", "def f():\n    return 1\n\ndef g():\n    return 1\n")
    before = version()
    package("helper", "def f():\n    return 1\n\ndef g():\n    return 2\n")
    assert version() == before


@pytest.mark.parametrize(
    ("main", "helper"),
    [
        ("from toypkg import helper as h\n\ndef run():\n    return h.f()\n", "def f():\n    return {}\n"),
        ("import toypkg.helper\n\ndef run():\n    return toypkg.helper.f()\n", "def f():\n    return {}\n"),
        (
            "TABLE = {}\nfrom toypkg.helper import f\nTABLE['f'] = f\n\ndef run():\n    return TABLE\n",
            "def f():\n    return {}\n",
        ),
        ("def run():\n    return 'toypkg.helper'\n", "def f():\n    return {}\n"),
        ("def run():\n    return 'toypkg.helper:f'\n", "def f():\n    return {}\n"),
        (
            "from toypkg.helper import C\n\ndef run(c: C):\n    return c.f()\n",
            "class C:\n    def f(self):\n        return {}\n",
        ),
        ("from toypkg.helper import f\n\ndef run():\n    return f()\n", "from toypkg.other import f\n\nX = {}\n"),
        (
            "from toypkg.helper import f\n\n@f\ndef run():\n    return 1\n",
            "def f(run):\n    run.x = {}\n    return run\n",
        ),
    ],
    ids=["alias", "dotted", "loose", "module in a string", "name in a string", "parameter", "other", "decorator"],
)  # fmt: skip
def test_every_way_to_reach_a_definition_is_followed(package: Write, main: str, helper: str) -> None:
    package("main", main)
    package("other", "def f():\n    return 1\n")
    package("helper", helper.replace("{}", "1"))
    before = version()
    if "other" in helper:
        package("other", "def f():\n    return 2\n")
    else:
        package("helper", helper.replace("{}", "2"))
    assert version() != before


def test_two_helpers_of_one_name_cannot_change_places(package: Write) -> None:
    package("main", "from toypkg import a, b\n\ndef run():\n    return a.f() + 2 * b.f()\n")
    package("a", "def f():\n    return 1\n")
    package("b", "def f():\n    return 2\n")
    before = version()
    package("a", "def f():\n    return 2\n")
    package("b", "def f():\n    return 1\n")
    assert version() != before


def test_the_library_that_a_name_comes_from_counts(package: Write) -> None:
    package("main", "from math import floor as f\n\ndef run():\n    return f(1)\n")
    before = version()
    package("main", "from math import ceil as f\n\ndef run():\n    return f(1)\n")
    assert version() != before


def test_two_file_names_cannot_change_places(package: Write) -> None:
    package("main", "def run(a, b):\n    a.write('steps.parquet')\n    b.write('pool.parquet')\n")
    before = version()
    package("main", "def run(a, b):\n    a.write('pool.parquet')\n    b.write('steps.parquet')\n")
    assert version() != before


def test_what_another_function_imports_for_itself_hides_no_name(package: Write) -> None:
    other = "def other():\n    from toypkg.other import f\n    return f()\n"
    package("main", f"def f():\n    return 1\n\n{other}\ndef run():\n    return f()\n")
    package("other", "def f():\n    return 1\n")
    before = version()
    package("main", f"def f():\n    return 2\n\n{other}\ndef run():\n    return f()\n")
    assert version() != before


@pytest.mark.parametrize("condition", ["True", "not TYPE_CHECKING"])
def test_what_is_defined_under_a_condition_counts(package: Write, condition: str) -> None:
    package("main", "from toypkg.helper import f\n\ndef run():\n    return f()\n")
    helper = f"from typing import TYPE_CHECKING\nif {condition}:\n    def f():\n        return "
    package("helper", f"{helper}1\n")
    before = version()
    package("helper", f"{helper}2\n")
    assert version() != before


def test_comments_docstrings_and_formatting_do_not_count(package: Write) -> None:
    package("main", "def run(x=1):\n    return x+1\n")
    before = version()
    package(
        "main", '"""Head."""\n\n\ndef run(x: int = 1) -> int:\n    """Doc."""\n    # why\n    return x + 1\n'
    )
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


def test_of_the_table_of_worlds_only_the_used_entries_count(
    package: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv, "TABLE", ("toypkg.table", "WORLDS"))
    imports = "from toypkg.a import A\nfrom toypkg.b import B\n"
    package("main", "from toypkg.table import WORLDS\n\ndef run():\n    return WORLDS\n")
    package("table", f"{imports}WORLDS = {{w.name: w for w in (A(), B())}}\n")
    package("a", "class A:\n    name = 1\n")
    package("b", "class B:\n    name = 2\n")
    unused = frozenset({"toypkg.b"})
    before, with_both = version(unused), version()
    assert before != with_both
    package("b", "class B:\n    name = 3\n")
    assert version(unused) == before and version() != with_both
    package("c", "class C:\n    name = 4\n")
    package("table", f"{imports}from toypkg.c import C\nWORLDS = {{w.name: w for w in (A(), B(), C())}}\n")
    assert version(unused | {"toypkg.c"}) == before
    package("a", "class A:\n    name = 5\n")
    assert version(unused | {"toypkg.c"}) != before
    # What is called by its name, and not looked up, is no choice of a profile's.
    package(
        "main",
        "from toypkg.table import WORLDS\nfrom toypkg.b import B\n\ndef run():\n    return WORLDS, B\n",
    )
    direct = version(unused | {"toypkg.c"})
    package("b", "class B:\n    name = 6\n")
    assert version(unused | {"toypkg.c"}) != direct


def test_a_change_of_sudoku_is_one_of_the_profile_sudoku_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions(name: str) -> dict[str, str]:
        graph = build_graph(load_profile(name), Settings.load(name, tmp_path))
        return {key: cv.code_version(a.compute, a.unused) for key, a in graph.items() if not a.part}

    before = {name: versions(name) for name in ("nano", "sudoku")}
    digest = cv._digest
    monkeypatch.setattr(
        cv, "_digest", lambda place: digest(place) + ("changed" if "worlds.sudoku" in place[0] else "")
    )
    cv._version.cache_clear()
    after = {name: versions(name) for name in ("nano", "sudoku")}
    cv._version.cache_clear()
    assert after["nano"] == before["nano"]
    changed = {key for key in before["sudoku"] if after["sudoku"][key] != before["sudoku"][key]}
    assert {"problems/train", "base/model", "r00/label_batches"} <= changed
