"""Labels as training examples: a solution's own steps, each alternative on its own after the shared prefix.

An alternative shares the prefix of *chosen* steps and is judged at its own last token only. Nothing is ever
built from two alternatives, or from steps after one that was not chosen: nobody rated those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.steps import separator
from o1_assets.reward.tree import Row, StepSequence, pack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


IGNORED = -100


@dataclass(frozen=True)
class Example:
    """One labelled solution: sequences[0] is its own path if that is rated, the others end in an alternative.

    labels[i][k] is the class of step k of sequence i, IGNORED where it is not labelled (there).
    round: position of the folder it came from, oldest first.
    """

    problem_id: str
    solution_id: str
    round: int
    sequences: tuple[StepSequence, ...]
    labels: tuple[tuple[int, ...], ...]

    def row(self) -> tuple[Row, NDArray[np.int64]]:
        """All sequences as one tree, and the classes of its tokens, shape (n,), IGNORED where there is none.

        An alternative with the text of the chosen step is the same token: the chosen step's rating stands.
        """
        (row,) = pack([s.tokens for s in self.sequences])
        classes = np.full(len(row), IGNORED, dtype=np.int64)
        for index in reversed(range(len(self.sequences))):
            for end, label in zip(self.sequences[index].ends, self.labels[index], strict=True):
                if label != IGNORED:
                    classes[row.paths[index][end]] = label
        return row, classes


def step_sequence(tokenizer: PreTrainedTokenizerBase, prompt: str, steps: Sequence[str]) -> StepSequence:
    """Prompt and steps (without what separates them), encoded one by one so that every step ends on a token."""
    end = separator(tokenizer)
    tokens: list[int] = list(tokenizer.encode(prompt, add_special_tokens=False))
    prompt_length, ends = len(tokens), []
    for step in steps:
        tokens.extend(tokenizer.encode(step + end, add_special_tokens=False))
        ends.append(len(tokens) - 1)
    return StepSequence(tuple(tokens), prompt_length, tuple(ends))


def prm_examples(
    labels: pl.DataFrame, tokenizer: PreTrainedTokenizerBase, prompt: PromptFormat, round: int = 0
) -> list[Example]:
    """labels.parquet as examples in the order of solution ids; a rating r is class r + 1.

    Where labellers could not settle the first step, its alternatives are rated and no own step is: they are then
    the only sequences. Raises ValueError if own steps are not rated from the first one on, without a gap, or an
    alternative stands after one that is not rated.
    """
    examples = []
    ordered = labels.sort("solution_id", "step", "completion")
    for (solution_id,), rows in ordered.group_by("solution_id", maintain_order=True):
        completions = rows.to_dicts()
        own = [c for c in completions if c["completion"] == 0]
        steps = [c["step"] for c in own]
        if steps != list(range(len(own))) or any(c["step"] > len(own) for c in completions):
            raise ValueError(f"solution {solution_id}: its own rated steps are {steps}")
        asked = prompt.render(completions[0]["question"])
        sequences, classes = [], []
        if own:
            sequences.append(step_sequence(tokenizer, asked, [c["text"] for c in own]))
            # A labeller rates no step that they wrote themselves.
            classes.append(tuple(IGNORED if c["rating"] is None else c["rating"] + 1 for c in own))
        for c in completions:
            if c["completion"] > 0:
                prefix = [step["text"] for step in own[: c["step"]]]
                sequences.append(step_sequence(tokenizer, asked, [*prefix, c["text"]]))
                classes.append((*[IGNORED] * len(prefix), c["rating"] + 1))
        examples.append(
            Example(completions[0]["problem_id"], str(solution_id), round, tuple(sequences), tuple(classes))
        )
    return examples


def orm_examples(
    solutions: pl.DataFrame,
    questions: dict[str, str],
    tokenizer: PreTrainedTokenizerBase,
    prompt: PromptFormat,
    every_step: bool,
    round: int = 0,
) -> list[Example]:
    """Solutions with `correct` as the class of the last step, or of every step; those without steps are skipped.

    questions: problem_id -> question. Lightman et al. 2023 (appendix E) train on every token and take the
    score at the final one; every_step is the same thing for the tokens that a score is read from.
    """
    examples = []
    for s in solutions.sort("solution_id").iter_rows(named=True):
        if not s["steps"]:
            continue
        sequence = step_sequence(tokenizer, prompt.render(questions[s["problem_id"]]), s["steps"])
        label = int(s["correct"])
        before = [label if every_step else IGNORED] * (len(s["steps"]) - 1)
        examples.append(Example(s["problem_id"], s["solution_id"], round, (sequence,), ((*before, label),)))
    return examples


def held_out(problem_id: str, share: float) -> bool:
    """Whether a problem is kept for judging: by its id alone, so that no later round trains on it."""
    digest = hashlib.sha256(f"reward holdout {problem_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def round_folders(inputs: Any, prefix: str) -> list[Path]:
    """Folders of the inputs prefix_00, prefix_01, ..., oldest first. Raises ValueError if there is none."""
    names = sorted(name for name in inputs if name.startswith(prefix + "_"))
    if not names:
        raise ValueError(f"no input named {prefix}_NN")
    return [inputs[name] for name in names]


# Which examples are trained on, and in which order: replay of old rounds, batches of similar lengths.

WINDOW = 8
"""Batches that are sorted by length together."""


def draw_order(
    rounds: Sequence[int],
    lengths: Sequence[int],
    updates: int,
    batch_size: int,
    newest_share: float,
    seed: int,
) -> list[int]:
    """updates * batch_size indices of examples; rounds and lengths have one entry an example.

    The newest round has `newest_share` of every window of eight batches, older rounds the rest (all of it, or
    none, where only one of the two exists). Each side is a shuffle without replacement, begun again when
    used up.
    Raises ValueError without examples.
    """
    if not rounds:
        raise ValueError("no examples to train on")
    rng = np.random.default_rng(seed)
    newest = [i for i, r in enumerate(rounds) if r == max(rounds)]
    older = [i for i, r in enumerate(rounds) if r != max(rounds)]
    share = newest_share if older else 1.0
    new, old = _cycle(newest, rng), _cycle(older, rng)
    order: list[int] = []
    taken = 0
    for first in range(0, updates, WINDOW):
        count = min(WINDOW, updates - first) * batch_size
        want = round(share * (len(order) + count)) - taken
        taken += want
        window = [next(new) for _ in range(want)] + [next(old) for _ in range(count - want)]
        rng.shuffle(window)
        window.sort(key=lambda i: lengths[i])
        batches = [window[i : i + batch_size] for i in range(0, count, batch_size)]
        order.extend(i for b in rng.permutation(len(batches)) for i in batches[b])
    return order


def _cycle(indices: Sequence[int], rng: Generator) -> Iterator[int]:
    while indices:
        yield from (indices[i] for i in rng.permutation(len(indices)))
