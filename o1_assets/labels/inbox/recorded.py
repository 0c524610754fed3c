"""A batch as an object of rNN/label_batches holds it: everything but its lines as they were sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.labels.inbox.batch import INDEX, RATINGS, RECORDS, BatchManifest

if TYPE_CHECKING:
    import polars as pl

    from o1_assets.store.store import ArtifactStore


@dataclass(frozen=True)
class RecordedBatch:
    """folder: of the object. entry: the batch's entry in its index. selection: digest of the object's selection."""

    folder: Path
    round: str
    selection: str
    entry: dict[str, Any]

    @classmethod
    def find(cls, folder: Path, digest: str) -> RecordedBatch | None:
        """None: the object was not made of the batch."""
        index = json.loads((folder / INDEX).read_bytes())
        for entry in index["batches"]:
            if entry["digest"] == digest:
                return cls(folder, str(index["round"]), str(index["selection"]), entry)
        return None

    def manifest(self) -> BatchManifest:
        return BatchManifest(
            digest=str(self.entry["digest"]),
            round=self.round,
            source=str(self.entry["source"]),
            lines=int(self.entry["lines"]),
            solutions=int(self.entry["solutions"]),
            labelers=sorted(set(self._records["labeler"].drop_nulls())),
            original="",
            name="",
            received="",
            # If a record was a misfit, all are compared again with the selection of whoever reads them.
            selection=self.selection if (self._records["misfit"] == "").all() else "",
        )

    def solutions(self) -> list[str]:
        return sorted(set(self._records["solution_id"].drop_nulls()))

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """As `BatchReader.tables`."""
        from o1_assets.labels.inbox.tables import EVENT, with_written, without_unused

        # The round's table has the columns of written steps if any of its batches has them.
        records = without_unused(with_written(self._records))
        return self._rows(RATINGS).select(list(EVENT)), records.drop("misfit")

    @cached_property
    def _records(self) -> pl.DataFrame:
        return self._rows(RECORDS)

    def _rows(self, name: str) -> pl.DataFrame:
        import polars as pl

        from o1_assets.core.tables import read_parquet

        return read_parquet(self.folder / name).filter(pl.col("batch") == self.entry["digest"]).rechunk()


def recorded_in(open_store: Callable[[], ArtifactStore]) -> Callable[[str], Path | None]:
    """For `BatchReader`: the verified folder of a round's rNN/label_batches of today. Raises StoreError."""

    def folder(round_name: str) -> Path | None:
        store = open_store()
        head = store.head(f"{round_name}/label_batches")
        return store.verified(head.digest) if head else None

    return folder
