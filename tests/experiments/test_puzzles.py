"""Held-out puzzles, answered at once and by thinking."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.settings import Settings
from o1_assets.experiments.match.ways import MODELS, WAYS
from o1_assets.experiments.puzzles.result import PuzzlesConfig, puzzles_result
from o1_assets.experiments.result import verdict
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile


def test_the_claims_are_of_baby_o1_and_of_the_same_problems() -> None:
    rights = {"direct": [1, 0, 0, 0], "chain": [1, 1, 1, 1], "weighted vote": [1, 1, 1, 0]}
    table = pl.DataFrame(
        {"model": model, "way": way, "problem": problem, "tokens": 10 + problem, "right": bool(right)}
        for model in MODELS.values()
        for way in WAYS
        # In another order, and of other models: neither may matter.
        for problem, right in [*enumerate(rights.get(way, [0] * 4) if model == "baby-o1" else [0] * 4)][::-1]
    )
    result = puzzles_result(table, "letters", PuzzlesConfig(resamples=50), seed=1)
    claims = {claim.name: claim for claim in result.claims}
    assert {name: claim.value for name, claim in claims.items()} == {
        "letters_direct": 0.25, "letters": 1.0, "letters_gain": 0.75, "letters_thinking": 0.75,
    }  # fmt: skip
    gain = claims["letters_gain"]
    assert gain.low is not None and gain.high is not None and gain.low <= 0.75 <= gain.high
    assert [verdict(claims[name]) for name in ("letters", "letters_gain", "letters_thinking")] == [
        "met", "met", "missed",
    ]  # fmt: skip
    row = result.tables["ways"].frame.row(
        by_predicate=(pl.col("model") == "baby-o1") & (pl.col("way") == "chain")
    )
    assert row[2:] == (4, 1.0, 11.5)


@pytest.mark.parametrize(("name", "has"), [("letters", True), ("tic-tac-toe", True), ("code", False)])
def test_profiles_of_puzzles_measure_them_on_held_out_problems(name: str, has: bool, tmp_path: Path) -> None:
    graph = build_graph(load_profile(name, "rounds=1"), Settings(name, tmp_path))
    assert ("ablations/puzzles/result" in graph) is has
    if has:
        artifact = graph["ablations/puzzles/result"]
        assert artifact.inputs["policy"] == "r01/policy" and artifact.inputs["test"] == "problems/test"
        assert artifact.config.model_dump()["prompt"] == load_profile(name, "").prompt.model_dump()
