"""Low-rank training: what is trained, what is stored, and that a killed one ends in the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from o1_assets.core.artifact import Task
from o1_assets.engine.checkpoint import load_causal_lm
from o1_assets.engine.open import open_engine
from o1_assets.engine.training.config import LoraConfig, TuningConfig
from o1_assets.engine.training.tuning import finish, plain_weights, prepare
from o1_assets.generator.config import SftConfig
from o1_assets.generator.sft import make_generator
from tests.engine.training.interrupted import killed_then_resumed
from tests.profiles import tiny

pytest.importorskip("peft", reason="LoRA needs peft: `uv sync --extra lora`")


LORA = LoraConfig(rank=2, alpha=4, targets=("q_proj", "down_proj"))


CONFIG = SftConfig(learning_rate=1e-2, batch_size=2, tuning=TuningConfig(lora=LORA))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("lora")
    (root / "set").mkdir()
    rows = {"question": ["Tom has 3 apples"] * 8, "text": [f"so it is {i}so\n#### {i}\n" for i in range(8)]}
    pl.DataFrame(rows).write_parquet(root / "set" / "sft_set.parquet")
    return {"base": tiny.save_checkpoint(root / "base", "llama"), "sft_set": root / "set"}


def trained(inputs: dict[str, Path], out: Path, config: SftConfig = CONFIG) -> dict[str, torch.Tensor]:
    out.mkdir()
    make_generator(Task(inputs, out, 5, open_engine), config)
    return load_file(out / "model.safetensors")


def test_what_is_stored_is_a_plain_checkpoint_in_which_only_the_targets_changed(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    before = load_file(inputs["base"] / "model.safetensors")
    after = trained(inputs, tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {name for name in before if name.split(".")[-2] in LORA.targets}
    for name in changed:
        update = after[name] - before[name]
        assert torch.linalg.matrix_rank(update, atol=1e-6) <= LORA.rank
    open_engine(tmp_path / "out").close()


def test_plain_weights_are_those_that_are_stored(inputs: dict[str, Path]) -> None:
    model = load_causal_lm(inputs["base"])
    prepare(model, CONFIG.tuning, 0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    plain = dict(plain_weights(model))
    frozen = load_file(inputs["base"] / "model.safetensors")
    assert any(not torch.equal(value, frozen[name]) for name, value in plain.items() if name in frozen)
    finish(model, CONFIG.tuning)
    stored = dict(model.named_parameters())
    assert plain.keys() == stored.keys()
    for name, value in plain.items():
        torch.testing.assert_close(value, stored[name].detach())


def test_a_killed_one_ends_in_the_same_bytes_and_saves_no_frozen_weight(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o1_assets.engine.training.checkpoint import Checkpoints

    saved: list[Any] = []
    write = Checkpoints._write
    monkeypatch.setattr(
        Checkpoints, "_write", lambda self, *args: (saved.append(args[-1]["model"]), write(self, *args))[1]
    )
    whole = trained(inputs, tmp_path / "whole")
    _, folder, lines = killed_then_resumed(
        make_generator, CONFIG, inputs, tmp_path / "cut", monkeypatch, saves=2
    )
    assert any("continues at update" in line for line in lines)
    assert (folder / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
    assert whole and saved and all("lora_" in name for name in saved[0])


def test_pieces_of_a_batch_add_up_to_it(inputs: dict[str, Path], tmp_path: Path) -> None:
    whole = trained(inputs, tmp_path / "whole", CONFIG.model_copy(update={"batch_size": 4}))
    tuning = CONFIG.tuning.model_copy(update={"micro_batch": 1, "gradient_checkpointing": True})
    cut = trained(inputs, tmp_path / "cut", CONFIG.model_copy(update={"batch_size": 4, "tuning": tuning}))
    assert all(torch.allclose(whole[name], cut[name], atol=1e-5) for name in whole)


def test_a_name_that_no_layer_has_is_refused(inputs: dict[str, Path], tmp_path: Path) -> None:
    tuning = TuningConfig(lora=LoraConfig(targets=("query",)))
    with pytest.raises(ValueError, match="no layer of that name"):
        trained(inputs, tmp_path / "out", CONFIG.model_copy(update={"tuning": tuning}))


def test_small_updates_of_all_weights_are_not_rounded_away() -> None:
    with pytest.raises(ValidationError, match="need lora"):
        TuningConfig(weights="bfloat16", autocast=True)
    with pytest.raises(ValidationError, match="autocast"):
        TuningConfig(weights="bfloat16", lora=LORA)


def test_what_samples_a_model_in_training_reads_its_updates(inputs: dict[str, Path]) -> None:
    """The sampler has a faster way through small Llamas, which knows plain weights only."""
    from o1_assets.core.engine import SamplingParams
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.engine.transformers_engine import TransformersEngine

    model = load_causal_lm(inputs["base"])
    prepare(model, CONFIG.tuning, seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
    engine = TransformersEngine(model, load_tokenizer(inputs["base"]))
    asked = ([[5, 6, 7]] * 8, SamplingParams(12), range(8))
    before = [sample.logprobs for sample in engine.sample(*asked)]
    counted = engine.parameters
    finish(model, CONFIG.tuning)
    assert counted == TransformersEngine(model, engine.tokenizer).parameters, "FLOPs are the merged model's"
    after = [sample.logprobs for sample in TransformersEngine(model, engine.tokenizer).sample(*asked)]
    for with_updates, merged in zip(before, after, strict=True):
        assert with_updates == pytest.approx(merged, abs=1e-3)
    plain = TransformersEngine(load_causal_lm(inputs["base"]), engine.tokenizer).sample(*asked)
    assert [sample.logprobs for sample in plain] != before
