"""What the inbox keeps of a batch besides its lines, and what it says of a submission."""

from __future__ import annotations

from dataclasses import dataclass, field

from o1_assets.labels.protocol import Violation

RATINGS, RECORDS = "ratings.parquet", "records.parquet"


IMPORTED = "prm800k"


PEOPLE = "people"
"""Source of batches that come from outside. Machine annotators name themselves: theirs follow from the graph."""


@dataclass(frozen=True)
class BatchManifest:
    """lines: records in the batch. original: SHA-256 of the file as submitted. name: what the sender called it.

    selection: digest of the one that the lines were checked against. tables: SHA-256 of ratings.parquet and
    records.parquet. The last three are empty in batches of before there were tables.
    """

    digest: str
    round: str
    source: str
    lines: int
    solutions: int
    labelers: list[str]
    original: str
    name: str
    received: str
    protocol: str = ""
    selection: str = ""
    tables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SubmitReport:
    """accepted: lines taken. digest: of the batch, if any. known: the very same batch was there already.

    quarantined: name of the folder with the file and the reasons, if anything was refused. refused: lines
    that were not taken. violations: what is wrong with them, the first 10,000; by_rule counts all.
    """

    accepted: int
    digest: str | None
    known: bool = False
    quarantined: str | None = None
    violations: tuple[Violation, ...] = ()
    refused: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> list[tuple[int, str]]:
        """(line, reason), one for each thing wrong."""
        return [(violation.line, str(violation)) for violation in self.violations]


@dataclass(frozen=True)
class Move:
    """A batch was withdrawn, or restored: by whom, when (ISO 8601, UTC) and why."""

    what: str
    who: str
    when: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} by {self.who} on {self.when}" + (f" ({self.why})" if self.why else "")
