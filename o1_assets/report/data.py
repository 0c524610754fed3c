"""What the report is made from. Plain rows, so that it can be rendered without the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from o1_assets.evaluation.headline import Headline
from o1_assets.report.experiments import Ablation
from o1_assets.report.thinking import Thinking


@dataclass(frozen=True)
class ReportData:
    """profile: its name. headline: figures by name, in the order to show them.

    rounds: one row a round, "round" and the columns of `charts.LEARNING`.
    curves: title -> rows (selector, n, mean, std) of one best-of-N chart.
    examples: solutions to read, as `examples.choose` gives them.
    costs: one row an asset, in graph order: asset, seconds, flops, tokens (and cached: bool, if known).
    training: what each version of baby-o1 cost and solves, as `training.training_points` gives it.
    corrections: how each version doubts, one row each, as `versions.corrections` gives it.
    thinking: the tables of eval/thinking; empty if that optional part was not made.
    ablations: the experiments' results; empty if that optional part was not made.
    facts: small print, name -> text (seeds, problems, commit).
    """

    profile: str
    headline: Mapping[str, Headline]
    rounds: Sequence[Mapping[str, Any]] = ()
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    examples: Sequence[Mapping[str, Any]] = ()
    costs: Sequence[Mapping[str, Any]] = ()
    training: Sequence[Mapping[str, Any]] = ()
    corrections: Sequence[Mapping[str, Any]] = ()
    thinking: Thinking = field(default_factory=Thinking)
    ablations: Sequence[Ablation] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
