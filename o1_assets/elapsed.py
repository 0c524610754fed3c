"""The seconds that an artifact takes, those of earlier attempts that were killed included.

They are kept in unfinished/<cache key>/attempts/seconds.json.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from o1_assets.files import json_bytes, replace_file

KEEP_SECONDS = 10.0
"""The least time between two writes: what a kill may leave uncounted."""


class Elapsed:
    """Counts from now on, on top of what killed attempts left under `unfinished`."""

    def __init__(self, unfinished: Path) -> None:
        # In a folder of its own: saving a training's state removes the other files beside it.
        self._file = unfinished / "attempts" / "seconds.json"
        self._earlier = 0.0
        with suppress(OSError, ValueError, TypeError):
            self._earlier = float(json.loads(self._file.read_text()))
        self._started = self._kept = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def keep(self) -> None:
        """Writes them down if it is time to. A disk that is full is no reason to stop computing."""
        if time.perf_counter() - self._kept < KEEP_SECONDS:
            return
        with suppress(OSError):
            replace_file(self._file, json_bytes(self.seconds))
        self._kept = time.perf_counter()
