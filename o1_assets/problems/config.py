"""Where problems come from, how many are taken, and which."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.problems.worlds.registry import OfWorld

# Commits on the Hub: a branch may change, and with it every artifact.
GSM8K_REVISION = "e53f048856ff4f594e959d75785d2c2d37b678ee"
MATH_REVISION = "21a5633873b6a120296cce3e2df9d5550074f4a3"
MATH_500_REVISION = "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"


class Generator(StageConfig):
    """One reasoning_gym generator: its registered name, its own parameters, its share of the draws."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    weight: float = Field(default=1.0, gt=0)

    @field_validator("parameters")
    @classmethod
    def _ours_to_choose(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        reserved = sorted({"seed", "size"} & parameters.keys())
        if reserved:
            raise ValueError(
                f"{' and '.join(reserved)} of parameters cannot be set: the stage chooses seed and size"
            )
        return parameters


class ReasoningGymSource(StageConfig):
    """Endless: problems are drawn until enough distinct ones were found."""

    kind: Literal["reasoning_gym"] = "reasoning_gym"
    generators: tuple[Generator, ...] = Field(min_length=1)


class Gsm8kSource(StageConfig):
    """GSM8K (Cobbe et al. 2021), from a folder with train.jsonl and test.jsonl, or from the Hub.

    official_split: its published test set stays the test set, so that figures compare with published ones and
    no problem that the field tests on is ever trained on; false splits all of it by content hash.
    """

    kind: Literal["gsm8k"] = "gsm8k"
    folder: str | None = None
    revision: str = GSM8K_REVISION
    official_split: bool = True


class MathSource(StageConfig):
    """MATH (Hendrycks et al. 2021, arXiv:2103.03874) in the split of Let's Verify Step by Step: the 500 problems of
    MATH-500 are the test set, the other 12,000 the train set (arXiv:2305.20050, section 4.3).

    folder: with train.jsonl and test.jsonl, as PRM800K's math_splits has them; null: from the Hub.
    """

    kind: Literal["math"] = "math"
    folder: str | None = None
    revision: str = MATH_REVISION
    test_revision: str = MATH_500_REVISION


class FileSource(StageConfig):
    """A .jsonl or .parquet file with `question` and `answer`, and `difficulty` (an integer) if it likes."""

    kind: Literal["file"] = "file"
    path: str


class WorldSource(OfWorld):
    """Endless: problems as the corpus of a world draws them."""

    kind: Literal["world"] = "world"


SourceConfig = Annotated[
    ReasoningGymSource | Gsm8kSource | MathSource | FileSource | WorldSource, Field(discriminator="kind")
]


class ArithmeticFilter(StageConfig):
    """Which expressions without parentheses are kept; anything that is not one is left out.

    max_value: every number met on the way in the standard order stays within +-max_value.
    max_factor: no written factor of a product is larger. (Multiplication tables are learnt, not reasoned.)
    one_of: at least one of these operators occurs; empty asks for none.
    """

    min_terms: int = Field(default=2, ge=1)
    max_terms: int = Field(default=8, ge=1)
    max_value: int | None = None
    max_factor: int | None = None
    one_of: tuple[Literal["+", "-", "*"], ...] = ()


class CountdownFilter(StageConfig):
    """Which countdown problems are kept, asked as "Use 8, 7, 3 and 2 to make 24."; anything else is left out.

    max_value: the target can be reached through whole numbers from 1 to this. max_luck: and a player who knows only the
    rules reaches it with no larger chance than this (`countdown.luck`).
    """

    min_numbers: int = Field(default=3, ge=2)
    max_numbers: int = Field(default=4, ge=2, le=6)
    max_value: int = Field(default=99, ge=1)
    max_luck: float = Field(default=1.0, gt=0, le=1)


class ProblemsConfig(StageConfig):
    """train, test: how many problems each table holds.

    test_fraction: the share of all content whose hash makes it a test problem, now and in every later draw.
    shares: difficulty -> its relative share of each table, filled exactly; None takes difficulties as drawn.
    patience: an endless source is given up after this many draws in a row that brought nothing that was wanted.
    ungradable: what happens to a problem whose own answer the grader does not accept. "refuse" stops at the first.
    """

    source: SourceConfig
    train: int = Field(ge=1)
    test: int = Field(ge=1)
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    arithmetic: ArithmeticFilter | None = None
    countdown: CountdownFilter | None = None
    shares: dict[int, float] | None = None
    patience: int = Field(default=20_000, ge=1)
    ungradable: Literal["leave_out", "refuse"] = "leave_out"

    @model_validator(mode="after")
    def _shares_can_be_filled(self) -> ProblemsConfig:
        if self.shares is not None and (not self.shares or min(self.shares.values()) <= 0):
            raise ValueError("shares needs at least one difficulty, and every share above 0")
        return self


def uniform(lowest: int, highest: int) -> dict[int, float]:
    """Shares that are equal for every difficulty from lowest to highest."""
    return {level: 1.0 for level in range(lowest, highest + 1)}
