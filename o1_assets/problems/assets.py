"""problems/train, problems/test and problems/longer; in place of the first pool/train, where a band of difficulty is
chosen of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact, Check, CheckContext, Compute, Finding
from o1_assets.core.estimate import ROW, TABLES, Estimate, EstimateContext
from o1_assets.core.tables import read_parquet
from o1_assets.problems.config import ProblemsConfig
from o1_assets.problems.sources import external_version
from o1_assets.problems.split import LEFT_OUT, check_source, make_test, make_train

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def _none_in_train(context: CheckContext) -> Finding:
    test, train = (
        set(read_parquet(folder / "problems.parquet", columns=["problem_id"])["problem_id"])
        for folder in (context.folder, context.beside["problems/train"])
    )
    shared = len(test & train)
    return Finding(shared == 0, f"{shared} of {len(test)} test problems are in train", {"shared": shared})


def _every_row_used(context: CheckContext) -> Finding:
    rows = int(context.figures.get("left_out") or 0)
    if not rows:
        return Finding(True, "every row of the source that was drawn could be used", {"left_out": 0})
    message = f"{rows} left out: {context.figures.get('left_out_because')}; all of them: {context.folder / LEFT_OUT}"
    return Finding(False, message, {"left_out": rows})


CHECKS = (
    Check(
        "every_row_used",
        "No row of the source had to be left out because it could not be read, trusted or graded.",
        _every_row_used,
        serious=False,
    ),
)

TEST_CHECKS = (
    *CHECKS,
    Check(
        "none_in_train",
        "No test problem is in train, in any wording.",
        _none_in_train,
        beside=("problems/train",),
    ),
)


def problem_artifacts(profile: Profile) -> list[Artifact]:
    def artifact(
        key: str,
        compute: Compute,
        description: str,
        checks: tuple[Check, ...] = CHECKS,
        config: ProblemsConfig = profile.problems,
    ) -> Artifact:
        test = compute is make_test
        seed = profile.seed_of("problems")
        return Artifact(
            key=key,
            compute=compute,
            config=config,
            inputs={},
            description=description,
            group="problems",
            # Both draw from the source with one seed: the split is by content, the draw must be the same.
            seed=seed,
            kinds=("parquet", "polars"),
            external=lambda: external_version(config.source),
            checks=checks,
            estimate=estimate_test if test else estimate_train,
            preflight=partial(check_source, config, "test" if test else "train", seed),
        )

    banded = profile.difficulty.band is not None
    made = [
        artifact(
            "pool/train" if banded else "problems/train",
            make_train,
            "Problems with ground-truth answers, deduplicated by content whatever their wording.",
        ),
        artifact(
            "problems/test",
            make_test,
            "Held-out problems. Which side a problem is on is decided by the hash of its content, so no test "
            "problem occurs in train in any wording.",
            TEST_CHECKS,
        ),
    ]
    if profile.longer_problems:
        made.append(
            artifact(
                "problems/longer",
                make_test,
                "Held-out problems of more numbers than any that is labelled or trained on: thinking is measured on "
                "them.",
                TEST_CHECKS,
                profile.longer_problems,
            )
        )
    return made


def estimate_train(context: EstimateContext, config: ProblemsConfig) -> Estimate:
    return problem_table(config.train, context)


def estimate_test(context: EstimateContext, config: ProblemsConfig) -> Estimate:
    return problem_table(config.test, context)


def problem_table(count: int, context: EstimateContext) -> Estimate:
    """So many problems, each with its metadata, which takes about two more rows' bytes."""
    question = context.assumptions.question_tokens * context.assumptions.bytes_a_token
    return Estimate(problems=count, stored=TABLES + count * (3 * ROW + question))
