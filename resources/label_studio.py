"""A Label Studio server as a Dagster resource. It knows nothing about stages."""

from __future__ import annotations

import dagster as dg

from o1_assets.labels.studio.client import LabelStudio


class LabelStudioResource(dg.ConfigurableResource):
    """url, token: of the server. A tick of a sensor waits for it `connect` plus at most `timeout` seconds a call."""

    url: str
    token: str
    connect: float = 2.0
    timeout: float = 10.0

    def open(self) -> LabelStudio:
        return LabelStudio(self.url, self.token, connect=self.connect, timeout=self.timeout)
