from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import Compute, Outcome, Task
from o1_assets.problems.config import ProblemsConfig

GSM8K = Path(__file__).parents[2] / ".." / "shared" / "data" / "gsm8k"


Make = Callable[..., tuple[Outcome, pl.DataFrame, bytes]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Runs a compute function into a fresh folder: (outcome, table, bytes of problems.parquet)."""

    def run(compute: Compute, config: ProblemsConfig, seed: int = 0) -> tuple[Outcome, pl.DataFrame, bytes]:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        out.mkdir()

        def no_engine(path: Path) -> None:
            raise AssertionError("problems sample nothing")

        outcome = compute(Task({}, out, seed, no_engine), config)  # type: ignore[arg-type]
        file = out / "problems.parquet"
        return outcome, pl.read_parquet(file), file.read_bytes()

    return run


@pytest.fixture(scope="session")
def gsm8k() -> str:
    if not (GSM8K / "train.jsonl").is_file():
        pytest.skip("GSM8K is not in ../shared/data/gsm8k")
    return str(GSM8K)
