"""What a training cost, kept in its artifact: arms are compared at equal cost, so the result has to know it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from o1_assets.artifact import Cost

FILE = "cost.json"


def write_cost(folder: Path, cost: Cost, updates: int) -> None:
    (folder / FILE).write_text(json.dumps({**asdict(cost), "updates": updates}, indent=1) + "\n")


def read_cost(folder: Path) -> dict[str, float]:
    """updates, flops, tokens_generated, tokens_scored, tokens_trained."""
    found: dict[str, float] = json.loads((folder / FILE).read_text())
    return found
