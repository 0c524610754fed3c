"""Jobs for the UI's launchpad. They select by string and never import assets."""

from __future__ import annotations

import warnings

import dagster as dg

# Selections by string are in beta in 1.13; that ours mean what they say is tested.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

LOOP = 'tag:"o1/part"="loop"'

JOBS = [
    dg.define_asset_job(
        "everything",
        selection=LOOP,
        description="The whole loop, phase 1 and every round, without optional parts.",
    ),
    dg.define_asset_job(
        "phase_1",
        selection=LOOP + ' and (key:"problems/*" or key:"base/*" or key:"generator/*" or key:"r00/*")',
        description="Problems, base, GPT* and round 0.",
    ),
    dg.define_asset_job(
        "phase_2",
        selection=LOOP + ' and tag:"o1/phase"="2"',
        description="Rounds 1 and up, and nothing else.",
    ),
    dg.define_asset_job(
        "evaluation",
        selection=LOOP + ' and group:"eval"',
        description="Reports over all rounds.",
    ),
    dg.define_asset_job(
        "thinking",
        selection='tag:"o1/part"="thinking"',
        description="Q-value models, and what thinking longer buys.",
    ),
    dg.define_asset_job(
        "ablations",
        selection='tag:"o1/part"="ablations"',
        description="Experiments on the method: every arm's trainings, and their results. Run `thinking` before.",
    ),
    dg.define_asset_job(
        "difficulty",
        selection='tag:"o1/part"="difficulty"',
        description="How many of the base's samples solve each train problem.",
    ),
    dg.define_asset_job(
        "mini",
        selection='tag:"o1/part"="mini"',
        description="o1-mini: a quarter of baby-o1's parameters, distilled from it, beside its controls.",
    ),
]
