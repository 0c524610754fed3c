"""What people expect of the split."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Check, Finding, Looked

TRAIN = "problems/train"


def _none_in_train(looked: Looked) -> Finding:
    test, train = (
        set(pl.read_parquet(folder / "problems.parquet", columns=["problem_id"])["problem_id"])
        for folder in (looked.folder, looked.beside[TRAIN])
    )
    shared = len(test & train)
    return Finding(shared == 0, f"{shared} of {len(test)} test problems are in train", {"shared": shared})


TEST = (
    Check("none_in_train", "No test problem is in train, in any wording.", _none_in_train, beside=(TRAIN,)),
)
