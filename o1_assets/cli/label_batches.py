"""`o1 labels export`, `submit`, `close`, `reopen`, `withdraw` and `restore`: solutions out, batches of ratings in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from o1_assets.cli.common import Answer, command, tell
from o1_assets.cli.label_rounds import LabelsError, user
from o1_assets.core.files import NotAFile
from o1_assets.execution.project import Project
from o1_assets.labels.formats.into_round import write_lines
from o1_assets.labels.formats.known import UnknownFormat, format_named, format_of
from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.formats.prm800k import PRM800K
from o1_assets.labels.formats.reading import holds_lines
from o1_assets.labels.inbox.earlier import Earlier, ties
from o1_assets.labels.inbox.progress import find_batch, how_to_use_them, impact
from o1_assets.labels.round_inputs import (
    Which,
    export_to_file,
    known_round,
    round_inputs,
    round_names,
)

app = typer.Typer()

Round = Annotated[str, typer.Argument(metavar="ROUND")]
Batch = Annotated[str, typer.Argument(metavar="BATCH", help="its digest or the beginning of it")]
Reason = Annotated[str, typer.Option(help="why; kept beside the batch")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="prm800k, math-shepherd, processbench, trl or label-studio; recognised without it"
    ),
]
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
    tell(outcome)
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
    format_: Format = None,
    labeler: Annotated[
        str | None, typer.Option("--labeler", help="who rated, if the format does not say it")
    ] = None,
) -> Answer:
    """Validate a label batch and file it; prints what was accepted and why the rest was not."""
    result = submit(project, file, round_, format_, labeler)
    accepted = result["accepted"]
    lines = [*submit_lines(result, round_), *(unused_lines(project, {round_}) if accepted else [])]
    if not accepted and result["unknown_format"]:
        lines.append(result["unknown_format"])
    # A file of which a part was refused has done its work; one of which nothing was accepted has not.
    return Answer(result, lines, None if accepted else typer.Exit(1))


def submit(
    project: Project, file: Path, round_name: str, format_name: str | None = None, labeler: str | None = None
) -> dict[str, Any]:
    """Files a batch and reports what was accepted.

    {"accepted": lines, "refused": lines, "by_rule": rule -> count, "digest", "known", "quarantined", "quarantine":
    folder, "rejected": [{"line", "file", "solution", "step", "completion", "rule", "message", "reason"}],
    "unknown_format": a sentence if the file is in no known one}. step and completion count from 0, as in the file;
    reason, the sentence, counts steps from 1.
    """
    inputs, inbox = round_inputs(project.profile, project.store, round_name), project.inbox
    try:
        label_format, unknown = _format(file, format_name)
        with tempfile.TemporaryDirectory() as folder:
            lines, check, refused_lines = file, inputs.check(), None
            earlier = Earlier(inbox, round_name)
            # PRM800K's lines are filed as they were sent, which names the batch.
            as_sent = label_format is PRM800K and (file.is_dir() or holds_lines(file))
            if label_format and not as_sent:
                lines = Path(folder) / file.name
                refused_lines = write_lines(file, label_format, check, labeler, lines, earlier)
            report = inbox.submit(
                lines,
                round_name,
                check,
                refused_lines=refused_lines,
                refuse=lambda copy: ties(copy, check.protocol, earlier),
            )
    except FileNotFoundError:  # the file that was named, whose absence needs no advice
        raise
    except NotAFile as error:
        raise LabelsError(str(error)) from error
    except OSError as error:
        raise LabelsError(
            f"{file} was not taken, nothing of it is in the inbox ({error.strerror or error}): mend that and "
            "submit the same file again; what is in already is recognised"
        ) from error
    quarantine = None if report.quarantined is None else inbox.quarantine(round_name, report.quarantined)
    return {
        "accepted": report.accepted,
        "refused": report.refused,
        "by_rule": report.by_rule,
        "digest": report.digest,
        "known": report.known,
        "quarantined": report.quarantined,
        "quarantine": quarantine and str(quarantine),
        "unknown_format": unknown,
        "rejected": [{**violation.to_json(), "reason": str(violation)} for violation in report.violations],
    }


def _format(file: Path, name: str | None) -> tuple[LabelFormat | None, str | None]:
    """A file's format, and why it is unknown. None: its lines are checked as records, and refused one by one."""
    if name is not None:
        return format_named(name), None
    try:
        return (None if file.is_dir() and not file.is_symlink() else format_of(file)), None
    except UnknownFormat as error:
        return None, str(error)
    except OSError:  # said by whoever takes the file
        return None, None


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
