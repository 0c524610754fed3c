"""What the result says of ways of prompting."""

from __future__ import annotations

import polars as pl
import pytest

from o1_assets.evaluation.thinking.prompting import ALL_WEIGHTS, ANY, ASKED, LOW_RANK, PLAIN, SIMILAR
from o1_assets.experiments.thinking.claims import Measure
from o1_assets.experiments.thinking.ways import asking_claims, asking_frame

RIGHT = {
    ("base", PLAIN): [0.5, 0.5, 0.0, 1.0],
    ("base", ANY): [0.0, 0.0, 0.0, 0.0],
    ("base", SIMILAR): [0.0, 0.5, 0.0, 0.0],
    ("base", f'{ASKED}"wait"'): [0.5, 1.0, 0.5, 1.0],
    ("base", LOW_RANK): [0.5, 0.5, 0.5, 0.5],
    ("base", ALL_WEIGHTS): [1.0, 1.0, 0.5, 1.0],
    ("GPT*", PLAIN): [1.0, 1.0, 0.0, 1.0],
}


def test_each_way_is_held_against_the_one_that_differs_in_one_thing() -> None:
    numbers = {"accuracy": 0.5, "accuracy_error": 0.1, "generated": 20.04, "read": 9.96, "flops": 1e6}
    rows = [
        {"model": model, "way": way, **numbers, "well_formed": None, "right": right}
        for (model, way), right in RIGHT.items()
    ]
    table = pl.DataFrame(rows, infer_schema_length=None)
    claims = {claim.name: claim for claim in asking_claims(Measure(50, 0), table)}
    values = {name: claim.value for name, claim in claims.items()}
    assert values == pytest.approx(
        {
            "examples_gain_base": -0.375,
            "similar_gain_base": 0.125,
            "self_check_wait_gain_base": 0.25,
            "low_rank_gain_base": -0.375,
        }
    )
    low, high = claims["low_rank_gain_base"].low, claims["low_rank_gain_base"].high
    assert low is not None and high is not None and low < -0.375 < high
    frame = asking_frame(table)
    assert frame.height == len(rows) and frame["tokens written"][0] == 20.0
