"""A made-up report: every kind of row once, so that a test or an eye can look at the whole page."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from o1_assets.evaluation.best_of_n import PASS
from o1_assets.evaluation.charts import SELECTORS
from o1_assets.evaluation.charts import STRATEGY_COLORS as THINKING
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.evaluation.headline import headline, run_headlines
from o1_assets.evaluation.thinking.measure import CUT, FORCED
from o1_assets.evaluation.versions import OUTCOMES
from o1_assets.report import ReportData
from o1_assets.report.thinking import ThinkingTables
from o1_assets.report.versions import training_points

CEILING = dict(zip(SELECTORS, [0.96, 0.95, 0.93, 0.915, 0.835, 0.886, 0.985], strict=True))


def curve_rows(start: float) -> list[dict[str, object]]:
    return [
        {
            "selector": name,
            "n": 2**k,
            "mean": top - (top - start) * math.exp(-k / 1.7),
            "std": 0.02 * (1 - k / 6),
        }
        for name, top in CEILING.items()
        for k in range(7)
    ]


def example(kind: str, correct: bool) -> dict[str, object]:
    texts = [("3*4=12", 1), ("check 3*4=12", 0), ("5-12=7", -1 if not correct else 1), ("answer 7", 1)]
    steps = [
        {
            "text": text, "rating": rating if i < 3 or correct else None,
            "newest": 0.98 - 0.3 * i * (not correct), "first": 0.9,
        }
        for i, (text, rating) in enumerate(texts)
    ]  # fmt: skip
    return {
        "kind": kind, "title": f"A {kind} solution", "question": "Calculate 5 - 3 * 4 + 9 - 2 * 2 * 8 - 1.",
        "truth": "-7", "answer": "7", "correct": correct, "steps": steps, "newest": 10, "first": 0,
        "newest_score": 0.123, "first_score": 0.729,
    }  # fmt: skip


def solved() -> pl.DataFrame:
    """Thirty problems; a third each of easy, medium and hard ones, all learned alike."""
    levels = {"easy": 0.8, "medium": 0.5, "hard": 0.1}
    rows = [
        {
            "round": k,
            "problem_id": f"{level}{i}",
            "difficulty": level,
            "right": start + 0.015 * (k + 1) + 0.002 * i,
        }
        for k in range(-1, 11)
        for level, start in levels.items()
        for i in range(10)
    ]
    return pl.DataFrame(rows)


def corrections() -> list[dict[str, Any]]:
    names = ("doubting", "noticed", "rightly", *OUTCOMES)
    return [
        {"round": k, "solutions": 960, "doubts": 200 - 15 * k}
        | {name: 0.2 + 0.05 * i - 0.01 * k for i, name in enumerate(names)}
        | {f"{name}_error": 0.02 for name in names}
        for k in range(-1, 11)
    ]


def thinking() -> ThinkingTables:
    """Curves that rise with the compute, each a little below the one before."""
    strategies = [*THINKING, "any right", FORCED, CUT]
    points = [
        {
            "model": model, "strategy": strategy, "budget": 2**k, "difficulty": level, "generated": 25.0 * 2**k,
            "accuracy": 0.2 + 0.06 * k + 0.1 * (model == "baby-o1") + lift - 0.005 * s, "accuracy_error": 0.03,
            "scored": 10.0 * 2**k, "flops": 1e7 * 2**k * (1 + 0.02 * s),
        }
        for model in ("GPT*", "baby-o1")
        for s, strategy in enumerate(strategies)
        for level, lift in {"all": 0.0, "easy": 0.1, "medium": 0.0, "hard": -0.1}.items()
        for k in range(8)
    ]  # fmt: skip
    fits = [
        {
            "model": model, "strategy": strategy, "difficulty": "all", "gain": 0.06, "intercept": -1.2, "r2": 0.987,
            "points": 8, "decades": 2.1, "gain_low": 0.05, "gain_high": 0.07, "r2_low": 0.9,
            "r2_whole": 0.95, "decades_whole": 2.4,
        }
        for model in ("GPT*", "baby-o1")
        for strategy in THINKING
    ]  # fmt: skip
    waits = [
        {
            "model": model, "waits": n, "tokens": 30.0 + 9 * n, "accuracy": 0.5 + 0.01 * n, "extended": 0.9**n,
            "wrong_to_right": 0.02 * n, "right_to_wrong": 0.01 * n,
            **{f"{name}_error": 0.02 for name in ("accuracy", "extended", "wrong_to_right", "right_to_wrong")},
        }
        for model in ("GPT*", "baby-o1")
        for n in (0, 1, 2, 4)
    ]  # fmt: skip
    prompting = [
        {
            "model": model, "way": way, "accuracy": 0.1 + 0.2 * w + 0.05 * m, "accuracy_error": 0.04,
            "generated": 30.0 * 4**w, "scored": 0.0, "flops": 1e7 * 4**w,
        }
        for m, model in enumerate(("base", "GPT*", "baby-o1"))
        for w, way in enumerate(("direct", "chain", "vote", "tree"))
    ]  # fmt: skip
    batches = [
        {"strategy": name, "batches": n, "accuracy": 0.5 + 0.05 * k, "accuracy_error": 0.04, "generated": 30.0 * n,
         "asked": 0.0}
        for name in ("weighted", "beam")
        for k, n in enumerate((1, 2, 4, 7))
    ]  # fmt: skip
    seconds = {f"{row['strategy']} {row['batches']}": 0.15 * float(str(row["batches"])) for row in batches}
    return ThinkingTables(points, fits, [], waits, prompting, batches, seconds)


def report() -> ReportData:
    rounds = [
        {
            "round": k, "pass@1": 0.59 + 0.025 * k, "greedy": 0.86 + 0.005 * k,
            "majority_at_n": 0.83 + 0.008 * k,
            "prm_best_of_n": 0.9 + 0.006 * k, "fooled_fresh": 0.36 * 0.75**k, "fooled_pool": 0.3 * 0.8**k,
            "step_f1": 0.6 + 0.03 * k, "step_accuracy_wrong": 0.5 + 0.035 * k,
            "step_accuracy_right": 0.8 + 0.015 * k, "step_auc": 0.91 + 0.006 * k, "hard_step_auc": 0.62 + 0.03 * k,
            "wait_share": 0.08 - 0.004 * k, "wait_right_share": 0.7 + 0.01 * k,
        }
        for k in range(11)
    ]  # fmt: skip
    stages = [("solutions", 9.1), ("selection", 3.2), ("label_batches", 0.1), ("labels", 0.2), ("prm", 14.0)]
    stages += [("orm", 6.0), ("policy", 24.3), ("eval", 11.7)]
    costs = [{"asset": "base/model", "seconds": 201.0, "flops": 7.9e12, "tokens": 2_000_000}]
    costs += [
        {"asset": f"r{k:02d}/{name}", "seconds": s, "flops": s * 1e10, "tokens": int(s * 9000)}
        for k in range(11)
        for name, s in stages
    ]
    return ReportData(
        profile="nano",
        headline={
            **run_headlines(731.4, 0.082, 2.41),
            "generator_pass@1": headline(0.5917, 0.0031),
            "baby_o1_pass@1": headline(0.84217, 0.0042, 0.7278),
            "generator_greedy": headline(0.871),
            "baby_o1_greedy": headline(0.868, None, 0.871),
            "majority@64": headline(0.8353, 0.004),
            "orm_best_of_64": headline(0.9151, 0.006),
            "prm_best_of_64": headline(0.96012, 0.005, 0.94),
            "generator_pass@64": headline(0.952),
            "baby_o1_pass@64": headline(0.896, None, 0.952),
            "generator_prm_best_of_128": headline(0.71, None, 0.9),
            "baby_o1_best_of_n_fall": headline(0.0653, None, 0.043, "lower"),
            "baby_o1_hard_step_auc": headline(0.8781, None, 0.97),
            "fooled_rate_first": headline(0.3131, None, None, "lower"),
            "fooled_rate_last": headline(0.0421, None, 0.3131, "lower"),
        },
        rounds=rounds,
        curves={"GPT*, PRM v10": curve_rows(0.59), "baby-o1 v10, PRM v10": curve_rows(0.8)},
        pass_at_k=[
            {"round": k, "k": n, "mean": 1 - 0.6 * 0.5**i - 0.01 * (k + 1), "error": 0.03}
            for k in range(-1, 11)
            for i, n in enumerate((1, 4, 16, 64))
        ],
        best_of_n=[
            {"model": model, "selector": selector, "n": 2**k, "mean": 0.4 + step * k, "error": 0.03}
            for model in ("GPT*", "baby-o1 v10")
            for selector, step in ((PRM, 0.04), (PASS, 0.08))
            for k in range(8)
        ],
        examples=[example("right", True), example("convincing wrong", False)],
        costs=costs,
        training=training_points(solved(), [dict(row) for row in costs]),
        corrections=corrections(),
        thinking=thinking(),
        labels=[1833.0, 900.0, 850.0],
        facts={"problems": "300 held out", "samples": "64 a problem", "commit": "0123abcd"},
    )
