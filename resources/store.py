"""The artifact store as a Dagster resource. It knows nothing about stages."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from o1_assets.store.store import ArtifactStore


class StoreResource(dg.ConfigurableResource):
    """url: folder or fsspec URL of the store; work: local scratch folder."""

    url: str
    work: str

    def open(self) -> ArtifactStore:
        return ArtifactStore(self.url, Path(self.work))
