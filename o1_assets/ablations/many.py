"""Many reward models read the same solutions: packed once, and the generator's log-probabilities computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from o1_assets.artifact import Cost
from o1_assets.flops import non_embedding_parameters
from o1_assets.reward.predict import place_features, predict
from o1_assets.reward.score import BATCH_TOKENS, Scorer, Tokens, load_scorer, row_tokens
from o1_assets.reward.tree import pack

CHUNK = 2000
"""Solutions at a time, for memory; in the order of problems, so that samples share their prefixes."""


def load_many(folders: Sequence[Path], generator: Path) -> Scorer:
    """A scorer that holds them all; it counts, and `read_all` reads with it."""
    first, *others = (load_scorer(folder, generator) for folder in folders)
    models = [first.models[0], *(scorer.models[0] for scorer in others)]
    reading = next((s.generator for s in (first, *others) if s.generator is not None), None)
    return Scorer(models, reading, first.tokenizer)


def read_all(
    scorer: Scorer, prompts: Tokens, completions: Tokens, progress: Callable[[str], None] = lambda line: None
) -> tuple[list[list[NDArray[np.float64]]], Cost]:
    """Of each model, for each completion (steps, classes); and what it cost."""
    before = scorer.cost()
    found: list[list[NDArray[np.float64]]] = [[] for _ in scorer.models]
    for start in range(0, len(prompts), CHUNK):
        part = slice(start, start + CHUNK)
        for of_model, read in zip(found, _read(scorer, prompts[part], completions[part]), strict=True):
            of_model += read
        progress(f"{len(scorer.models)} reward models have read {len(found[0])} of {len(prompts)} solutions")
    after = scorer.cost()
    return found, Cost(after.flops - before.flops, tokens_scored=after.tokens_scored - before.tokens_scored)


def _read(scorer: Scorer, prompts: Tokens, completions: Tokens) -> list[list[NDArray[np.float64]]]:
    sequences = [scorer.sequence(p, c) for p, c in zip(prompts, completions, strict=True)]
    rows = pack([s.tokens for s in sequences], row_tokens(sequences))
    tokens = sum(len(row) for row in rows)
    features = None
    if scorer.generator is not None and any(model.feature is not None for model in scorer.models):
        features = place_features(scorer.generator, rows, [sequences] * len(rows), BATCH_TOKENS)
        scorer.count(non_embedding_parameters(scorer.generator), tokens)
    found = []
    for model in scorer.models:
        (of_rows,) = predict([model], rows, features, BATCH_TOKENS)
        scorer.count(non_embedding_parameters(model.backbone), tokens)
        of_solutions = [np.zeros((0, model.classes))] * len(sequences)
        for row, classes in zip(rows, of_rows, strict=True):
            for index, path in row.paths.items():
                of_solutions[index] = classes[path[list(sequences[index].ends)]]
        found.append(of_solutions)
    return found
