"""Labels as training examples, and the order in which they are trained on.

A solution gives its chosen steps as one sequence, and each alternative as one more: the prefix of *chosen* steps, then
the alternative, labelled at its own last token only. Nothing is ever built from two alternatives, or from steps after
one that was not chosen: nobody rated those.
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
from o1_assets.engine.steps import as_one_step, is_blank, separator
from o1_assets.reward.tree import Row, StepSequence, pack_steps

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
POSITIVE = 2
"""The class of the rating +1."""


@dataclass(frozen=True)
class Example:
    """One labelled solution.

    sequences: first the chosen steps if they are rated, then one for each alternative, which is its last step.
    labels[i][k]: the class of step k of sequence i, IGNORED where it has no label or has it in another sequence.
    round: number of the folder it came from, oldest first.
    """

    problem_id: str
    solution_id: str
    round: int
    sequences: tuple[StepSequence, ...]
    labels: tuple[tuple[int, ...], ...]

    def row(self) -> tuple[Row, NDArray[np.int64]]:
        """All sequences as one tree, and the classes of its tokens, shape (n,), IGNORED where there is none."""
        (row,) = pack_steps(self.sequences)
        classes = np.full(len(row), IGNORED, dtype=np.int64)
        # Backwards, so that the chosen steps are written last: an alternative with the text of the chosen step is the
        # same token of the tree, and there the chosen step's rating counts.
        for index in reversed(range(len(self.sequences))):
            for end, label in zip(self.sequences[index].ends, self.labels[index], strict=True):
                if label != IGNORED:
                    classes[row.paths[index][end]] = label
        return row, classes


def step_sequence(tokenizer: PreTrainedTokenizerBase, prompt: str, steps: Sequence[str]) -> StepSequence:
    """Prompt and steps as one sequence of tokens; the steps are given without their separators, and none is blank."""
    # Encoded one by one, so that every step ends on a token of its own. Encoded as a whole, a large vocabulary may put
    # the end of one step and the beginning of the next into one token.
    end = separator(tokenizer)
    tokens: list[int] = list(tokenizer.encode(prompt, add_special_tokens=False))
    prompt_length, ends = len(tokens), []
    for step in steps:
        # What people wrote or rated may hold separators of its own. Read again, it would be several steps.
        tokens.extend(tokenizer.encode(as_one_step(step, end) + end, add_special_tokens=False))
        ends.append(len(tokens) - 1)
    return StepSequence(tuple(tokens), prompt_length, tuple(ends))


def prm_examples(
    labels: pl.DataFrame,
    tokenizer: PreTrainedTokenizerBase,
    prompt: PromptFormat,
    round: int = 0,
    written: pl.DataFrame | None = None,
) -> list[Example]:
    """labels.parquet as examples in the order of solution ids; a rating r is class r + 1.

    written: paths with steps that labellers wrote (written.parquet), which are to count as positive. Each is one more
    sequence of its solution; where it is the labelled path itself, as in PRM800K, it is the same tokens of the tree.

    If the labellers could not agree on the first step, only its alternatives are rated: they are then the only
    sequences. A blank step is left out with its rating, as it is when it is read. Raises ValueError if the chosen
    steps are not rated from the first one on without a gap, or if an alternative comes after a step that is not rated.
    """
    examples = []
    paths: dict[str, list[dict[str, Any]]] = {}
    for path in [] if written is None else written.to_dicts():
        paths.setdefault(path["solution_id"], []).append(path)
    ordered = labels.sort("solution_id", "step", "completion")
    for (solution_id,), rows in ordered.group_by("solution_id", maintain_order=True):
        completions = rows.to_dicts()
        chosen = [c for c in completions if c["completion"] == 0]
        steps = [c["step"] for c in chosen]
        if steps != list(range(len(chosen))) or any(c["step"] > len(chosen) for c in completions):
            raise ValueError(f"solution {solution_id}: its own rated steps are {steps}")
        asked = prompt.render(completions[0]["question"])
        sequences, classes = [], []
        chosen = [c for c in chosen if not is_blank(c["text"])]
        if chosen:
            sequences.append(step_sequence(tokenizer, asked, [c["text"] for c in chosen]))
            # A labeller rates no step that they wrote themselves.
            classes.append(tuple(IGNORED if c["rating"] is None else c["rating"] + 1 for c in chosen))
        for c in completions:
            if c["completion"] > 0 and not is_blank(c["text"]):
                prefix = [step["text"] for step in chosen if step["step"] < c["step"]]
                sequences.append(step_sequence(tokenizer, asked, [*prefix, c["text"]]))
                classes.append((*[IGNORED] * len(prefix), c["rating"] + 1))
        for path in paths.get(str(solution_id), ()):
            visible = [
                pair for pair in zip(path["steps"], path["written"], strict=True) if not is_blank(pair[0])
            ]
            sequences.append(step_sequence(tokenizer, asked, [text for text, _ in visible]))
            classes.append(tuple(POSITIVE if wrote else IGNORED for _, wrote in visible))
        if sequences:
            problem = completions[0]["problem_id"]
            examples.append(Example(problem, str(solution_id), round, tuple(sequences), tuple(classes)))
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

    questions: problem_id -> question. Lightman et al. 2023 (appendix E) train on every token and read the score at the
    final one; every_step does the same with the tokens from which a score is ever read.
    """
    examples = []
    for s in solutions.sort("solution_id").iter_rows(named=True):
        steps = [step for step in s["steps"] if not is_blank(step)]
        if not steps:
            continue
        sequence = step_sequence(tokenizer, prompt.render(questions[s["problem_id"]]), steps)
        label = int(s["correct"])
        before = [label if every_step else IGNORED] * (len(steps) - 1)
        examples.append(Example(s["problem_id"], s["solution_id"], round, (sequence,), ((*before, label),)))
    return examples


def held_out(problem_id: str, share: float) -> bool:
    """Whether a problem is held out for evaluation.

    Its id alone decides, so that no later round trains on it: a PRM is fine-tuned from the one of the round before.
    """
    digest = hashlib.sha256(f"reward holdout {problem_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def round_folders(inputs: Any, prefix: str) -> list[Path]:
    """Folders of the inputs prefix_00, prefix_01, ..., oldest first. Raises ValueError if there is none."""
    names = sorted(name for name in inputs if name.startswith(prefix + "_"))
    if not names:
        raise ValueError(f"no input named {prefix}_NN")
    return [inputs[name] for name in names]


# Which examples are trained on, and in which order: replay of old rounds, batches of similar lengths.

# Batches that are sorted by length together.
WINDOW = 8


def draw_order(
    rounds: Sequence[int],
    lengths: Sequence[int],
    updates: int,
    batch_size: int,
    newest_share: float,
    seed: int,
) -> list[int]:
    """updates * batch_size indices of examples; rounds and lengths have one entry for each example.

    The newest round has `newest_share` of every window of eight batches and older rounds have the rest; if there is
    only one of the two, it has everything. Each side is shuffled and drawn without replacement, again and again.
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
    drawn_newest = 0
    for first in range(0, updates, WINDOW):
        count = min(WINDOW, updates - first) * batch_size
        # Rounded over all windows so far, not in each: else a small share would be rounded off in every one of them.
        from_newest = round(share * (len(order) + count)) - drawn_newest
        drawn_newest += from_newest
        window = [next(new) for _ in range(from_newest)] + [next(old) for _ in range(count - from_newest)]
        # Sorted by length, a batch has little padding. Shuffled before, so that equal lengths stand in random order;
        # and the batches are drawn in random order, or every window would end with its longest solutions.
        rng.shuffle(window)
        window.sort(key=lambda i: lengths[i])
        batches = [window[i : i + batch_size] for i in range(0, count, batch_size)]
        order.extend(i for b in rng.permutation(len(batches)) for i in batches[b])
    return order


def _cycle(indices: Sequence[int], rng: Generator) -> Iterator[int]:
    while indices:
        yield from (indices[i] for i in rng.permutation(len(indices)))
