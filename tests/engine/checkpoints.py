"""The checkpoints that both engines are tested on: one of random weights, and the one that `make run` trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import torch

from o1_assets.base.pretrain import build_model
from o1_assets.base.tokenizer import ARITHMETIC, Vocabulary, make_tokenizer
from o1_assets.core.prompt_format import extract_answer
from o1_assets.core.settings import Settings
from o1_assets.engine.checkpoint import load_causal_lm
from o1_assets.engine.steps import PARAGRAPH, SETTING
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore
from tests.digits import DIGITS

if TYPE_CHECKING:
    from o1_assets.core.engine import Sample


NANO = load_profile("nano", "")
TRAINED = bool(os.environ.get("O1_TEST_TRAINED"))
"""Whether to look for a trained checkpoint in O1_HOME: what it holds is no business of the ordinary tests."""


SHARPNESS = 5.0
"""Random weights say nearly the same of every token; times this, they have something to say."""


QUESTIONS = [f"Calculate {a} * {b} - {c} + {a}." for a in range(2, 6) for b in range(1, 4) for c in (3, 10)]


@dataclass(frozen=True)
class Checkpoint:
    """path: the policy's folder. store: where it and its reward models were found, if it was trained.

    vocabulary: what its tokenizer was made with, before any token was added.
    """

    path: Path
    questions: list[str]
    store: ArtifactStore | None = None
    vocabulary: Vocabulary = ARITHMETIC

    def prompts(self) -> list[list[int]]:
        tokenizer = make_tokenizer(NANO.base.max_positions, self.vocabulary)
        ids: list[list[int]] = tokenizer([q + "\n" for q in self.questions])["input_ids"]
        return ids

    def model(self) -> Any:
        """Straight from transformers, in float32: what both engines are compared with."""
        return load_causal_lm(self.path).eval()


def random_checkpoint(folder: Path) -> Checkpoint:
    """nano's architecture and tokenizer, weights drawn."""
    return _drawn(folder, ARITHMETIC)


def paragraph_checkpoint(folder: Path) -> Checkpoint:
    """As `random_checkpoint`, but a step is a paragraph, which ends in one token or in two of several kinds."""
    return _drawn(folder, DIGITS, [".\n", "\n3", "=\n", "\n\n"])


def _drawn(folder: Path, vocabulary: Vocabulary, paragraph_ends: Sequence[str] = ()) -> Checkpoint:
    tokenizer = make_tokenizer(NANO.base.max_positions, vocabulary)
    if paragraph_ends:
        tokenizer.add_tokens(list(paragraph_ends))
        tokenizer.init_kwargs[SETTING] = PARAGRAPH
    model = build_model(NANO.base, tokenizer, seed=1)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(SHARPNESS)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Checkpoint(folder, QUESTIONS, vocabulary=vocabulary)


def trained_checkpoint(settings: Settings) -> Checkpoint | str:
    """The newest policy in a home, or the sentence that says why there is none."""
    store = ArtifactStore(settings.store, settings.work)
    keys = [f"r{k:02d}/policy" for k in reversed(range(NANO.rounds + 1))]
    heads = store.heads([*keys, "problems/test"])
    policy = next((heads[key] for key in keys if key in heads), None)
    if policy is None:
        return f"there is no trained policy in {settings.home}; `make run` trains it, or set O1_HOME to where it is"
    test = pl.read_parquet(store.verified(heads["problems/test"].digest) / "problems.parquet")
    return Checkpoint(store.verified(policy.digest), test["question"].head(24).to_list(), store)


def outcome(sample: Sample) -> object:
    """What two samples of one prompt are compared by: the answer, or the first token if they have none."""
    tokenizer = make_tokenizer(NANO.base.max_positions)
    answer = extract_answer(
        tokenizer.decode(sample.token_ids, skip_special_tokens=True), NANO.prompt.answer_prefix
    )
    return answer if answer is not None else sample.token_ids[0]
