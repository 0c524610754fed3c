"""Ways of solving the same problems, timed in turn."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from benchmarks.models import Finished, finished
from benchmarks.registry import Figure
from benchmarks.rivals import Generate, import_rivals

STEPS = 16
"""Longest solution."""


Rival = Callable[..., list[str]]
"""(models, prompts, **settings) -> a solution for each prompt."""


@dataclass(frozen=True)
class Solved:
    """tokens: generated for all problems together."""

    solutions: list[str]
    tokens: int


@dataclass(frozen=True)
class Run:
    """verdicts: of each problem, whether its solution is right."""

    seconds: float
    tokens: int
    verdicts: Sequence[bool]

    @property
    def right(self) -> float:
        """Share of the problems that are solved."""
        return sum(self.verdicts) / len(self.verdicts)

    @property
    def pace(self) -> float:
        """Seconds a token."""
        return self.seconds / self.tokens


def race(
    contenders: Mapping[str, Callable[[int], Solved]], repetitions: int, given: Finished
) -> dict[str, list[Run]]:
    """Each contender is called with the number of the repetition: 0 to warm up, then in turn. Prints a line each."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repetition in range(repetitions + 1):
        for name, contender in contenders.items():
            started = time.perf_counter()
            solved = contender(repetition)
            seconds = time.perf_counter() - started
            if repetition:
                runs[name].append(Run(seconds, solved.tokens, verdicts(given, solved.solutions)))
    for name, own in runs.items():
        print(
            f"  {name:44} {median(r.seconds for r in own):7.2f} s {median(r.tokens for r in own):7.0f} tokens"
            f" {median(r.right for r in own):.2f} right",
            flush=True,
        )
    return runs


def race_rates(contenders: Mapping[str, Callable[[int], int]], repetitions: int) -> dict[str, list[float]]:
    """Tokens a second of each contender in each repetition, in turn; the first of all is to warm up.

    A contender is called with the number of the repetition and returns how many tokens it sampled.
    """
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(repetitions + 1):
        for name, contender in contenders.items():
            started = time.perf_counter()
            tokens = contender(repetition)
            if repetition:
                rates[name].append(tokens / (time.perf_counter() - started))
    for name, of_contender in rates.items():
        print(f"  {name:44} {median(of_contender):8.0f} tokens/s", flush=True)
    return rates


def times_as_many(rates: Mapping[str, Sequence[float]], limit: str) -> Figure:
    """The rates of "ours" by those of the fastest of the others, repetition by repetition."""
    best = max((name for name in rates if name != "ours"), key=lambda name: median(rates[name]))
    ratios = [a / b for a, b in zip(rates["ours"], rates[best], strict=True)]
    own, other = (f"{median(rates[name]):,.0f} tokens/s" for name in ("ours", best))
    against = f"{limit}; {best}"
    return Figure(median(ratios), max(ratios) - min(ratios), "times", against, own, f"{best}: {other}")


def verdicts(given: Finished, solutions: Sequence[str]) -> list[bool]:
    """Of each problem, whether its solution is right."""
    from o1_assets.problems.grading import grade_all

    answers = [given.prompt.answer(solution) for solution in solutions]
    return grade_all(list(zip(answers, given.problems, strict=True)))


def times_faster(
    runs: Mapping[str, Sequence[Run]], ours: str, theirs: Sequence[str], settings: str, limit: str
) -> Figure:
    """Ours against the fastest way of running the other, in seconds a generated token, repetition by repetition."""
    best = min(theirs, key=lambda name: median(run.pace for run in runs[name]))
    ratios = [other.pace / own.pace for own, other in zip(runs[ours], runs[best], strict=True)]
    own, other = runs[ours], runs[best]
    whole = median(run.seconds for run in other) / median(run.seconds for run in own)
    low, high = interval_of_difference(own, other)
    against = (
        f"{limit}; {settings}; the other {best}; at equal tokens; whole runs {whole:.1f} times, tokens "
        f"{median(r.tokens for r in own):.0f} ours {median(r.tokens for r in other):.0f} theirs, right "
        f"{mean(r.right for r in own):.3f} ours {mean(r.right for r in other):.3f} theirs, difference "
        f"{low:+.3f} to {high:+.3f}"
    )
    return Figure(
        median(ratios),
        max(ratios) - min(ratios),
        "times",
        against,
        _in_words(own),
        f"{best}: {_in_words(other)}",
    )


def _in_words(runs: Sequence[Run]) -> str:
    pace, tokens = median(run.pace for run in runs), median(run.tokens for run in runs)
    return f"{pace * 1e3:.2f} ms a token, {tokens:,.0f} tokens, {mean(run.right for run in runs):.1%} right"


def interval_of_difference(own: Sequence[Run], other: Sequence[Run]) -> tuple[float, float]:
    """95% of the difference in the share of solved problems: a bootstrap of the problems, each with its repetitions."""
    import numpy as np

    # (problems,): how much more often ours is right
    of_problems = np.mean([r.verdicts for r in own], 0) - np.mean([r.verdicts for r in other], 0)
    drawn = np.random.default_rng(0).integers(len(of_problems), size=(2000, len(of_problems)))
    low, high = np.quantile(of_problems[drawn].mean(1), (0.025, 0.975))
    return float(low), float(high)


def with_threads(rival: Rival, models: Generate, given: Finished, threads: int, **settings: Any) -> Any:
    """A contender that runs in this process, torch with so many threads."""
    import torch

    def solve(repetition: int) -> Solved:
        before, models.tokens = torch.get_num_threads(), 0
        torch.set_num_threads(threads)
        torch.manual_seed(repetition)
        try:
            return Solved(rival(models, given.prompts, **settings), models.tokens)
        finally:
            torch.set_num_threads(before)

    return solve


@contextmanager
def two_processes(given: Finished, rival: Rival, **settings: Any) -> Iterator[Callable[[int], Solved]]:
    """A contender that shares the problems out between two processes of one thread each."""
    half = (len(given.prompts) + 1) // 2
    parts = [given.prompts[:half], given.prompts[half:]]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _open) as a, ProcessPoolExecutor(1, context, _open) as b:

        def solve(repetition: int) -> Solved:
            jobs = [
                pool.submit(_solve, rival, part, 2 * repetition + i, settings)
                for i, (pool, part) in enumerate(zip((a, b), parts, strict=True))
            ]
            done = [job.result() for job in jobs]
            return Solved([s for part in done for s in part.solutions], sum(part.tokens for part in done))

        yield solve


_models: Generate


def _open() -> None:
    import torch

    global _models
    with finished(1) as given:
        _models = Generate(given)
    import_rivals()
    torch.set_num_threads(1)


def _solve(rival: Rival, prompts: Sequence[str], seed: int, settings: dict[str, Any]) -> Solved:
    import torch

    torch.manual_seed(seed)
    _models.tokens = 0
    return Solved(rival(_models, prompts, **settings), _models.tokens)
