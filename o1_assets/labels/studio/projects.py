"""Which Label Studio projects are ours: the last line of the description names profile, round and selection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from o1_assets.labels.studio.client import LabelStudio

_MARK = re.compile(
    r"o1-assets:(?P<profile>[^:\s]+):(?P<round>r\d\d):(?P<selection>[0-9a-f]+(-screening)?)\s*\Z", re.ASCII
)


@dataclass(frozen=True)
class Project:
    """A project of ours. selection: digest of what it was made from; with -screening, what labellers begin with."""

    id: int
    profile: str
    round: str
    selection: str


def title(profile: str, round_name: str) -> str:
    return f"o1 {round_name} · {profile}"


def mark(profile: str, round_name: str, selection: str) -> str:
    return f"o1-assets:{profile}:{round_name}:{selection}"


def find_projects(studio: LabelStudio, profile: str) -> Iterator[Project]:
    """All projects of a profile, whatever selection they were made from. Raises LabelStudioError."""
    for row in studio.projects():
        found = _MARK.search(row.get("description") or "")
        if found and found["profile"] == profile:
            yield Project(int(row["id"]), profile, found["round"], found["selection"])
