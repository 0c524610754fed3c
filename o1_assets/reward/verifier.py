"""base/verifier: the model that the reward models begin as. It has read graded homework and no label.

The base with more layers on top: its own predict the next symbol, the new ones compare the prediction with what was
written. New layers begin as the identity (block expansion, Wu et al. 2024, LLaMA Pro, arXiv:2401.02415, section 3.2).
It is trained on the marks of steps, at their last token as a PRM is, and on those of single symbols: a teacher
underlines where a step goes wrong.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from o1_assets.base.pretrain import kept_out
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.one_pass import batches_by_length, one_pass, smoothed
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.reward.config import VerifierTask
from o1_assets.reward.dataset import IGNORED
from o1_assets.reward.homework import draw_homework
from o1_assets.reward.pages import PageMarker


def make_verifier(task: Task, config: VerifierTask) -> Outcome:
    """Inputs: base (the checkpoint it grows from), test and longer (whose expressions are on no page)."""
    import torch

    from o1_assets.core.plots import Axis, Series, save_png
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.grow import GrowingVerifier, page_loss
    from o1_assets.reward.model import PRM_CLASSES

    exclude = kept_out(task.inputs, WORLDS["arithmetic"])
    tokenizer = load_tokenizer(task.inputs["base"])
    drawn = draw_homework(config.corpus, config.verifier.homework, task.seed, exclude)
    marker = PageMarker(tokenizer)
    pages = [marker.mark(page) for page in drawn]
    task.progress(f"homework: {len(pages)} pages")
    model = GrowingVerifier(task.inputs["base"], config.verifier, task.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.nn.Module.to(model, device)
    losses = one_pass(
        model,
        [p for p in model.layers.parameters() if p.ndim == 2],
        list(batches_by_length(pages, len, config.verifier.batch_size, task.seed)),
        partial(page_loss, model, config.verifier),
        muon_lr=config.verifier.muon_lr,
        adamw_lr=config.verifier.adamw_lr,
        warmup=config.verifier.warmup,
        max_grad_norm=config.verifier.max_grad_norm,
        autocast=config.verifier.autocast,
        progress=task.progress,
        checkpoints=Checkpoints.of(task),
    )
    model.verifier.save(task.out)
    tokenizer.save_pretrained(task.out)
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", *smoothed(losses))],
        Axis("Verifier on graded homework", "update", "loss", percent=False),
    )
    parameters, tokens = non_embedding_parameters(model.verifier.backbone), sum(map(len, pages))
    marks = np.bincount(np.concatenate([page.steps[page.steps != IGNORED] for page in pages]), minlength=3)
    return Outcome(
        figures={
            "parameters": parameters,
            "pages": len(pages),
            "tokens": tokens,
            **{f"marks_{name}": int(count) for name, count in zip(PRM_CLASSES, marks, strict=True)},
            "updates": len(losses),
            "loss_last_50": sum(losses[-50:]) / len(losses[-50:]),
        },
        cost=Cost(flops=flops_train(parameters, tokens), tokens_trained=tokens),
        rows=len(pages),
    )
