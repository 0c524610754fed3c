"""Where a profile's run keeps everything it writes: one folder, O1_HOME/<profile>."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from o1_assets.files import replace_file

PROJECT = Path(__file__).resolve().parents[1]
DAGSTER_YAML = """\
# The first-visit dialog of the UI covers the graph; a training run needs no telemetry.
nux:
  enabled: false
telemetry:
  enabled: false
# A run whose process never came up fails instead of being waited for.
run_monitoring:
  enabled: true
# What the sensor looked at and when, four times a minute. Runs and their events: `o1 gc`.
retention:
  sensor:
    purge_after_days:
      skipped: 2
      started: 7
      failure: 30
      success: 90
"""


def checkpoint_seconds() -> float:
    """The least time between two saves of a training that is under way: O1_CHECKPOINT_SECONDS, else 10.

    No part of any profile: it changes what a kill costs, never what comes out. Raises ValueError.
    """
    text = os.environ.get("O1_CHECKPOINT_SECONDS") or "10"
    try:
        return max(0.0, float(text))
    except ValueError:
        raise ValueError(f"O1_CHECKPOINT_SECONDS is {text!r}; set it to a number of seconds") from None


@dataclass(frozen=True)
class Settings:
    """The folders of one profile. Everything under `home` can be copied, moved or deleted as a whole."""

    profile: str
    home: Path

    @classmethod
    def load(cls, profile: str | None = None, home: Path | str | None = None) -> Settings:
        """profile: argument, else O1_PROFILE, else nano. home: argument, else O1_HOME, else .o1 in the project."""
        name = profile or os.environ.get("O1_PROFILE") or "nano"
        root = Path(home or os.environ.get("O1_HOME") or PROJECT / ".o1").expanduser().resolve()
        return cls(profile=name, home=root / name)

    @property
    def store(self) -> str:
        """URL of the artifact store: O1_STORE (any fsspec URL, the profile is appended) or a folder under home."""
        base = os.environ.get("O1_STORE")
        return f"{base.rstrip('/')}/{self.profile}" if base else str(self.home / "store")

    @property
    def work(self) -> Path:
        """Scratch: half-made artifacts and local copies of a remote store. May be deleted at any time."""
        return self.home / "work"

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def imported(self) -> Path:
        """Label sources that were imported, one folder each."""
        return self.home / "imported"

    @property
    def catalogue(self) -> Path:
        return self.home / "catalogue.duckdb"

    @property
    def report(self) -> Path:
        return self.home / "report.html"

    @property
    def runs(self) -> Path:
        """One JSON file a run: how long, how much of it was computing, what it made."""
        return self.home / "runs"

    @property
    def lock(self) -> Path:
        return self.home / "run.lock"

    def dagster_home(self) -> Path:
        """The Dagster instance's folder, made with its dagster.yaml on first use."""
        folder = self.home / "dagster"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "dagster.yaml"
        if not config.exists():
            replace_file(config, DAGSTER_YAML.encode())
        return folder
