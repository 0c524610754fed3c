"""One training of a PRM that is judged and then forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.artifact import Cost
from o1_assets.flops import flops_score, flops_train, non_embedding_parameters
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.dataset import Example
from o1_assets.reward.predict import place_features
from o1_assets.reward.sampler import draw_order
from o1_assets.reward.train import Material, class_counts, class_weights
from o1_assets.seeds import derive_seed
from o1_assets.training.checkpoint import Checkpoints

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from o1_assets.reward.model import RewardModel


def material(examples: list[Example], generator: PreTrainedModel, config: PRMConfig) -> Material:
    """Examples as rows, with what the generator thought of their steps if the PRM reads that."""
    trees = [example.row() for example in examples]
    made = Material(examples, [row for row, _ in trees], [labels for _, labels in trees], None)
    if config.probability_feature:
        sequences = [example.sequences for example in examples]
        made.features = place_features(generator, made.rows, sequences, config.score_tokens)
    return made


def together(parts: Sequence[Material]) -> Material:
    """All examples, those of the first part first."""
    features = [f for part in parts for f in part.features or ()]
    return Material(
        [e for part in parts for e in part.examples],
        [r for part in parts for r in part.rows],
        [own for part in parts for own in part.labels],
        features or None,
    )


def train_prm(
    init: Path,
    learnt: Material,
    config: PRMConfig,
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
    unfinished: Path | None = None,
) -> tuple[RewardModel, Cost]:
    """As `reward.train.make_prm`, on all examples: what judges here are other problems altogether.

    unfinished: where the state of a killed training is kept.
    """
    import torch

    from o1_assets.reward.fit import fit
    from o1_assets.reward.model import PRM_CLASSES, start_reward_model
    from o1_assets.training.tuning import finish, prepare

    torch.manual_seed(derive_seed(seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    model = start_reward_model(init, PRM_CLASSES, edges, config.tuning.weights)
    prepare(model.backbone, config.tuning, derive_seed(seed, "lora"), also=model.new_modules())
    counts = class_counts(learnt.labels, len(PRM_CLASSES))
    model.class_weights = torch.tensor(class_weights(counts, config.class_balance), dtype=torch.float32)
    order = draw_order(
        [example.round for example in learnt.examples], [len(row) for row in learnt.rows],
        config.updates, config.batch_size, config.newest_share, derive_seed(seed, "order"),
    )  # fmt: skip
    features = learnt.features
    items = [(learnt.rows[i], learnt.labels[i], features[i] if features else None) for i in order]
    fit(model, items, config, derive_seed(seed, "fit"), progress, Checkpoints(unfinished, progress))
    finish(model.backbone, config.tuning)
    size, seen = non_embedding_parameters(model.backbone), learnt.tokens(order)
    return model, Cost(flops_train(size, seen, config.tuning.lora is not None), tokens_trained=seen)


def reading(model: PreTrainedModel, tokens: int) -> Cost:
    """What it costs to score so many tokens."""
    size = non_embedding_parameters(model)
    return Cost(flops_score(size, tokens), tokens_scored=tokens)
