"""How far two results are apart, in words and numbers, and which of it still counts as equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from o1_assets.audit.compare import FileDifference, compare_figures, compare_folders
from o1_assets.audit.replay import verdict_of

WEIGHTS = {"a": np.linspace(1, 2, 12, dtype=np.float32).reshape(3, 4), "b": np.ones(5, dtype=np.float32)}


TABLE = pl.DataFrame({"x": [1, 2, 3], "y": [0.5, None, 0.7], "z": [["a"], [], ["b", "c"]]})


def difference(
    tmp_path: Path, name: str, first: Callable[[Path], object], second: Callable[[Path], object]
) -> FileDifference:
    for folder, write in (("recorded", first), ("replayed", second)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / name)
    [found] = compare_folders(tmp_path / "recorded", tmp_path / "replayed")
    return found


@pytest.mark.parametrize(("change", "beyond"), [(1e-4, False), (1.0, True), (float("nan"), True)])
def test_weights_are_compared_tensor_by_tensor(tmp_path: Path, change: float, beyond: bool) -> None:
    moved = {**WEIGHTS, "a": WEIGHTS["a"].copy()}
    moved["a"][1, 2] += change
    found = difference(
        tmp_path, "model.safetensors", lambda p: save_file(WEIGHTS, p), lambda p: save_file(moved, p)
    )
    assert found.beyond == beyond and "1 of 2 tensors differ: a max" in found.what
    if change == 1e-4:
        [largest] = found.details["largest"]
        assert largest["max"] == pytest.approx(1e-4, rel=1e-2)
        assert largest["relative"] == pytest.approx(1e-4 / np.linalg.norm(WEIGHTS["a"]), rel=1e-2)


def test_other_tensors_are_beyond_any_tolerance(tmp_path: Path) -> None:
    found = difference(
        tmp_path, "model.safetensors",
        lambda p: save_file(WEIGHTS, p), lambda p: save_file({"a": WEIGHTS["a"][:2].copy()}, p),
    )  # fmt: skip
    assert found.beyond and found.details["other"] == ["b", "a"]


def test_tables_are_compared_by_rows_and_columns(tmp_path: Path) -> None:
    other = TABLE.with_columns(y=pl.Series([0.5, 0.1, 0.7]), z=pl.Series([["a"], ["q"], ["b", "d"]]))
    found = difference(tmp_path, "t.parquet", TABLE.write_parquet, other.write_parquet)
    assert found.details == {"rows": 3, "rows_replayed": 3, "rows_differ": 2, "columns": {"y": 1, "z": 2}}
    assert found.what == "2 of 3 rows differ (by column: z 2, y 1)" and not found.beyond


def test_equal_rows_written_otherwise_are_no_other_content(tmp_path: Path) -> None:
    found = difference(
        tmp_path, "t.parquet", TABLE.write_parquet, lambda p: TABLE.write_parquet(p, compression="gzip")
    )
    assert not found.content and not found.beyond


def test_another_column_is_beyond_any_tolerance(tmp_path: Path) -> None:
    found = difference(tmp_path, "t.parquet", TABLE.write_parquet, TABLE.drop("y").write_parquet)
    assert found.beyond and "y" in found.what


def test_json_names_the_values_that_differ(tmp_path: Path) -> None:
    first, second = {"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 5}], "c": 3}
    found = difference(
        tmp_path,
        "c.json",
        lambda p: p.write_text(json.dumps(first)),
        lambda p: p.write_text(json.dumps(second)),
    )
    assert found.what == "1 values differ: a[1].b"


def test_a_file_too_many_or_too_few_is_beyond(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "only").write_text("x")
    (tmp_path / "b" / "other").write_text("x")
    assert [(f.path, f.beyond) for f in compare_folders(tmp_path / "a", tmp_path / "b")] == [
        ("only", True), ("other", True),
    ]  # fmt: skip


def test_figures_have_a_relative_tolerance_by_name_and_text_has_none() -> None:
    recorded = {
        "loss_last": 1.0,
        "share": 0.5,
        "updates": 10,
        "tokens": 1000,
        "annotator": "oracle",
        "n": 1.0,
    }
    replayed = {
        "loss_last": 1.04,
        "share": 0.6,
        "updates": 11,
        "tokens": 1050,
        "annotator": "human",
        "n": 1.0,
    }
    found = {f.name: f.within for f in compare_figures(recorded, replayed)}
    assert found == {"loss_last": True, "share": False, "updates": False, "tokens": True, "annotator": False}
    [small] = compare_figures({"share": 0.0}, {"share": 0.01})
    assert small.within and small.relative is None
    [missing] = compare_figures({"share": 0.1}, {})
    assert not missing.within


def test_where_no_model_ran_and_the_inputs_are_equal_nothing_may_differ() -> None:
    row = FileDifference("t.parquet", "1 of 3 rows differ")
    written = FileDifference("t.parquet", "the same rows", content=False)
    assert verdict_of([], [], exact=True) == "equal bytes"
    assert verdict_of([row], [], exact=True) == "differs"
    assert (
        verdict_of([row], [], exact=False)
        == verdict_of([written], [], exact=True)
        == "equal within tolerance"
    )
    assert verdict_of([FileDifference("m", "", beyond=True)], [], exact=False) == "differs"
    assert verdict_of([], compare_figures({"loss_last": 1.0}, {"loss_last": 2.0}), exact=False) == "differs"
