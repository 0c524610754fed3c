"""A world to know by heart: a policy given by a table, and a PRM that knows the one right path."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np

from o1_assets.core.engine import Sample, SamplingParams

END = 0


class ToyTokenizer:
    """One token a character, 0 the end token."""

    eos_token_id = END
    pad_token_id = END

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return "".join(chr(i) for i in ids if i != END)


class TablePolicy:
    """Samples the next step from a table {text so far: {next step: probability}}; "" ends the solution.

    A step's log-probability is put on its first token. Temperature 0 takes the likeliest.
    """

    parameters = 1
    constrains = True

    def __init__(self, table: dict[str, dict[str, float]]) -> None:
        self.table = table
        self.tokenizer = ToyTokenizer()
        self.batches: list[int] = []

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        self.batches.append(len(prompts))
        each = [replace(params, max_tokens=params.limit(i)) for i in range(len(prompts))]
        return [
            self._one(self.tokenizer.decode(p), params, s)
            for p, params, s in zip(prompts, each, seeds, strict=True)
        ]

    def _one(self, text: str, params: SamplingParams, seed: int) -> Sample:
        rng = random.Random(seed)
        ids: list[int] = []
        logprobs: list[float] = []
        while True:
            steps = self.table[text]
            step = max(steps, key=lambda s: steps[s])
            if params.temperature > 0:
                step = rng.choices(list(steps), list(steps.values()))[0]
            new = self.tokenizer.encode(step) or [END]
            ids += new
            logprobs += [math.log(steps[step])] + [0.0] * (len(new) - 1)
            text += step
            if len(ids) > params.max_tokens:
                return Sample(ids[: params.max_tokens], logprobs[: params.max_tokens], False)
            if params.stop_at_step or not step:
                return Sample(ids, logprobs, True)

    def logprobs(
        self, sequences: Sequence[Sequence[int]], prompt_lengths: Sequence[int]
    ) -> list[list[float]]:
        """As `sample` gives them; a step that the table lacks is as good as impossible."""
        result = []
        for ids, length in zip(sequences, prompt_lengths, strict=True):
            text, rest, logprobs = self.tokenizer.decode(ids[:length]), list(ids[length:]), list[float]()
            while rest:
                steps = self.table.get(text, {})
                written = self.tokenizer.decode(rest)
                step = next((s for s in steps if s and written.startswith(s)), "")
                length = len(step) or len(rest)
                logprobs += [math.log(steps.get(step, 1e-9))] + [0.0] * (length - 1)
                text, rest = text + step, rest[length:]
            result.append(logprobs)
        return result

    def prefix_cache(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None: ...


class PathScorer:
    """P(right) of a step is `right` while the solution so far begins the one right solution, else `wrong`."""

    def __init__(self, solution: str, right: float = 0.9, wrong: float = 0.1) -> None:
        self.solution, self.right, self.wrong = solution, right, wrong

    def step_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[np.ndarray]:
        scored = []
        for completion in completions:
            steps = ToyTokenizer().decode(completion).splitlines(keepends=True)
            prefixes = ["".join(steps[: i + 1]) for i in range(len(steps))]
            rights = [self.right if self.solution.startswith(prefix) else self.wrong for prefix in prefixes]
            scored.append(np.array([[1 - r, 0.0, r] for r in rights]).reshape(-1, 3))
        return scored

    def with_kv_cache(self) -> PathScorer:
        return self
