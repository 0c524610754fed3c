"""The README.md of an export: the model card, how good the model was measured to be, and its plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from o1_assets.core.formatting import figure_text
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

# The section of the card before which the evaluations are put.
_AFTER = "## Training compute"

WHAT = {"eval/generator": "GPT*'s solutions", "eval/baby_o1": "the last baby-o1's solutions"}

PLACEHOLDER = "FOLDER"

# Role that the checkpoint has in the evaluation -> figures that say something about it.
SHOWN = {
    "policy": (
        "problems",
        "samples",
        "pass@1",
        "greedy",
        "majority_at_n",
        "prm_best_of_n",
        "prm_best_of_n_spread",
    ),
    "prm": ("problems", "samples", "prm_best_of_n", "majority_at_n", "pass@1", "step_f1", "fooled_fresh"),
    "orm": ("problems", "samples", "orm_best_of_n", "majority_at_n", "pass@1"),
}


@dataclass(frozen=True)
class Evaluation:
    """figures: those of SHOWN that the evaluation has, in that order."""

    key: str
    version: str
    figures: dict[str, float | int | str]


def evaluations_of(store: ArtifactStore, manifest: Manifest) -> list[Evaluation]:
    """The newest evaluation under each of the keys that evaluate such a checkpoint, if it was of these very bytes.

    Only the keys that can be of this one are looked at, and of their versions only as many as it takes.
    """
    round_name, _, stage = manifest.key.partition("/")
    keys = [f"{round_name}/eval"] if stage in SHOWN else []
    keys += ["eval/generator", "eval/baby_o1"]
    found = []
    for key in keys:
        for version in reversed(store.versions(key)):
            evaluation = store.manifest(key, version)
            roles = [
                r for r in SHOWN if r in evaluation.inputs and evaluation.inputs[r].digest == manifest.digest
            ]
            if roles:
                figures = {
                    name: value
                    for name in SHOWN[roles[0]]
                    if (value := evaluation.figures.get(name)) is not None
                }
                found.append(Evaluation(key, evaluation.version, figures))
                break
    return found


def export_card(card: str, evaluations: Sequence[Evaluation], plots: Sequence[str]) -> str:
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
