"""What a person sees while a run goes on: a line an artifact, on stderr, so that stdout stays clean for JSON."""

from __future__ import annotations

import sys
import time

from o1_assets.execution.ledger import RunRecord
from o1_assets.store.manifest import Manifest

SHOWN = 4
"""Figures shown of an artifact."""


QUIET_SECONDS = 20.0
"""Where lines cannot be overwritten (a file, CI), progress inside of an artifact is shown this often."""


NOTED = ("continues at", "could not be saved", "is damaged")
"""Progress with one of these stays to be read: it is about what an earlier run left, or this one cannot leave."""


class Console:
    """A progress.Watcher that prints and keeps the run's record."""

    def __init__(self, total: int, record: RunRecord):
        self.total, self.record = total, record
        self.done = self.computed = 0
        self.waiting: dict[str, str] = {}
        self.live = sys.stderr.isatty()
        self.spoke = time.monotonic()

    def started(self, key: str) -> None:
        self._live(f"{key} ...")

    def line(self, key: str, text: str) -> None:
        if any(words in text for words in NOTED):
            self._print(f"            ...    {key}: {text}")
        else:
            self._live(f"{key}: {text}")

    def made(self, key: str, manifest: Manifest, cached: bool) -> None:
        self.done += 1
        if not cached:
            self.computed += 1
            self.record.made(manifest)
        figures = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in list(manifest.figures.items())[:SHOWN]
        )
        took = "   cached" if cached else f"{manifest.cost.seconds:7.1f} s"
        self._print(f"[{self.done:3}/{self.total}] {took}  {key:24} {figures}")

    def waits(self, key: str, why: str) -> None:
        self.waiting[key] = why
        self._print(f"[  -/{self.total}]   waits  {key:24} {why}")

    def check_failed(self, key: str, check: str, message: str) -> None:
        self._print(f"[  !/{self.total}]   check  {key:24} {check}: {message}")

    def _live(self, text: str) -> None:
        if self.live:
            print(f"\r\x1b[K{text[:120]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.spoke > QUIET_SECONDS:
            self._print(f"            ...    {text[:100]}")

    def _print(self, text: str) -> None:
        self.spoke = time.monotonic()
        print(f"\r\x1b[K{text}" if self.live else text, file=sys.stderr, flush=True)
