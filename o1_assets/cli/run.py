"""`o1 run` and `o1 refresh`: making what is missing or stale, in one Dagster run; `o1 ui`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from o1_assets.cli.common import Answer, StatusLine, close_home, command, print_note, tell
from o1_assets.cli.made_before import notes
from o1_assets.cli.put_off import import_now
from o1_assets.cli.report import print_headline
from o1_assets.cli.status import VerifyOption
from o1_assets.core.errors import O1Error
from o1_assets.engine.training.tracking import tracker_names
from o1_assets.execution.ledger import RunRecord
from o1_assets.execution.outline import Outline
from o1_assets.execution.project import Project
from o1_assets.execution.status import Status, outline_status
from o1_assets.graph import asked_for, descendants, with_ancestors
from o1_assets.labels.inbox.progress import all_notices
from o1_assets.orchestration.devices import enough_devices
from o1_assets.profiles.requirements import check_requirements, doubts, require_extra
from o1_assets.store.catalogue import reads_this_home
from o1_assets.store.manifest import Manifest
from o1_assets.store.scratch import tidy

app = typer.Typer()


class RunFailed(O1Error):
    """The run stopped at an artifact; the message says which and why."""


@command(app, "run")
def run_command(
    project: Project,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="an optional part of the graph as well: thinking, ablations, mini, circle, all of "
            "these as experiments, or one experiment: "
            "ablations/rounds",
        ),
    ] = None,
    verify: VerifyOption = False,
) -> Answer:
    """Make everything that is missing, stale or damaged, in one run; ends with the headline and the report's path."""
    return _answer(project, run(project, parts=with_ or (), verify=verify))


@command(app)
def refresh(project: Project) -> Answer:
    """Make again what is stale and what was made from it; what was never made stays so."""
    return _answer(project, run(project, include_missing=False))


@command(app, "ui", options=("profile", "set_"), hidden=True)
def ui(
    project: Project,
    port: Annotated[int, typer.Option("--port", help="of 127.0.0.1")] = 3000,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help="show an optional part of the graph too: thinking, ablations/rounds, ..."
        ),
    ] = None,
    parent: Annotated[
        int | None, typer.Option("--parent", hidden=True, help="the process to end with: make's")
    ] = None,
) -> None:
    """Serve Dagster's UI, with the daemon that starts runs by itself, until Ctrl-C (`make ui`)."""
    from o1_assets.orchestration.ui.serve import serve

    _require_packages(project)
    shown = Project(project.settings, project.overrides, with_ or ())
    _ = shown.loaded  # a part that there is not is refused before anything starts
    serve(shown, port, parent)


@dataclass(frozen=True)
class RunResult:
    """computed: how many compute functions ran. cached: how many other artifacts are fresh. waiting: key -> what to do.

    reportable: whether the summary that a report needs exists.
    """

    computed: int
    cached: int
    waiting: dict[str, str]
    seconds: float
    reportable: bool = True


def _answer(project: Project, result: RunResult) -> Answer:
    report = project.settings.report
    # The page also says how long things took, so rewriting it after a run that found all in the cache would change it.
    if result.reportable and (result.computed or not report.exists()):
        from o1_assets.report.write import write_report

        write_report(project)
    elif result.reportable and not reads_this_home(project.store, project.settings.catalogue):
        from o1_assets.report.write import write_catalogue

        write_catalogue(project)
    rounds = [each.rated for each in project.outlines.values() if each.rated]
    notices = all_notices(rounds, project.inbox).values()
    for line in (*result.waiting.values(), *(f"NOTE {notice}" for lines in notices for notice in lines)):
        tell(line)

    def show() -> None:
        if result.reportable:
            print_headline(project)
            if result.waiting and (summary := project.store.head("eval/summary")):
                print(f"These figures are of the last complete run, which ended {summary.finished[:16]}.")
        print(f"{result.computed} computed, {result.cached} cached, {result.seconds:.1f} s")
        print(f"report: {report}" if result.reportable else no_report(project, result.waiting))

    document = {
        "computed": result.computed,
        "cached": result.cached,
        "seconds": round(result.seconds, 1),
        "waiting": result.waiting,
    }
    return Answer(document, show)


def no_report(project: Project, waiting: Collection[str]) -> str:
    """Why there is no report: the artifact that it is written from comes after all rounds. waiting: keys."""
    missing = with_ancestors(project.outlines, ["eval/summary"]) & set(waiting)
    why = f"waits for {', '.join(sorted(missing))}" if missing else "was never made; `o1 run` makes it"
    return f"no report yet: eval/summary, which it is written from, {why}"


def run(
    project: Project,
    *,
    include_missing: bool = True,
    parts: Sequence[str] = (),
    verify: bool = False,
    keys: Collection[str] = (),
) -> RunResult:
    """Brings the graph up to date, with the optional parts that are named. verify: compare every byte before.

    keys: only these and what they are made from.

    Raises RunFailed, in which case what was finished before stays finished. Before anything is computed it raises
    MissingRequirement and what `_refuse` raises.
    """
    # Where nothing was made yet all is to be done, and what cannot work leaves no folder behind.
    if not project.settings.home.exists():
        _refuse(project)
    project.settings.make_home()
    close_home(project.settings)
    run_id, announced = str(uuid.uuid4()), False

    def on_wait() -> None:
        nonlocal announced
        if not announced:
            lock = project.settings.lock
            tell(f"another run holds {lock}; waiting for it to end")
        announced = True

    # With the id of the Dagster run that follows: if this process is killed, the lock names the run to mark as failed.
    with project.lock.hold(run_id, on_wait):
        return _run(project, include_missing, parts, run_id, verify, keys)


def _run(
    project: Project,
    include_missing: bool,
    parts: Sequence[str],
    run_id: str,
    verify: bool,
    keys: Collection[str],
) -> RunResult:
    # A run that has nothing to do does not build the graph.
    graph, store = project.outlines, project.store
    # Under the lock nobody else computes, so what lies in the work folder was left by processes that are gone.
    tidy(store)
    status = outline_status(graph, store, every_byte=verify, on_reading=print_note)
    due = {"stale", "damaged", "missing"} if include_missing else {"stale", "damaged"}
    wanted = {key for key, s in status.items() if s.state in due}
    scope = with_ancestors(graph, keys) if keys else asked_for(graph, parts)
    selected = descendants(graph, wanted & scope) & scope
    if not include_missing:
        # A descendant of something stale that was never made was not asked for either.
        selected = {key for key in selected if status[key].state != "missing"}
    _tell_damage(status, selected, graph)
    for note in notes(project, status, selected):
        tell(f"NOTE {note}")
    record = RunRecord(project.settings.runs)
    # Returned before Dagster is imported: nothing is left for it to run.
    if not selected:
        return RunResult(0, _fresh(status, scope), {}, record.seconds, store.head("eval/summary") is not None)
    import_now()
    _refuse(project)
    check_requirements(project.profile, project.settings, project.graph, selected)
    for note in doubts(project.profile, selected):
        tell(f"NOTE {note}")
    console = Console(len(selected), record)

    from o1_assets.orchestration.execute import execute

    failure = execute(project, selected, console, run_id)
    # Once more: the last artifact's write does not have the time since, and a failed run counts too.
    record.write()
    if failure:
        raise RunFailed(failure)
    cached = _fresh(status, scope - selected) + console.done - console.computed
    reportable = store.head("eval/summary") is not None
    return RunResult(console.computed, cached, console.waiting, record.seconds, reportable)


def _tell_damage(status: Mapping[str, Status], selected: set[str], graph: Mapping[str, Outline]) -> None:
    """Says what is made again and what is not. Raises RunFailed on what cannot be made again."""
    for key, state in status.items():
        if state.state != "damaged":
            continue
        if key in selected and state.refused:
            raise RunFailed(f"{key} cannot be made again: {state.refused}")
        why = state.reason.partition("; ")[0]
        again = (
            "this run mends it" if key in selected else f"`o1 run --with {graph[key].part}` makes it again"
        )
        tell(f"{key} is damaged ({why}); {again}")


def _fresh(status: Mapping[str, Status], keys: Iterable[str]) -> int:
    return sum(status[key].state == "fresh" for key in keys)


def _require_packages(project: Project) -> None:
    """Raises MissingRequirement if the packages of the executor or of Postgres are not installed."""
    require_extra(project.profile.executor)
    if project.settings.postgres:
        require_extra("postgres", "O1_DAGSTER_POSTGRES")


def _refuse(project: Project) -> None:
    """Refuses what cannot work before anything is started. Raises MissingRequirement, DevicesMissing, RunFailed."""
    profile = project.profile
    _require_packages(project)
    tracker_names()  # refuses what cannot be used, before hours of training
    # Steps there get environment and volumes from the code location, which runs inside of the cluster.
    if profile.executor == "k8s":
        raise RunFailed(
            "executor=k8s hands its steps out from inside the cluster: launch the job `everything` in the Dagster "
            "that deploy/README.md installs there, or use --set executor=local, processes or ray here"
        )
    if profile.executor == "processes":
        enough_devices(profile)


class Console:
    """An execution.progress.Watcher: prints a line for each artifact on stderr, and keeps the run's record."""

    FIGURES = 4
    """Figures shown of an artifact."""

    KEPT = ("continues at", "could not be saved", "is damaged")
    """Progress with one of these stays to be read: it is about what an earlier run left, or this one cannot leave."""

    def __init__(self, total: int, record: RunRecord):
        self.total, self.record = total, record
        self.done = self.computed = 0
        self.waiting: dict[str, str] = {}
        self._lines = StatusLine("            ...    ")

    def started(self, key: str) -> None:
        self._lines.replace(f"{key} ...")

    def line(self, key: str, text: str) -> None:
        if any(words in text for words in self.KEPT):
            self._lines.keep(f"{self._lines.prefix}{key}: {text}")
        else:
            self._lines.replace(f"{key}: {text}")

    def made(self, key: str, manifest: Manifest, cached: bool) -> None:
        self.done += 1
        if not cached:
            self.computed += 1
            self.record.made(manifest)
        # The first figures only: the line has to fit into a terminal.
        figures = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in list(manifest.figures.items())[: self.FIGURES]
        )
        took = "   cached" if cached else f"{manifest.cost.seconds:7.1f} s"
        self._lines.keep(f"[{self.done:3}/{self.total}] {took}  {key:24} {figures}")

    def waits(self, key: str, why: str) -> None:
        self.waiting[key] = why
        self._lines.keep(f"[  -/{self.total}]   waits  {key:24} {why}")

    def failed(self, key: str, why: str) -> None:
        # At once, although the run ends with it too: what does not need the artifact may go on for hours.
        self._lines.keep(f"[  x/{self.total}]   fails  {key:24} {why}")

    def check_failed(self, key: str, check: str, message: str) -> None:
        self._lines.keep(f"[  !/{self.total}]   check  {key:24} {check}: {message}")
