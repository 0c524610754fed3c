"""What was pulled of every project: one small file that only saves work, and may be lost at any time.

A pass reads a project's tasks by ascending id. One that ran out of time is resumed where it stopped. The next one
asks for what changed since the newest change that was known when the last one began: what was changed behind its
back while it read is found then, and no clock but the server's is trusted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, timedelta
from pathlib import Path

from o1_assets.files import json_bytes, replace_file
from o1_assets.labels.schema import parse_moment

OVERLAP = timedelta(minutes=5)
"""Asked for again at every pass: a change that the server had not finished writing is not missed."""


@dataclass
class Progress:
    """seen: annotation id -> its last change when it was pulled. since, after: of the pass under way.

    next_since: `since` of the pass after it.
    """

    seen: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    after: int = 0
    next_since: str | None = None

    def begin(self) -> None:
        """A new pass, unless one is under way."""
        if self.after == 0:
            self.since, self.next_since = self.next_since, _newest(self.seen)

    def end(self) -> None:
        self.after = 0


def _newest(seen: dict[str, str]) -> str | None:
    if not seen:
        return None
    newest = max(parse_moment(moment) for moment in seen.values()) - OVERLAP
    return newest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_progress(file: Path) -> dict[str, Progress]:
    """By project URL. A file that cannot be read counts as none: then everything is pulled again."""
    try:
        return {key: Progress(**value) for key, value in json.loads(file.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write_progress(file: Path, progress: dict[str, Progress]) -> None:
    replace_file(file, json_bytes({key: asdict(one) for key, one in progress.items()}))
