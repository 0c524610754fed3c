"""What the experiment claims, each as a paired difference on the same problems, solutions and subsets."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from o1_assets.ablations.intervals import interval
from o1_assets.ablations.result import Claim
from o1_assets.ablations.verifiers import arms
from o1_assets.ablations.verifiers.accuracy import ALL, LEAST_LIKELY, PART, values
from o1_assets.ablations.verifiers.config import VerifiersResultConfig
from o1_assets.ablations.verifiers.score import way
from o1_assets.evaluation.best_of_n import MAJORITY, WEIGHTED


@dataclass(frozen=True)
class Difference:
    """better minus worse, both selectors. problems: as in the table of accuracies."""

    name: str
    says: str
    better: str
    worse: str
    target: float | None = None
    problems: str = ALL
    pools: tuple[str, ...] = ("test", "ood")


def differences(config: VerifiersResultConfig) -> list[Difference]:
    """The main PRM is that of the most labels, the ORM the best supplied one: neither was chosen by its result."""
    largest, compared = config.sizes[-1], config.compared[-1]
    prm = arms.prm(largest)
    return [
        Difference(
            "prm_minus_orm", "Best of N by the PRM beats best of N by the ORM (Lightman et al. 2023: 78.2 and 72.4; "
            "out of distribution 72.9 and 63.8).", prm, arms.EVERY, 0.05,
        ),
        Difference(
            "prm_minus_majority", "Best of N by the PRM beats majority voting (Lightman et al. 2023: 78.2 and 69.6; "
            "out of distribution 72.9 and 61.3).", prm, MAJORITY, 0.10,
        ),
        Difference(
            "prm_minus_orm_same_solutions", "The same, the ORM being trained on the PRM's solutions only.",
            prm, arms.orm(largest), None, PART,
        ),
        Difference(
            "prm_minus_least_likely_token", "The PRM beats the least likely token's log-probability, which needs no "
            "training.", prm, LEAST_LIKELY,
        ),
        Difference(
            "probability_feature_gain", "What the PRM gains by being told how unlikely GPT* found each step.",
            prm, arms.bare(largest), None, PART,
        ),
        Difference(
            "product_minus_minimum", "The product over steps against the worst step (Lightman et al. 2023, appendix F: "
            "78.2 and 77.6).", prm, way(prm, "minimum", "right"),
        ),
        Difference(
            "neutral_right_minus_wrong", "Neutral steps as right against neutral as wrong (Lightman et al. 2023, "
            "appendix F: 78.2 and 77.4).", prm, way(prm, "product", "wrong"),
        ),
        Difference(
            "prm_vote_minus_best", "Majority weighted by the PRM against its best solution.", WEIGHTED + prm, prm,
        ),
        Difference(
            "process_minus_outcome", "On the same solutions: supervision of every step by the large PRM against its "
            "verdict on the whole (Lightman et al. 2023, section 4.1).",
            arms.large_process(compared), arms.large_outcome(compared), None, PART, ("test",),
        ),
        Difference(
            "process_minus_answer", "On the same solutions: supervision of every step by the large PRM against the "
            "final answer (Lightman et al. 2023, section 4.1).",
            arms.large_process(compared), arms.orm(compared), None, PART, ("test",),
        ),
        Difference(
            "large_outcome_minus_answer", "On the same solutions: the large PRM's verdict on the whole against the "
            "final answer (Lightman et al. 2023, section 4.1).",
            arms.large_outcome(compared), arms.orm(compared), None, PART, ("test",),
        ),
    ]  # fmt: skip


def claims(table: pl.DataFrame, config: VerifiersResultConfig, seed: int) -> list[Claim]:
    """prm_minus_orm@64, then the same out of distribution with `_ood`, and so on."""
    found = []
    for difference in differences(config):
        for pool in difference.pools:
            apart = values(table, pool, difference.problems, difference.better, config.n) - values(
                table, pool, difference.problems, difference.worse, config.n
            )
            measured = interval(apart, config.resamples, seed)
            found.append(
                Claim(
                    name=f"{difference.name}@{config.n}" + ("_ood" if pool == "ood" else ""),
                    says=difference.says if pool == "test" else f"Out of distribution: {difference.says}",
                    value=measured.mean,
                    low=measured.low,
                    high=measured.high,
                    target=difference.target,
                    unit="points",
                )
            )
    return found
