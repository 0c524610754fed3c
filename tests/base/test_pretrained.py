"""A base that others pre-trained: read from a folder or GGUF, pinned, and told once how its solutions end."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from o1_assets.base.config import FolderBase, GgufBase
from o1_assets.base.pretrained import BaseUnavailable, base_version, make_pretrained
from o1_assets.core.artifact import Task
from o1_assets.engine.open import open_engine
from o1_assets.engine.steps import separator
from tests.profiles import tiny


def made(config: Any, out: Path) -> Path:
    out.mkdir()
    make_pretrained(Task({}, out, 0, open_engine), config)
    return out


def test_a_folder_s_checkpoint_is_stored_with_its_ends_and_steps(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = tiny.save_checkpoint(tmp_path / "base", "qwen2", "\n\n")
    ends = ("<|im_end|>", "<|endoftext|>")
    config = FolderBase(folder=str(folder), step_separator="\n\n", end_tokens=ends, weights="bfloat16")
    out = made(config, tmp_path / "out")
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == [2, 0]
    engine = open_engine(out)
    assert separator(engine.tokenizer) == "\n\n" and engine.tokenizer.eos_token == "<|im_end|>"
    stored = load_file(out / "model.safetensors")
    assert {str(t.dtype) for t in stored.values()} == {"torch.bfloat16"}
    assert (
        made(config, tmp_path / "again").joinpath("model.safetensors").read_bytes()
        == (out / "model.safetensors").read_bytes()
    )


def test_a_folder_s_files_are_its_version(tmp_path: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path, "llama")
    before = base_version(FolderBase(folder=str(folder)))
    (folder / "generation_config.json").write_text("{}")
    assert base_version(FolderBase(folder=str(folder))) != before


def test_an_end_that_no_token_is_is_refused(tmp_path: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path / "base", "llama")
    with pytest.raises(BaseUnavailable, match=r"no token '<end>'"):
        made(FolderBase(folder=str(folder), end_tokens=("<end>",)), tmp_path / "out")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GgufBase:
    """An installed package that cannot be imported, with a GGUF file that is none."""
    folder = tmp_path / "site" / "carries_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('its weights are all that is used of it')")
    (folder / "tiny.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(tmp_path / "site")
    digest = hashlib.sha256(b"GGUF").hexdigest()
    return GgufBase(
        package="carries_weights", distribution="carries-weights", file="tiny.gguf", sha256=digest
    )


def test_a_package_is_never_imported_and_another_file_is_refused(package: GgufBase, tmp_path: Path) -> None:
    other = package.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(BaseUnavailable, match="is not the file this profile names"):
        made(other, tmp_path / "out")
    assert "carries_weights" not in sys.modules


def test_a_missing_package_is_one_sentence(package: GgufBase, tmp_path: Path) -> None:
    absent = package.model_copy(update={"package": "not_there_at_all"})
    with pytest.raises(BaseUnavailable, match=r"carries-weights, which is not installed.*nano"):
        made(absent, tmp_path / "out")
