"""`o1 labels ...` and `o1 labels studio ...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from o1_assets.cli.options import JsonOption, ProfileOption, SetOption, print_json, settings_of

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
    from o1_assets.cli.labels import LabelsError, export, nothing_to_rate

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
    from o1_assets.cli.labels import submit, submit_lines

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

    from o1_assets.cli.studio import push

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

    from o1_assets.cli.studio import pull

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
    from o1_assets.cli.labels import close

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
    from o1_assets.cli.labels import reopen

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
    from o1_assets.cli.labels import import_lines, import_published

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
    from o1_assets.cli.trace import trace_json, trace_labels, trace_lines

    found = trace_labels(settings_of(profile, set_), key, version, labeler, batch, lines)
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
    from o1_assets.cli.withdrawal import withdraw, withdraw_lines

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
    from o1_assets.cli.withdrawal import restore

    result = restore(settings_of(profile, set_), batch, round_, reason)
    if as_json:
        print_json(result)
    else:
        print(f"batch {result['batch'][:12]} counts in {result['round']} again; `o1 run` takes it in")
