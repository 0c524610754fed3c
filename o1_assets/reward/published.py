"""base/prm: a published PRM that the first one of the rounds is fine-tuned from, in the form that PRMs have here.

Its decoder is kept. Of its head, what has a meaning in three classes: our three, wrong and right (as TRL trains PRMs),
or one score (a reward model of whole sequences). A head of several layers, such as that of Qwen2.5-Math-PRM
(arXiv:2501.07301), cannot become a linear one: the rounds' labels train a new one on its decoder. No code that came
with a checkpoint is run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.base.pretrained import HUB_FILES
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.errors import O1Error
from o1_assets.reward.config import PublishedPrm

if TYPE_CHECKING:
    from torch import Tensor, nn

# What an architecture with a head for steps or sequences is called; the last two are Qwen's.
HEADS = ("ForTokenClassification", "ForSequenceClassification", "ForProcessRewardModel", "ForRewardModel")
# A class that a published PRM does not have begins as this unlikely: exp(-2) times as likely as the mean of the others.
UNLIKELY = -2.0


class PrmDoesNotFit(O1Error):
    """A published PRM cannot begin the PRMs here; the message says why and what to do."""


def check_published(config: PublishedPrm, quick: bool = True) -> None:
    """What config.json tells, before any work starts. Raises PrmDoesNotFit."""
    file = Path(config.folder) / "config.json"
    if not file.is_file():
        raise PrmDoesNotFit(
            f"{config.folder} holds no checkpoint (no config.json): set published_prm.folder to the folder of a PRM, "
            "or published_prm=null"
        )
    names = json.loads(file.read_bytes()).get("architectures") or ["a model without a name"]
    if not names[0].endswith(HEADS):
        raise PrmDoesNotFit(
            f"{config.folder} is {names[0]}, which has no head that rates: a published PRM is a token classifier, a "
            "sequence classifier or one of Qwen's reward models; a language model is set as `base`"
        )


def make_published_prm(task: Task, config: PublishedPrm) -> Outcome:
    """Inputs: base, whose tokenizer all models of the graph share. Raises PrmDoesNotFit."""
    import torch

    from o1_assets.core.flops import non_embedding_parameters
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import PRM_CLASSES, describe_start

    check_published(config)
    tokenizer = load_tokenizer(task.inputs["base"])
    with _plain_files(Path(config.folder)) as folder:
        _check_tokenizer(config, load_tokenizer(folder), tokenizer)
        torch.manual_seed(task.seed)  # of a head that has to be new
        model, old_head = _open(config, folder)
    _check_causal(config, model)
    words = _keep_head(_head(model), old_head, list(_names(old_head, model)))
    describe_start(model.config)
    model.to(getattr(torch, config.weights)).save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    size = non_embedding_parameters(model)
    return Outcome(figures={"parameters": size, "head": words, "classes": len(PRM_CLASSES)})


@contextmanager
def _plain_files(folder: Path) -> Iterator[Path]:
    """The folder without what no artifact may hold: the code and pickles that published checkpoints come with."""
    with tempfile.TemporaryDirectory(prefix="published-prm-") as name:
        for pattern in HUB_FILES:
            for path in folder.glob(pattern):
                (Path(name) / path.name).symlink_to(path.resolve())
        yield Path(name)


def _check_tokenizer(config: PublishedPrm, theirs: Any, ours: Any) -> None:
    """The policy's token ids are what a PRM here is given."""
    known = theirs.get_vocab()
    other = [token for token, i in ours.get_vocab().items() if known.get(token) != i]
    if other:
        raise PrmDoesNotFit(
            f"{config.folder} has another tokenizer than base/model ({len(other)} of its tokens are others, such as "
            f"{min(other)!r}), and reads the policy's token ids: choose a PRM made from the same family of models"
        )


def _open(config: PublishedPrm, folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """The model with a head for three classes, and the tensors of its old head. Raises PrmDoesNotFit."""
    from o1_assets.engine.checkpoint import load_config, load_new_head
    from o1_assets.reward.model import PRM_CLASSES

    try:
        shape = load_config(folder)
        labels = shape.id2label
        shape.num_labels = len(PRM_CLASSES)
        shape.published_labels = [str(name) for name in (labels or {}).values()]
        model, missing_keys = load_new_head(folder, shape)
    except (ValueError, KeyError, OSError) as error:
        raise PrmDoesNotFit(
            f"{config.folder} cannot be opened as a token classifier of transformers ({str(error).splitlines()[0]}): "
            "choose a PRM whose decoder transformers has, with weights in safetensors"
        ) from None
    heads = ("score", "classifier", "v_head", "regression_head")
    missing = [name for name in missing_keys if name.split(".")[0] not in heads]
    if missing:
        raise PrmDoesNotFit(
            f"{config.folder} lacks weights of a {type(model).__name__}, such as {min(missing)}: its decoder is of "
            "another architecture than its config.json says"
        )
    return model.eval(), _head_tensors(folder, heads)


def _head_tensors(folder: Path, heads: tuple[str, ...]) -> dict[str, Tensor]:
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.split(".")[0] in heads]  # noqa: SIM118
            found |= {name: file.get_tensor(name).float() for name in names}
    return found


def _check_causal(config: PublishedPrm, model: Any) -> None:
    """What stands at a step's end must not know what follows. An encoder (BERT) does, whatever its config says."""
    import torch

    ids = torch.arange(1, 9)[None] % model.config.get_text_config().vocab_size
    other = ids.clone()
    other[0, -1] = 0
    with torch.inference_mode():
        first, second = (model(input_ids=row).logits[0, :-1] for row in (ids, other))
    if (first - second).abs().max() > 1e-4 * first.abs().max():
        raise PrmDoesNotFit(
            f"{config.folder} is a {type(model).__name__} that reads ahead: it would rate a step by what follows it; "
            "choose a PRM made from a causal language model"
        )


def _head(model: Any) -> nn.Linear:
    head: nn.Linear = getattr(model, "score", None) or model.classifier
    return head


def _names(old_head: dict[str, Tensor], model: Any) -> Iterator[str]:
    yield from (name.lower() for name in model.config.published_labels)
    del model.config.published_labels


def _keep_head(head: nn.Linear, old: dict[str, Tensor], labels: list[str]) -> str:
    """Fills the head (3, hidden) from the old one as far as it has a meaning. Returns what was done, in words."""
    import torch

    from o1_assets.reward.model import PRM_CLASSES

    linear = {name.rpartition(".")[2]: tensor for name, tensor in old.items() if name.count(".") == 1}
    weight = linear.get("weight")
    if weight is None or weight.dim() != 2 or weight.shape[1] != head.in_features or len(old) > 2:
        return "new"
    bias = linear.get("bias", torch.zeros(len(weight)))
    if len(weight) == 3:
        if labels != list(PRM_CLASSES):
            return "new"
        rows, biases, words = weight, bias, "kept"
    elif len(weight) in (1, 2):
        # One score s is the logit of right against wrong, whose own logit is then 0.
        if len(weight) == 1:
            weight, bias = torch.cat([0 * weight, weight]), torch.cat([0 * bias, bias])
        rows = torch.stack([weight[0], weight.mean(0), weight[1]])
        biases = torch.stack([bias[0], bias.mean() + UNLIKELY, bias[1]])
        words = "of wrong and right"
    else:
        return "new"
    with torch.no_grad():
        head.weight.copy_(rows)
        if head.bias is not None:
            head.bias.copy_(biases)
    return words
