"""Every stage of the profiles with real models, on random models of the same architectures and tiny width."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.base.config import BaseConfig
from o1_assets.core.settings import Settings
from o1_assets.engine.open import open_engine
from o1_assets.execution.materialize import materialize
from o1_assets.graph import asked_for, build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.profiles.profile import Profile
from o1_assets.store.store import ArtifactStore
from tests.profiles import tiny
from tests.profiles.shrunk import SIZES

LORA = json.dumps({"rank": 2, "alpha": 4.0, "targets": ["q_proj", "down_proj"]}, separators=(",", ":"))


STAGES = ("sft", "first_prm", "later_prm", "first_orm", "later_orm", "policy", "q_value")


def whole_loop(profile: Profile, home: Path) -> ArtifactStore:
    """Makes every artifact of the profile, the optional Q-value models too."""
    settings = Settings(profile.name, home)
    graph = build_graph(profile, settings)
    store = ArtifactStore(settings.store, settings.work)
    wanted = asked_for(graph) | {key for key in graph if key.endswith("/q_value")}
    for key, artifact in graph.items():
        if key in wanted:
            materialize(artifact, store, profile=profile.name, open_engine=open_engine, threads=1)
    return store


def table(store: ArtifactStore, key: str, name: str) -> pl.DataFrame:
    head = store.head(key)
    assert head is not None
    return pl.read_parquet(store.path(head.digest) / name)


def weights(store: ArtifactStore, key: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    head = store.head(key)
    assert head is not None
    return load_file(store.path(head.digest) / "model.safetensors")


def test_smol_loops(tmp_path: Path) -> None:
    base = tiny.save_checkpoint(tmp_path / "base", "llama")
    data = tiny.save_word_problems(tmp_path / "data", 60)
    where = {"kind": "folder", "folder": str(base), "end_tokens": ["<|im_end|>"]}
    profile = load_profile(
        "smol-smoke",
        # Of so few solutions hardly a group has right and wrong ones, so that steps have to be rewarded too.
        f"{SIZES}\npolicy.reward.form=both_minimum\nproblems.source.folder={data}\n"
        f"base={json.dumps(where, separators=(',', ':'))}",
    )
    store = whole_loop(profile, tmp_path / "home")

    solutions = table(store, "r01/solutions", "solutions.parquet")
    assert 0 < solutions["correct"].sum() < solutions.height
    labels = table(store, "r00/labels", "labels.parquet")
    assert set(labels["labeler"]) == {"monte_carlo"} and set(labels["rating"]) == {-1, 1}
    before, after = weights(store, "generator/model"), weights(store, "r01/policy")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)


def test_micro_loops(tmp_path: Path) -> None:
    """With two layers, on problems that so small a base learns: in bfloat16, as on a GPU."""
    profile = load_profile(
        "micro",
        f"{SIZES}\nmodel_class=cpu\nproblems.arithmetic.min_terms=2\nproblems.arithmetic.max_terms=3\n"
        "problems.shares=null\nproblems.source.generators="
        '[{"name":"basic_arithmetic","parameters":{"min_terms":2,"max_terms":3,"min_digits":1,"max_digits":1,'
        '"operators":["+","-"],"allow_parentheses":false,"allow_negation":false,"format_style":"natural"}}]\n'
        "base.corpus.solutions=8000\nbase.corpus.max_terms=3\nbase.corpus.max_number=9\nbase.hidden_size=64\n"
        "base.intermediate_size=128\nbase.layers=2\nbase.heads=2\nbase.batch_size=32\nbase.warmup=10\n"
        "sft_set.min_steps=1",
    )
    assert isinstance(profile.base, BaseConfig) and profile.base.autocast and profile.policy.tuning.autocast
    store = whole_loop(profile, tmp_path / "home")
    held = weights(store, "r01/policy")
    assert {str(tensor.dtype) for tensor in held.values()} == {"torch.float32"}
    assert table(store, "r01/solutions", "solutions.parquet")["correct"].any()
    before = weights(store, "generator/model")
    assert any(not before[name].equal(held[name]) for name in before)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_qwen_loops(tmp_path: Path, tuning: str) -> None:
    if tuning == "lora":
        pytest.importorskip("peft", reason="LoRA needs peft: `uv sync --extra lora`")
    base = tiny.save_checkpoint(tmp_path / "base", "qwen2", "\n\n", "\\boxed{{}}")
    data = tiny.save_math(tmp_path / "math")
    where = {
        "kind": "folder",
        "folder": str(base),
        "step_separator": "\n\n",
        "end_tokens": ["<|im_end|>", "<|endoftext|>"],
        "weights": "bfloat16" if tuning == "lora" else "float32",
    }
    rank = "\n".join(f"{stage}.tuning.lora={LORA}" for stage in STAGES) if tuning == "lora" else ""
    profile = load_profile(
        "qwen" if tuning == "lora" else "qwen-full",
        f"{SIZES}\n{rank}\nproblems.source.folder={data}\nlabel_source=null\nengine=transformers\n"
        f"model_class=cpu\nbase={json.dumps(where, separators=(',', ':'))}",
    )
    store = whole_loop(profile, tmp_path / "home")

    solutions = table(store, "r01/solutions", "solutions.parquet")
    assert solutions["correct"].any() and solutions["steps"].list.len().max() > 1
    assert all("\n\n" not in step for steps in solutions["steps"].to_list() for step in steps)
    for key in ("generator/model", "r01/prm", "r01/orm", "r01/policy", "r01/q_value"):
        held = weights(store, key)
        assert not any("lora" in name for name in held), "adapters are merged"
        assert {str(t.dtype) for t in held.values()} == {
            "torch.bfloat16" if tuning == "lora" else "torch.float32"
        }
