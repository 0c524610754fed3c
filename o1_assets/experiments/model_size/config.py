"""Every number of the experiment `scale`: which models, what they are trained on, how they are judged."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig

# Size of an attention head, the smallest that vLLM's CPU attention has; wider models have more of them.
HEAD = 32


class Shape(StageConfig):
    """A model of the comparison. name: part of a key."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*[a-z]$", description="part of a key, ends in a letter")
    hidden_size: int = Field(gt=0, multiple_of=HEAD, description="width of the residual stream")
    intermediate_size: int = Field(gt=0, description="width of the gated MLP")
    layers: int = Field(gt=0, description="decoder layers")
    of_sizes: bool = Field(
        True, description="compared by its parameters: depth as in the others, width grows"
    )
    of_depths: bool = Field(False, description="compared by its layers: parameters as in the others")
    seeds: int | None = Field(None, gt=0, description="trainings of it; null: ablations.seeds")

    @property
    def heads(self) -> int:
        return self.hidden_size // HEAD

    @property
    def parameters(self) -> int:
        """P of `core/flops.py`: without embedding and head."""
        layer = 4 * self.hidden_size**2 + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        return self.layers * layer + self.hidden_size


SHAPES = (
    Shape(name="p200k", hidden_size=64, intermediate_size=176, layers=4),
    Shape(name="p700k", hidden_size=128, intermediate_size=288, layers=4, of_depths=True),
    Shape(name="p2m", hidden_size=224, intermediate_size=448, layers=4, seeds=2),
    Shape(name="p5m", hidden_size=352, intermediate_size=704, layers=4, seeds=1),
    Shape(name="shallow", hidden_size=192, intermediate_size=352, layers=2, of_sizes=False, of_depths=True),
    Shape(name="deep", hidden_size=96, intermediate_size=176, layers=8, of_sizes=False, of_depths=True),
)

# Trained unless more is asked for. The largest shape and those of unequal depth take three fifths of the time, and
# answered what they were for (docs/decisions/experiments.md).
USUAL = tuple(shape.model_copy(update={"of_depths": False}) for shape in SHAPES[:3])


class ScaleConfig(StageConfig):
    """ablations/scale: what is not said here is as in the profile (corpus' world, SFT, reward models)."""

    shapes: tuple[Shape, ...] = USUAL
    """The models that are compared."""
    corpus_solutions: int = Field(
        20_000, gt=0, description="worked solutions that every model reads once, the same for all of a seed"
    )
    batch_size: int = Field(32, gt=0, description="of pre-training, in solutions")
    adamw_width_power: float = Field(
        0.5,
        ge=0,
        description="AdamW's learning rates of base, SFT and reward models are the profile's times (its width / a "
        "model's) to this; Muon's updates have the same spectral norm at every width and are left as they are",
    )
    train_problems: int = Field(500, gt=0, description="train problems that a base is sampled on for its SFT")
    per_problem: int = Field(8, gt=0, description="samples of each of them")
    reward_updates: int = Field(150, gt=0, description="of every PRM and ORM")
    problems: int = Field(100, gt=2, description="held-out problems that all are judged on")
    samples: int = Field(64, gt=1, description="solutions of each by every GPT*; also the N of best-of-N")
    base_samples: int = Field(8, gt=0, description="solutions of each by every base")
    step_samples: int = Field(16, gt=0, description="solutions of each whose steps are rated")
    subsets: int = Field(50, gt=0, description="random subsets where N is less than all")

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        names = [shape.name for shape in self.shapes]
        if len(set(names)) < len(names):
            raise ValueError(f"shapes need different names, not {', '.join(names)}")
        for series, least in (("of_sizes", 2), ("of_depths", 0)):
            count = sum(getattr(shape, series) for shape in self.shapes)
            if count < least or count == 1:
                raise ValueError(f"a trend needs at least two shapes with {series}")
        return self
