import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Task
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.reward.train import class_weights, make_orm, make_prm
from tests.engine.training.interrupted import killed_then_resumed
from tests.reward.conftest import make_labels, rule


def no_engine(path):
    raise AssertionError("reward models do not sample")


def train_prm(out: Path, inputs: dict[str, Path], seed: int = 5, **settings):
    out.mkdir()
    return make_prm(Task(inputs, out, seed, no_engine), PRMConfig(**settings))


def labels_folder(path: Path, solutions: int, seed: int) -> Path:
    path.mkdir()
    make_labels(solutions, seed).write_parquet(path / "labels.parquet")
    return path


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def trained(generator, tmp_path_factory):
    work = tmp_path_factory.mktemp("prm")
    inputs = {"generator": generator, "init": generator, "labels_00": labels_folder(work / "labels", 150, 0)}
    outcome = train_prm(work / "out", inputs, updates=80, batch_size=8, muon_lr=0.02)
    return work / "out", outcome, inputs


def test_a_tiny_model_learns_an_easy_rule(trained):
    _, outcome, _ = trained
    assert outcome.figures["held_out_balanced_accuracy"] > 0.9
    assert outcome.figures["held_out_auc"] > 0.95
    assert outcome.figures["loss_last"] < outcome.figures["loss_first"] / 2


def test_the_folder_loads_as_a_plain_token_classifier_and_holds_no_pickles(trained):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    folder, _, _ = trained
    model, info = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert model.config.id2label == {0: "negative", 1: "neutral", 2: "positive"}
    assert json.loads((folder / "config.json").read_text())["probability_feature"] is True
    assert AutoTokenizer.from_pretrained(folder).encode("\n", add_special_tokens=False)
    assert not [p for p in folder.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def test_what_is_loaded_is_what_was_saved(trained, tmp_path):
    import torch

    from o1_assets.reward.model import load_reward_model

    folder, _, _ = trained
    model = load_reward_model(folder)
    assert model.feature is not None and model.feature.weight.abs().sum() > 0
    model.save(tmp_path)
    again = load_reward_model(tmp_path)
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def test_the_same_inputs_and_seed_give_the_same_bytes_and_another_seed_others(trained, tmp_path):
    _, _, inputs = trained
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train_prm(tmp_path / name, inputs, seed, updates=4, batch_size=4)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a")["model.safetensors"] != digests(tmp_path / "c")["model.safetensors"]


def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(trained, tmp_path, monkeypatch):
    _, _, inputs = trained
    config = PRMConfig(updates=45, batch_size=4, muon_lr=0.02)
    train_prm(tmp_path / "whole", inputs, updates=45, batch_size=4, muon_lr=0.02)
    _, folder, lines = killed_then_resumed(make_prm, config, inputs, tmp_path / "a", monkeypatch)
    assert "continues at update 20 of 45" in lines  # saved where a loss is logged: after 1, 10, 20
    assert digests(folder) == digests(tmp_path / "whole")


def test_a_later_round_begins_from_the_model_before_and_replays_older_labels(trained, tmp_path):
    folder, _, inputs = trained
    more = {**inputs, "init": folder, "labels_01": labels_folder(tmp_path / "labels", 30, 1)}
    outcome = train_prm(tmp_path / "out", more, updates=2, batch_size=8)
    afresh = train_prm(tmp_path / "afresh", {**more, "init": inputs["init"]}, updates=2, batch_size=8)
    assert outcome.figures["rounds"] == 2 and outcome.figures["solutions"] == 180
    assert outcome.figures["loss_first"] < afresh.figures["loss_first"] / 2


def test_a_model_with_the_feature_cannot_begin_one_without(trained, tmp_path):
    folder, _, inputs = trained
    with pytest.raises(ValueError, match="another kind"):
        train_prm(tmp_path / "out", {**inputs, "init": folder}, updates=1, probability_feature=False)


def test_without_the_feature_the_generator_is_never_read(trained, tmp_path):
    _, _, inputs = trained
    blind = {**inputs, "generator": tmp_path / "missing"}
    outcome = train_prm(tmp_path / "out", blind, updates=2, batch_size=4, probability_feature=False)
    assert outcome.cost.tokens_trained > 0
    assert not (tmp_path / "out" / "probability_feature.safetensors").exists()


def test_the_orm_learns_outcomes_from_whole_solutions(generator, tmp_path):
    labels = make_labels(200).filter(pl.col("completion") == 0)
    solutions = labels.group_by("solution_id", "problem_id", maintain_order=True).agg(steps="text")
    solutions = solutions.with_columns(
        correct=pl.Series([all(rule(s) >= 0 for s in steps) for steps in solutions["steps"]])
    )
    solutions.write_parquet(tmp_path / "solutions.parquet")
    labels.unique("problem_id").select("problem_id", "question").write_parquet(tmp_path / "problems.parquet")
    inputs = {"generator": generator, "init": generator, "train": tmp_path, "solutions_00": tmp_path}
    (tmp_path / "out").mkdir()
    config = ORMConfig(updates=60, batch_size=8, solutions=150, every_step=False)
    outcome = make_orm(Task(inputs, tmp_path / "out", 5, no_engine), config)
    assert outcome.figures["solutions"] == 150
    assert outcome.figures["held_out_auc"] > 0.9


def test_class_weights_keep_the_mean_and_ignore_absent_classes():
    counts = [100, 0, 900]
    weights = class_weights(counts, 0.5)
    assert np.dot(counts, weights) == pytest.approx(1000)
    assert weights[1] == 0 and weights[0] == pytest.approx(3 * weights[2])
    assert class_weights(counts, 0.0) == [1, 0, 1]
