"""What mini/eval found: claims with their intervals over problems, tables and a chart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.plots import Series
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, powers_of_two
from o1_assets.evaluation.charts import flops_axis
from o1_assets.evaluation.evaluate_policy import (
    PASS_AT_1,
    PRM,
)
from o1_assets.evaluation.statistics import Floats, Interval, bootstrap, interval_around
from o1_assets.experiments.mini.config import ACCURACY_SHARE, TIME_SHARE, MiniEvalConfig
from o1_assets.experiments.mini.measured import ARMS, BABY, MINI, MODELS, Measured, votes_for
from o1_assets.experiments.result import Chart, Claim, Result, Table


def share_interval(
    part: Floats, whole: Floats, less: Floats | None, resamples: int, seed: int
) -> Interval | None:
    """Of mean(part - less) / mean(whole - less), over problems; less: what both begin at, 0 without it."""
    zero = np.zeros_like(part) if less is None else less
    top, bottom = part - zero, whole - zero

    def ratio(p: np.ndarray) -> float:
        below = float(bottom[p].mean())
        return float(top[p].mean()) / below if below > 0 else float("nan")

    drawn = bootstrap(ratio, (len(part),), resamples, seed)
    return interval_around(ratio(np.arange(len(part))), drawn)


def mini_result(
    measured: Mapping[str, Measured],
    arms: Mapping[str, Floats],
    ood: Mapping[str, Floats],
    config: MiniEvalConfig,
    seed: int,
    spent: Mapping[str, float],
) -> Result:
    """measured, ood: input of MODELS -> it. arms: input of ARMS -> [problems]; spent: -> FLOPs of its teaching."""
    baby, mini = measured[BABY], measured[MINI]
    n, most = votes_for(baby.flops / mini.flops, mini), config.samples
    vote = mini.right(f"{MAJORITY}@{n}")

    def share(
        name: str,
        says: str,
        part: Floats,
        whole: Floats,
        less: Floats | None = None,
        target: float | None = None,
    ) -> Claim:
        found = share_interval(part, whole, less, config.resamples, seed)
        low, high = (None, None) if found is None else (found.low, found.high)
        return Claim(name, says, None if found is None else found.mean, low, high, target, unit="share")

    def minus(name: str, says: str, a: Floats, b: Floats) -> Claim:
        difference = a - b
        drawn = bootstrap(lambda p: float(difference[p].mean()), (len(a),), config.resamples, seed)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return Claim(name, says, float(difference.mean()), float(low), float(high), unit="points")

    claims = [
        share(
            "mini_accuracy_share",
            "pass@1 of o1-mini as a share of baby-o1's",
            mini.right(),
            baby.right(),
            target=ACCURACY_SHARE,
        ),
        Claim(
            "mini_flops_share",
            "FLOPs of one chain, as a share of baby-o1's",
            mini.flops / baby.flops,
            target=TIME_SHARE,
            better="lower",
            unit="share",
        ),
        Claim(
            "mini_bytes_share",
            "bytes of the weights, as a share of baby-o1's",
            mini.megabytes / baby.megabytes,
            better="lower",
            unit="share",
        ),
        minus(
            "mini_vote_minus_baby_o1",
            f"o1-mini's vote of {n}, in the FLOPs of one chain of baby-o1, minus that chain",
            vote,
            baby.right(),
        ),
        minus(
            "mini_best_of_n_minus_baby_o1",
            f"the PRM's choice among {most} chains of o1-mini, minus that among as many of baby-o1",
            mini.right(f"{PRM}@{most}"),
            baby.right(f"{PRM}@{most}"),
        ),
        minus(
            "mini_any_minus_baby_o1",
            f"any of {most} chains of o1-mini right, minus any of as many of baby-o1",
            mini.right(f"{PASS}@{most}"),
            baby.right(f"{PASS}@{most}"),
        ),
        share(
            "mini_gap_closed",
            "of the gap between the student taught by GPT*'s right chains and baby-o1, the share that o1-mini closes",
            mini.right(),
            baby.right(),
            arms["generator_chains"],
        ),
        share("mini_ood_share", "pass@1 out of distribution, as a share of baby-o1's", ood[MINI], ood[BABY]),
        minus(
            "mini.chains_minus_generator_chains",
            "SFT on baby-o1's accepted chains, minus on GPT*'s right ones",
            arms["chains"],
            arms["generator_chains"],
        ),
        minus(
            "mini.on_policy_minus_chains",
            "on-policy distillation, minus the SFT that it started from",
            arms["on_policy"],
            arms["chains"],
        ),
        minus(
            "mini.on_policy_minus_rl",
            "on-policy distillation, minus RL on the student itself",
            arms["on_policy"],
            arms["rl"],
        ),
    ]
    return Result(
        "mini",
        "o1-mini: a quarter of the parameters",
        "How much of baby-o1 does a model of a quarter of its size keep, and what teaches it best?",
        claims,
        {"models": _models_table(measured, ood, config), "arms": _arms_table(arms, spent)},
        {"flops": _flops_chart(measured, config)},
        [
            "Each arm was trained once, from one pre-trained student; intervals are 95%, over problems alone. The arm "
            "that became o1-mini was chosen on train problems that no arm saw.",
            "The vote reads no reward model, so that its FLOPs are those of its chains. Best of N also reads the PRM, "
            "which is larger than o1-mini.",
            "Seconds are in the manifest's figures, and `o1 report --json` has them: models of this size spend most of "
            "a token's time on calling operators, so seconds follow the number of layers, and FLOPs the parameters.",
        ],
    )


def _models_table(
    measured: Mapping[str, Measured], ood: Mapping[str, Floats], config: MiniEvalConfig
) -> Table:
    n = config.samples
    rows = [
        {
            "model": MODELS[name],
            "parameters": m.parameters,
            "megabytes": m.megabytes,
            "tokens a chain": m.tokens,
            "FLOPs a chain": m.flops,
            PASS_AT_1: float(m.right().mean()),
            f"vote of {n}": float(m.right(f"{MAJORITY}@{n}").mean()),
            f"best of {n}": float(m.right(f"{PRM}@{n}").mean()),
            f"FLOPs of best of {n}": m.best_of_n_flops,
            f"any of {n}": float(m.right(f"{PASS}@{n}").mean()),
            "out of distribution": float(ood[name].mean()),
        }
        for name, m in measured.items()
    ]
    return Table(f"Every model on the same held-out problems, {n} solutions each", pl.DataFrame(rows))


def _arms_table(arms: Mapping[str, Floats], spent: Mapping[str, float]) -> Table:
    rows = [
        {
            "arm": name,
            "how the student was taught": says,
            PASS_AT_1: float(arms[name].mean()),
            "FLOPs of teaching": spent[name],
        }
        for name, says in ARMS.items()
    ]
    return Table("What teaches a small model, one training each", pl.DataFrame(rows))


def _flops_chart(measured: Mapping[str, Measured], config: MiniEvalConfig) -> Chart:
    colors = dict(zip(MODELS, (plots.GREY, plots.ORANGE, plots.BLUE, plots.GREEN), strict=True))
    series = [
        Series(
            MODELS[name],
            [n * m.flops for n in powers_of_two(config.samples)],
            [float(m.right(f"{MAJORITY}@{n}").mean()) for n in powers_of_two(config.samples)],
            colors[name],
        )
        for name, m in measured.items()
    ]
    return Chart(series, flops_axis(series, f"A vote of 1 to {config.samples} chains", "FLOPs a problem"))
