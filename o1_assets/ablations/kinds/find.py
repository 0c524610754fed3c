"""What each PRM and ORM finds of each kind of error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from o1_assets.ablations.intervals import Floats
from o1_assets.ablations.kinds.config import KindsResultConfig
from o1_assets.ablations.kinds.explain import KINDS
from o1_assets.ablations.many import load_many, read_all
from o1_assets.artifact import Cost, Task
from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.judge import area_under_curve

PRM, ORM, ALL = "PRM", "ORM", "all"
RIGHT = "false alarms"
"""In place of a kind: the share of what is right that is taken for an error."""


def what_is_found(
    task: Task, pool: pl.DataFrame, test: pl.DataFrame, rounds: Sequence[int], config: KindsResultConfig
) -> tuple[pl.DataFrame, Cost]:
    """A row a kind (and ALL and RIGHT), model and version: errors, found (share), rank (AUC against what is right)."""
    folders = [task.inputs[f"{model}_{k:02d}"] for model in ("prm", "orm") for k in rounds]
    scorer = load_many(folders, task.inputs["generator"])
    questions = dict(test.select("problem_id", "question").iter_rows())
    texts = [config.prompt_template.replace("{question}", questions[p]) for p in pool["problem_id"]]
    read, cost = read_all(
        scorer, scorer.tokenizer(texts)["input_ids"], pool["token_ids"].to_list(), task.progress
    )
    rows = []
    for i, k in enumerate(rounds):
        threshold = json.loads((task.inputs[f"eval_{k:02d}"] / "figures.json").read_text())["step_threshold"]
        steps = [right_probabilities(one) for one in read[i]]
        rows += _of_prm(pool, steps, threshold, k)
        outcomes = np.array([one[-1, 1] if len(one) else 0.0 for one in read[len(rounds) + i]])
        rows += _of_orm(pool, outcomes, k)
    return pl.DataFrame(rows), cost


def _of_prm(pool: pl.DataFrame, steps: Sequence[Floats], threshold: float, k: int) -> list[dict[str, Any]]:
    """Found: P(right) of the first wrong step is below the threshold. Rank: against all steps before first errors and
    in solutions without one."""
    wrong_at = pool["wrong_step"].to_list()
    right = np.concatenate([p[:w] for p, w in zip(steps, wrong_at, strict=True)])
    # A step beyond what the PRM read was not found.
    own = np.array(
        [np.nan if w is None else p[w] if w < len(p) else 1.0 for p, w in zip(steps, wrong_at, strict=True)]
    )
    return _rows(pool, PRM, k, own, right, threshold)


def _of_orm(pool: pl.DataFrame, outcomes: Floats, k: int) -> list[dict[str, Any]]:
    """Found: P(correct) of the solution is below 1/2, of wrong answers only. Rank: against right answers."""
    wrong = (~pool["correct"] & pool["kind"].is_not_null()).to_numpy()
    own = np.where(wrong, outcomes, np.nan)
    return _rows(pool, ORM, k, own, outcomes[pool["correct"].to_numpy()], 0.5)


def _rows(
    pool: pl.DataFrame, model: str, k: int, own: Floats, right: Floats, threshold: float
) -> list[dict[str, Any]]:
    kinds = pool["kind"].to_numpy()
    alarms = float((right < threshold).mean()) if len(right) else None
    rows: list[dict[str, Any]] = [
        {"kind": RIGHT, "model": model, "version": k, "errors": len(right), "found": alarms, "rank": None}
    ]
    for kind in (ALL, *KINDS):
        of_kind = ~np.isnan(own) & ((kinds == kind) | (kind == ALL))
        errors = int(of_kind.sum())
        scores = np.concatenate([right, own[of_kind]])
        labels = np.arange(len(scores)) < len(right)
        rows.append(
            {
                "kind": kind,
                "model": model,
                "version": k,
                "errors": errors,
                "found": float((own[of_kind] < threshold).mean()) if errors else None,
                "rank": area_under_curve(scores, labels) if errors else None,
            }
        )
    return rows
