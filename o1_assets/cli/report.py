"""`o1 report`, `o1 results`, `o1 card` and `o1 export`: write what people read or load outside of the store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import READS_THE_STORE_ALONE, Answer, VersionOption, command
from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.execution.project import Project
from o1_assets.execution.status import Status, damaged, graph_status
from o1_assets.store.ancestry import ancestry
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.evaluation.headline import Headline
    from o1_assets.experiments.record import Finished

app = typer.Typer()


@command(app)
def report(project: Project) -> Answer:
    """Rebuild the HTML report and name it; --json prints every headline figure and each round's."""
    from o1_assets.report.write import ablations_of, tables_of, write_report

    headline, file = write_report(project), project.settings.report

    def show() -> None:
        print_headline(project, headline)
        print(file)

    return Answer(
        lambda: {
            "headline": headline,
            **tables_of(project),
            "ablations": ablations_of(project),
            "report": str(file),
        },
        show,
    )


def print_headline(project: Project, headline: dict[str, Headline] | None = None) -> None:
    """Prints the headline figures as a table. headline: None reads them from the project's store."""
    from rich.console import Console
    from rich.table import Table

    from o1_assets.core.formatting import figure_value
    from o1_assets.evaluation.headline import met
    from o1_assets.report.write import headline_of

    table = Table(title="Headline", title_justify="left")
    for column in ("figure", "value", "±", "target", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for name, row in (headline or headline_of(project)).items():
        value, target, error = row["value"], row["target"], row["error"]
        reached = met(row)
        table.add_row(
            name,
            "-" if value is None else figure_value(name, value),
            "" if error is None else figure_value(name, error),
            ""
            if target is None
            else f"{'≥' if row['better'] == 'higher' else '≤'} {figure_value(name, target)}",
            "" if reached is None else ("met" if reached else "missed"),
        )
    Console().print(table)


# Results: one page and its pictures, from the finished experiments. Every experiment gives its result in one form, so
# nothing here knows any of them.

PAGE, RECORDS, PICTURES = "results.md", "results.json", "results"

# Results whose keys do not say so.
OTHER_RESULTS = ("mini/eval", "assistant/eval")

EARLIER = (
    "an earlier version of this project wrote it in another form; `o1 run --with ablations` makes it again"
)


class ResultsError(O1Error):
    """There is nothing to write, or nowhere to write it; the message says what to do."""


@command(app)
def results(
    project: Project,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="where results.md, results.json and results/ go; else docs in the home"
        ),
    ] = None,
) -> Answer:
    """Write DIR/results.md, results.json and results/ from the finished experiments, and what they rest on.

    What DIR/results.json holds of other profiles, and of experiments that this home has not made, stays.
    """
    written = write_results(project, folder or project.settings.home / "docs")

    def show() -> None:
        for name, why in written.stale.items():
            print(f"stale: {name}: {why}", file=sys.stderr)
        for key in written.missing:
            print(f"not made: {key}", file=sys.stderr)
        print(written.page)

    document = {
        "page": str(written.page),
        "pictures": [str(path) for path in written.pictures],
        "finished": written.finished,
        "stale": written.stale,
        "missing": written.missing,
    }
    return Answer(document, show)


@dataclass(frozen=True)
class WrittenResults:
    """stale: name of a result -> why it is stale. missing: key -> why, or the question that it would answer."""

    page: Path
    pictures: list[Path]
    finished: list[str]
    stale: dict[str, str]
    missing: dict[str, str]


def write_results(project: Project, folder: Path) -> WrittenResults:
    """Writes `folder`/results.md, results.json and results/. Raises ResultsError before it writes anything."""
    from o1_assets.experiments.document import experiment_page, page, page_name
    from o1_assets.experiments.experiment import PART
    from o1_assets.experiments.record import SUMMARY, merged, picture_files, record, stem

    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder} is a file; name a folder for {PAGE} and its pictures")
    graph, store, profile = project.graph, project.store, project.settings.profile
    wanted = {key: a for key, a in graph.items() if key.endswith("/result") or key in OTHER_RESULTS}
    status = graph_status(graph, store)
    finished, missing = _read(store, wanted, status)
    finished = [*_loop(store, status), *finished]
    if not finished and (error := damaged(status)):
        raise error
    if not finished:
        raise ResultsError(
            f"nothing of profile {profile} was finished yet: `o1 run` makes the loop, `o1 run --with {PART}` the "
            "experiments"
        )
    # All is made before anything is written: a result that cannot be read leaves the old page whole.
    pictures = picture_files(finished)
    records = merged(
        _known(folder / RECORDS), [record(each) for each in finished], profile, [SUMMARY, *wanted]
    )
    here = {each["key"] for each in records if each["profile"] == profile}
    lacking = {key: why for key, why in missing.items() if key not in here}
    pages = {page_name(each): experiment_page(each).encode() for each in records}
    text = page(records, lacking)
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for name, content in {**pictures, **pages}.items():
        replace_file(folder / PICTURES / name, content)
    replace_file(folder / RECORDS, json_bytes(records))
    replace_file(folder / PAGE, text.encode())
    shown = {picture["file"] for each in records for picture in each["pictures"]}
    _remove_old(folder / PICTURES, [stem(profile, key) for key in [SUMMARY, *wanted]], {*shown, *pages})
    return WrittenResults(
        folder / PAGE,
        [folder / PICTURES / name for name in pictures],
        [experiment.result.name for experiment in finished],
        {experiment.result.name: experiment.stale for experiment in finished if experiment.stale},
        missing,
    )


def _loop(store: ArtifactStore, status: Mapping[str, Status]) -> list[Finished]:
    """The headline of the loop, if it was finished."""
    from o1_assets.evaluation.summary import headline_of
    from o1_assets.experiments.record import SUMMARY, Finished, loop_result

    state = status.get(SUMMARY)
    if state is None or state.manifest is None or not state.whole:
        return []
    result = loop_result(headline_of(store.verified(state.manifest.digest)))
    made_from = list(ancestry(store, SUMMARY, state.manifest.version))
    return [Finished(result, state.manifest, made_from, state.reason if state.state == "stale" else "")]


def _known(file: Path) -> list[Any]:
    """The records of an earlier call, of this home or of another. Raises ResultsError."""
    try:
        return list(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return []
    except ValueError:
        raise ResultsError(f"{file} is not what `o1 results` wrote; bring it back, or remove it") from None


def _read(
    store: ArtifactStore, wanted: dict[str, Artifact], status: dict[str, Status]
) -> tuple[list[Finished], dict[str, str]]:
    from o1_assets.experiments.record import Finished
    from o1_assets.experiments.result import is_result, read_result

    finished, missing = [], {}
    for key, artifact in wanted.items():
        head = status[key].manifest
        if head is None or not status[key].whole:
            missing[key] = status[key].reason if status[key].state == "damaged" else artifact.description
            continue
        folder = store.verified(head.digest)
        # A store may hold results of an earlier release, which an upgrade does not remove.
        if not is_result(folder):
            missing[key] = EARLIER
            continue
        part = key.partition("/")[0]
        made_from = [m for m in ancestry(store, key, head.version) if m.key.startswith(f"{part}/")]
        pictures = {file.stem: file.read_bytes() for file in sorted((folder / "plots").glob("*.png"))}
        # A stale result stays on the page with the reason: it is still true of the versions that the page names.
        stale = status[key].reason if status[key].state == "stale" else ""
        finished.append(Finished(read_result(folder), head, made_from, stale, pictures))
    return finished, missing


def _remove_old(folder: Path, stems: Sequence[str], written: set[str]) -> None:
    """Removes what an earlier call wrote and this one did not. stems: of this profile's experiments."""
    # By their names, which begin with an experiment's: the folder may hold other people's pictures.
    for file in [*folder.glob("*.png"), *folder.glob("*.md")]:
        of = any(file.name == f"{stem}.md" or file.name.startswith(f"{stem}-") for stem in stems)
        if of and file.name not in written:
            file.unlink()


# Checkpoints.


@command(app, options=READS_THE_STORE_ALONE)
def card(
    project: Project,
    key: Annotated[str, typer.Argument(metavar="KEY", help="a checkpoint, as in r03/policy")],
    version: VersionOption = None,
) -> Answer:
    """Print a checkpoint's model card (Hugging Face format): data, labels, figures, compute, lineage."""
    from o1_assets.export.model_card import read_card

    text = read_card(project.store, key, version)
    return Answer({"key": key, "card": text}, [text])


@command(app, "export", options=READS_THE_STORE_ALONE)
def export_checkpoint(
    project: Project,
    key: Annotated[str, typer.Argument(metavar="KEY", help="a checkpoint, as in r10/policy")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="new, empty, or an earlier export")],
    version: VersionOption = None,
) -> Answer:
    """Write a checkpoint as a folder for the Hugging Face Hub: weights, config, tokenizer, model card.

    A reward model that reads the generator's log-probabilities comes with that generator.
    """
    from o1_assets.export.export import export
    from o1_assets.export.known_measures import known_measures, measured_section

    exported = export(
        project.store,
        key,
        folder,
        version,
        lambda digest: measured_section(known_measures(project.settings.home, digest)),
    )

    def lines() -> Iterator[str]:
        verb = "written to" if exported.changed else "was already, byte for byte, in"
        yield (
            f"{exported.key} ({exported.digest[:12]}) {verb} {exported.folder}: {len(exported.files)} files, "
            f"{exported.megabytes:.1f} MB"
        )
        yield "README.md says how to load it; `o1 publish DIR OWNER/NAME` puts it on the Hub"

    return Answer({**vars(exported), "folder": str(exported.folder)}, lines())
