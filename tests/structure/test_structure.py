"""Rules of the package's structure. `python -m tests.structure` prints the figures behind them."""

from __future__ import annotations

import re

from tests.structure import source_tree as tree


def test_nothing_imports_upwards() -> None:
    assert tree.upward_imports() == []


def test_no_modules_import_each_other() -> None:
    assert tree.circles() == []


def test_the_root_tells_the_story() -> None:
    known = {
        f"{room}.py" if room in ("graph", "definitions") else room for rooms in tree.LAYERS for room in rooms
    }
    assert set(tree.root_entries()) == known | {"__init__.py", "py.typed"}
    assert len(set(tree.root_entries()) - {"py.typed"}) <= 24  # which says that there are types


def test_a_stage_has_its_assets_and_its_numbers() -> None:
    for stage in ("problems", "base", "generator", "evaluation"):
        assert f"o1_assets.{stage}.assets" in tree.modules() and f"o1_assets.{stage}.config" in tree.modules()


def test_only_the_orchestration_knows_dagster() -> None:
    allowed = ("orchestration", "definitions")
    for module in tree.modules().values():
        if module.room in allowed:
            continue
        imported = tree.libraries(module)
        assert "dagster" not in imported, module.name


def test_what_each_command_needs_is_opened_once() -> None:
    assert len(tree.calls("load_profile")) <= 3
    assert len(tree.calls("ArtifactStore")) <= 3


def test_tables_are_read_by_their_names() -> None:
    """polars takes a path with * ? [ for a pattern, and then reads the tables of other homes."""
    patterns = re.compile(r"\bpl\.(read|scan)_(parquet|csv|ndjson|ipc)")
    users = {name for name, module in tree.modules().items() if patterns.search(module.path.read_text())}
    assert users == {"o1_assets.core.tables"}
