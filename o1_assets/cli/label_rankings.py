"""`o1 labels export-rankings` and `submit-rankings`: answers of an assistant out to be ranked, rankings in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.execution.project import Project

if TYPE_CHECKING:
    from o1_assets.experiments.assistant.rankings import Asked

app = typer.Typer()


@command(app, "export-rankings")
def export_rankings(
    project: Project, file: Annotated[Path, typer.Argument(metavar="FILE", help="to write")]
) -> Answer:
    """Write the answers that people are to rank, a request a line: fill in ranks (0 for the best) and labeler."""
    from o1_assets.experiments.assistant.rankings import export

    count = export(requests_to_rank(project), file)
    return Answer(
        {"requests": count, "file": str(file)}, [f"{count} requests with answers to be ranked: {file}"]
    )


@command(app, "submit-rankings")
def submit_rankings(
    project: Project, file: Annotated[Path, typer.Argument(metavar="FILE", help="of rankings, as exported")]
) -> Answer:
    """Take rankings in; lines that cannot be used are refused, each with its reason."""
    from o1_assets.experiments.assistant.rankings import Rankings

    try:
        report = Rankings(project.settings.inbox).submit(file, requests_to_rank(project))
    except OSError as error:
        raise LabelsError(f"{file} cannot be read ({error.strerror}); nothing of it was taken") from error
    lines = [f"line {number}: {why}" for number, why in report.refused[:20]]
    lines.append(f"{report.accepted} rankings taken, {len(report.refused)} lines refused")
    config = project.profile.assistant
    if report.accepted and config is not None and not config.comparisons.uses_people:
        lines.append(
            "they are kept, and count once the profile has assistant.comparisons.annotator=human+oracle"
        )
    return Answer({"accepted": report.accepted, "batch": report.digest, "refused": report.refused}, lines)


def requests_to_rank(project: Project) -> Asked:
    """Raises LabelsError where there is nothing to rank."""
    from o1_assets.core.tables import read_parquet
    from o1_assets.experiments.assistant.comparisons import answers_to_rank

    if project.profile.assistant is None:
        raise LabelsError(
            f"profile {project.profile.name} has no assistant; name one that has: --profile assistant"
        )
    folders = []
    for key in ("assistant/requests", "assistant/answers"):
        head = project.store.head(key)
        if head is None:
            raise LabelsError(f"{key} is not made yet: run `o1 run` first")
        folders.append(project.store.verified(head.digest))
    requests, answers = folders
    return answers_to_rank(
        read_parquet(requests / "problems.parquet"), read_parquet(answers / "solutions.parquet")
    )[0]
