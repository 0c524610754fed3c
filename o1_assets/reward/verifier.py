"""base/verifier: the model that the reward models begin as. It has read graded homework and no label.

The base with more layers on top: its own predict the next symbol, the new ones compare the prediction with what was
written. New layers begin as the identity (block expansion, Wu et al. 2024, LLaMA Pro, arXiv:2401.02415, section 3.2).
It is trained on the marks of steps, at their last token as a PRM is, and on those of single symbols: a teacher
underlines where a step goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from o1_assets.base.world import expression_of
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_train, non_embedding_parameters
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import separator
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.one_pass import one_pass
from o1_assets.reward.aggregate import NEGATIVE, POSITIVE
from o1_assets.reward.config import VerifierTask
from o1_assets.reward.dataset import IGNORED
from o1_assets.reward.homework import Marked, Page, draw_homework
from o1_assets.reward.tree import Row, StepSequence, pack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WINDOW = 20
"""Batches whose pages are sorted by length together; pages keep their order otherwise, which is their curriculum."""


@dataclass(frozen=True)
class MarkedPage:
    """A page as one tree of n tokens.

    steps, symbols: the class of each token (n,), IGNORED where there is none; steps at the last token of each step,
    symbols at all others of a step. edges (m, 2): every token that a pupil wrote, after the token before it.
    """

    row: Row
    steps: NDArray[np.int64]
    symbols: NDArray[np.int64]
    edges: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)


def make_verifier(task: Task, config: VerifierTask) -> Outcome:
    """Inputs: base (the checkpoint it grows from), test (whose expressions are on no page)."""
    import torch

    from o1_assets.core.plots import Axis, Series, save_png
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.grow import GrowingVerifier, page_loss
    from o1_assets.reward.model import PRM_CLASSES

    test = read_parquet(task.inputs["test"] / "problems.parquet", columns=["metadata"])
    exclude = {content for content in map(expression_of, test["metadata"]) if content}
    tokenizer = load_tokenizer(task.inputs["base"])
    drawn = draw_homework(config.corpus, config.verifier.homework, task.seed, exclude)
    marker = PageMarker(tokenizer)
    pages = [marker.mark(page) for page in drawn]
    task.progress(f"homework: {len(pages)} pages")
    model = GrowingVerifier(task.inputs["base"], config.verifier.new_layers, task.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.nn.Module.to(model, device)
    losses = one_pass(
        model,
        [p for p in model.classifier.base_model.layers.parameters() if p.ndim == 2],
        list(batches(pages, config.verifier.batch_size, task.seed)),
        partial(page_loss, model, config.verifier),
        muon_lr=config.verifier.muon_lr,
        adamw_lr=config.verifier.adamw_lr,
        warmup=config.verifier.warmup,
        max_grad_norm=config.verifier.max_grad_norm,
        progress=task.progress,
        checkpoints=Checkpoints.of(task),
    )
    model.classifier.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    means = [sum(losses[i : i + 10]) / len(losses[i : i + 10]) for i in range(0, len(losses), 10)]
    save_png(
        task.out / "plots" / "learning_curve.png",
        [Series("loss", [10 * i + 5 for i in range(len(means))], means)],
        Axis("Verifier on graded homework", "update", "loss", percent=False),
    )
    parameters, tokens = non_embedding_parameters(model.classifier), sum(map(len, pages))
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


class PageMarker:
    """Turns pages into trees of tokens. Most steps occur on many pages, and each is encoded once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.end = separator(tokenizer)
        self._known: dict[str, tuple[int, ...]] = {}

    def mark(self, page: Page) -> MarkedPage:
        """The page as a tree in which what pupils share stands once, with the marks of its tokens."""
        sequences = [self._sequence(page.question, pupil.steps) for pupil in page.pupils]
        (row,) = pack([sequence.tokens for sequence in sequences])
        steps = np.full(len(row), IGNORED, dtype=np.int64)
        symbols = np.full(len(row), IGNORED, dtype=np.int64)
        edges: set[tuple[int, int]] = set()
        for index, (pupil, sequence) in enumerate(zip(page.pupils, sequences, strict=True)):
            path = row.paths[index].tolist()
            first_wrong = self._first_wrong(pupil, sequence)
            for place in range(sequence.prompt_length, len(path)):
                edges.add((path[place - 1], path[place]))
                symbols[path[place]] = POSITIVE if place < first_wrong else NEGATIVE
            for end, mark in zip(sequence.ends, pupil.marks, strict=True):
                steps[path[end]] = mark
        symbols[steps != IGNORED] = IGNORED
        return MarkedPage(row, steps, symbols, np.array(sorted(edges), dtype=np.int64))

    def _sequence(self, question: str, steps: Sequence[str]) -> StepSequence:
        tokens = list(self._encode(question + "\n"))
        prompt_length, ends = len(tokens), []
        for step in steps:
            tokens.extend(self._encode(step + self.end))
            ends.append(len(tokens) - 1)
        return StepSequence(tuple(tokens), prompt_length, tuple(ends))

    def _encode(self, text: str) -> tuple[int, ...]:
        if text not in self._known:
            self._known[text] = tuple(self.tokenizer.encode(text, add_special_tokens=False))
        return self._known[text]

    def _first_wrong(self, pupil: Marked, sequence: StepSequence) -> int:
        """Index of the first token that the teacher would not have written; the end if they would have all."""
        if pupil.marks[-1] != NEGATIVE:
            return len(sequence.tokens)
        end = sequence.ends[-1]
        place = sequence.ends[-2] + 1 if len(sequence.ends) > 1 else sequence.prompt_length
        read = 0
        while place < end:
            read += len(cast(str, self.tokenizer.convert_ids_to_tokens(sequence.tokens[place])))
            if read > pupil.agreed:
                break
            place += 1
        return place


def batches(pages: Sequence[MarkedPage], batch_size: int, seed: int) -> Iterable[list[MarkedPage]]:
    """One pass over the pages, in batches of similar length."""
    rng = Random(seed)
    for start in range(0, len(pages), WINDOW * batch_size):
        window = sorted(pages[start : start + WINDOW * batch_size], key=len)
        groups = [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
        rng.shuffle(groups)
        yield from groups
