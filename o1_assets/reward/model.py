"""The reward model: a token classifier on a causal checkpoint, with the generator's log-probabilities as extra input.

On disk it is a plain Hugging Face folder that AutoModelForTokenClassification loads. The weights of the extra input are
a second safetensors file beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from o1_assets.engine.checkpoint import (
    load_config,
    load_token_classifier,
    load_tokenizer,
    read_token_classifier,
)
from o1_assets.engine.training.config import Precision
from o1_assets.reward.config import SCORE_TOKENS
from o1_assets.reward.tree import layer_masks

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

FEATURE_FILE = "probability_feature.safetensors"
PRM_CLASSES = ("negative", "neutral", "positive")
ORM_CLASSES = ("wrong", "right")


class ProbabilityFeature(nn.Module):
    """An embedding of a log-probability, interpolated between the knots at which it is learned.

    Interpolated rather than cut into buckets: a score must not jump because a log-probability on a bucket's
    edge came out 1e-7 larger in another batch.
    """

    def __init__(self, edges: Sequence[float], hidden: int) -> None:
        super().__init__()
        self.edges: Tensor
        self.register_buffer("edges", torch.tensor(list(edges), dtype=torch.float32), persistent=False)
        # Zero at first: the model begins as the checkpoint that it was, and learns how far to trust the feature.
        self.weight = nn.Parameter(torch.zeros(len(edges), hidden))

    def forward(self, logprob: Tensor) -> Tensor:
        """From (batch, n), NaN where no step ends, to (batch, n, hidden), zero there."""
        absent = logprob.isnan()
        value = logprob.nan_to_num(0.0).clamp(float(self.edges[0]), float(self.edges[-1]))
        upper = torch.bucketize(value, self.edges).clamp(1, len(self.edges) - 1)
        low, high = self.edges[upper - 1], self.edges[upper]
        # How far the value is on its way from the lower knot to the upper one, (batch, n, 1).
        share = ((value - low) / (high - low)).unsqueeze(-1)
        vector = self.weight[upper - 1] * (1 - share) + self.weight[upper] * share
        return vector.masked_fill(absent.unsqueeze(-1), 0.0)


class RewardModel(nn.Module):
    """Classifies the last token of steps: 3 classes for a PRM, 2 for an ORM.

    class_weights, shape (classes,), weigh the training loss only and are not saved.
    """

    def __init__(self, backbone: PreTrainedModel, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = int(backbone.config.num_labels or 0)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        edges = getattr(backbone.config, "probability_edges", None)
        self.feature = ProbabilityFeature(edges, backbone.config.hidden_size) if edges else None

    @property
    def score_tokens(self) -> int:
        """Tokens a batch when it reads. The checkpoint carries the number, so that search, RL and evaluation, which
        do not know the configuration of the reward model, obey it too."""
        return int(getattr(self.backbone.config, "score_tokens", SCORE_TOKENS))

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        attention_mask: Tensor,
        min_logprob: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> dict[str, Tensor]:
        """input_ids, position_ids, min_logprob, labels: (batch, n); attention_mask as `tree.collate` makes it.

        labels are classes, -100 where nothing is labelled; or, if floating, chances of the second of two classes, NaN
        where nothing is labelled. past_key_values: what stands before; the mask then begins with its columns.
        Returns logits (batch, n, classes) and, with labels, loss.
        """
        logits = self.backbone(
            inputs_embeds=self.embed(input_ids, min_logprob),
            position_ids=position_ids,
            attention_mask=layer_masks(self.backbone.config, attention_mask, position_ids),
            past_key_values=past_key_values,
            use_cache=past_key_values is not None,
        ).logits
        if labels is None:
            return {"logits": logits}
        if labels.is_floating_point():
            return {"loss": _chance_loss(logits, labels), "logits": logits}
        # (batch * n, classes) against (batch * n,): the mean over labelled tokens, each weighted by its class.
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), weight=self.class_weights, ignore_index=-100
        )
        return {"loss": loss, "logits": logits}

    def embed(self, input_ids: Tensor, min_logprob: Tensor | None) -> Tensor:
        """Embeddings (batch, n, hidden) of tokens and of the feature, which is added where every layer can use it.

        Raises ValueError without the feature's values where the model reads it.
        """
        embeds = cast(Tensor, self.backbone.get_input_embeddings()(input_ids))
        if self.feature is None:
            return embeds
        if min_logprob is None:
            raise ValueError("this reward model reads the generator's log-probabilities: pass min_logprob")
        return embeds + cast(Tensor, self.feature(min_logprob))

    def label_weight(self, labels: Tensor) -> float:
        """What the mean loss over `labels` is divided by: the sum of the class weights of all labelled tokens."""
        if labels.is_floating_point():
            return float((~labels.isnan()).sum())
        present = labels[labels != -100]
        return float(len(present) if self.class_weights is None else self.class_weights[present].sum())

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        """Called by a Trainer: keep each layer's input only, and compute the rest again for the gradient."""
        self.backbone.gradient_checkpointing_enable(**options)

    def gradient_checkpointing_disable(self) -> None:
        self.backbone.gradient_checkpointing_disable()

    def new_modules(self) -> tuple[nn.Module, ...]:
        """The modules that no pre-trained checkpoint has: the classification head, and the feature."""
        return (self.head,) if self.feature is None else (self.head, self.feature)

    @property
    def head(self) -> nn.Module:
        """The linear layer that classifies."""
        # transformers calls it `score` in most architectures and `classifier` in some.
        return cast(nn.Module, getattr(self.backbone, "score", None) or self.backbone.classifier)

    def save(self, path: Path) -> None:
        """Write config.json, model.safetensors and, if there is one, the feature's weights."""
        self.backbone.save_pretrained(path)
        if self.feature is not None:
            save_file({"weight": self.feature.weight.detach().contiguous()}, path / FEATURE_FILE)


def _chance_loss(logits: Tensor, chances: Tensor) -> Tensor:
    """Cross-entropy between chances of the second class, (batch, n), NaN where there is none, and logits."""
    present = ~chances.isnan()  # (batch, n); below only what is labelled, (labels, 2) and (labels,)
    logarithms, chance = logits[present].float().log_softmax(-1), chances[present]
    return -(logarithms[:, 1] * chance + logarithms[:, 0] * (1 - chance)).mean()


def start_reward_model(
    checkpoint: Path,
    classes: Sequence[str],
    edges: Sequence[float] | None,
    precision: Precision = "float32",
    score_tokens: int = SCORE_TOKENS,
) -> RewardModel:
    """A reward model to be trained: the one saved in `checkpoint`, or a new head on a causal checkpoint.

    edges: knots of the probability feature, None for none. precision: of the weights in memory. score_tokens: tokens a
    batch when it reads. A new head is drawn from torch's global generator.
    Raises ValueError if the checkpoint is a reward model with other classes or another feature.
    """
    config = load_config(checkpoint)
    # From round 1 on a reward model is fine-tuned from the one before; only the first has a new head.
    is_classifier = any("TokenClassification" in name for name in config.architectures or ())
    if is_classifier and not getattr(config, "graded_homework", False):
        model = load_reward_model(checkpoint, precision)
        saved = list((model.backbone.config.id2label or {}).values())
        if saved != list(classes) or (model.feature is None) != (edges is None):
            raise ValueError(f"{checkpoint} is a reward model of another kind: classes {saved}")
        _set_score_tokens(model.backbone.config, score_tokens)
        return model
    # A verifier has a head for a PRM's classes, which the PRM keeps. It is the start of reward models, not one of them.
    config.graded_homework = False
    _describe(config, classes, edges)
    _set_score_tokens(config, score_tokens)
    return RewardModel(_backbone(checkpoint, precision, config=config, ignore_mismatched_sizes=True))


def grow_verifier(checkpoint: Path, new_layers: int) -> RewardModel:
    """A causal checkpoint as a PRM to be, with more layers on top that change nothing at first.

    It reads no probability feature. The head, and the inner matrices of the new layers, are drawn from torch's global
    generator.
    """
    config = load_config(checkpoint)
    layers = config.num_hidden_layers
    config.num_hidden_layers = layers + new_layers
    config.graded_homework = True  # for `start_reward_model`
    _describe(config, PRM_CLASSES, None)
    backbone = _backbone(checkpoint, "float32", config=config)
    for layer in cast(Any, backbone).base_model.layers[layers:]:
        # What a layer adds to the residual stream goes through these two.
        nn.init.zeros_(layer.self_attn.o_proj.weight)
        nn.init.zeros_(layer.mlp.down_proj.weight)
    return RewardModel(backbone)


def describe_start(config: Any) -> None:
    """Write into config.json that the model has a head for a PRM's classes and is the start of reward models."""
    config.graded_homework = True  # for `start_reward_model`
    if hasattr(config, "auto_map"):
        del config.auto_map  # names code that is not here
    _describe(config, PRM_CLASSES, None)


def _describe(config: Any, classes: Sequence[str], edges: Sequence[float] | None) -> None:
    """Write into config.json what the model reads and says, for whoever opens the folder."""
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: i for i, name in enumerate(classes)}
    config.classifier_dropout = 0.0
    config.probability_feature = edges is not None
    config.probability_edges = None if edges is None else [float(e) for e in edges]


def _set_score_tokens(config: Any, score_tokens: int) -> None:
    """The default is left out of config.json, as transformers leaves out its own."""
    if score_tokens != SCORE_TOKENS:
        config.score_tokens = score_tokens
    elif hasattr(config, "score_tokens"):
        del config.score_tokens


def load_reward_model(
    path: Path, precision: Precision | Literal["auto"] = "float32", trained: bool = True
) -> RewardModel:
    """The reward model saved in a folder, in evaluation mode. Reads safetensors only.

    trained: False if it is only read, which opens a small one in less time.
    """
    opened = _backbone(path, precision) if trained else _backbone_to_read(path, precision)
    model = RewardModel(opened)
    if model.feature is not None:
        model.feature.load_state_dict(load_file(path / FEATURE_FILE))
    return model.eval()


def save_reward_model(model: RewardModel, tokenizer_from: Path, path: Path) -> None:
    """Write the model and the tokenizer of the checkpoint it began as."""
    model.save(path)
    load_tokenizer(tokenizer_from).save_pretrained(path)


def _backbone(path: Path, precision: str, **options: Any) -> PreTrainedModel:
    opened: PreTrainedModel = load_token_classifier(path, precision, attn_implementation="sdpa", **options)
    return opened


def _backbone_to_read(path: Path, precision: str) -> PreTrainedModel:
    opened: PreTrainedModel = read_token_classifier(path, precision, attn_implementation="sdpa")
    return opened
