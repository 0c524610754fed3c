"""A made-up experiment with everything that a result can hold, so that a test or an eye can look at it."""

from __future__ import annotations

import base64
from pathlib import Path

import polars as pl

from o1_assets.core.plots import Axis, Series
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def result(name: str = "toy", title: str = "A toy, made up") -> Result:
    def chart(words: str) -> Chart:
        line = Series("a line", [1, 2, 4, 8], [0.4, 0.5, 0.58, 0.6], spread=[0.05] * 4)
        return Chart([line], Axis(words, "samples", "accuracy", log2=True))

    return Result(
        name,
        title,
        "Is a made-up thing better than <nothing>?",
        [
            Claim("prm_minus_orm@64", "PRM minus ORM (paper: 5.8 points)", 0.0612, 0.021, 0.101, 0.05),
            Claim("active_slope_ratio", "slope of active over uniform", 1.21, 0.9, 1.6, 1.5),
            Claim("fooled_rate_ratio", "fooled rate, v10 over v0", 0.11, 0.05, 0.2, 0.2, "lower"),
            Claim("never_measured", "what nobody measured", None, None, None, 0.5),
            Claim("toy.fancy", "only shown", -0.012, -0.05, 0.02),
        ],
        {
            "arms": Table(
                "Every arm",
                pl.DataFrame(
                    {"arm": ["a|b", "c"], "n": [64, 256], "pass@1": [0.5, None], "FLOPs": [1.5e12, 2e9]}
                ),
            )
        },
        {"left": chart("The left one"), "right": chart("The right one"), "alone@64": chart("One alone")},
        ["It was measured on made-up problems."],
        {"both": ["left", "right"]},
    )


def write(folder: Path, name: str = "toy", title: str = "A toy, made up") -> Path:
    """Its folder, with a picture that is no chart."""
    folder.mkdir(parents=True, exist_ok=True)
    write_result(folder, result(name, title))
    (folder / "plots" / "heat_map.png").write_bytes(PIXEL)
    return folder
