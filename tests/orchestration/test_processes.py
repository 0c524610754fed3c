"""Two processes that share a training come to what one comes to: the same data in the same order, the same losses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerate import PartialState

from o1_assets.core.settings import PROJECT
from o1_assets.orchestration.launch import command
from tests import forked
from tests.orchestration import trainings
from tests.orchestration.trainings import IN_PIECES


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path, dict[str, Any]]:
    """(folder, what the trainings came to) of one process and of two."""
    one_folder, two_folder = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    launched = launch_two(two_folder)
    alone = forked.process(run_alone, one_folder)
    alone.start()
    _, errors = launched.communicate(timeout=280)
    alone.join(280)
    assert launched.returncode == 0, errors[-3000:]
    assert alone.exitcode == 0, (one_folder / "stderr").read_text()[-3000:]
    one, two = (json.loads((folder / "trainings.json").read_text()) for folder in (one_folder, two_folder))
    assert (one["processes"], two["processes"]) == (1, 2)
    return one_folder, one, two_folder, two


def launch_two(folder: Path) -> subprocess.Popen[str]:
    """The trainings in two processes of `accelerate launch`, as the graph's own are started."""
    words = command("", 2)
    return subprocess.Popen(
        [*words[: words.index("-m", 3)], "-m", "tests.orchestration.trainings", str(folder)],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def run_alone(folder: Path) -> None:
    """The trainings in this process, as where a machine has one device."""
    with (folder / "stderr").open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    PartialState(cpu=True)
    trainings.run(folder)


@pytest.mark.parametrize("training", ["sft", "prm", "policy"])
def test_two_processes_read_the_same_rows_in_the_same_order(both: Any, training: str) -> None:
    _, alone, _, shared = both
    assert len(alone[training]["batches"]) > 2
    assert shared[training]["batches"] == alone[training]["batches"]


def test_a_last_batch_that_they_cannot_share_equally_is_filled_up_with_rows_of_the_first(both: Any) -> None:
    """43 rows in batches of 8: three are left for two processes. Rows are not equally long, nor are batches."""
    _, alone, _, shared = both
    own, together = alone["uneven"]["batches"], shared["uneven"]["batches"]
    assert [len(batch) for batch in own] == [8] * 5 + [3]
    assert together[:-1] == own[:-1] and together[-1] == [*own[-1], own[0][0]]
    assert shared["uneven"]["figures"]["updates"] == alone["uneven"]["figures"]["updates"] == 6


@pytest.mark.parametrize("training", ["sft", "prm"])
def test_their_losses_and_figures_are_those_of_one(both: Any, training: str) -> None:
    _, alone, _, shared = both
    assert shared[training]["figures"] == pytest.approx(alone[training]["figures"], rel=1e-3, nan_ok=True)


def test_the_curve_of_a_policy_counts_what_all_of_them_sampled(both: Any) -> None:
    _, alone, _, shared = both
    assert shared["policy"]["tokens"] == alone["policy"]["tokens"]
    for own, together in zip(alone["policy"]["curve"], shared["policy"]["curve"], strict=True):
        assert together == pytest.approx(own, rel=1e-3, nan_ok=True)


@pytest.mark.parametrize("training", ["sft", "prm", "policy"])
def test_they_end_in_the_same_weights(both: Any, training: str) -> None:
    one, _, two, _ = both
    assert apart(one / f"{training}.safetensors", two / f"{training}.safetensors") < 2e-4


@pytest.mark.parametrize("training", ["prm", "policy"])
def test_a_share_that_goes_through_the_model_in_pieces_comes_to_the_same(both: Any, training: str) -> None:
    one, alone, two, shared = both
    most = IN_PIECES[training].micro_batch
    assert most and shared[training]["most_rows"] > most
    for folder, found in ((one, alone), (two, shared)):
        assert 0 < found[f"{training}_in_pieces"]["most_rows"] <= most
        assert found[f"{training}_in_pieces"]["batches"] == alone[training]["batches"]
        assert apart(one / f"{training}.safetensors", folder / f"{training}_in_pieces.safetensors") < 2e-4


def apart(one: Path, two: Path) -> float:
    """The largest difference between two of their weights."""
    from safetensors.numpy import load_file

    alone, shared = load_file(one), load_file(two)
    assert set(alone) == set(shared)
    return max(float(abs(alone[name] - shared[name]).max()) for name in alone)
