"""From a summary's folder, and what only the run knows (costs, wall time), to ReportData."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.ablations.shown import read
from o1_assets.evaluation.headline import Headline
from o1_assets.evaluation.report.data import ReportData
from o1_assets.evaluation.summary import headline_of


def collect(
    profile: str,
    summary: Path,
    run: Mapping[str, Headline],
    costs: Sequence[Mapping[str, Any]],
    facts: Mapping[str, str],
    thinking: Path | None = None,
    ablations: Sequence[Path] = (),
) -> ReportData:
    """run: `headline.run_headlines(...)`; costs: asset, seconds, flops, tokens, in graph order.

    thinking: eval/thinking's folder, where it was made. ablations: those of the experiments' results.
    """
    rounds = pl.read_parquet(summary / "rounds.parquet").to_dicts()
    curves = pl.read_parquet(summary / "curves.parquet")
    return ReportData(
        profile=profile,
        headline={**run, **headline_of(summary)},
        rounds=rounds,
        curves={
            part["chart"][0]: part.to_dicts() for part in curves.partition_by("chart", maintain_order=True)
        },
        examples=json.loads((summary / "examples.json").read_text()),
        costs=costs,
        compute=compute_points(costs, rounds),
        thinking=pl.read_parquet(thinking / "points.parquet").to_dicts() if thinking else (),
        ablations=[read(folder) for folder in ablations],
        facts=facts,
    )


def compute_points(
    costs: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Any]]
) -> list[dict[str, float]]:
    """Cumulative FLOPs of all that baby-o1 v*k* is made from, and its pass@1, without what only
    measures."""
    by_round: dict[int, float] = {}
    for row in costs:
        first, _, stage = str(row["asset"]).partition("/")
        if stage == "eval" or first in ("eval", "report", "ablations"):
            continue
        in_round = first[:1] == "r" and first[1:].isdigit()
        k = int(first[1:]) if in_round else -1
        by_round[k] = by_round.get(k, 0.0) + float(row["flops"] or 0)
    order = sorted(by_round)
    total = dict(zip(order, itertools.accumulate(by_round[k] for k in order), strict=True))
    return [
        {"flops": total[row["round"]], "pass@1": row["pass@1"]}
        for row in rounds
        if total.get(row["round"], 0.0) > 0
    ]
