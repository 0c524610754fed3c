"""A time-out for thinking: a search stops between two batches, early enough to answer within the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Wall-clock time since it was made. limit: seconds.

    ends: when each batch of the search ended. They differ from run to run, so no artifact may contain them.
    """

    limit: float = float("inf")
    now: Callable[[], float] = time.perf_counter
    ends: list[float] = field(default_factory=list)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.now()

    @property
    def seconds(self) -> float:
        return self.now() - self.started

    def batch_ended(self) -> None:
        self.ends.append(self.seconds)

    def allows(self, batches: int = 1, share: float = 1.0) -> bool:
        """Whether so many more batches, each as long as the last one, end within this share of the limit.

        The first batch is always begun: nobody knows yet what it takes. It is the only one that can end much too late.
        """
        last = self.ends[-1] - (self.ends[-2] if len(self.ends) > 1 else 0.0) if self.ends else 0.0
        return self.seconds + batches * last < self.limit * share
