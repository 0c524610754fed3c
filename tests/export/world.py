"""A store with a small generator, a policy, a PRM that reads the generator, one that does not, and an evaluation."""

from __future__ import annotations

from pathlib import Path

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make


class ModelConfig(StageConfig):
    seed: int = 0
    prompt: PromptFormat = PromptFormat(max_tokens=24)
    probability_feature: bool = False


def causal(task: Task, config: ModelConfig) -> Outcome:
    import torch

    from o1_assets.base.pretrain import build_model
    from tests.engine.models import TOKENIZER

    made = build_model(BaseConfig(layers=2), TOKENIZER, config.seed)  # vLLM's CPU attention has its head size
    with torch.no_grad():
        made.lm_head.weight.mul_(30)  # samples differ from uniform noise
    made.config.use_cache = False  # as a training leaves it
    made.save_pretrained(task.out)
    TOKENIZER.save_pretrained(task.out)
    (task.out / "plots").mkdir()
    (task.out / "plots" / "reward.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return Outcome(figures={"updates": 1})


def prm(task: Task, config: ModelConfig) -> Outcome:
    import torch

    from o1_assets.reward.model import PRM_CLASSES, save_reward_model, start_reward_model

    torch.manual_seed(config.seed)
    edges = (-4.0, -1.0, -0.1) if config.probability_feature else None
    made = start_reward_model(task.inputs["generator"], PRM_CLASSES, edges)
    if made.feature is not None:
        torch.nn.init.normal_(made.feature.weight)
    save_reward_model(made, task.inputs["generator"], task.out)
    return Outcome(figures={"held_out_auc": 0.9})


def evaluate(task: Task, config: ModelConfig) -> Outcome:
    (task.out / "figures.json").write_text("{}")
    return Outcome(figures={"problems": 10, "pass@1": 0.625, "greedy": 0.7, "secret": 1.0})


def graph(seed: int = 1) -> dict[str, Artifact]:
    """seed: of the policy."""
    generator = {"generator": "generator/model"}

    def artifact(key, compute, config, inputs) -> Artifact:  # type: ignore[no-untyped-def]
        return Artifact(key, compute, config, inputs, key, "toy")

    rows = [
        artifact("generator/model", causal, ModelConfig(), {}),
        artifact("r00/policy", causal, ModelConfig(seed=seed), generator),
        artifact("r00/prm", prm, ModelConfig(probability_feature=True), generator),
        artifact("r00/orm", prm, ModelConfig(), generator),
        artifact("r00/eval", evaluate, ModelConfig(), {"policy": "r00/policy", "prm": "r00/prm"}),
    ]
    return {row.key: row for row in rows}


def make_store(root: Path, seed: int = 1) -> ArtifactStore:
    store = ArtifactStore(str(root / "store"), root / "work")
    for artifact in graph(seed).values():
        make(store, artifact)
    return store
