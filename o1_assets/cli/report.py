"""`o1 results`: docs/results.md and its pictures, from the finished experiments of the part `ablations`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import O1Error
from o1_assets.core.files import replace_file
from o1_assets.core.settings import Settings
from o1_assets.execution.status import Status, graph_status
from o1_assets.experiments.document import Finished, document, picture_files
from o1_assets.experiments.experiment import PART
from o1_assets.experiments.result import is_result, read_result
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.store.ancestry import ancestry
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.evaluation.headline import Headline


NAME, FOLDER = "results.md", "results"


EARLIER = (
    "an earlier version of this project wrote it in another form; `o1 run --with ablations` makes it again"
)


class ResultsError(O1Error):
    """There is nothing to write, or nowhere to write it; the message says what to do."""


@dataclass(frozen=True)
class Written:
    """stale: name -> why. missing: key -> why, or what it would answer."""

    page: Path
    pictures: list[Path]
    finished: list[str]
    stale: dict[str, str]
    missing: dict[str, str]


def write_results(settings: Settings, folder: Path) -> Written:
    """Writes `folder`/results.md and `folder`/results/*.png. Raises ResultsError before it writes anything."""
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder} is a file; name a folder for {NAME} and its pictures")
    graph = build_graph(load_profile(settings.profile), settings)
    wanted = {key: one for key, one in graph.items() if one.part == PART and key.endswith("/result")}
    store = ArtifactStore(settings.store, settings.work)
    finished, missing = _read(store, wanted, graph_status(graph, store))
    if not finished:
        raise ResultsError(
            f"no experiment of profile {settings.profile} was finished yet: `o1 run --with {PART}` makes them"
        )
    pictures = picture_files(finished)
    text = document(finished, missing, settings.profile)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, png in pictures.items():
        replace_file(folder / FOLDER / name, png)
    replace_file(folder / NAME, text.encode())
    _remove_old(folder / FOLDER, wanted, set(pictures))
    return Written(
        folder / NAME,
        [folder / FOLDER / name for name in pictures],
        [one.result.name for one in finished],
        {one.result.name: one.stale for one in finished if one.stale},
        missing,
    )


def _read(
    store: ArtifactStore, wanted: dict[str, Artifact], status: dict[str, Status]
) -> tuple[list[Finished], dict[str, str]]:
    finished, missing = [], {}
    for key, artifact in wanted.items():
        head = store.head(key)
        if head is None:
            missing[key] = artifact.description
            continue
        folder = store.verified(head.digest)
        if not is_result(folder):
            missing[key] = EARLIER
            continue
        made_from = [m for m in ancestry(store, key, head.version) if m.key.startswith(f"{PART}/")]
        pictures = {file.stem: file.read_bytes() for file in sorted((folder / "plots").glob("*.png"))}
        stale = status[key].reason if status[key].state == "stale" else ""
        finished.append(Finished(read_result(folder), head, made_from, stale, pictures))
    return finished, missing


def _remove_old(folder: Path, wanted: dict[str, Artifact], kept: set[str]) -> None:
    """Pictures that an earlier call wrote and this one did not; nothing that is not named as those are."""
    experiments = tuple(f"{key.split('/')[1]}-" for key in wanted)
    for file in folder.glob("*.png"):
        if file.name.startswith(experiments) and file.name not in kept:
            file.unlink()


# The headline figures as a table.


def print_headline(settings: Settings, headline: dict[str, Headline] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    from o1_assets.evaluation.headline import met
    from o1_assets.report.write import headline_of

    table = Table(title="Headline", title_justify="left")
    for column in ("figure", "value", "±", "target", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for name, row in (headline or headline_of(settings)).items():
        value, target, spread = row["value"], row["target"], row["spread"]
        reached = met(row)
        table.add_row(
            name,
            "-" if value is None else f"{value:.3f}",
            "" if spread is None else f"{spread:.3f}",
            "" if target is None else f"{'≥' if row['better'] == 'higher' else '≤'} {target:.3f}",
            "" if reached is None else ("met" if reached else "missed"),
        )
    Console().print(table)
