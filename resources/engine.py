"""The inference engine as a Dagster resource."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from o1_assets.core.engine import Engine
from o1_assets.engine.open import EngineName


class EngineResource(dg.ConfigurableResource):
    """name: which engine opens checkpoints.

    Before a run on this machine `check_requirements` asks whether it is installed. On other machines the step that
    opens a checkpoint asks: steps without a GPU need no engine.
    """

    name: EngineName = "transformers"

    def open(self, checkpoint: Path) -> Engine:
        from o1_assets.engine.open import open_engine

        return open_engine(checkpoint, self.name)
