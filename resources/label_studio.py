"""A Label Studio server as a Dagster resource. It knows nothing about stages."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from o1_assets.labels.studio.client import LabelStudio, connection


class LabelStudioResource(dg.ConfigurableResource):
    """home: where `make labeling` keeps its server's address and token; O1_LABEL_STUDIO_URL and _TOKEN come first.

    Neither is part of the configuration, which Dagster shows to everybody. connect, timeout: seconds until a
    server that does not answer is given up.
    """

    home: str
    connect: float = 2.0
    timeout: float = 5.0

    def open(self) -> LabelStudio | None:
        """None while no server is known. Raises LabelStudioError on an address or token that cannot be one."""
        known = connection(Path(self.home))
        if known is None:
            return None
        return LabelStudio(known.url, known.token, connect=self.connect, timeout=self.timeout)
