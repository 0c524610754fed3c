"""One round's artifacts. Round 0 is phase 1 (uniform choice, dense labels); rounds 1 and up are phase 2.

Rounds are artifacts from this factory and not partitions of one asset: Dagster refuses the loop
labels -> prm -> policy -> labels of the next round for every kind of partition.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.core.artifact import Artifact, Compute, Outcome, StageConfig, Task
from o1_assets.evaluation.assets import estimate_round_eval
from o1_assets.evaluation.round_eval import make_round_eval
from o1_assets.labels.annotators.judge_prompt import check_judge
from o1_assets.labels.config import LabelBatchesConfig, machine_of
from o1_assets.labels.estimate import estimate_imported, estimate_label_batches, estimate_labels
from o1_assets.labels.imported.source import ImportedConfig, imported_round, imported_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import people_version
from o1_assets.labels.inbox.recorded import recorded_in
from o1_assets.labels.label_batches import (
    ANSWERS_FILE,
    JudgeAccess,
    batches_version,
    inbox_check,
    label_batches,
)
from o1_assets.labels.label_batches import CHECKS as BATCH_CHECKS
from o1_assets.labels.label_table import CHECKS as LABEL_CHECKS
from o1_assets.labels.label_table import make_labels
from o1_assets.policy.config import round_inputs
from o1_assets.policy.estimate import estimate_policy
from o1_assets.policy.train import make_policy
from o1_assets.reward.estimate import estimate_orm, estimate_prm
from o1_assets.reward.train import PRM_CHECKS, make_orm, make_prm
from o1_assets.rounds.estimate import estimate_selection, estimate_solutions
from o1_assets.rounds.selection import make_selection
from o1_assets.rounds.solutions import make_solutions
from o1_assets.search.q_value.estimate import estimate_q_value
from o1_assets.search.q_value.train import make_q_value
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.core.settings import Settings
    from o1_assets.profiles.profile import Profile


TABLE, MODEL = ("parquet", "polars"), ("pytorch", "huggingface")


def round_name(k: int) -> str:
    return f"r{k:02d}"


def rated_by_machine(access: JudgeAccess) -> Compute:
    """As `label_batches`, in an inbox of its own that is gone afterwards.

    For rounds of an experiment: in the project's inbox their ratings would stand beside people's, and what people send
    would change an experiment that waits for nobody.
    """

    def rate(task: Task, config: LabelBatchesConfig) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            outcome = label_batches(Inbox(Path(folder)), access=access)(task, config)
        # Nothing lies outside of the graph here. With the version of the passing inbox in its key, it would never be
        # found again, and everything made from it would be stale for ever.
        return replace(outcome, external=None)

    return rate


def _judge_preflight(config: LabelBatchesConfig) -> Callable[[bool], None] | None:
    """What tries before a run whether the round's judge can be asked; None if no judge rates it."""
    judge = config.judge
    return None if judge is None or config.source else lambda quick: check_judge(judge)


def build_round(k: int, profile: Profile, settings: Settings | None) -> list[Artifact]:
    """Round k's artifacts, in the order of the data.

    settings: where labels arrive and where imported ones lie. None for a round that a machine rates, apart from all
    that people send.
    """
    name, before = round_name(k), round_name(k - 1)
    first = k == 0
    newest_policy = "generator/model" if first else f"{before}/policy"

    def artifact(
        stage: str,
        compute: Compute,
        config: StageConfig,
        inputs: Mapping[str, str],
        description: str,
        kinds: tuple[str, ...],
        **fields: Any,
    ) -> Artifact:
        return Artifact(
            key=f"{name}/{stage}",
            compute=compute,
            config=config,
            inputs=inputs,
            description=description,
            group=f"rounds/{name}",
            kinds=kinds,
            seed=profile.seed_of(f"{name}/{stage}"),
            tags={"o1/round": name, "o1/stage": stage, "o1/phase": "1" if first else "2"},
            **fields,
        )

    # A PRM is trained on all labels so far, an ORM on the outcomes of all solutions so far, not on the newest alone.
    earlier = {f"labels_{i:02d}": f"{round_name(i)}/labels" for i in range(k + 1)}
    outcomes = {f"solutions_{i:02d}": f"{round_name(i)}/solutions" for i in range(k + 1)}
    # Round 0 chooses uniformly and needs no score; later rounds are scored by the PRM of the round before.
    scored = {} if first else {"prm": f"{before}/prm", "generator": "generator/model"}
    searched = scored if profile.solutions(k).searches else {}
    models: dict[str, Any] = {"resource_class": profile.model_class}
    training: dict[str, Any] = {"resource_class": profile.class_of_training, "launches": True}
    imported = imported_round(settings.imported, profile.label_source, k) if settings else None
    # Only rollouts need the policy: without them labels must not wait for a checkpoint, nor change with it.
    batches_config = profile.batches(k)
    rolls_out = machine_of(batches_config.annotator) == "monte_carlo" and imported is None
    rater = {"policy": newest_policy} if rolls_out else {}
    batches: dict[str, Any] = {"compute": rated_by_machine(JudgeAccess(profile.judge_limits))}
    if settings:
        inbox = Inbox(settings.inbox, recorded_in(partial(ArtifactStore, settings.store, settings.work)))
        batches = {
            "compute": label_batches(
                inbox, imported, JudgeAccess(profile.judge_limits, settings.home / ANSWERS_FILE)
            ),
            "external": lambda: batches_version(people_version(inbox, batches_config), imported),
            "checks": (*BATCH_CHECKS, inbox_check(inbox, batches_config)),
        }
    if imported:
        selection = artifact(
            "selection",
            imported_selection(imported),
            ImportedConfig(source=imported.source, round=name),
            {"test": "problems/test"},
            f"What others had labelled: {imported.source}'s solutions of this round, without held-out problems.",
            TABLE,
            external=imported.version,
            estimate=estimate_imported,
        )
    else:
        selection = artifact(
            "selection",
            make_selection,
            profile.selection(k),
            {"solutions": f"{name}/solutions", "policy": newest_policy, "train": "problems/train", **scored},
            "What is sent to be labelled: uniform at random."
            if first
            else f"What is sent to be labelled: the solutions that fool PRM v{k - 1} most (Lightman et al. 2023, 4.2).",
            TABLE,
            estimate=estimate_selection,
            **models,
        )
    return [
        artifact(
            "solutions",
            make_solutions,
            profile.solutions(k),
            {"policy": newest_policy, "train": "problems/train", **searched},
            f"Sampled by {'GPT*' if first else f'baby-o1 v{k - 1}'} on a fresh draw of train problems.",
            TABLE,
            **models,
            estimate=estimate_solutions,
        ),
        selection,
        artifact(
            "label_batches",
            config=batches_config,
            inputs={"selection": f"{name}/selection", "train": "problems/train", **rater},
            description="The accepted batches of ratings in the inbox. Its version is a digest of the set of batches: "
            "order of arrival and repeats do not matter.",
            kinds=("json",),
            **batches,
            **(models if rolls_out else {}),
            preflight=_judge_preflight(batches_config),
            estimate=estimate_label_batches,
        ),
        artifact(
            "labels",
            make_labels,
            profile.labels(k),
            {"selection": f"{name}/selection", "batches": f"{name}/label_batches"},
            "One row a rated completion, cleaned of repeats and disagreement.",
            TABLE,
            checks=LABEL_CHECKS,
            estimate=estimate_labels,
        ),
        artifact(
            "prm",
            make_prm,
            profile.prm(k),
            {
                "generator": "generator/model",
                "init": profile.prm_start if first else f"{before}/prm",
                **earlier,
            },
            f"PRM v{k}: predicts negative, neutral or positive at each step's end.",
            MODEL,
            checks=PRM_CHECKS,
            **training,
            estimate=estimate_prm,
        ),
        artifact(
            "orm",  # on uniform samples: chosen solutions would teach it the selection's share of right answers
            make_orm,
            profile.orm(k),
            {
                "generator": "generator/model",
                "init": profile.reward_start if first else f"{before}/orm",
                "train": "problems/train",
                **outcomes,
            },
            f"ORM v{k}: predicts whether the final answer is right, from uniform samples.",
            MODEL,
            **training,
            estimate=estimate_orm,
        ),
        artifact(
            "policy",
            make_policy,
            profile.policy,
            {
                "policy": newest_policy,
                "generator": "generator/model",
                "prm": f"{name}/prm",
                "orm": f"{name}/orm",
                "train": "problems/train",
                **round_inputs(
                    profile.policy,
                    labels=earlier,
                    solutions=outcomes,
                    difficulty="difficulty/train" if profile.difficulty.band else None,
                ),
            },
            f"baby-o1 v{k}: process-supervised GRPO (DeepSeekMath, 4.1.3) with both reward models.",
            MODEL,
            **training,
            estimate=estimate_policy,
        ),
        artifact(
            "eval",
            make_round_eval,
            profile.round_eval,
            {
                "policy": f"{name}/policy",
                "generator": "generator/model",
                "prm": f"{name}/prm",
                "orm": f"{name}/orm",
                "test": "problems/test",
            },
            f"baby-o1 v{k}, PRM v{k} and ORM v{k} on held-out problems.",
            TABLE,
            **models,
            estimate=estimate_round_eval,
        ),
        artifact(
            "q_value",
            make_q_value,
            profile.q_value.model_copy(update={"start_holdout": profile.orm(k).holdout}),
            {
                "policy": f"{name}/policy",
                "generator": "generator/model",
                "prm": f"{name}/prm",
                "init": f"{name}/orm",
                "train": "problems/train",
            },
            f"The chance that baby-o1 v{k} ends right, from any step on: returns, then Q-learning (arXiv:2406.14283).",
            MODEL,
            # What thinking is measured with is the last round's; `o1 ask` can search with any.
            part="thinking" if k == profile.rounds else "q_values",
            **models,
            estimate=estimate_q_value,
        ),
    ]
