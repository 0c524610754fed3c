"""Numbers that one run has of its own, typed in Dagster's launchpad: a `--set` for that run alone."""

from __future__ import annotations

import json

import dagster as dg
from pydantic import Field


class NumbersResource(dg.ConfigurableResource):
    """What people change most, by name, and every other field of the profile in `set`. Empty: the profile's."""

    updates: int | None = Field(default=None, description="policy.updates: RL updates a round")
    learning_rate: float | None = Field(default=None, description="policy.learning_rate: of RL")
    solutions: int | None = Field(
        default=None, description="later_selection.solutions: how many people rate in a round of phase 2"
    )
    seed: int | None = Field(default=None, description="seed: of the whole graph")
    set: list[str] = Field(default=[], description='more of them, as `o1 run --set`: ["orm.updates=50"]')

    def assignments(self) -> str:
        """As O1_SET has them, one a line."""
        named = {
            "policy.updates": self.updates,
            "policy.learning_rate": self.learning_rate,
            "later_selection.solutions": self.solutions,
            "seed": self.seed,
        }
        lines = [f"{field}={json.dumps(value)}" for field, value in named.items() if value is not None]
        return "\n".join([*lines, *self.set])
