"""What one artifact of the graph is: its key, inputs, configuration, and the function that makes it.

Nothing here knows Dagster. A stage declares `Artifact`s, `execution/materialize.py` makes them, and
`orchestration/assets.py` shows them to Dagster. A compute function fills one folder and returns the figures that a
person wants to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from o1_assets.core.errors import O1Error

if TYPE_CHECKING:
    from o1_assets.core.engine import Engine
    from o1_assets.core.estimate import Estimate, EstimateContext


# What a person wants to see of an artifact, by name.
Figures = dict[str, float | int | str | None]


class StageConfig(BaseModel):
    """Base of every stage's configuration: immutable, and a misspelt field is an error."""

    # Frozen, because a configuration is part of the cache key. Forbidden, because a misspelt field in --set would
    # otherwise run for hours with the default.
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Cost:
    """Tokens a computation generated, scored and trained on, and the FLOPs of all of them.

    FLOPs are counted by `core/flops.py`: 2P for a token generated or scored, 6P for a token trained on, where P is the
    number of non-embedding parameters of the model (Kaplan et al. 2020, arXiv:2001.08361, section 2.1).
    """

    flops: float = 0.0
    tokens_generated: int = 0
    tokens_scored: int = 0
    tokens_trained: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.flops + other.flops,
            self.tokens_generated + other.tokens_generated,
            self.tokens_scored + other.tokens_scored,
            self.tokens_trained + other.tokens_trained,
        )


@dataclass
class Task:
    """What a compute function is given.

    inputs: short name -> folder of that input's content, read only.
    out: an empty folder; its content when the function returns becomes the artifact.
    seed: the only source of randomness that the function may use.
    open_engine: opens the checkpoint in a folder for sampling.
    progress: reports one line of progress to whoever watches the run.
    unfinished: a folder for checkpoints (`engine/training/checkpoint.py`). After a kill, an equal computation is given
    the same folder again; it is removed once the artifact is stored. It need not exist. None: keep no checkpoints.
    ancestry: given the short name of an input, the key and the reported outcome of every artifact that the input was
    made from, the input itself last.
    """

    inputs: Mapping[str, Path]
    out: Path
    seed: int
    open_engine: Callable[[Path], Engine]
    progress: Callable[[str], None] = lambda line: None
    unfinished: Path | None = None
    # Figures, tokens and FLOPs, never seconds: equal code and inputs report the same, so a result may contain them.
    ancestry: Callable[[str], Sequence[tuple[str, Outcome]]] = lambda name: ()

    def cost_of(self, name: str) -> Cost:
        """The cumulative cost of an input and of all its ancestors, each counted once."""
        return sum((outcome.cost for _, outcome in self.ancestry(name)), Cost())


@dataclass
class Outcome:
    """What a compute function reports besides the files it wrote. PNGs under out/plots are shown in the UI.

    external: the version of what lies outside of the graph (the label inbox) as the function read it. None: as it was
    before the function started.
    """

    # A manifest and the UI hold figures and sample, so both stay small; whatever others compute with is in the files.
    figures: Figures = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    rows: int | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)
    external: str | None = None


Compute = Callable[[Task, Any], Outcome]
Estimator = Callable[["EstimateContext", Any], "Estimate"]


class Waiting(O1Error):
    """Raised by a compute function whose input has to come from people first; the message says what to do.

    figures: how much has arrived so far, for the UI.
    """

    def __init__(self, message: str, figures: Mapping[str, int] | None = None):
        super().__init__(message)
        self.figures = dict(figures or {})


@dataclass(frozen=True)
class CheckContext:
    """What a check is given: the artifact's folder and figures, and the folders of the artifacts beside it, by key."""

    folder: Path
    figures: Mapping[str, float | int | str | None]
    beside: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """The result of a check: `message` states it in a sentence, `figures` in numbers."""

    passed: bool
    message: str
    figures: Mapping[str, float | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """What people expect of every version of an artifact. A failed check stops nothing; it is shown in the UI.

    It takes a moment, and runs after its artifact and those in `beside` were made or found in the cache.
    serious: whether a failure is shown as an error instead of a warning.
    """

    name: str
    description: str
    run: Callable[[CheckContext], Finding]
    serious: bool = True
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """One node of the graph.

    key: for example "r03/prm". inputs: short name -> key.
    config: the part of the profile that the result depends on. It goes into the cache key.
    external: a version of what lies outside the graph (the label inbox), part of the cache key.
    part: the optional part that the artifact belongs to, made only when asked for (`o1 run --with thinking`); "" for
    what every run makes.
    launches: whether the compute function may run as several processes at once, one a GPU
    (`engine/training/processes.py`).
    preflight: raises O1Error if what lies outside the graph (a file of problems) cannot be used; called for what is
    about to be made, before anything is. Its argument asks for what takes a moment only.
    estimate: what `o1 plan` expects it to take (`core/estimate.py`); without one the plan lists it as not estimated.
    unused: modules of worlds that the profile does not have: they are no part of its code version.
    """

    # Plain data that knows no Dagster: `o1 status`, and a run that finds nothing to do, import neither Dagster nor
    # torch, and the test of a stage needs no Dagster either.
    key: str
    compute: Compute
    config: StageConfig
    inputs: Mapping[str, str]
    description: str
    group: str
    seed: int = 0
    kinds: tuple[str, ...] = ()
    resource_class: str = "cpu"
    external: Callable[[], str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    part: str = ""
    launches: bool = False
    preflight: Callable[[bool], None] | None = None
    estimate: Estimator | None = None
    unused: frozenset[str] = frozenset()
