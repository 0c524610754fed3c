"""Claims about values a problem, each with its interval over problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from o1_assets.evaluation.statistics import Floats, bounds, interval_of_sums, mean_parts, share
from o1_assets.experiments.result import Claim

MODELS = {"GPT*": "gpt", "baby-o1": "baby_o1"}


class Measure:
    """Makes claims of values a problem, each with its interval over problems."""

    def __init__(self, resamples: int, seed: int) -> None:
        self.resamples, self.seed = resamples, seed

    def claim(self, name: str, says: str, values: Floats | None, unit: Any = "points") -> Claim:
        """values: [problems], of which the mean is claimed; None where it was not measured."""
        if values is None or len(values) < 2:
            return Claim(name, says, None, unit=unit)
        of = interval_of_sums(mean_parts(values)[None], share, self.resamples, self.seed)
        return Claim(name, says, *bounds(of), unit=unit)


def minus(values: Mapping[Any, Floats], more: Any, less: Any) -> Floats | None:
    return values[more] - values[less] if more in values and less in values else None
