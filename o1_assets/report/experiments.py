"""The report's section on the ablations: each experiment's question, claims, tables and charts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from o1_assets.core.plots import Axis, Series
from o1_assets.experiments.result import (
    Claim,
    Result,
    cells,
    claim_interval,
    claim_target,
    claim_value,
    is_result,
    read_result,
    verdict,
)


@dataclass(frozen=True)
class Ablation:
    """pictures: PNGs that are no chart of `core.plots`, a heat map say, by name."""

    result: Result
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Ablation | None:
        """From the folder of `ablations/<experiment>/result`; None where an earlier version wrote it."""
        if not is_result(folder):
            return None
        result = read_result(folder)
        drawn = {*result.charts, *result.panels}
        files = sorted((folder / "plots").glob("*.png"))
        # Charts are drawn again, as SVG in the page's colours, so that they follow light and dark.
        return cls(result, {file.stem: file.read_bytes() for file in files if file.stem not in drawn})


def section(
    ablations: Sequence[Ablation], chart: Callable[[Sequence[Series], Axis], Mapping[str, Any]]
) -> dict[str, Any]:
    """For the template: `targets`, every claim that has one, and `experiments`. chart: as `render.chart`."""
    # On top of the section: every claim with a target, met or missed, before any detail.
    targets = [
        {**_claim(claim), "of": ablation.result.name}
        for ablation in ablations
        for claim in ablation.result.claims
        if claim.target is not None
    ]
    return {"targets": targets, "experiments": [_experiment(ablation, chart) for ablation in ablations]}


def _experiment(
    ablation: Ablation, chart: Callable[[Sequence[Series], Axis], Mapping[str, Any]]
) -> dict[str, Any]:
    result = ablation.result
    verdicts = [verdict(claim) for claim in result.claims]
    return {
        "name": result.name,
        "title": result.title,
        "question": result.question,
        "count": {word: verdicts.count(word) for word in ("met", "missed", "not measured")},
        # Only what has a picture on top is unfolded; ten open experiments are too long a page.
        "open": bool(result.panels),
        "claims": [_claim(claim) for claim in result.claims],
        "charts": [chart(drawn.series, drawn.axis) for drawn in result.charts.values()],
        "pictures": [
            {"name": name.replace("_", " "), "data": base64.b64encode(png).decode()}
            for name, png in ablation.pictures.items()
        ],
        "tables": [_table(table.title, table.frame) for table in result.tables.values()],
        "notes": result.notes,
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.name,
        "says": claim.says,
        "value": claim.value,
        "text": claim_value(claim, claim.value),
        "interval": claim_interval(claim),
        "target": claim_target(claim),
        "verdict": verdict(claim),
    }


def _table(title: str, frame: Any) -> dict[str, Any]:
    numeric, rows = cells(frame)
    return {
        "title": title,
        "head": list(zip(frame.columns, numeric, strict=True)),
        "rows": [list(zip(row, numeric, strict=True)) for row in rows],
    }
