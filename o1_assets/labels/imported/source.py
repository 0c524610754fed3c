"""Rounds whose solutions and labels were published by others: their selection comes from an imported label source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from o1_assets.core.artifact import Compute, Outcome, StageConfig, Task, Waiting
from o1_assets.core.tables import read_parquet
from o1_assets.labels.inbox.inbox import Inbox


class LabelSource(StageConfig):
    """Rounds `first` to `last` take selection and labels from what `o1 labels import` made."""

    name: str = Field(default="prm800k", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """What the import is called."""
    first: int = Field(default=0, ge=0)
    """First round that takes its labels from it."""
    last: int = Field(default=10, ge=0)
    """Last such round."""

    def drives(self, k: int) -> bool:
        return self.first <= k <= self.last


class ImportedConfig(StageConfig):
    """rNN/selection: which imported source, and which of its rounds."""

    source: str
    round: str


@dataclass(frozen=True)
class ImportedRound:
    """One round of one source under `root` (<home>/imported)."""

    root: Path
    source: str
    round: str

    @property
    def folder(self) -> Path | None:
        """Today's version of the source; None if it was not imported yet."""
        # Read at every call: an import may come while a server is running.
        try:
            version = json.loads((self.root / self.source / "current.json").read_text())["version"]
        except (
            FileNotFoundError,
            ValueError,
            KeyError,
            TypeError,
        ):  # a damaged one is remedied by an import too
            return None
        return self.root / self.source / str(version)

    def version(self) -> str:
        """Today's version of the source, for the cache key."""
        return self.folder.name if self.folder else "none"

    def inbox(self) -> Inbox:
        """The source's batches. Raises Waiting."""
        return Inbox(self._imported().parent)

    def selection(self) -> Path:
        """Folder of the source's selection. Raises Waiting."""
        return self._imported() / "selection"

    def _imported(self) -> Path:
        folder = self.folder
        if folder is None or not (folder / self.round).is_dir():
            problem = "was not imported yet" if folder is None else "holds nothing for it"
            raise Waiting(
                f"{self.round} takes its labels from the source {self.source!r}, which {problem}: "
                f"`o1 labels import FOLDER --name {self.source}` imports it"
            )
        return folder / self.round


def imported_round(root: Path, source: LabelSource | None, k: int) -> ImportedRound | None:
    """Round k of the profile's label source under `root`; None if its labels are not imported."""
    return ImportedRound(root, source.name, f"r{k:02d}") if source and source.drives(k) else None


def imported_selection(imported: ImportedRound) -> Compute:
    """The compute function of rNN/selection for a round that was imported."""

    def make_imported_selection(task: Task, config: ImportedConfig) -> Outcome:
        """Input: test (problems). Writes solutions, completions and problems .parquet. Raises Waiting."""
        # No label of a problem that is held out here is ever trained on.
        folder = imported.selection()
        held_out = read_parquet(task.inputs["test"] / "problems.parquet", columns=["problem_id"])
        solutions = 0
        for name in ("solutions", "completions", "problems"):
            table = read_parquet(folder / f"{name}.parquet")
            trainable = table.join(held_out, on="problem_id", how="anti", maintain_order="left")
            trainable.write_parquet(task.out / f"{name}.parquet")
            solutions = trainable.height if name == "solutions" else solutions
            left_out = table.height - trainable.height if name == "problems" else 0
        return Outcome(
            figures={"solutions": solutions, "source": config.source, "held_out_problems": left_out},
            rows=solutions,
        )

    return make_imported_selection
