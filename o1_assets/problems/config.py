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
# Of github.com/arkilpatel/SVAMP.
WORD_PROBLEMS_REVISION = "689d7ccac74b9983a2ac7cc3b264f441b99e7c53"


class Generator(StageConfig):
    """One reasoning_gym generator: its registered name, its own parameters, its share of the draws."""

    name: str
    """As reasoning_gym registers it."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Its own; seed and size are the stage's to choose."""
    weight: float = Field(default=1.0, gt=0)
    """Its share of the draws, relative to the others'."""

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
    """Problems drawn by reasoning_gym."""
    generators: tuple[Generator, ...] = Field(min_length=1)
    """What is drawn from, by their weights."""


class Gsm8kSource(StageConfig):
    """GSM8K (Cobbe et al. 2021), from a folder with train.jsonl and test.jsonl, or from the Hub."""

    kind: Literal["gsm8k"] = "gsm8k"
    """GSM8K."""
    folder: str | None = None
    """With train.jsonl and test.jsonl; null: from the Hub."""
    revision: str = GSM8K_REVISION
    """Commit on the Hub."""
    official_split: bool = True
    """Its published test set stays the test set, so that figures compare with published ones and no problem that
    the field tests on is ever trained on; false splits all of it by content hash."""


class MathSource(StageConfig):
    """MATH (Hendrycks et al. 2021, arXiv:2103.03874) in the split of Let's Verify Step by Step: the 500 problems of
    MATH-500 are the test set, the other 12,000 the train set (arXiv:2305.20050, section 4.3).
    """

    kind: Literal["math"] = "math"
    """MATH."""
    folder: str | None = None
    """With train.jsonl and test.jsonl, as PRM800K's math_splits has them; null: from the Hub."""
    revision: str = MATH_REVISION
    """Commit of the problems on the Hub."""
    test_revision: str = MATH_500_REVISION
    """Commit of MATH-500 on the Hub."""


class WordProblemsSource(StageConfig):
    """Word problems of mostly one or two calculations: SVAMP (Patel et al. 2021, arXiv:2103.07191) as test problems,
    MAWPS and ASDiv-A, as published beside it, to train on.
    """

    kind: Literal["word_problems"] = "word_problems"
    """SVAMP, MAWPS and ASDiv-A."""
    folder: str | None = None
    """A clone of github.com/arkilpatel/SVAMP, or its two files; null: from GitHub, at one commit."""
    held_out: bool = True
    """Whether MAWPS and ASDiv-A have test problems too, by the hash of their words without numbers; false: all of
    them but variants of SVAMP's are trained on."""


class FileSource(StageConfig):
    """A .jsonl or .parquet file with `question` and `answer`, and `difficulty` (an integer) if it likes."""

    kind: Literal["file"] = "file"
    """A file of your own."""
    path: str
    """The file."""


class WorldSource(OfWorld):
    """Endless: problems as the corpus of a world draws them."""

    kind: Literal["world"] = "world"
    """Problems of a world, as its corpus draws them."""


SourceConfig = Annotated[
    ReasoningGymSource | Gsm8kSource | MathSource | WordProblemsSource | FileSource | WorldSource,
    Field(discriminator="kind"),
]


class ArithmeticFilter(StageConfig):
    """Which expressions without parentheses are kept; anything that is not one is left out."""

    min_terms: int = Field(default=2, ge=1)
    """Fewest numbers in an expression."""
    max_terms: int = Field(default=8, ge=1)
    """Most numbers in an expression."""
    max_value: int | None = None
    """Every number met on the way in the standard order stays within +- this; null: no limit."""
    max_factor: int | None = None
    """No written factor of a product is larger: multiplication tables are learnt, not reasoned. Null: no limit."""
    one_of: tuple[Literal["+", "-", "*"], ...] = ()
    """At least one of these operators occurs; empty asks for none."""


class CountdownFilter(StageConfig):
    """Which countdown problems are kept, asked as "Use 8, 7, 3 and 2 to make 24."; anything else is left out."""

    min_numbers: int = Field(default=3, ge=2)
    """Fewest given numbers."""
    max_numbers: int = Field(default=4, ge=2, le=6)
    """Most given numbers."""
    max_value: int = Field(default=99, ge=1)
    """The target can be reached through whole numbers from 1 to this."""
    max_luck: float = Field(default=1.0, gt=0, le=1)
    """A player who knows only the rules reaches it with no larger chance than this (`rules.luck`)."""


class ProblemsConfig(StageConfig):
    """The train and the test problems: where they come from, how many, and which."""

    source: SourceConfig
    train: int = Field(ge=1)
    """Problems to train on."""
    test: int = Field(ge=1)
    """Held-out problems."""
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    """The share of all content whose hash makes it a test problem, now and in every later draw."""
    arithmetic: ArithmeticFilter | None = None
    """Which expressions are kept; null keeps every problem."""
    countdown: CountdownFilter | None = None
    """Which countdown problems are kept; null keeps every problem."""
    shares: dict[int, float] | None = None
    """Difficulty -> its relative share of each table, filled exactly; null takes difficulties as drawn."""
    patience: int = Field(default=20_000, ge=1)
    """An endless source is given up after this many draws in a row that brought nothing that was wanted."""
    ungradable: Literal["leave_out", "refuse"] = "leave_out"
    """What happens to a problem whose own answer the grader does not accept; refuse stops at the first."""

    @model_validator(mode="after")
    def _shares_can_be_filled(self) -> ProblemsConfig:
        if self.shares is not None and (not self.shares or min(self.shares.values()) <= 0):
            raise ValueError("shares needs at least one difficulty, and every share above 0")
        return self


class LongerConfig(StageConfig):
    """problems/longer: arithmetic of more numbers than any problem that is labelled or trained on."""

    more: tuple[int, int]
    """How many numbers more, at least and at most; every length between has an equal share."""
    problems: int = Field(default=300, ge=1)
    """How many, all of them held out."""

    @model_validator(mode="after")
    def _more_is_a_range(self) -> LongerConfig:
        if not 0 < self.more[0] <= self.more[1]:
            raise ValueError(
                f"longer.more is {list(self.more)}; give two numbers above 0, the smaller one first"
            )
        return self

    def like(self, problems: ProblemsConfig) -> ProblemsConfig | None:
        """The configuration that draws them, in all else that of the profile's problems; None where those are not drawn
        from reasoning_gym as expressions of so many numbers."""
        limits, source = problems.arithmetic, problems.source
        if limits is None or not isinstance(source, ReasoningGymSource):
            return None
        low, high = (limits.max_terms + more for more in self.more)
        of_length = {"min_terms": low, "max_terms": high}
        generators = tuple(
            generator.model_copy(update={"parameters": {**generator.parameters, **of_length}})
            for generator in source.generators
        )
        return problems.model_copy(
            update={
                "source": source.model_copy(update={"generators": generators}),
                "arithmetic": limits.model_copy(update=of_length),
                "shares": uniform(low, high),
                "test": self.problems,
            }
        )


def uniform(lowest: int, highest: int) -> dict[int, float]:
    """Shares that are equal for every difficulty from lowest to highest."""
    return {level: 1.0 for level in range(lowest, highest + 1)}
