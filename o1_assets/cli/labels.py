"""`o1 labels`: exports solutions to rate, accepts, withdraws and traces label batches, and talks to Label Studio."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl
import typer

from o1_assets.cli import label_rounds
from o1_assets.cli.common import Answer, command
from o1_assets.cli.label_rounds import LabelsError, user
from o1_assets.core.files import NotAFile
from o1_assets.execution.project import Project
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import find_batch, how_to_use_them, impact
from o1_assets.labels.protocol import Violation
from o1_assets.labels.round_inputs import (
    Which,
    export_to_file,
    known_round,
    round_inputs,
    round_names,
    selected_rounds,
)
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import START, LabelStudio, LabelStudioError, connection, labeling_home
from o1_assets.labels.studio.pull import PullReport, progress_file, pull_labels
from o1_assets.labels.studio.push import push_records
from o1_assets.labels.trace import LabelTrace, trace

app = typer.Typer(no_args_is_help=True, help="Send solutions out to be rated and take label batches in.")
studio = typer.Typer(no_args_is_help=True, help="Label Studio: rounds into it, labels out of it.")

app.add_typer(label_rounds.app)
app.add_typer(studio, name="studio")

Round = Annotated[str, typer.Argument(metavar="ROUND")]
Batch = Annotated[str, typer.Argument(metavar="BATCH", help="its digest or the beginning of it")]
Reason = Annotated[str, typer.Option(help="why; kept beside the batch")]
WhereItIs = Annotated[str | None, typer.Option("--round", help="where it is, if the same batch is in two")]


# Out to be rated.


@command(app, "export")
def export_labels(
    project: Project,
    round_: Round,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="file to write; stdout without it")
    ] = None,
    screening: Annotated[
        bool, typer.Option("--screening", help="only the solutions that new labellers are tried on")
    ] = False,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="only those nobody's rating counts of: never sent back, withdrawn, their rater excluded",
        ),
    ] = False,
    as_json: bool = False,
) -> Answer:
    """Write the round's selection as PRM800K-shaped JSONL, ready to be rated."""
    if screening and missing:
        raise LabelsError("--screening and --missing exclude each other; give one of them")
    if as_json and output is None:
        raise typer.BadParameter(
            "stdout is where the solutions go; name a file with --output", param_hint="--json"
        )
    which: Which = "screening" if screening else "missing" if missing else "all"
    count = export(project, round_, output, which)
    outcome = f"{count} solutions of {round_} to be rated" if count else nothing_to_rate(round_, which)
    print(outcome, file=sys.stderr)
    return Answer({"round": round_, "which": which, "solutions": count, "file": str(output)})


def export(project: Project, round_name: str, output: Path | None, which: Which = "all") -> int:
    """Writes the round's solutions to `output`, or to stdout; returns their number."""
    inputs = round_inputs(project.profile, project.store, round_name)
    if output is not None:
        return export_to_file(inputs, project.inbox, output, which)
    # Written to a file first: an export that fails halfway must not leave half a file behind a shell's redirection.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.jsonl"
        count = export_to_file(inputs, project.inbox, file, which)
        sys.stdout.write(file.read_text())
    return count


def nothing_to_rate(round_name: str, which: Which) -> str:
    """Why an export holds no solution."""
    if which == "screening":
        return (
            f"{round_name} has no screening solutions: quality.screening is 0, or no exact checker covers it"
        )
    if which == "missing":
        return f"{round_name} misses nothing: a rating that counts came back of every solution"
    return f"the selection of {round_name} is empty"


# Batches taken in.


@command(app, "submit")
def submit_labels(
    project: Project,
    file: Annotated[Path, typer.Argument()],
    round_: Annotated[str, typer.Option("--round", help="r00, r01, ...")],
) -> Answer:
    """Validate a label batch and file it; prints what was accepted and why the rest was not."""
    result = submit(project, file, round_)
    lines = [*submit_lines(result, round_), *unused_lines(project, {round_})]
    # A file of which a part was refused has done its work; one of which nothing was accepted has not.
    return Answer(result, lines, None if result["accepted"] else typer.Exit(1))


def submit(project: Project, file: Path, round_name: str) -> dict[str, Any]:
    """Files a batch and reports what was accepted.

    {"accepted": lines, "refused": lines, "by_rule": rule -> count, "digest", "known", "quarantined", "quarantine":
    folder, "rejected": [{"line", "file", "solution", "step", "completion", "rule", "message", "reason"}]}
    """
    inputs, inbox = round_inputs(project.profile, project.store, round_name), project.inbox
    try:
        report = inbox.submit(file, round_name, inputs.check())
    except FileNotFoundError:  # the file that was named, whose absence needs no advice
        raise
    except NotAFile as error:
        raise LabelsError(str(error)) from error
    except OSError as error:
        raise LabelsError(
            f"{file} was not taken, nothing of it is in the inbox ({error.strerror or error}): mend that and "
            "submit the same file again; what is in already is recognised"
        ) from error
    folder = None if report.quarantined is None else inbox.quarantine(round_name, report.quarantined)
    return {
        "accepted": report.accepted,
        "refused": report.refused,
        "by_rule": report.by_rule,
        "digest": report.digest,
        "known": report.known,
        "quarantined": report.quarantined,
        "quarantine": folder and str(folder),
        "rejected": [{**violation.to_json(), "reason": str(violation)} for violation in report.violations],
    }


def submit_lines(result: dict[str, Any], round_name: str, shown: int = 20) -> Iterator[str]:
    """The lines for a labelling lead after a submission; the quarantine has every reason, a terminal the first ones."""
    again = ", all of them were there already" if result["known"] else ""
    batch = f" as batch {result['digest'][:12]}" if result["digest"] else ""
    yield f"{round_name}: {result['accepted']} records accepted{batch}{again}; {result['refused']} refused"
    for rejected in result["rejected"][:shown]:
        yield f"  {rejected['reason']}"
    left = sum(result["by_rule"].values()) - shown
    if left > 0:
        rules = ", ".join(f"{rule} {count}" for rule, count in result["by_rule"].items())
        yield f"  and {left} more; in all: {rules}"
    if result["quarantine"]:
        yield f"the file as sent and every reason: {result['quarantine']}"


def unused_lines(project: Project, rounds: Collection[str]) -> Iterator[str]:
    """A line for each of the rounds that a machine rates, so that what people send is kept and not used."""
    for name in sorted(rounds):
        config = project.profile.batches(int(name[1:]))
        if not config.uses_people:
            yield (
                f"{name} is rated by {config.annotator}, and people's labels of it are kept and not used; "
                f"{how_to_use_them(config)}"
            )


@command(app, "close")
def close(
    project: Project,
    round_: Round,
    reason: Annotated[str, typer.Option(help="why; shown to whoever submits to it")] = "its labels are final",
) -> Answer:
    """Take no more batches for a round: what is sent for it is quarantined. `o1 labels reopen` undoes it."""
    # Only rounds of the profile: a misspelt one would be closed, and the right one stay open.
    project.inbox.close(known_round(project.profile, round_), reason)
    document = {"round": round_, "closed": True, "reason": reason}
    return Answer(document, [f"{round_} takes no more batches: {reason}"])


@command(app, "reopen")
def reopen(project: Project, round_: Round) -> Answer:
    """Take batches for a closed round again."""
    project.inbox.reopen(known_round(project.profile, round_))
    return Answer({"round": round_, "closed": False}, [f"{round_} takes batches again"])


@command(app, "import-prm800k")
def import_labels(
    project: Project,
    folder: Annotated[
        Path, typer.Argument(help="with phase1_train.jsonl, phase2_train.jsonl, ...; hub fetches them")
    ],
    name: Annotated[str, typer.Option(help="what the profile calls the source")] = "prm800k",
) -> Answer:
    """Make a label source of the published PRM800K: phase 1 for r00, generation g for the round g + 1."""
    result = import_published(project, folder, name)
    return Answer(result, import_lines(result))


def import_published(project: Project, folder: Path, name: str) -> dict[str, Any]:
    """Makes a label source of PRM800K's files. Returns the report and the profile setting that uses the source.

    folder: with the files; "hub" fetches them.
    """
    from o1_assets.labels.prm800k.importer import fetch_prm800k, import_prm800k
    from o1_assets.labels.prm800k.source import LabelSource

    # Before the import, which reads large files: the profile would refuse the name afterwards.
    try:
        LabelSource(name=name)
    except ValueError as error:
        raise LabelsError(
            f"{name!r} cannot name a label source; use small letters, digits, - and _"
        ) from error
    try:
        # A folder that is really called hub is meant itself.
        if folder == Path("hub") and not folder.exists():
            folder = fetch_prm800k(project.settings.work / "prm800k")
        report = import_prm800k(folder, project.settings.imported / name)
    except ValueError as error:
        raise LabelsError(str(error).splitlines()[0]) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabelsError(
            f"{folder} was not imported ({error.strerror or error}); nothing was kept"
        ) from error
    return {**report.to_json(), "use": f"""--set 'label_source={{"name":"{name}"}}'"""}


def import_lines(result: dict[str, Any]) -> Iterator[str]:
    """The counts of an import as a table: a line for each count, a column for each round."""
    rounds = result["rounds"]
    names = list(dict.fromkeys(name for counts in rounds.values() for name in counts))
    yield " " * 24 + "".join(f"{round_name:>10}" for round_name in rounds)
    for name in names:
        yield f"{name.replace('_', ' '):24}" + "".join(
            f"{counts.get(name, 0):>10}" for counts in rounds.values()
        )
    refused = sum(result["refused"].values())
    if refused:
        rules = ", ".join(f"{rule} {count}" for rule, count in result["refused"].items())
        yield f"{refused} lines refused ({rules}); the first:"
        for violation in result["violations"][:5]:
            yield f"  {Violation(**violation)}"
    yield f"use it with: o1 run {result['use']}"


# Label Studio: rounds into it, labels out of it.


@command(studio, "push")
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


@command(studio, "pull")
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


@command(studio, "invite")
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


@command(studio, "serve", options=("profile", "set_"), hidden=True)
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


# From an artifact to the labels that are in it.


@command(app, "trace")
def trace_labels(
    project: Project,
    key: Annotated[str, typer.Argument(metavar="KEY", help="any artifact, such as r07/prm")],
    labeler: Annotated[str | None, typer.Option("--labeler", help="only this labeller's")] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="only this batch's: its digest's beginning")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="each label, not only how many")] = False,
    version: Annotated[
        str | None, typer.Option("--version", help="digest or name of an older version")
    ] = None,
) -> Answer:
    """Which labels are in an artifact, by round, batch and labeller: as they were when it was made."""
    traced = trace(project.store, key, version, labeler=labeler, batch=batch, lines=lines)
    return Answer(lambda: trace_document(traced), trace_lines(traced))


def trace_document(traced: LabelTrace) -> bytes:
    """The trace as JSON on one line:

    {"key", "version", "digest", "tables": [{"key", "version", "digest"}], "labels": how many, "counts": [columns of
    COUNTS], "lines": [columns of LINES], if they were asked for}
    """
    tables = [{"key": m.key, "version": m.version, "digest": m.digest} for m in traced.tables]
    content: dict[str, Any] = {
        "key": traced.key,
        "version": traced.version,
        "digest": traced.digest,
        "tables": tables,
        "labels": int(traced.counts["labels"].sum()),
        "counts": traced.counts.to_dicts(),
    }
    if traced.lines is not None:
        content["lines"] = traced.lines.to_dicts()
    # msgspec and no indent: a trace may list a million labels.
    return msgspec.json.encode(content)


KINDS = ("positive", "neutral", "negative", "written")


def trace_lines(traced: LabelTrace) -> Iterator[str]:
    """The lines for an auditor: one for each labeller of a batch, then one for each label if they were asked for."""
    counts = traced.counts
    total, labellers = int(counts["labels"].sum()), counts["labeler"].n_unique()
    rounds = ", ".join(dict.fromkeys(m.key.split("/")[0] for m in traced.tables))
    who = "1 labeller" if labellers == 1 else f"{labellers} labellers"
    yield f"{traced.key} {traced.version}: {total} labels by {who}, of {rounds or 'no round'}"
    # After an upgrade one table may be in the ancestry in two versions, which only their names tell apart.
    several = len({m.key for m in traced.tables}) < len(traced.tables)
    if counts.height:
        numbers = "".join(f"{name:>8}" for name in ("ratings", "labels", "+1", "0", "-1", "written"))
        yield f"{'round':6}{'batch':14}{'source':12}{numbers}  labeller"
    for row in counts.iter_rows(named=True):
        numbers = "".join(f"{row[n]:8}" for n in ("ratings", "labels", *KINDS))
        of = f"  (of {row['version']})" if several else ""
        yield f"{row['round']:6}{row['batch'][:12]:14}{row['source']:12}{numbers}  {row['labeler']}{of}"
    if traced.lines is not None and traced.lines.height:
        yield "\t".join(
            ("round", "batch", "line", "solution", "step", "completion", "rating", "labeller", "text")
        )
        cells = [
            pl.col("round"), pl.col("batch").str.head(12), pl.col("line"), pl.col("solution_id"), pl.col("step"),
            pl.col("completion", "rating").cast(pl.String).fill_null("-"), pl.col("labeler"), pl.col("text"),
        ]  # fmt: skip
        # Joined by polars: a trace may list a million labels.
        yield from traced.lines.select(pl.concat_str(cells, separator="\t")).to_series()


# A batch out of its round and back, and what was made of it.


@command(app, "withdraw")
def withdraw_labels(
    project: Project,
    batch: Batch,
    reason: Reason = "",
    round_: WhereItIs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be made again")] = False,
) -> Answer:
    """Take a batch out of its round; nothing is deleted. `o1 run` then makes again what was made of it."""
    result = withdraw(project, batch, round_, reason, dry_run)
    return Answer(result, withdraw_lines(result))


@command(app, "restore")
def restore_labels(project: Project, batch: Batch, reason: Reason = "", round_: WhereItIs = None) -> Answer:
    """Take a withdrawn batch back; `o1 run` then finds what was made of it."""
    result = restore(project, batch, round_, reason)
    line = f"batch {result['batch'][:12]} counts in {result['round']} again; `o1 run` takes it in"
    return Answer(result, [line])


def withdraw(project: Project, name: str, round_name: str | None, why: str, dry: bool) -> dict[str, Any]:
    """Takes a batch out of its round, or says what that would change.

    {"batch": digest, "round", "lines", "solutions", "labelers", "received", "labels", "ratings", "remade": keys,
    "waits": for what the round then waits, "withdrawn": {"who", "when", "why"} or null}
    """
    inbox = project.inbox
    try:
        round_, digest = find_batch(inbox, _rounds(project, round_name), name, withdrawn=False)
        inbox.check_withdrawable(round_, digest)
        # Before the move: it reads the batch where accepted ones lie.
        change = impact(project.graph, project.store, inbox, round_, digest)
        move = None if dry else inbox.withdraw(round_, digest, user(), why)
    except ValueError as error:
        raise LabelsError(str(error)) from error
    batch = change.batch
    return {
        "batch": digest,
        "round": round_,
        "lines": batch.lines,
        "solutions": batch.solutions,
        "labelers": batch.labelers,
        "received": batch.received,
        "labels": change.labels,
        "ratings": change.ratings,
        "remade": change.remade,
        "waits": change.waits,
        "withdrawn": move and {"who": move.who, "when": move.when, "why": move.why},
    }


def withdraw_lines(result: dict[str, Any]) -> Iterator[str]:
    """The lines for a labelling lead about a withdrawal."""
    batch, round_name = result["batch"][:12], result["round"]
    who = ", ".join(result["labelers"][:5]) + (" and others" if len(result["labelers"]) > 5 else "")
    yield (
        f"batch {batch} of {round_name}: {result['lines']} records of {result['solutions']} solutions by {who}, "
        f"received {result['received']}"
    )
    if not result["remade"]:
        yield "nothing was made of it yet"
    else:
        yield f"{result['labels']} labels of {round_name} are its own, of {result['ratings']} ratings that it put in"
        yield f"{len(result['remade'])} artifacts were made of it:"
        yield from (f"  {key}" for key in result["remade"])
    if result["waits"]:
        yield f"without it, {result['waits']}; until then what was made of it stays as it is"
    if result["withdrawn"] is None:
        yield "nothing was changed: a dry run"
        return
    yield f"withdrawn; `o1 run` makes again what was made of it, `o1 labels restore {batch}` takes it back"


def restore(project: Project, name: str, round_name: str | None, why: str) -> dict[str, Any]:
    """Takes a withdrawn batch back: {"batch", "round", "restored": {"what", "who", "when", "why"}}."""
    inbox = project.inbox
    try:
        round_, digest = find_batch(inbox, _rounds(project, round_name), name, withdrawn=True)
        move = inbox.restore(round_, digest, user(), why)
        return {"batch": digest, "round": round_, "restored": asdict(move)}
    except ValueError as error:
        raise LabelsError(str(error)) from error


def _rounds(project: Project, round_name: str | None) -> list[str]:
    return round_names(project.profile) if round_name is None else [known_round(project.profile, round_name)]
