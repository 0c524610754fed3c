"""The README.md of an export: the model card, how good the model was found to be, and its plots."""

from __future__ import annotations

from collections.abc import Sequence

from o1_assets.core.formatting import figure_text
from o1_assets.export.evaluations import Evaluation
from o1_assets.store.manifest import Manifest

_AFTER = "## Training compute"


WHAT = {"eval/generator": "GPT*'s solutions", "eval/baby_o1": "the last baby-o1's solutions"}


PLACEHOLDER = "FOLDER"


def export_card(
    card: str, evaluations: Sequence[Evaluation], plots: Sequence[str], manifest: Manifest
) -> str:
    """The card with what was measured on held-out problems before its section on compute.

    In its examples FOLDER becomes ".", the folder that the README lies in.
    """
    head, heading, rest = card.partition(_AFTER)
    quoted = head.replace(f"({PLACEHOLDER}", '("."').replace(f"Path({PLACEHOLDER})", 'Path(".")')
    return quoted + _evaluation_section(evaluations) + _plot_section(plots) + heading + rest


def _evaluation_section(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "## Evaluation\n\nNo evaluation of it was in the store when it was exported.\n\n"
    lines = [
        "## Evaluation",
        "",
        "On held-out problems, none of which it or its ancestors were trained on.",
        "",
    ]
    for evaluation in evaluations:
        what = WHAT.get(evaluation.key, "the round's own policy's solutions")
        lines += [f"`{evaluation.key}`, {what}:", "", "| figure | value |", "|---|---:|"]
        lines += [f"| {name} | {figure_text(value, '.3f')} |" for name, value in evaluation.figures.items()]
        lines += [""]
    return "\n".join([*lines, ""])


def _plot_section(plots: Sequence[str]) -> str:
    if not plots:
        return ""
    names = [name.rpartition("/")[2].removesuffix(".png").replace("_", " ") for name in plots]
    shown = [f"![{name}]({path})" for name, path in zip(names, plots, strict=True)]
    return "\n".join(["## Training curves", "", *shown, "", ""])
