"""Jobs for the UI's launchpad. They select by string and never import assets."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import dagster as dg

# Selections by string are in beta in 1.13; that ours mean what they say is tested.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

LOOP = 'tag:"o1/part"="loop"'

THE_LOOP = [
    dg.define_asset_job(
        "everything",
        selection=LOOP,
        description="The whole loop, phase 1 and every round, without optional parts.",
    ),
    dg.define_asset_job(
        "phase_1",
        selection=LOOP + ' and not tag:"o1/chapter"="phase_2" and not tag:"o1/chapter"="eval"',
        description="Problems, base, GPT* and round 0.",
    ),
    dg.define_asset_job(
        "phase_2",
        selection=LOOP + ' and tag:"o1/chapter"="phase_2"',
        description="Rounds 1 and up, and nothing else.",
    ),
    dg.define_asset_job(
        "evaluation",
        selection=LOOP + ' and tag:"o1/chapter"="eval"',
        description="Reports over all rounds.",
    ),
]

OPTIONAL = {
    "difficulty": "How many of the base's samples solve each train problem.",
    "thinking": "Q-value models, and what thinking longer buys.",
    "ablations": "Experiments on the method: every arm's trainings, and their results. Run `thinking` before.",
    "assistant": "Instruction tuning, preferences and RLHF, apart from the loop (starts_from=base).",
    "mini": "o1-mini: a quarter of baby-o1's parameters, distilled from it, beside its controls.",
    "circle": "The virtuous circle: a base that thinks when told to, and three generations that learn from it.",
}
"""What the jobs of optional parts do."""


def jobs(parts: Collection[str]) -> list[Any]:
    """Those over the loop, and one for each of the optional parts that are loaded."""
    loaded = [
        dg.define_asset_job(part, selection=f'tag:"o1/part"="{part}"', description=OPTIONAL.get(part))
        for part in sorted(set(parts) - {""})
    ]
    return [*THE_LOOP, *loaded]
