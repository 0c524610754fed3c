"""What was pulled of each Label Studio project: it spares the next pull work, and may be lost at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.labels.schema import parse_moment

OVERLAP = timedelta(minutes=5)
"""Asked for again at every pass: a change that the server had not finished writing is not missed."""

SET_ASIDE = "|"
"""Between the last change of an annotation that cannot be used and the digest of its content; in no moment."""


@dataclass
class PullProgress:
    """What was pulled of a project.

    seen: annotation id -> its last change when it was pulled; with a digest of its content if it was set aside.
    since, after: of the pass under way. next_since: `since` of the pass after it. pulled, pulled_at, pulled_by: how
    many records the last pull that brought any has brought, when, and who pulled.
    """

    # A pass reads a project's tasks by ascending id. If it runs out of time, it is resumed at the task `after`. The
    # next pass asks for changes since the newest one that was known when this pass began: changes that were made to
    # tasks behind it while it read are then found.

    seen: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    after: int = 0
    next_since: str | None = None
    pulled: int = 0
    pulled_at: str = ""
    pulled_by: str = ""

    def __post_init__(self) -> None:
        # The server would refuse to filter by anything else, at every pull.
        for moment in (self.since, self.next_since):
            if moment is not None:
                parse_moment(moment)

    def begin(self) -> None:
        """Begins a new pass, unless one is under way."""
        if self.after == 0:
            self.since, self.next_since = self.next_since, _newest(self.seen)

    @property
    def unusable(self) -> int:
        return sum(SET_ASIDE in change for change in self.seen.values())

    def end(self) -> None:
        self.after = 0


def _newest(seen: Mapping[str, str]) -> str | None:
    moments = [moment for change in seen.values() if (moment := _moment(change)) is not None]
    if not moments:
        return None
    # A server whose clock was ahead for a while has left moments of the future: nothing newer would ever be found.
    # With this machine's clock as the limit a pass asks for more than it needs, never for less.
    newest = min(max(moments), datetime.now(UTC)) - OVERLAP
    return newest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(change: str) -> datetime | None:
    try:
        return parse_moment(change.split(SET_ASIDE)[0])
    except ValueError:
        return None


def read_progress(file: Path) -> dict[str, PullProgress]:
    """By project URL. A file that cannot be read counts as none: then everything is pulled again."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, PullProgress])
    except (FileNotFoundError, ValueError, RecursionError):
        return {}


def write_progress(file: Path, progress: dict[str, PullProgress]) -> None:
    replace_file(file, json_bytes({key: asdict(of_project) for key, of_project in progress.items()}))
