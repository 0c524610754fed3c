"""A plan against what a run really took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from o1_assets.plan.estimate import Estimate
from o1_assets.plan.plan import stage_of

WITHIN = 1.5
"""A stage's estimate is good if it is off by less than this factor, either way."""


QUANTITIES = {
    "tokens generated": lambda one: one.cost.tokens_generated,
    "tokens scored": lambda one: one.cost.tokens_scored,
    "tokens trained on": lambda one: one.cost.tokens_trained,
    "FLOPs": lambda one: one.cost.flops,
    "labels": lambda one: one.labels,
    "bytes": lambda one: one.stored,
}


@dataclass(frozen=True)
class Compared:
    """One quantity of one stage. Neither is ever zero alone, except where the plan missed it altogether."""

    stage: str
    quantity: str
    planned: float
    used: float

    @property
    def factor(self) -> float:
        """The larger over the smaller, at least 1; infinite if one of them is nothing."""
        small, large = sorted((self.planned, self.used))
        return large / small if small else float("inf")

    @property
    def good(self) -> bool:
        return self.factor <= WITHIN


def compare(planned: Mapping[str, Estimate], used: Mapping[str, Estimate]) -> list[Compared]:
    """Every quantity of every stage, over the artifacts that are in both, and in the sum of all stages."""
    both = [key for key in planned if key in used]
    stages: dict[str, list[str]] = {}
    for key in both:
        stages.setdefault(stage_of(key), []).append(key)
    stages["all"] = both
    return [
        one
        for stage, keys in stages.items()
        for one in _quantities(stage, _sum(planned, keys), _sum(used, keys))
    ]


def _sum(made: Mapping[str, Estimate], keys: list[str]) -> Estimate:
    return sum((made[key] for key in keys), Estimate())


def _quantities(stage: str, planned: Estimate, used: Estimate) -> Iterator[Compared]:
    for name, value in QUANTITIES.items():
        expected, taken = float(value(planned)), float(value(used))
        if expected or taken:
            yield Compared(stage, name, expected, taken)
