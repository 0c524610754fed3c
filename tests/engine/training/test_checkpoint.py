"""What a training keeps of itself: exact, whole or not there, never a pickle, never in the way of the training."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from o1_assets.engine.training import checkpoint
from o1_assets.engine.training.checkpoint import Checkpoints, pack, set_random_state, unpack


def optimizer_after(updates: int) -> torch.optim.Optimizer:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    for _ in range(updates):
        weight.grad = torch.randn(3)
        optimizer.step()
    return optimizer


def test_what_is_read_is_what_was_saved_and_the_generators_go_on(tmp_path: Path) -> None:
    state: dict[str, Any] = {
        "optimizer": optimizer_after(3).state_dict(),
        "losses": [0.1, 1e-17],
        "note": None,
    }
    kept = Checkpoints(tmp_path / "u", seconds=0)
    kept.save(7, state)
    drawn = random.random(), np.random.rand(), torch.rand(2).tolist()
    found = Checkpoints(tmp_path / "u").load()
    assert found is not None and found[0] == 7
    first, again = state["optimizer"]["state"][0], found[1]["optimizer"]["state"][0]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert found[1]["losses"] == state["losses"] and found[1]["note"] is None
    set_random_state(found[1]["random"])
    assert (random.random(), np.random.rand(), torch.rand(2).tolist()) == drawn


def test_only_the_newest_is_kept_and_it_is_a_safetensors_file(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, seconds=0)
    for update in (9, 10, 100):
        kept.save(update, {"x": torch.full((2,), update)})
    (file,) = tmp_path.iterdir()
    header = int.from_bytes(file.read_bytes()[:8], "little")
    assert json.loads(file.read_bytes()[8 : 8 + header])["0"]["dtype"] == "I64"
    found = kept.load()
    assert found is not None and found[0] == 100 and found[1]["x"].tolist() == [100, 100]


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "pickle"])
def test_a_damaged_one_is_ignored_and_said(tmp_path: Path, harm: str) -> None:
    lines: list[str] = []
    kept = Checkpoints(tmp_path, lines.append, seconds=0)
    kept.save(5, {"x": torch.arange(100)})
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    if harm == "flip":
        content[-1] ^= 1
    file.write_bytes({"cut": content[:-9], "flip": content, "empty": b"", "pickle": b"\x80\x04."}[harm])
    assert kept.load() is None
    assert len(lines) == 1 and "damaged and ignored" in lines[0] and str(file) in lines[0]


def test_a_file_with_the_right_digest_that_is_no_checkpoint_is_ignored(tmp_path: Path) -> None:
    import hashlib

    content = b"not a checkpoint"
    (tmp_path / f"000000003-{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    lines: list[str] = []
    assert Checkpoints(tmp_path, lines.append).load() is None and len(lines) == 1


def test_half_a_file_of_a_killed_writer_is_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".0123").write_bytes(b"half")
    kept = Checkpoints(tmp_path, seconds=0)
    assert kept.load() is None
    kept.save(1, {})
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_a_training_goes_on_where_nothing_can_be_saved(tmp_path: Path) -> None:
    (tmp_path / "u").touch()
    lines: list[str] = []
    Checkpoints(tmp_path / "u", lines.append, seconds=0).save(1, {"x": torch.ones(1)})
    assert len(lines) == 1 and "could not be saved" in lines[0]
    Checkpoints(None, lines.append, seconds=0).save(1, {})
    assert not Checkpoints(None, seconds=0).due() and len(lines) == 1


def test_saving_takes_at_most_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept = Checkpoints(tmp_path, seconds=10)

    def slow(*_: object) -> None:
        now[0] += 3.0

    monkeypatch.setattr(kept, "_write", slow)
    assert not kept.due()
    now[0] = 10.0
    assert kept.due()
    kept.save(1, {})
    now[0] = 13.0 + 299.0
    assert not kept.due()
    now[0] = 13.0 + 300.0
    assert kept.due()


def test_nothing_but_numbers_text_and_tensors_can_be_saved() -> None:
    with pytest.raises(TypeError, match="not set"):
        pack({"x": {1, 2}}, {})
    tensors: dict[str, torch.Tensor] = {}
    value = {(1, "a"): [np.float32(0.5), np.arange(3, dtype=np.uint32)], 3: (None, True, 10**30)}
    again = unpack(json.loads(json.dumps(pack(value, tensors))), tensors)
    assert again.keys() == value.keys() and again[3] == value[3] and again[(1, "a")][1].dtype == np.uint32
