"""Requests are searched together, whenever each arrived.

The models compute for all requests that are under way in one call; one that arrives meanwhile joins the next call, as
in continuous batching (Orca, OSDI 2022) with whole calls in the place of single tokens.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from o1_assets.cli.thinker import Problems, think
from o1_assets.search.thinking import Thinking
from o1_assets.search.trace import Trace

if TYPE_CHECKING:
    from o1_assets.search.running import Problem, SearchModels

# Requests that a client sends at once arrive within some milliseconds of each other, and each is read for as long. The
# first call waits for those that are being read, and until none has come for a while, but not for ever: others may
# follow them without end. Whoever comes later takes part in the next call and makes the search of all one call longer.
GATHER_SECONDS, MOST_GATHER_SECONDS = 0.01, 0.2
# Most questions under way together, and most requests that may wait.
MOST_TOGETHER, MOST_WAITING = 64, 512


class Stopped(Exception):
    """The server ends before the question is answered."""


@dataclass(eq=False)
class Job:
    """Questions of one request.

    alone: not to be thought about together with other requests, whose company can change the last bits of a score.
    future: the traces of its searches, or why there are none. gone: nobody waits for them any more.
    """

    problems: Problems
    thinking: Thinking
    thinker: SearchModels
    alone: bool = False
    future: Future[list[Trace]] = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    gone: bool = False

    @property
    def questions(self) -> int:
        return len(self.problems.questions)

    @property
    def cache_tokens(self) -> int:
        """What its trees may take of the models' KV caches."""
        return self.questions * self.thinking.strategy.cache_tokens(self.thinking.budget)

    def cancel(self) -> None:
        """Nobody waits for the answer any more: its search ends after the batch that is computed now."""
        self.gone = True


class Together:
    """The requests under way with the same models."""

    def __init__(self, thinker: SearchModels) -> None:
        from o1_assets.search.proposals import GENERATOR, POLICY
        from o1_assets.search.running import RunningSearch

        self.search = RunningSearch(thinker)
        self.jobs: dict[Job, list[Problem]] = {}
        self._cached = 0
        self._caches = ExitStack()
        proposers = (POLICY,) if thinker.generator is None else (POLICY, GENERATOR)
        self._caches.enter_context(self.search.prefix_caches(proposers))

    def has_room(self, job: Job) -> bool:
        """Whether one more request may join. The KV caches are emptied when all requests have ended, not before."""
        from o1_assets.search.run import CACHE_TOKENS

        questions = sum(other.questions for other in self.jobs) + job.questions
        fits = questions <= MOST_TOGETHER and self._cached + job.cache_tokens <= CACHE_TOKENS
        return fits or not self.jobs

    def join(self, job: Job) -> None:
        self._cached += job.cache_tokens
        strategy, budget = job.thinking.strategy, job.thinking.budget
        self.jobs[job] = [
            self.search.add(strategy, budget, prompt, seed)
            for prompt, seed in zip(job.problems.prompts, job.problems.seeds, strict=True)
        ]

    def advance(self) -> None:
        """One batch; the requests that it ends are answered."""
        gone = {id(problem) for job in self.jobs if job.gone for problem in self.jobs[job]}
        self.search.keep(lambda problem: id(problem) not in gone)
        _end([job for job in self.jobs if job.gone], Stopped())
        self.jobs = {job: problems for job, problems in self.jobs.items() if not job.gone}
        if self.search.problems:
            self.search.advance()
        running = {id(problem) for problem in self.search.problems}
        ended = [job for job, problems in self.jobs.items() if not running & {id(p) for p in problems}]
        results = iter(self.search.finish([problem for job in ended for problem in self.jobs[job]]))
        for job in ended:
            job.future.set_result([Trace.of(next(results)) for _ in self.jobs.pop(job)])

    def close(self, error: Exception) -> None:
        """Gives up the requests that are under way."""
        self._caches.close()
        _end(self.jobs, error)


class Batches:
    """The thread that searches. Models are only ever computed by it."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._coming = 0
        self._running: dict[int, Together] = {}
        self.largest = 0
        """Most requests that were under way together so far."""
        self._thread = threading.Thread(target=self._run, name="search", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Whether there is room for one more request, and the server is not about to end."""
        with self._changed:
            if self._stopping or len(self._waiting) >= MOST_WAITING:
                return False
            self._waiting.append(job)
            self._changed.notify()
            return True

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While a request is read that may be submitted, for which the first call of a search waits a little."""
        with self._changed:
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify()

    def stop(self, seconds: float) -> None:
        """Ends what runs, after its batch, and leaves the others undone. Waits so long for that."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (alone := self._admit()) is not None:
            # Between two batches of the others, who wait no longer than it takes.
            for job in alone:
                self._solve(job)
            for key, together in list(self._running.items()):
                try:
                    together.advance()
                except Exception as error:
                    together.close(error)
                    del self._running[key]
                    continue
                if not together.jobs:
                    together.close(Stopped())
                    del self._running[key]
        for together in self._running.values():
            together.close(Stopped())
        _end(self._begun(self._waiting), Stopped())

    def _admit(self) -> list[Job] | None:
        """Lets requests in, in their order. Waits while there is nothing to do.

        Returns the next one that is solved alone, if it is one's turn; None when the server ends.
        """
        while True:
            with self._changed:
                while not (self._stopping or self._running):
                    self._waiting = deque(
                        job for job in self._waiting if not (job.gone or job.future.cancelled())
                    )
                    if not self._waiting:
                        self._changed.wait()
                        continue
                    first = self._waiting[0]
                    until = first.arrived + MOST_GATHER_SECONDS
                    if not self._coming:
                        until = min(until, self._waiting[-1].arrived + GATHER_SECONDS)
                    missing = until - time.monotonic()
                    if missing <= 0 or first.alone:
                        break
                    self._changed.wait(missing)
                if self._stopping:
                    return None
                alone = self._let_in()
            if alone or self._running:
                return alone

    def _let_in(self) -> list[Job]:
        while self._waiting:
            job = self._waiting[0]
            together = self._running.get(id(job.thinker))
            if not job.alone and together is not None and not together.has_room(job):
                break
            self._waiting.popleft()
            if job.gone or not self._begun([job]):
                continue
            if job.alone:
                return [job]
            try:
                together = together or self._running.setdefault(id(job.thinker), Together(job.thinker))
                together.join(job)
            except Exception as error:
                _end([job], error)
            self.largest = max(self.largest, len(together.jobs) if together else 0)
        return []

    @staticmethod
    def _begun(jobs: Iterable[Job]) -> list[Job]:
        """Those that nobody cancelled; from now on their futures cannot be."""
        return [job for job in jobs if job.future.set_running_or_notify_cancel()]

    def _solve(self, job: Job) -> None:
        """By a search of its own."""
        try:
            traces = think(
                job.thinker, job.thinking, job.problems, lambda problem: not (job.gone or self._stopping)
            )
        except Exception as error:
            _end([job], error)
            return
        # Nothing of a search that was ended on the way is an answer.
        if self._stopping or job.gone:
            _end([job], Stopped())
        else:
            job.future.set_result(traces)


def _end(jobs: Iterable[Job], error: Exception) -> None:
    for job in jobs:
        job.future.set_exception(error)
