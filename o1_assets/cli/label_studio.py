"""`o1 labels studio`: rounds into Label Studio, labels out of it, and who may label."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.cli.label_batches import Round, export, nothing_to_rate, unused_lines
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.execution.project import Project
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.round_inputs import Which, round_inputs, selected_rounds
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import START, LabelStudio, LabelStudioError, connection, labeling_home
from o1_assets.labels.studio.pull import PullReport, progress_file, pull_labels
from o1_assets.labels.studio.push import push_records

app = typer.Typer(no_args_is_help=True, help="Label Studio: rounds into it, labels out of it.")


@command(app, "push")
def push(
    project: Project,
    round_: Round,
    labelers: Annotated[int, typer.Option(min=1, help="how many people rate each solution")] = 1,
    screening: Annotated[
        bool, typer.Option("--screening", help="a project of what new labellers are tried on")
    ] = False,
) -> Answer:
    """Make the round's Label Studio project; doing it again adds only what is missing."""
    which: Which = "screening" if screening else "all"
    with tempfile.TemporaryDirectory() as folder, _open(project) as server:
        file = Path(folder) / "export.jsonl"
        if not export(project, round_, file, which):
            raise LabelsError(nothing_to_rate(round_, which))
        # From the exported lines: both ways to labellers show exactly the same solutions.
        records = [Record.from_line(line) for line in file.read_bytes().splitlines()]
        report = push_records(server, project.settings.profile, records, labelers)
    return Answer(
        asdict(report),
        [
            f"{report.added} of {report.solutions} solutions of {round_} sent; label them at {report.url}",
            *unused_lines(project, {round_}),
        ],
    )


@command(app, "pull")
def pull(project: Project, round_: Annotated[str | None, typer.Argument(metavar="[ROUND]")] = None) -> Answer:
    """File what was labelled since the last pull, of one round or of all; `o1 run` then uses it."""
    profile, store = project.profile, project.store
    # A round that cannot be labelled is refused before the server is asked for anything.
    if round_ is not None:
        round_inputs(profile, store, round_)
    project.settings.make_home()
    with _open(project) as server:
        report = pull_labels(
            server,
            project.settings.profile,
            project.inbox,
            lambda name: round_inputs(profile, store, name).check(),
            progress_file(project.settings),
            rounds=selected_rounds(profile, store) if round_ is None else {round_},
        )

    failures = [f"{url} was not pulled to its end: {reason}" for url, reason in report.failed.items()]
    return Answer(
        asdict(report),
        [
            *pull_lines(
                report, project.inbox, f"{round_ or 'any round'} of profile {project.settings.profile}"
            ),
            *unused_lines(project, report.accepted),
        ],
        LabelStudioError("; ".join(failures)) if failures else None,
    )


def pull_lines(report: PullReport, inbox: Inbox, wanted: str) -> Iterator[str]:
    """The lines for a labelling lead after a pull. wanted: what was asked for."""
    for name, count in report.accepted.items():
        yield f"{count} records accepted into {name}, {len(report.rejected[name])} violations"
        yield from (f"  {reason}" for reason in report.rejected[name])
    for name, reason in report.closed.items():
        yield f"{name} is closed ({reason}): its labels stay in Label Studio until `o1 labels reopen {name}`"
    for quiet in report.quiet:
        if quiet.pulled_at:
            last = f"{quiet.pulled_by} pulled {quiet.pulled} records at {quiet.pulled_at}"
            before = f"{last}, and nothing was labelled since"
        else:
            usable = quiet.annotations - quiet.unusable
            before = f"its {usable} annotations were pulled before" if usable else "nothing was labelled yet"
        yield f"{quiet.round}: nothing new in {quiet.url}; {before}"
        if quiet.unusable:
            yield (
                f"  {quiet.unusable} of its annotations are set aside until they are mended; why: "
                f"{inbox.root / quiet.round / 'quarantine'}"
            )
    if report == PullReport() and not report.quiet:
        yield f"Label Studio has no project for {wanted}; `o1 labels studio push ROUND` makes one"


@command(app, "invite")
def invite(
    project: Project,
    renew: Annotated[
        bool, typer.Option("--renew", help="make a new link; the old one stops working")
    ] = False,
) -> Answer:
    """Print the link by which labellers sign up; nobody can without it."""
    with _open(project) as server:
        link = server.invitation(renew)
    return Answer({"url": link, "renewed": renew}, [link])


@command(app, "serve", options=("profile", "set_"), hidden=True)
def serve_studio(
    project: Project,
    executable: Annotated[Path, typer.Argument()],
    port: Annotated[int, typer.Option()] = 8080,
) -> None:
    """Become the Label Studio server of this machine (`make labeling`)."""
    from o1_assets.labels.studio.client import serve

    serve(project.settings, executable, port)


def _open(project: Project) -> LabelStudio:
    address = connection(labeling_home(project.settings))
    if address is None:
        raise LabelStudioError(f"no Label Studio is known; {START} and O1_LABEL_STUDIO_TOKEN")
    return LabelStudio(address.url, address.token)
