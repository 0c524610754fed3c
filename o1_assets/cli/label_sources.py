"""`o1 labels import` and `o1 labels dataset`: ratings that others published, and ours for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.cli.label_batches import Format
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.execution.project import Project
from o1_assets.labels.protocol import Violation
from o1_assets.labels.round_inputs import known_round, round_names

if TYPE_CHECKING:
    from o1_assets.labels.imported.source import LabelSource

app = typer.Typer()


@command(app, "import")
def import_command(
    project: Project,
    source: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="of rated solutions; hub fetches PRM800K")
    ],
    format_: Format = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="what the profile calls the source; the format's name without it"),
    ] = None,
    round_: Annotated[
        str | None,
        typer.Option("--round", help="whose labels they become, if the format does not say it; r00"),
    ] = None,
) -> Answer:
    """Make a label source of ratings that others published; of PRM800K, generation g becomes round g + 1."""
    result = import_published(project, source, format_, name, round_)
    return Answer(result, import_lines(result))


def import_published(
    project: Project,
    source: Path,
    format_name: str | None = None,
    name: str | None = None,
    round_name: str | None = None,
) -> dict[str, Any]:
    """Makes a label source of files. Returns the report and the profile setting that uses the source.

    source: with the files; "hub" fetches PRM800K's.
    """
    from o1_assets.labels.formats.known import format_named
    from o1_assets.labels.imported.importer import fetch_prm800k, import_labels
    from o1_assets.labels.imported.source import LabelSource

    if round_name is not None:
        known_round(project.profile, round_name)
    # Before the import, which reads large files: the profile would refuse the name afterwards.
    try:
        LabelSource(name=name or "prm800k")
    except ValueError as error:
        raise LabelsError(
            f"{name!r} cannot name a label source; use small letters, digits, - and _"
        ) from error
    label_format = None if format_name is None else format_named(format_name)
    try:
        # A folder that is really called hub is meant itself.
        if source == Path("hub") and not source.exists():
            source, label_format = fetch_prm800k(project.settings.work / "prm800k"), format_named("prm800k")
        report = import_labels(source, project.settings.imported, name, label_format, round_name)
    except ValueError as error:
        raise LabelsError(str(error).splitlines()[0]) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabelsError(
            f"{source} was not imported ({error.strerror or error}); nothing was kept"
        ) from error
    return {**report.to_json(), "use": _setting(LabelSource, report.name, sorted(report.rounds))}


def _setting(kind: type[LabelSource], name: str, rounds: list[str]) -> str:
    """The setting that takes the imported rounds from the source, with what differs from the defaults."""
    first, last = int(rounds[0][1:]), int(rounds[-1][1:])
    setting = kind(name=name, first=first, last=last).model_dump(exclude_defaults=True)
    return f"--set 'label_source={json.dumps({'name': name, **setting}, separators=(',', ':'))}'"


def import_lines(result: dict[str, Any]) -> Iterator[str]:
    """The counts of an import as a table: a line for each count, a column for each round."""
    from o1_assets.labels.imported.published_round import UNCLEAR

    rounds = result["rounds"]
    yield f"format {result['format']}, imported as {result['name']}"
    names = list(dict.fromkeys(name for counts in rounds.values() for name in counts))
    yield " " * 24 + "".join(f"{round_name:>10}" for round_name in rounds)
    for name in names:
        yield f"{name.replace('_', ' '):24}" + "".join(
            f"{counts.get(name, 0):>10}" for counts in rounds.values()
        )
    for round_name, counts in rounds.items():
        if unclear := counts.get(UNCLEAR):
            yield (
                f"{unclear} steps of {round_name} are left out: chosen_completion is null in their records, and of a "
                "step before them not one completion alone is right, so nothing says what they go on from; write "
                "chosen_completion and import the file again"
            )
    refused = sum(result["refused"].values())
    if refused:
        rules = ", ".join(f"{rule} {count}" for rule, count in result["refused"].items())
        yield f"{refused} items refused ({rules}), all of them in {result['refused_file']}; the first:"
        for violation in result["violations"][:5]:
            yield f"  {Violation(**violation)}"
    yield f"use it with `o1 run {result['use']}`"


@command(app, "dataset")
def dataset(
    project: Project,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="empty, not there yet, or an earlier data set")
    ],
    format_: Annotated[str, typer.Option("--format", help="trl, prm800k or processbench")] = "trl",
    rounds: Annotated[
        list[str] | None,
        typer.Option(
            "--round",
            metavar="ROUND[@VERSION]",
            help="one of them, as an earlier version of its labels has it; all that have labels without it",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="name people as they signed, and not by numbers")
    ] = False,
) -> Answer:
    """Write rated labels as a data set for others, with its card: `datasets.load_dataset(DIR)` loads it."""
    from o1_assets.export.label_dataset import write_dataset

    wanted: dict[str, str | None] = {}
    for given in rounds or ():
        name, _, version = given.partition("@")
        wanted[known_round(project.profile, name)] = version or None
    if not wanted:
        labelled = (name for name in round_names(project.profile) if project.store.head(f"{name}/labels"))
        wanted = dict.fromkeys(labelled)
    report = write_dataset(project.store, project.settings.profile, wanted, folder, format_, names)
    counted = ", ".join(f"{count:,} {name}" for name, count in report.counts.items())
    left_out = f"; {report.left_out} solutions left out, which it cannot hold" if report.left_out else ""
    state = "" if report.changed else ", as it was"
    return Answer(
        report.to_json(),
        [
            f"{folder}{state}: {report.rows:,} rows of {', '.join(report.rounds)} in the format {format_} ({counted}"
            f"{left_out}); the card is its README.md"
        ],
    )
