"""A published PRM as the start of PRMs here: what is kept of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from o1_assets.core.artifact import Outcome, Task
from o1_assets.reward.config import PublishedPrm
from o1_assets.reward.published import PrmDoesNotFit, make_published_prm

Published = Callable[..., Path]


@pytest.fixture
def published(generator: Path, tokenizer: Any, tmp_path: Path) -> Published:
    """A folder with a model of random weights and a head, on the decoder of `generator` unless `config` is given."""
    import transformers

    def make(kind: str, labels: list[str], config: Any = None) -> Path:
        settings: Any = config or transformers.AutoConfig.from_pretrained(generator)
        settings.id2label = dict(enumerate(labels))
        settings.label2id = {label: i for i, label in enumerate(labels)}
        torch.manual_seed(len(labels))
        getattr(transformers, kind)(settings).save_pretrained(tmp_path / "published")
        tokenizer.save_pretrained(tmp_path / "published")
        # Published checkpoints come with code, which is neither run nor a hindrance.
        (tmp_path / "published" / "modeling_rm.py").write_text("raise SystemExit")
        return tmp_path / "published"

    return make


def as_qwens(folder: Path) -> Path:
    """Its head becomes two layers, as that of Qwen2.5-Math-PRM."""
    weights = load_file(folder / "model.safetensors")
    hidden = weights["score.weight"].shape[1]
    weights |= {f"score.2.{name}": weights.pop(f"score.{name}") for name in ("weight", "bias")}
    weights |= {"score.0.weight": torch.eye(hidden), "score.0.bias": torch.zeros(hidden)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "architectures": ["Qwen2ForProcessRewardModel"],
        "auto_map": {"AutoModel": "modeling_rm.Qwen2ForProcessRewardModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def begin(folder: Path, generator: Path, out: Path) -> Outcome:
    out.mkdir()
    return make_published_prm(
        Task({"base": generator}, out, 1, lambda path: None), PublishedPrm(folder=str(folder))
    )  # type: ignore[arg-type,return-value]


def logits(path: Path, kind: str) -> torch.Tensor:
    """(8, classes), after each of eight tokens."""
    import transformers

    model: Any = getattr(transformers, kind).from_pretrained(path).eval()
    with torch.inference_mode():
        hidden = model.model(torch.arange(1, 9)[None]).last_hidden_state[0]
        scores: torch.Tensor = model.score(hidden)
    return scores


@pytest.mark.parametrize(
    ("kind", "labels", "head"),
    [
        ("LlamaForTokenClassification", ["negative", "neutral", "positive"], "kept"),
        ("LlamaForTokenClassification", ["0", "1"], "of wrong and right"),
        ("LlamaForSequenceClassification", ["0"], "of wrong and right"),
        ("LlamaForTokenClassification", ["bad", "good", "great"], "new"),
        ("LlamaForTokenClassification", list("abcde"), "new"),
    ],
)
def test_what_a_head_says_of_right_and_wrong_is_kept(
    published: Published, generator: Path, tmp_path: Path, kind: str, labels: list[str], head: str
) -> None:
    from o1_assets.reward.model import PRM_CLASSES, start_reward_model

    folder = published(kind, labels)
    assert begin(folder, generator, tmp_path / "out").figures["head"] == head
    before, after = logits(folder, kind), logits(tmp_path / "out", "LlamaForTokenClassification")
    right = after[:, 2] - after[:, 0]
    if head != "new":
        torch.testing.assert_close(right, before[:, -1] - before[:, 0] if len(labels) > 1 else before[:, 0])
    for edges in (None, [-4.0, -1.0]):
        # What the rounds train begins as it, with the probability feature or without.
        start = start_reward_model(tmp_path / "out", PRM_CLASSES, edges)
        assert torch.equal(
            start.backbone.score.weight,
            start_reward_model(tmp_path / "out", PRM_CLASSES, None).backbone.score.weight,
        )
    decoder = {
        name: tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
        if "score" not in name
    }
    kept = load_file(tmp_path / "out" / "model.safetensors")
    assert decoder and all(torch.equal(kept[name], tensor) for name, tensor in decoder.items())


def test_a_head_of_several_layers_leaves_its_decoder(
    published: Published, generator: Path, tmp_path: Path
) -> None:
    folder = as_qwens(published("LlamaForTokenClassification", ["0", "1"]))
    assert begin(folder, generator, tmp_path / "out").figures["head"] == "new"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForTokenClassification"] and "auto_map" not in config
    assert config["id2label"] == {"0": "negative", "1": "neutral", "2": "positive"}


def test_what_does_not_fit_is_refused_in_a_sentence(
    published: Published, generator: Path, tokenizer: Any, tmp_path: Path
) -> None:
    from transformers import BertConfig

    def refused(folder: Path, says: str) -> None:
        with pytest.raises(PrmDoesNotFit, match=says):
            begin(folder, generator, tmp_path / says.replace(" ", ""))

    refused(tmp_path / "nowhere", "no config.json")
    refused(generator, "no head that rates")
    bert = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    refused(published("BertForTokenClassification", ["0", "1"], bert), "reads ahead")
    folder = published("LlamaForTokenClassification", ["0", "1"])
    (folder / "model.safetensors").unlink()
    refused(folder, "cannot be opened")
    folder = published("LlamaForTokenClassification", ["0", "1"])
    weights = load_file(folder / "model.safetensors")
    save_file(
        {f"other.{name}": t for name, t in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    refused(folder, "of another architecture")
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = dict(zip(vocabulary, reversed(vocabulary.values()), strict=True))
    (folder / "tokenizer.json").write_text(json.dumps(content))
    refused(folder, "another tokenizer")


def test_the_first_prm_begins_as_it(tmp_path: Path) -> None:
    from o1_assets.core.settings import Settings
    from o1_assets.graph import build_graph
    from o1_assets.profiles.load import load_profile

    profile = load_profile("nano", 'published_prm={"folder":"/somewhere"}')
    graph = build_graph(profile, Settings.load("nano", tmp_path))
    assert graph["r00/prm"].inputs["init"] == "base/prm" and graph["r01/prm"].inputs["init"] == "r00/prm"
    assert graph["r00/orm"].inputs["init"] == "base/verifier"
    assert "base/prm" not in build_graph(load_profile("nano", ""), Settings.load("nano", tmp_path))
