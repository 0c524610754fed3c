"""`o1 export`: a checkpoint as a folder that others can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from o1_assets.core.settings import Settings
from o1_assets.export.export import Exported
from o1_assets.export.export import export as export_version
from o1_assets.export.model_card import read_card
from o1_assets.store.store import ArtifactStore


def export(settings: Settings, key: str, folder: Path, version: str | None) -> Exported:
    """Raises StoreError, ExportError."""
    return export_version(ArtifactStore(settings.store, settings.work), key, folder, version)


def export_json(exported: Exported) -> dict[str, Any]:
    return {**vars(exported), "folder": str(exported.folder)}


def export_lines(exported: Exported) -> list[str]:
    done = "written to" if exported.changed else "was already, byte for byte, in"
    return [
        f"{exported.key} ({exported.digest[:12]}) {done} {exported.folder}: {len(exported.files)} files, "
        f"{exported.megabytes:.1f} MB",
        "README.md says how to load it; `hf upload ORGANISATION/NAME DIR` publishes the folder",
    ]


# `o1 card`: the model card of a checkpoint.


def card(settings: Settings, key: str, version: str | None) -> str:
    """Raises StoreError if there is no such version or it is no checkpoint."""
    return read_card(ArtifactStore(settings.store, settings.work), key, version)
