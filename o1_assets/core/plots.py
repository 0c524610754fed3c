"""Charts that look the same everywhere: small PNGs for the Dagster UI, themed SVG for the report.

One line chart, described once as `Series` and `Axis`, is drawn for both. Lines are labelled where they end, not in
a legend; the same selector has the same colour on every chart. The bytes depend on the data alone, because a chart
is part of its artifact's digest.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image


INK, QUIET, GRID, PAPER = "#1d2433", "#667085", "#e6e8ee", "#ffffff"

BLUE, SKY, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#2f5fd0", "#4aa3d8", "#d9731a", "#16906b", "#8050c4", "#cf3f52", "#7b8494",
)  # fmt: skip

# What each colour is called in the page's style sheet, where light and dark have their own values of it.
VARIABLES = {
    INK: "--ink", QUIET: "--quiet", GRID: "--line", PAPER: "--card", BLUE: "--blue", SKY: "--sky",
    ORANGE: "--orange", GREEN: "--green", PURPLE: "--purple", RED: "--red", GREY: "--grey",
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One line: y (and y - spread to y + spread as a band) against x. None in y is a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    color: str = BLUE
    spread: Sequence[float] | None = None
    style: Literal["line", "dashed", "points"] = "line"


@dataclass(frozen=True)
class Axis:
    """The labels and scales of a chart.

    title: one sentence. percent: y is a share. ticks: x values named below the axis. from_zero: the y axis begins at 0.
    """

    title: str
    x: str
    y: str
    log2: bool = False
    percent: bool = True
    ticks: Sequence[float] | None = None
    tick_labels: Sequence[str] | None = None
    from_zero: bool = False


# Colours of a PNG. A chart has few, and with a palette it is a third of the size.
PALETTE = 128
PANEL_SIZE, PANEL_DPI = (5.0, 3.9), 160

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "svg.fonttype": "none",
    "path.simplify": True,
}


def draw(series: Sequence[Series], axis: Axis, size: tuple[float, float] = (6.4, 3.9)) -> Figure:
    """The chart as a matplotlib figure, made without pyplot, so that no global state is touched."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        for line in series:
            _line(axes, line)
        _frame(axes, axis, series)
        _end_labels(axes, series)
        return figure


def png(series: Sequence[Series], axis: Axis, dpi: int = 110) -> bytes:
    """The chart as PNG, with no time or version in its bytes."""
    return _png_bytes(_image(draw(series, axis), dpi))


def save_png(path: Path, series: Sequence[Series], axis: Axis) -> None:
    _write(path, png(series, axis))


def save_panels(path: Path, charts: Sequence[tuple[Sequence[Series], Axis]]) -> None:
    """One PNG of charts side by side, each 800 pixels wide, with letters that are legible at half that width."""
    from PIL import Image

    panels = [_image(draw(series, axis, PANEL_SIZE), PANEL_DPI) for series, axis in charts]
    whole = Image.new("RGB", (sum(p.width for p in panels), max(p.height for p in panels)), PAPER)
    for i, panel in enumerate(panels):
        whole.paste(panel, (sum(before.width for before in panels[:i]), 0))
    _write(path, _png_bytes(whole))


def heat_map_png(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, x: str
) -> bytes:
    """A heat map as PNG, each cell with its percentage.

    values: (rows, columns), shares from 0 to 1; NaN where nothing is known, and such a cell stays empty. Raises
    ValueError if the numbers of names and values differ.
    """
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"{values.shape} values for {len(rows)} rows and {len(columns)} columns")
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
                # White letters on dark cells, dark ones on light cells.
                color = PAPER if value > 0.55 else INK
                axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=color)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0, labelcolor=QUIET)
    return _png_bytes(_image(figure, 110))


def save_heat_map(
    path: Path, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, x: str
) -> None:
    _write(path, heat_map_png(values, rows, columns, title, x))


def _image(figure: Figure, dpi: int) -> Image:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    # The style counts again where the figure is laid out, and that happens here and not in `draw`.
    with matplotlib.rc_context(STYLE):
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _png_bytes(image: Image) -> bytes:
    from PIL import Image

    small = io.BytesIO()
    # No dithering: it would scatter dots over the plain background.
    image.quantize(PALETTE, dither=Image.Dither.NONE).save(small, format="png")
    return small.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def svg(series: Sequence[Series], axis: Axis, size: tuple[float, float] = (5.0, 3.5)) -> str:
    """The chart as an <svg> element inside a page: colours are the page's variables, and text stays text.

    Ids are made from the title, so that several charts can stand in one page.
    """
    import matplotlib

    buffer = io.StringIO()
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    # Without a salt matplotlib makes ids from random numbers, and no two pages would be equal.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": axis.title}):
        draw(series, axis, size).savefig(buffer, format="svg", metadata=no_metadata)
    text = buffer.getvalue()
    # An XML declaration, ids that two charts of a page would share, and matplotlib's own style sheet.
    text = text[text.index("<svg") :]
    for unwanted in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r' id="[a-zA-Z]+[\w.]*_\d+"'):
        text = re.sub(unwanted, "", text, flags=re.DOTALL)
    text = text.replace("'DejaVu Sans'", "var(--sans)")
    # A style sheet cannot reach into an image: variables let one chart serve light and dark.
    for color, name in VARIABLES.items():
        text = text.replace(color, f"var({name})")
    head = re.compile(r'<svg[^>]*viewBox="([^"]*)"[^>]*>')
    text = head.sub(r'<svg viewBox="\1" aria-hidden="true" focusable="false">', text, count=1)
    return re.sub(r"\n\s*", "\n", text)


def _values(series: Series) -> np.ndarray:
    return np.array([np.nan if y is None else y for y in series.y], dtype=float)


def _line(axes: Axes, series: Series) -> None:
    x, y = np.asarray(series.x, dtype=float), _values(series)
    if series.style == "points":
        axes.plot(x, y, "o", color=series.color, markersize=5)
        return
    # Markers show where a curve was measured; on a long one they would hide the line.
    dashes = (0, (4, 2.5)) if series.style == "dashed" else "solid"
    marker = "o" if len(x) <= 16 and series.style == "line" else None
    axes.plot(
        x, y, linestyle=dashes, color=series.color, linewidth=2, marker=marker, markersize=3.5, clip_on=False
    )
    if series.spread is not None:
        band = np.asarray(series.spread, dtype=float)
        axes.fill_between(x, y - band, y + band, color=series.color, alpha=0.15, linewidth=0)


def _frame(axes: Axes, axis: Axis, series: Sequence[Series]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter

    axes.set_title(axis.title, loc="left", fontsize=11.5, fontweight="bold", pad=10)
    axes.set_xlabel(axis.x)
    axes.set_ylabel(axis.y)
    if axis.log2:
        axes.set_xscale("log", base=2)
        # Between two powers of two there are unlabelled minor ticks otherwise.
        axes.xaxis.set_minor_locator(NullLocator())
    ticks = axis.ticks if axis.ticks is not None else sorted({x for line in series for x in line.x})
    if axis.ticks is not None or len(ticks) <= 16:
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.set_xticklabels(axis.tick_labels or [f"{x:g}" for x in ticks])
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if axis.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if axis.from_zero:
        axes.set_ylim(bottom=0.0)
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def _end_labels(axes: Axes, series: Sequence[Series], gap: float = 0.062) -> None:
    """Writes each line's name at its end; names that would overlap are pushed apart. gap: a share of the axis."""
    low, high = axes.get_ylim()
    ends = []
    for line in series:
        known = np.flatnonzero(~np.isnan(_values(line)))
        if line.label and len(known):
            ends.append([(_values(line)[known[-1]] - low) / (high - low), line])
    ends.sort(key=lambda end: end[0])
    heights = spread_apart([end[0] for end in ends], gap)
    for height, (_, line) in zip(heights, ends, strict=True):
        axes.annotate(
            line.label,
            (1.02, height),
            xycoords="axes fraction",
            color=line.color,
            va="center",
            fontsize=9.5,
            fontweight="bold",
            annotation_clip=False,
        )


def spread_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Sorted heights moved as little as needed to be at least `gap` apart, within 0 to 1 where they fit.

    Neighbours that touch become one block around their common middle, as often as blocks meet.
    """
    blocks: list[tuple[float, int]] = []
    for height in heights:
        middle, size = height, 1
        while True:
            half = gap * (size - 1) / 2
            middle = min(max(middle, half), max(1 - half, half))
            if not blocks or middle - half - (blocks[-1][0] + gap * (blocks[-1][1] - 1) / 2) >= gap - 1e-9:
                break
            below, below_size = blocks.pop()
            middle = (middle * size + below * below_size) / (size + below_size)
            size += below_size
        blocks.append((middle, size))
    return [m + gap * (k - (size - 1) / 2) for m, size in blocks for k in range(size)]
