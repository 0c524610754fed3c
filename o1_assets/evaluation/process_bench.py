"""ProcessBench (Zheng et al. 2024, arXiv:2412.06559) for any token classifier: does it find the first wrong step?

A step is judged at its last token. A classifier of three classes is one of ours (negative, neutral, positive; neutral
counts as right), one of two classes is TRL's (wrong, right). The threshold is never fitted on what it is measured on:
it is given, or fitted on another file (the paper takes that of GSM8K, section 4.1), or on the other half of the
problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from o1_assets.core.errors import O1Error
from o1_assets.engine.steps import as_one_step, separator
from o1_assets.evaluation.statistics import bootstrap, f1
from o1_assets.evaluation.steps import (
    NO_ERROR,
    StepF1,
    choose_threshold,
    cross_fitted,
    predict_first_error,
    step_f1,
)
from o1_assets.labels.formats.process_bench import Item
from o1_assets.reward.aggregate import right_probabilities

if TYPE_CHECKING:
    from o1_assets.reward.read import StepReader

RESAMPLES = 1000
# Solutions that are packed together.
SOLUTIONS_AT_ONCE = 500


class ProcessBenchError(O1Error):
    """A file, or what a model makes of it, cannot be measured; the message says which line and why."""


@dataclass(frozen=True)
class Measured:
    """One file. unreadable: solutions that the model's tokenizer has no tokens for, or no room; they count as missed.

    low, high: of the F1, a 95% interval over problems. threshold: a step below it is wrong; two where each half of the
    problems has that of the other.
    """

    name: str
    result: StepF1
    low: float
    high: float
    threshold: tuple[float, ...]
    unreadable: int


def read_items(file: Path) -> list[Item]:
    """The solutions of a file as published: a JSON array, or an object a line. Raises ProcessBenchError."""
    text = file.read_bytes()
    try:
        if text.lstrip().startswith(b"["):
            items = msgspec.json.decode(text, type=list[Item])
        else:
            items = msgspec.json.Decoder(Item).decode_lines(text)
    except msgspec.MsgspecError as error:
        raise ProcessBenchError(
            f"{file} holds no solutions of ProcessBench, which have problem, steps and label: {error}"
        ) from None
    for number, item in enumerate(items, 1):
        if not -1 <= item.label < len(item.steps):
            raise ProcessBenchError(
                f"{file}, solution {number}: label {item.label} names none of its {len(item.steps)} steps"
            )
    if not items:
        raise ProcessBenchError(f"{file} has no solutions")
    return items


def step_chances(
    reader: StepReader, items: Sequence[Item], template: str
) -> list[NDArray[np.float64] | None]:
    """For each solution P(right) of each step, (steps,); None where the tokenizer cannot read it, or not all of it."""
    tokenizer: Any = reader.tokenizer
    mark = separator(tokenizer)
    sequences, of = [], []
    for i, item in enumerate(items):
        prompt = tokenizer.encode(template.replace("{question}", item.problem), add_special_tokens=False)
        text = "".join(as_one_step(step, mark) + mark for step in item.steps)
        sequence = reader.sequence(prompt, tokenizer.encode(text, add_special_tokens=False))
        unknown = tokenizer.unk_token_id is not None and tokenizer.unk_token_id in sequence.tokens
        fits = len(sequence.tokens) <= tokenizer.model_max_length
        if fits and not unknown and len(sequence.ends) == len(item.steps):
            sequences.append(sequence)
            of.append(i)
    chances: list[NDArray[np.float64] | None] = [None] * len(items)
    [model] = reader.models
    for start in range(0, len(sequences), SOLUTIONS_AT_ONCE):
        part = slice(start, start + SOLUTIONS_AT_ONCE)
        [read] = reader.read(sequences[part], [model])
        for i, classes in zip(of[part], read, strict=True):
            chances[i] = right_probabilities(classes) if model.classes == 3 else classes[:, 1]
    return chances


def measure(
    files: Mapping[str, Sequence[Item]],
    chances: Mapping[str, Sequence[NDArray[np.float64] | None]],
    threshold: float | None = None,
    fit_on: str | None = None,
) -> list[Measured]:
    """F1 on each file. threshold: of all of them; fit_on: the file whose best threshold the others have.

    Raises ProcessBenchError where no solution of a file could be read.
    """
    for name, of_file in chances.items():
        if all(chance is None for chance in of_file):
            raise ProcessBenchError(f"the model can read none of the {len(of_file)} solutions of {name}")
    if fit_on is not None:
        known = [
            (c, item.label) for c, item in zip(chances[fit_on], files[fit_on], strict=True) if c is not None
        ]
        threshold = choose_threshold([c for c, _ in known], [label for _, label in known])
    measured: list[Measured] = []
    thresholds: tuple[float, ...]
    for name, items in files.items():
        if name == fit_on:
            continue
        truth = [item.label for item in items]
        read = [i for i, chance in enumerate(chances[name]) if chance is not None]
        probabilities = [np.asarray(chances[name][i]) for i in read]
        if threshold is None:
            groups = [items[i].problem for i in read]
            if len(set(groups)) < 2:
                raise ProcessBenchError(
                    f"{name} has one problem, on which no threshold can be fitted; give one"
                )
            named, thresholds = cross_fitted(probabilities, [truth[i] for i in read], groups)
        else:
            named = [predict_first_error(p, threshold) for p in probabilities]
            thresholds = (threshold,)
        # Neither a step nor NO_ERROR: what cannot be read counts as missed.
        predicted = [NO_ERROR - 1] * len(items)
        for i, step in zip(read, named, strict=True):
            predicted[i] = step
        low, high = _interval(predicted, truth, [item.problem for item in items])
        measured.append(
            Measured(name, step_f1(predicted, truth), low, high, thresholds, len(items) - len(read))
        )
    return measured


def _interval(predicted: Sequence[int], truth: Sequence[int], problems: Sequence[str]) -> tuple[float, float]:
    """95%, over problems, whose solutions are drawn together."""
    index = {problem: i for i, problem in enumerate(dict.fromkeys(problems))}
    sums = np.zeros((len(index), 4))
    for guess, label, problem in zip(predicted, truth, problems, strict=True):
        first = 2 if label == NO_ERROR else 0
        sums[index[problem], first : first + 2] += (guess == label, 1)
    drawn = bootstrap(lambda chosen: f1(sums[chosen].sum(0)), [len(index)], RESAMPLES, seed=0)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def table(measured: Sequence[Measured]) -> list[str]:
    """Lines of a Markdown table, with the mean over files, which is ProcessBench's headline."""
    lines = ["| | solutions | error | correct | F1 | 95% |", "|---|---:|---:|---:|---:|---:|"]
    for m in measured:
        r = m.result
        lines.append(
            f"| {m.name} | {r.wrong + r.right} | {r.accuracy_wrong:.3f} | {r.accuracy_right:.3f} | {r.f1:.3f} | "
            f"{m.low:.3f} to {m.high:.3f} |"
        )
    if len(measured) > 1:
        lines.append(f"| mean | | | | {np.mean([m.result.f1 for m in measured]):.3f} | |")
    return lines


def document(measured: Sequence[Measured]) -> dict[str, Any]:
    """The same as JSON."""
    files = [
        {
            "name": m.name,
            **vars(m.result),
            "low": m.low,
            "high": m.high,
            "threshold": list(m.threshold),
            "unreadable": m.unreadable,
        }
        for m in measured
    ]
    return {"f1": float(np.mean([m.result.f1 for m in measured])), "files": files}
