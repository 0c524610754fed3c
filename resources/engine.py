"""What samples, as a Dagster resource: `transformers` or `vllm`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import dagster as dg

from o1_assets.engine.available import require_engine
from o1_assets.engine.interface import Engine


class EngineResource(dg.ConfigurableResource):
    """name: which engine opens checkpoints. A run that cannot have it fails before its first step."""

    name: Literal["transformers", "vllm"] = "transformers"

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Raises EngineMissing."""
        require_engine(self.name)

    def open(self, checkpoint: Path) -> Engine:
        from o1_assets.engine.open import open_engine

        return open_engine(checkpoint, self.name)
