"""A heat map: rows by columns, each cell a share between 0 and 1. Small PNGs, as evaluation/plots.py makes lines."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from o1_assets.core.plots import BLUE, INK, PALETTE, PAPER, QUIET, STYLE
from o1_assets.evaluation.statistics import Floats


def heat_map_png(values: Floats, rows: Sequence[str], columns: Sequence[str], title: str, x: str) -> bytes:
    """values: [rows, columns], NaN where nothing is known: such a cell stays empty. Each cell says its percentage.

    Raises ValueError if the names do not fit. The bytes depend on the data alone.
    """
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from PIL import Image

    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"{values.shape} values for {len(rows)} rows and {len(columns)} columns")
    drawn, small = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 + 0.44 * len(columns), 1.1 + 0.24 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        colors = LinearSegmentedColormap.from_list("share", [PAPER, BLUE])
        axes.imshow(np.ma.masked_invalid(values), cmap=colors, vmin=0, vmax=1, aspect="auto")
        axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", pad=10)
        axes.set_xlabel(x)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows, fontsize=8)
        for (i, j), value in np.ndenumerate(values):
            if not np.isnan(value):
                dark = PAPER if value > 0.55 else INK
                axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=dark)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0, labelcolor=QUIET)
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    Image.open(drawn).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE).save(small, format="png")
    return small.getvalue()


def save_heat_map(
    path: Path, values: Floats, rows: Sequence[str], columns: Sequence[str], title: str, x: str
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(heat_map_png(values, rows, columns, title, x))
