"""From a summary's folder, and what only the run knows (costs, wall time), to ReportData."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.evaluation.headline import Headline
from o1_assets.evaluation.summary import headline_of
from o1_assets.report.data import ReportData
from o1_assets.report.experiments import Ablation
from o1_assets.report.thinking import Thinking
from o1_assets.report.training import training_points


def collect(
    profile: str,
    summary: Path,
    run: Mapping[str, Headline],
    costs: Sequence[Mapping[str, Any]],
    facts: Mapping[str, str],
    thinking: Path | None = None,
    ablations: Sequence[Path] = (),
) -> ReportData:
    """run: `headline.run_headlines(...)`; costs: asset, seconds, flops, tokens, optional (no part of the loop), in
    graph order.

    thinking: eval/thinking's folder, where it was made. Tables that an earlier version did not write are empty.
    ablations: folders of the experiments' results.
    """
    rounds = pl.read_parquet(summary / "rounds.parquet").to_dicts()
    curves = pl.read_parquet(summary / "curves.parquet")
    solved, doubts = summary / "solved.parquet", summary / "corrections.parquet"
    return ReportData(
        profile=profile,
        headline={**run, **headline_of(summary)},
        rounds=rounds,
        curves={
            part["chart"][0]: part.to_dicts() for part in curves.partition_by("chart", maintain_order=True)
        },
        examples=json.loads((summary / "examples.json").read_text()),
        costs=costs,
        training=training_points(pl.read_parquet(solved), costs) if solved.exists() else (),
        corrections=pl.read_parquet(doubts).to_dicts() if doubts.exists() else (),
        thinking=Thinking.read(thinking),
        ablations=[one for folder in ablations if (one := Ablation.read(folder))],
        facts=facts,
    )
