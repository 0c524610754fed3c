"""`o1 labels`: export, submit, close, reopen, import-prm800k."""

from __future__ import annotations

import getpass
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
import typer

from o1_assets.cli.common import JsonOption, ProfileOption, SetOption, print_json, settings_of
from o1_assets.core.errors import O1Error
from o1_assets.core.files import NotAFile
from o1_assets.core.settings import Settings
from o1_assets.graph import build_graph
from o1_assets.labels.export_missing import Which, export_to_file
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.withdrawal import find_batch, impact
from o1_assets.labels.protocol import Violation
from o1_assets.labels.round_inputs import known_round, round_inputs, round_names, selected_rounds
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import START, LabelStudio, LabelStudioError, connection, labeling_home
from o1_assets.labels.studio.pull import PullReport, progress_file, pull_labels
from o1_assets.labels.studio.push import PushReport, push_records
from o1_assets.labels.trace import Trace, trace
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore


class LabelsError(O1Error):
    """Labels could not be taken or imported; the message says what to do."""


def export(settings: Settings, round_name: str, output: Path | None, which: Which = "all") -> int:
    """Writes the round's solutions to `output`, or to stdout; returns their number."""
    inputs, inbox = round_inputs(settings, round_name), Inbox(settings.inbox)
    if output is not None:
        return export_to_file(inputs, inbox, output, which)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.jsonl"
        count = export_to_file(inputs, inbox, file, which)
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


def submit(settings: Settings, file: Path, round_name: str) -> dict[str, Any]:
    """Files a batch.

    {"accepted": lines, "refused": lines, "by_rule": rule -> count, "digest", "known", "quarantined", "quarantine":
    folder, "rejected": [{"line", "file", "solution", "step", "completion", "rule", "message", "reason"}]}
    """
    inputs, inbox = round_inputs(settings, round_name), Inbox(settings.inbox)
    try:
        report = inbox.submit(file, round_name, inputs.check())
    except FileNotFoundError:
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
    """What a labelling lead reads after a submission."""
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


def close(settings: Settings, round_name: str, reason: str) -> None:
    """Batches for the round are quarantined from now on."""
    Inbox(settings.inbox).close(known_round(settings, round_name), reason)


def reopen(settings: Settings, round_name: str) -> None:
    Inbox(settings.inbox).reopen(known_round(settings, round_name))


def import_published(settings: Settings, folder: Path, name: str) -> dict[str, Any]:
    """Makes a label source of PRM800K's files; its report and the profile setting that uses it.

    folder: with the files; "hub" fetches them.
    """
    from o1_assets.labels.prm800k.importer import fetch_prm800k, import_prm800k
    from o1_assets.labels.prm800k.source import LabelSource

    try:
        LabelSource(name=name)
    except ValueError as error:
        raise LabelsError(
            f"{name!r} cannot name a label source; use small letters, digits, - and _"
        ) from error
    try:
        if folder == Path("hub") and not folder.exists():
            folder = fetch_prm800k(settings.work / "prm800k")
        report = import_prm800k(folder, settings.imported / name)
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
    """The counts of an import: a line a count, a column a round."""
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


# `o1 labels ...` and `o1 labels studio ...`.

labels = typer.Typer(no_args_is_help=True, help="Send solutions out to be rated and take label batches in.")


studio = typer.Typer(no_args_is_help=True, help="Label Studio: rounds into it, labels out of it.")


labels.add_typer(studio, name="studio")


@labels.command("export")
def export_labels(
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
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
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the round's selection as PRM800K-shaped JSONL, ready to be rated."""

    if screening and missing:
        raise LabelsError("--screening and --missing exclude each other; give one of them")
    if as_json and output is None:
        raise typer.BadParameter(
            "stdout is where the solutions go; name a file with --output", param_hint="--json"
        )
    which: Literal["all", "screening", "missing"] = (
        "screening" if screening else "missing" if missing else "all"
    )
    count = export(settings_of(profile, set_), round_, output, which)
    said = f"{count} solutions of {round_} to be rated" if count else nothing_to_rate(round_, which)
    print(said, file=sys.stderr)
    if as_json:
        print_json({"round": round_, "which": which, "solutions": count, "file": str(output)})


@labels.command("submit")
def submit_labels(
    file: Annotated[Path, typer.Argument()],
    round_: Annotated[str, typer.Option("--round", help="r00, r01, ...")],
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a label batch and file it; prints what was accepted and why the rest was not."""

    result = submit(settings_of(profile, set_), file, round_)
    if as_json:
        print_json(result)
    else:
        print(*submit_lines(result, round_), sep="\n")
    if not result["accepted"]:
        raise typer.Exit(1)


@studio.command("push")
def push_studio(
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
    labelers: Annotated[int, typer.Option(min=1, help="how many people rate each solution")] = 1,
    screening: Annotated[
        bool, typer.Option("--screening", help="a project of what new labellers are tried on")
    ] = False,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the round's Label Studio project; doing it again adds only what is missing."""
    from dataclasses import asdict

    result = push(settings_of(profile, set_), round_, labelers, screening)
    if as_json:
        print_json(asdict(result))
        return
    print(f"{result.added} of {result.solutions} solutions of {round_} sent; label them at {result.url}")


@studio.command("pull")
def pull_studio(
    round_: Annotated[str | None, typer.Argument(metavar="[ROUND]")] = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """File what was labelled since the last pull, of one round or of all; `o1 run` then uses it."""
    from dataclasses import asdict

    result = pull(settings_of(profile, set_), round_)
    if as_json:
        print_json(asdict(result))
        return
    for name in result.accepted:
        print(
            f"{result.accepted[name]} records accepted into {name}, {len(result.rejected[name])} violations"
        )
        for reason in result.rejected[name]:
            print(f"  {reason}")
    if not result.accepted:
        print("nothing new")


@studio.command("serve", hidden=True)
def serve_studio(
    executable: Annotated[Path, typer.Argument()],
    port: Annotated[int, typer.Option()] = 8080,
    profile: ProfileOption = None,
    set_: SetOption = None,
) -> None:
    """Become the Label Studio server of this machine (`make labeling`)."""
    from o1_assets.labels.studio.server import serve

    serve(settings_of(profile, set_), executable, port)


@labels.command("close")
def close_labels(
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
    reason: Annotated[str, typer.Option(help="why; shown to whoever submits to it")] = "its labels are final",
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take no more batches for a round: what is sent for it is quarantined. `o1 labels reopen` undoes it."""

    close(settings_of(profile, set_), round_, reason)
    if as_json:
        print_json({"round": round_, "closed": True, "reason": reason})
    else:
        print(f"{round_} takes no more batches: {reason}")


@labels.command("reopen")
def reopen_labels(
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take batches for a closed round again."""

    reopen(settings_of(profile, set_), round_)
    if as_json:
        print_json({"round": round_, "closed": False})
    else:
        print(f"{round_} takes batches again")


@labels.command("import-prm800k")
def import_labels(
    folder: Annotated[
        Path, typer.Argument(help="with phase1_train.jsonl, phase2_train.jsonl, ...; hub fetches them")
    ],
    name: Annotated[str, typer.Option(help="what the profile calls the source")] = "prm800k",
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a label source of the published PRM800K: phase 1 for r00, generation g for the round g + 1."""

    result = import_published(settings_of(profile, set_), folder, name)
    if as_json:
        print_json(result)
    else:
        print(*import_lines(result), sep="\n")


@labels.command("trace")
def trace_labels(
    key: Annotated[str, typer.Argument(metavar="KEY", help="any artifact, such as r07/prm")],
    labeler: Annotated[str | None, typer.Option("--labeler", help="only this labeller's")] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="only this batch's: its digest's beginning")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="each label, not only how many")] = False,
    version: Annotated[
        str | None, typer.Option("--version", help="digest or name of an older version")
    ] = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which labels are in an artifact, by round, batch and labeller: as they were when it was made."""

    found = traced_labels(settings_of(profile, set_), key, version, labeler, batch, lines)
    if as_json:
        print(trace_json(found))
    else:
        print(*trace_lines(found), sep="\n")


@labels.command("withdraw")
def withdraw_labels(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="its digest or the beginning of it")],
    reason: Annotated[str, typer.Option(help="why; kept beside the batch")] = "",
    round_: Annotated[
        str | None, typer.Option("--round", help="where it is, if the same batch is in two")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be made again")] = False,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a batch out of its round; nothing is deleted. `o1 run` then makes again what was made of it."""

    result = withdraw(settings_of(profile, set_), batch, round_, reason, dry_run)
    if as_json:
        print_json(result)
    else:
        print(*withdraw_lines(result), sep="\n")


@labels.command("restore")
def restore_labels(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="its digest or the beginning of it")],
    reason: Annotated[str, typer.Option(help="why; kept beside the batch")] = "",
    round_: Annotated[
        str | None, typer.Option("--round", help="where it is, if the same batch is in two")
    ] = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a withdrawn batch back; `o1 run` then finds what was made of it."""

    result = restore(settings_of(profile, set_), batch, round_, reason)
    if as_json:
        print_json(result)
    else:
        print(f"batch {result['batch'][:12]} counts in {result['round']} again; `o1 run` takes it in")


# `o1 labels studio`: rounds into Label Studio, labels out of it.


def push(settings: Settings, round_name: str, labelers: int, screening: bool = False) -> PushReport:
    """screening: a project of the solutions that new labellers are tried on.

    Raises LabelStudioError, MissingInput, ProfileError; LabelsError where there is nothing to label.
    """
    with tempfile.TemporaryDirectory() as folder, _open(settings) as studio:
        file = Path(folder) / "export.jsonl"
        if not export(settings, round_name, file, "screening" if screening else "all"):
            raise LabelsError(nothing_to_rate(round_name, "screening" if screening else "all"))
        records = [Record.from_line(line) for line in file.read_bytes().splitlines()]
        return push_records(studio, settings.profile, records, labelers)


def pull(settings: Settings, round_name: str | None) -> PullReport:
    """Raises LabelStudioError, MissingInput, ProfileError."""
    if round_name is not None:
        round_inputs(settings, round_name)
    with _open(settings) as studio:
        return pull_labels(
            studio,
            settings.profile,
            Inbox(settings.inbox),
            lambda name: round_inputs(settings, name).check(),
            progress_file(settings),
            rounds=selected_rounds(settings) if round_name is None else {round_name},
        )


def _open(settings: Settings) -> LabelStudio:
    known = connection(labeling_home(settings))
    if known is None:
        raise LabelStudioError(f"no Label Studio is known; {START} and O1_LABEL_STUDIO_TOKEN")
    return LabelStudio(known.url, known.token)


# `o1 labels trace`: from an artifact to the labels that are in it.


def traced_labels(
    settings: Settings,
    key: str,
    version: str | None,
    labeler: str | None,
    batch: str | None,
    lines: bool,
) -> Trace:
    """Raises StoreError."""
    store = ArtifactStore(settings.store, settings.work)
    return trace(store, key, version, labeler=labeler, batch=batch, lines=lines)


def trace_json(found: Trace) -> str:
    """On one line, as there may be a million labels.

    {"key", "version", "digest", "tables": [{"key", "version", "digest"}], "labels": how many, "counts": [columns of
    COUNTS], "lines": [columns of LINES], if they were asked for}
    """
    tables = [{"key": m.key, "version": m.version, "digest": m.digest} for m in found.tables]
    content: dict[str, Any] = {
        "key": found.key,
        "version": found.version,
        "digest": found.digest,
        "tables": tables,
        "labels": int(found.counts["labels"].sum()),
        "counts": found.counts.to_dicts(),
    }
    if found.lines is not None:
        content["lines"] = found.lines.to_dicts()
    return msgspec.json.encode(content).decode()


def trace_lines(found: Trace) -> Iterator[str]:
    """What an auditor reads: a line a labeller of a batch, then a line a label if they were asked for."""
    counts = found.counts
    total, labellers = int(counts["labels"].sum()), counts["labeler"].n_unique()
    rounds = ", ".join(dict.fromkeys(m.key.split("/")[0] for m in found.tables))
    yield f"{found.key} {found.version}: {total} labels by {labellers} labellers, of {rounds or 'no round'}"
    several = len({m.key for m in found.tables}) < len(found.tables)
    if counts.height:
        yield f"{'round':6}{'batch':14}{'source':12}{'ratings':>8}{'labels':>8}{'+1':>8}{'0':>8}{'-1':>8}  labeller"
    for row in counts.iter_rows(named=True):
        numbers = "".join(f"{row[n]:8}" for n in ("ratings", "labels", "positive", "neutral", "negative"))
        of = f"  (of {row['version']})" if several else ""
        yield f"{row['round']:6}{row['batch'][:12]:14}{row['source']:12}{numbers}  {row['labeler']}{of}"
    if found.lines is not None and found.lines.height:
        yield "\t".join(
            ("round", "batch", "line", "solution", "step", "completion", "rating", "labeller", "text")
        )
        cells = [
            pl.col("round"), pl.col("batch").str.head(12), pl.col("line"), pl.col("solution_id"), pl.col("step"),
            pl.col("completion"), pl.col("rating").cast(pl.String).fill_null("-"), pl.col("labeler"), pl.col("text"),
        ]  # fmt: skip
        yield from found.lines.select(pl.concat_str(cells, separator="\t")).to_series()


# `o1 labels withdraw` and `restore`: a batch out of its round and back, and what is made of it.


def withdraw(settings: Settings, name: str, round_name: str | None, why: str, dry: bool) -> dict[str, Any]:
    """Takes a batch out of its round, or says what that would change.

    {"batch": digest, "round", "lines", "solutions", "labelers", "received", "labels", "ratings", "remade": keys,
    "waits": for what the round then waits, "withdrawn": {"who", "when", "why"} or null}
    """
    inbox, store = Inbox(settings.inbox), ArtifactStore(settings.store, settings.work)
    graph = build_graph(load_profile(settings.profile), settings)
    try:
        round_, digest = find_batch(inbox, _rounds(settings, round_name), name, withdrawn=False)
        inbox.check_withdrawable(round_, digest)
        change = impact(graph, store, inbox, round_, digest)
        move = None if dry else inbox.withdraw(round_, digest, _who(), why)
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
    """What a labelling lead reads of it."""
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


def restore(settings: Settings, name: str, round_name: str | None, why: str) -> dict[str, Any]:
    """Takes a withdrawn batch back: {"batch", "round", "restored": {"what", "who", "when", "why"}}."""
    inbox = Inbox(settings.inbox)
    try:
        round_, digest = find_batch(inbox, _rounds(settings, round_name), name, withdrawn=True)
        return {
            "batch": digest,
            "round": round_,
            "restored": asdict(inbox.restore(round_, digest, _who(), why)),
        }
    except ValueError as error:
        raise LabelsError(str(error)) from error


def _rounds(settings: Settings, round_name: str | None) -> list[str]:
    return round_names(settings) if round_name is None else [known_round(settings, round_name)]


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "somebody"
