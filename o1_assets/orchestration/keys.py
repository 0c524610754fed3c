"""What Dagster calls an artifact."""

from __future__ import annotations

import dagster as dg


def asset_key(key: str) -> dg.AssetKey:
    """Dagster's key of an artifact: one word, because the graph shows no more than a key's last part.

    With `r03/prm` as two parts eleven boxes would read "prm".
    """
    return dg.AssetKey(key.replace("/", "_"))
