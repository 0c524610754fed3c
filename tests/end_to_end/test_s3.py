"""The whole loop on S3: run, status, audit, gc. A minute or two, so only with O1_TEST_S3=1."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from tests.end_to_end.mini_home import o1, o1_json
from tests.store.s3 import NewBucket

pytestmark = [
    pytest.mark.skipif(not os.environ.get("O1_TEST_S3"), reason="takes minutes: O1_TEST_S3=1 runs it"),
    pytest.mark.timeout(1800),
]


def test_the_whole_loop_on_s3(new_bucket: NewBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O1_STORE", f"s3://{new_bucket()}/team")
    first = o1_json(tmp_path, "run")
    assert first["computed"] > 20
    assert o1_json(tmp_path, "run")["computed"] == 0
    o1_json(tmp_path, "run", overrides="later_prm.updates=3")
    assert o1_json(tmp_path, "run")["computed"] == 0, "what was made before is found"
    removed = o1_json(tmp_path, "gc", "--yes", "--keep-days", "0")
    assert removed["keys"]["r01/prm"]["versions"] == 1
    assert not o1_json(tmp_path, "gc", "--keep-days", "0")["keys"]
    states = {
        row["state"] for row in o1_json(tmp_path, "status")["artifacts"] if "optional" not in row["reason"]
    }
    assert states == {"fresh"}
    assert o1_json(tmp_path, "audit", "eval/summary")["ok"]
    assert o1(tmp_path, "report").returncode == 0
    with duckdb.connect(str(tmp_path / "nano" / "catalogue.duckdb"), read_only=True) as catalogue:
        (rows,) = catalogue.execute('select count(*) from "r01/labels.labels"').fetchone() or (0,)
    assert rows > 0
    assert not (tmp_path / "nano" / "store").exists()
