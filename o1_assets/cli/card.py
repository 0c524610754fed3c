"""`o1 card`: the model card of a checkpoint."""

from __future__ import annotations

from o1_assets.audit.model_card import read_card
from o1_assets.settings import Settings
from o1_assets.store.store import ArtifactStore


def card(settings: Settings, key: str, version: str | None) -> str:
    """Raises StoreError if there is no such version or it is no checkpoint."""
    return read_card(ArtifactStore(settings.store, settings.work), key, version)
