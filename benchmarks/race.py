"""Ways of solving the same problems, timed in turn."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
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
    seconds: float
    tokens: int
    right: float

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
                runs[name].append(Run(seconds, solved.tokens, right(given, solved.solutions)))
    for name, own in runs.items():
        print(
            f"  {name:44} {median(r.seconds for r in own):7.2f} s {median(r.tokens for r in own):7.0f} tokens"
            f" {median(r.right for r in own):.2f} right",
            flush=True,
        )
    return runs


def right(given: Finished, solutions: Sequence[str]) -> float:
    """Share of the problems that are solved."""
    from o1_assets.problems.grading import grade_all

    answers = [given.prompt.answer(solution) for solution in solutions]
    verdicts = grade_all(list(zip(answers, given.problems, strict=True)))
    return sum(verdicts) / len(verdicts)


def times_faster(
    runs: Mapping[str, Sequence[Run]], ours: str, theirs: Sequence[str], settings: str
) -> Figure:
    """Ours against the fastest way of running the other, in seconds a generated token, repetition by repetition."""
    best = min(theirs, key=lambda name: median(run.pace for run in runs[name]))
    ratios = [other.pace / own.pace for own, other in zip(runs[ours], runs[best], strict=True)]
    own, other = runs[ours], runs[best]
    whole = median(run.seconds for run in other) / median(run.seconds for run in own)
    against = (
        f"at least 5; {settings}; the other {best}; at equal tokens; whole runs {whole:.1f} times, tokens "
        f"{median(r.tokens for r in own):.0f} ours {median(r.tokens for r in other):.0f} theirs, right "
        f"{median(r.right for r in own):.2f} ours {median(r.right for r in other):.2f} theirs"
    )
    return Figure(median(ratios), max(ratios) - min(ratios), "times", against)


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
