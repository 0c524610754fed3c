"""What ways of thinking, of prompting and of fine-tuning the base bring: claims and tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from o1_assets.evaluation.thinking.prompting import (
    ALL_WEIGHTS,
    ANY,
    ASKED,
    CONSTRAINED,
    LOW_RANK,
    PLAIN,
    SIMILAR,
)
from o1_assets.experiments.result import Claim
from o1_assets.experiments.thinking.claims import MODELS, Measure, minus


def prompting_claims(measure: Measure, prompting: pl.DataFrame) -> list[Claim]:
    right = {(row["model"], row["way"]): np.array(row["right"]) for row in prompting.iter_rows(named=True)}
    claims = []
    for model, short in MODELS.items():
        ways = {way: values for (of, way), values in right.items() if of == model}
        claims += [
            measure.claim(
                f"{way.split(',')[0]}_{'prm_' if ',' in way else ''}{short}",
                f"{model}: {way}",
                values,
                "share",
            )
            for way, values in ways.items()
        ]
        for more, less in (("chain", "direct"), ("vote", "chain"), ("tree", "vote")):
            claims.append(
                measure.claim(
                    f"{more}_minus_{less}_{short}",
                    f"{model}: {more} against {less}",
                    minus(ways, more, less),
                )
            )
    return claims


def prompting_frame(prompting: pl.DataFrame) -> pl.DataFrame:
    return prompting.select(
        "model", "way", "accuracy", error="accuracy_error", tokens=pl.col("generated").round(0), FLOPs="flops"
    )


# More against less, and what is said of the difference.
COMPARED = {
    "examples": (SIMILAR, PLAIN, "similar worked examples in the prompt against none"),
    "similar": (SIMILAR, ANY, "similar worked examples against any"),
    "constrained": (CONSTRAINED, PLAIN, "steps held to their format against free ones"),
    "low_rank": (
        LOW_RANK,
        ALL_WEIGHTS,
        "low-rank updates against all weights, fine-tuned on the same solutions",
    ),
}


def asking_claims(measure: Measure, asked: pl.DataFrame) -> list[Claim]:
    right = {(row["model"], row["way"]): np.array(row["right"]) for row in asked.iter_rows(named=True)}
    claims = []
    for model, short in {"base": "base", **MODELS}.items():
        ways = {way: values for (of, way), values in right.items() if of == model}
        doubts = {
            f"self_check_{way.split()[-1].strip(chr(34))}": (
                way,
                PLAIN,
                f"a chain that is {way} against its answer",
            )
            for way in ways
            if way.startswith(ASKED)
        }
        claims += [
            measure.claim(f"{name}_gain_{short}", f"{model}: {says}", minus(ways, more, less))
            for name, (more, less, says) in {**COMPARED, **doubts}.items()
            if more in ways and less in ways
        ]
    return claims


def asking_frame(asked: pl.DataFrame) -> pl.DataFrame:
    return asked.select(
        "model",
        "way",
        "accuracy",
        pl.col("accuracy_error").alias("error"),
        pl.col("generated").round(1).alias("tokens written"),
        pl.col("read").round(1).alias("tokens read"),
        pl.col("well_formed").alias("well formed"),
        pl.col("flops").alias("FLOPs"),
    )
