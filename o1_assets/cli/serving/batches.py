"""Requests that wait together are solved by one search over all their questions, one search at a time.

What arrives while a search runs waits for the next one. A search is not joined on the way: its problems advance
together, and a batch as a whole costs little more than its longest problem.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from o1_assets.cli.thinker import Problems, think
from o1_assets.search.thinking import Thinking
from o1_assets.search.trace import Trace

if TYPE_CHECKING:
    from o1_assets.search.run import SearchModels

# Requests that a client sends at once arrive within some milliseconds of each other, and each is read for as long. A
# search waits for those that are being read, but not for ever: others may follow them without end.
GATHER_SECONDS, MOST_GATHER_SECONDS = 0.01, 0.5
# Most questions of one search, and most requests that may wait.
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

    def cancel(self) -> None:
        """Nobody waits for the answer any more: its search ends after the batch that is computed now."""
        self.gone = True

    def joins(self, other: Job) -> bool:
        """Whether one search can solve both."""
        alike = self.thinking == other.thinking and self.thinker is other.thinker
        return alike and not (self.alone or other.alone)


class Batches:
    """The thread that searches. Models are only ever computed by it."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._coming = 0
        self.largest = 0
        """Most requests that one search has solved so far."""
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
        """While a request is read that may be submitted, for which the next search waits."""
        with self._changed:
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify()

    def stop(self, seconds: float) -> None:
        """Ends the search that runs, after its batch, and leaves the others undone. Waits so long for that."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if batch:
                self._solve(batch)

    def _next(self) -> list[Job] | None:
        """The requests of the next search; None when the server ends."""
        with self._changed:
            while not self._stopping:
                self._waiting = deque(
                    job for job in self._waiting if not (job.gone or job.future.cancelled())
                )
                if not self._waiting:
                    self._changed.wait()
                    continue
                first = self._waiting[0]
                gather = MOST_GATHER_SECONDS if self._coming else GATHER_SECONDS
                missing = first.arrived + gather - time.monotonic()
                if missing <= 0 or first.alone:
                    return self._take(first)
                self._changed.wait(missing)
            _end(self._begun(self._waiting), Stopped())
            return None

    def _take(self, first: Job) -> list[Job]:
        batch, questions = [first], len(first.problems.questions)
        for job in list(self._waiting)[1:]:
            more = len(job.problems.questions)
            if first.joins(job) and questions + more <= MOST_TOGETHER:
                batch.append(job)
                questions += more
        # Identity, not equality: two requests may ask the same.
        taken = {id(job) for job in batch}
        self._waiting = deque(job for job in self._waiting if id(job) not in taken)
        self.largest = max(self.largest, len(batch))
        return self._begun(batch)

    @staticmethod
    def _begun(jobs: Iterable[Job]) -> list[Job]:
        """Those that nobody cancelled; from now on their futures cannot be."""
        return [job for job in jobs if job.future.set_running_or_notify_cancel()]

    def _solve(self, batch: Sequence[Job]) -> None:
        first = batch[0]
        owners = [job for job in batch for _ in job.problems.questions]
        together = Problems(
            [question for job in batch for question in job.problems.questions],
            [prompt for job in batch for prompt in job.problems.prompts],
            [seed for job in batch for seed in job.problems.seeds],
        )

        def wanted(problem: int) -> bool:
            return not (owners[problem].gone or self._stopping)

        try:
            traces = iter(think(first.thinker, first.thinking, together, wanted))
        except Exception as error:
            _end(batch, error)
            return
        for job in batch:
            of_job = [next(traces) for _ in job.problems.questions]
            # Nothing of a search that was ended on the way is an answer.
            if self._stopping or job.gone:
                _end([job], Stopped())
            else:
                job.future.set_result(of_job)


def _end(jobs: Iterable[Job], error: Exception) -> None:
    for job in jobs:
        job.future.set_exception(error)
