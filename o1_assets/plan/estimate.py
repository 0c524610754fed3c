"""What one artifact is expected to take."""

from __future__ import annotations

from dataclasses import dataclass, field

from o1_assets.core.artifact import Cost


@dataclass(frozen=True)
class Estimate:
    """problems, samples: solved and sampled. examples: rows that what is made from it trains on. labels: ratings of
    completions; asked: those of them that people give. stored: bytes of the artifact's files."""

    problems: float = 0
    samples: float = 0
    examples: float = 0
    cost: Cost = field(default_factory=Cost)
    labels: float = 0
    asked: float = 0
    stored: float = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.problems + other.problems,
            self.samples + other.samples,
            self.examples + other.examples,
            self.cost + other.cost,
            self.labels + other.labels,
            self.asked + other.asked,
            self.stored + other.stored,
        )
