"""Pins: versions that a person wants to keep, one small file for each in the store.

pins/<key>/<version>.json     key, version, reason, pinned
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from o1_assets.core.errors import unique_prefix
from o1_assets.core.files import json_bytes
from o1_assets.store.backend import StoreError
from o1_assets.store.store import ArtifactStore

# In the store and not in somebody's home: whoever cleans a shared store up has to see everybody's pins.
FOLDER = "pins"


@dataclass(frozen=True)
class Pin:
    """A version that is kept, and why. pinned: the time, ISO 8601."""

    key: str
    version: str
    reason: str
    pinned: str


def pin(store: ArtifactStore, key: str, version: str, reason: str) -> Pin:
    """Keeps a version and all its ancestors until `unpin`. Raises StoreError when there is no such version."""
    # Read for its errors: a pin of a version that does not exist would protect nothing.
    store.manifest(key, version)
    made = Pin(key, version, reason, datetime.now(UTC).isoformat(timespec="seconds"))
    store.backend.write(_name(key, version), json_bytes(asdict(made)))
    return made


def unpin(store: ArtifactStore, key: str, version: str | None) -> Pin:
    """Removes a pin. version: a name or its beginning; None if the key has one pin.

    Raises StoreError unless exactly one pin matches.
    """
    of_key = {entry.version: entry for entry in pins(store) if entry.key == key}
    if version is None and len(of_key) != 1:
        pinned = ", ".join(of_key) or "none"
        raise StoreError(
            f"no pin of {key} was taken away: name one of its pinned versions, which are {pinned}"
        )
    entry = unique_prefix(of_key, version or "", f"pin of {key}", StoreError)
    store.backend.remove([_name(key, entry.version)])
    return entry


def pins(store: ArtifactStore) -> list[Pin]:
    """Every pin, by key and version. Raises StoreError on one that cannot be read."""
    names = [entry.name for entry in store.backend.walk(FOLDER)]
    wanted = sorted(name for name in names if not name.rpartition("/")[2].startswith("."))
    entries = []
    for name, content in store.backend.read_many(wanted):
        try:
            entry = Pin(**json.loads(content))
            if name != _name(entry.key, entry.version):
                raise ValueError(name)
        except (ValueError, TypeError):
            raise StoreError(
                f"the pin {store.backend.place(name)} is damaged; remove it and pin the version again"
            ) from None
        entries.append(entry)
    return entries


def _name(key: str, version: str) -> str:
    return f"{FOLDER}/{key}/{version}.json"
