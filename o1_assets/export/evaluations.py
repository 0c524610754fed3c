"""Which evaluations in the store are of a given checkpoint: what its card can say about how good it is."""

from __future__ import annotations

from dataclasses import dataclass

from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

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
"""Role that the checkpoint has in the evaluation -> figures that say something about it."""


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
