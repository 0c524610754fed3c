"""What people expect of a reward model."""

from __future__ import annotations

from o1_assets.core.artifact import Check, Finding, Looked

CHANCE = 0.5


def _better_than_chance(looked: Looked) -> Finding:
    area = looked.figures.get("held_out_auc")
    if not isinstance(area, float):
        return Finding(False, "no held-out labels of both kinds to judge it by")
    return Finding(
        area > CHANCE, f"area under the ROC curve {area:.3f} on held-out labels", {"held_out_auc": area}
    )


PRM = (
    Check(
        "better_than_chance",
        "On held-out labels, a step that is not negative scores higher than a negative one more often than not.",
        _better_than_chance,
        serious=False,
    ),
)
