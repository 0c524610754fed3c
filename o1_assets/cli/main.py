"""The `o1` command. Errors are one sentence on stderr and exit code 1; --json prints one JSON document on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from o1_assets.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
labels = typer.Typer(no_args_is_help=True, help="Send solutions out to be rated and take label batches in.")
studio = typer.Typer(no_args_is_help=True, help="Label Studio: rounds into it, labels out of it.")
app.add_typer(labels, name="labels")
labels.add_typer(studio, name="studio")

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="nano, micro, smol or qwen; else O1_PROFILE, else nano")
]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="digest or name of a version; today's without it")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override one number of the profile: --set prm.updates=200")
]


def _settings(profile: str | None, overrides: list[str] | None = None) -> Settings:
    if overrides:
        os.environ["O1_SET"] = " ".join([os.environ.get("O1_SET", ""), *overrides]).strip()
    if profile:  # whatever else reads the settings in this process has to read the same ones
        os.environ["O1_PROFILE"] = profile
    return Settings.load(profile)


def _print(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=False))


@app.command()
def run(
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="an optional part of the graph as well: thinking, ablations"),
    ] = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make everything that is missing or stale, in one run; ends with the headline and the report's path."""
    _run(_settings(profile, set_), as_json, include_missing=True, parts=with_ or ())


@app.command()
def refresh(profile: ProfileOption = None, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Make again what is stale and what was made from it; what was never made stays so."""
    _run(_settings(profile, set_), as_json, include_missing=False)


def _run(settings: Settings, as_json: bool, include_missing: bool, parts: Sequence[str] = ()) -> None:
    from o1_assets.cli.run import run as run_graph

    result = run_graph(settings, include_missing=include_missing, parts=parts)
    if result.reportable and (result.computed or not settings.report.exists()):
        _write_report(settings)
    for why in result.waiting.values():
        print(why, file=sys.stderr)
    if as_json:
        _print(
            {
                "computed": result.computed,
                "cached": result.cached,
                "seconds": round(result.seconds, 1),
                "waiting": result.waiting,
            }
        )
        return
    if result.reportable:
        _headline_table(settings)
    print(f"{result.computed} computed, {result.cached} cached, {result.seconds:.1f} s")
    print(f"report: {settings.report}" if result.reportable else "no report yet: no round was finished")


@app.command()
def status(profile: ProfileOption = None, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Every artifact: fresh, stale and why, or missing; every round: what it waits for."""
    from o1_assets.cli.status import round_lines, status_rows

    rows, rounds = status_rows(_settings(profile, set_))
    if as_json:
        _print(
            {
                "artifacts": rows,
                "waits": {name: state.waits for name, state in rounds.items() if state.waits},
                "rounds": {name: state.row() for name, state in rounds.items()},
            }
        )
        return
    for row in rows:
        print(f"{row['state']:8} {row['key']:24} {row['digest'] or '-':12}  {row['reason']}")
    for line in round_lines(rounds):
        print(line)


@app.command()
def plan(
    gpu: Annotated[
        str, typer.Option(help="h100, a100, l40s, ...: an unknown name lists them; cpu: as measured")
    ] = "cpu",
    utilisation: Annotated[float, typer.Option(help="share of the GPU's peak that is reached")] = 0.3,
    check: Annotated[
        bool, typer.Option("--check", help="compare the plan with what the store's versions really took")
    ] = False,
    assume: Annotated[
        list[str] | None, typer.Option(help="another assumption: --assume solution_tokens=300")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="an optional part of the graph as well: thinking")
    ] = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the profile will take, before it is spent: tokens, FLOPs, hours, labels and people's hours, disk.

    With --check the exit code is 1 if a stage was off by more than a factor of 1.5.
    """
    from o1_assets.cli import plan as planning

    settings = _settings(profile, set_)
    if not check:
        made, speed = planning.plan(settings, with_ or (), gpu, utilisation, assume or ())
        if as_json:
            _print(planning.plan_json(made, speed))
        else:
            planning.print_plan(made, speed)
        return
    compared, taken = planning.check(settings, assume or ())
    if as_json:
        _print(planning.check_json(compared, taken))
    else:
        planning.print_check(compared, taken)
    if not all(one.good for one in compared):
        raise typer.Exit(1)


@app.command()
def audit(
    key: Annotated[str, typer.Argument(help="r03/prm")],
    version: Annotated[
        str | None,
        typer.Option(help="a content digest or version name, or its beginning; today's without it"),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="also write a page with the graph to this file")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="make it again and compare")] = False,
    depth: Annotated[
        str, typer.Option(help="with --replay: 1 is the artifact, 2 also its inputs, ..., or all")
    ] = "1",
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify all that a version of an artifact was made from, down to every byte, batch, labeller and line.

    With --replay: make it again from its recorded inputs in a scratch folder, and say what differs.
    """
    settings = _settings(profile, set_)
    if replay:
        _replay(settings, key, version, depth, as_json)
        return
    from o1_assets.cli.audit import run_audit, show

    show(run_audit(settings, key, version), as_json, html)


@app.command()
def report(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Rebuild the HTML report and name it; --json prints every headline figure."""
    settings = _settings(profile)
    headline = _write_report(settings)
    if as_json:
        from o1_assets.reporting import ablations_of

        _print({"headline": headline, "ablations": ablations_of(settings), "report": str(settings.report)})
        return
    _headline_table(settings, headline)
    print(settings.report)


@app.command()
def results(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="where results.md and results/*.png go")
    ] = Path("docs"),
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write DIR/results.md from the finished experiments: claims, tables, plots, and the versions they rest on."""
    from o1_assets.cli.results import write_results

    written = write_results(_settings(profile, set_), folder)
    if as_json:
        _print(
            {
                "page": str(written.page),
                "pictures": [str(path) for path in written.pictures],
                "finished": written.finished,
                "stale": written.stale,
                "missing": written.missing,
            }
        )
        return
    for name, why in written.stale.items():
        print(f"stale: {name}: {why}", file=sys.stderr)
    for key in written.missing:
        print(f"not made: {key}", file=sys.stderr)
    print(written.page)


@app.command()
def ask(
    questions: Annotated[list[str], typer.Argument(metavar="QUESTION...", help="- reads stdin, one a line")],
    effort: Annotated[str, typer.Option(help="how hard to think: low, medium, high")] = "medium",
    tokens: Annotated[
        int | None, typer.Option(help="a budget of tokens a question, instead of --effort")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="how to think instead: an unknown name lists what there is")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="base/model, generator/model or rNN/policy; else the newest policy")
    ] = None,
    show_tree: Annotated[bool, typer.Option("--show-tree", help="show what was thought on the way")] = False,
    tree: Annotated[Path | None, typer.Option(help="write that as an interactive HTML page")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    profile: ProfileOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let baby-o1 answer: its reasoning step by step, and the answer."""
    from o1_assets.cli import ask as thinking

    if tree is not None:
        thinking.check_page(tree)
    settings = _settings(profile, set_)
    asked = thinking.ask(
        settings,
        thinking.questions_from(questions),
        effort=effort,
        tokens=tokens,
        strategy=strategy,
        model=model,
        seed=seed,
    )
    if tree is not None:
        thinking.write_page(asked, tree)
    if as_json:
        _print(asked.to_json())
        return
    if show_tree:
        thinking.print_trees(asked)
    print(*asked.lines(), sep="\n")
    if tree is not None:
        print(f"tree: {tree}")


@app.command()
def gc(
    yes: Annotated[bool, typer.Option("--yes", help="remove it; without, only say what would go")] = False,
    keep_days: Annotated[
        float, typer.Option(min=0, help="keep every version and run younger than this")
    ] = 30,
    pin: Annotated[str | None, typer.Option(metavar="KEY[@VERSION]", help="keep it for ever")] = None,
    unpin: Annotated[str | None, typer.Option(metavar="KEY[@VERSION]", help="no longer")] = None,
    reason: Annotated[str, typer.Option(help="of a pin, for those who come after you")] = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what no kept version needs: old versions, what killed runs left, Dagster's old runs.

    Kept are today's versions, pinned ones, those younger than --keep-days, and all that these were made from, so
    that their audit stays complete. Label batches are never touched.
    """
    from o1_assets.cli.gc import add_pin, collect, list_pins, remove_pin

    settings = _settings(profile)
    if pin and not reason:
        raise typer.BadParameter("say why with --reason, for those who come after you", param_hint="--pin")
    if pin or unpin:
        changed = add_pin(settings, pin, reason) if pin else remove_pin(settings, unpin or "")
        if as_json:
            _print({"pins": [vars(entry) for entry in list_pins(settings)]})
        else:
            print(f"{'pinned' if pin else 'no longer pinned'}: {changed.key} {changed.version}")
        return
    result = collect(settings, keep_days=keep_days, yes=yes)
    if as_json:
        _print(result.document())
    else:
        print(*result.lines(), sep="\n")


def _replay(settings: Settings, key: str, version: str | None, depth: str, as_json: bool) -> None:
    from o1_assets.cli.replay import failed, replay_json, replay_lines, run_replay

    results = run_replay(settings, key, version, depth)
    if as_json:
        _print(replay_json(results))
    else:
        print(*replay_lines(results), sep="\n")
    if failed(results):
        raise typer.Exit(1)


@app.command()
def card(
    key: Annotated[str, typer.Argument(metavar="KEY", help="a checkpoint, as in r03/policy")],
    version: VersionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a checkpoint's model card (Hugging Face format): data, labels, figures, compute, lineage."""
    from o1_assets.cli.card import card as card_of

    text = card_of(_settings(profile), key, version)
    if as_json:
        _print({"key": key, "card": text})
    else:
        print(text)


@app.command("export")
def export_checkpoint(
    key: Annotated[str, typer.Argument(metavar="KEY", help="a checkpoint, as in r10/policy")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="new, empty, or an earlier export")],
    version: VersionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a checkpoint as a folder for the Hugging Face Hub: weights, config, tokenizer, model card.

    A reward model that reads the generator's log-probabilities comes with that generator.
    """
    from o1_assets.cli.export import export, export_json, export_lines

    exported = export(_settings(profile), key, folder, version)
    if as_json:
        _print(export_json(exported))
    else:
        print(*export_lines(exported), sep="\n")


@app.command("dagster-home", hidden=True)
def dagster_home(profile: ProfileOption = None) -> None:
    """Print the folder of the profile's Dagster instance (made on first use)."""
    from o1_assets.dagster_instance import make_instance

    settings = _settings(profile)
    make_instance(settings)
    print(settings.dagster_home())


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
) -> None:
    """Write the round's selection as PRM800K-shaped JSONL, ready to be rated."""
    from o1_assets.cli.labels import LabelsError, export, nothing_to_rate

    if screening and missing:
        raise LabelsError("--screening and --missing exclude each other; give one of them")
    which: Literal["all", "screening", "missing"] = (
        "screening" if screening else "missing" if missing else "all"
    )
    count = export(_settings(profile), round_, output, which)
    said = f"{count} solutions of {round_} to be rated" if count else nothing_to_rate(round_, which)
    print(said, file=sys.stderr)


@labels.command("submit")
def submit_labels(
    file: Annotated[Path, typer.Argument()],
    round_: Annotated[str, typer.Option("--round", help="r00, r01, ...")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a label batch and file it; prints what was accepted and why the rest was not."""
    from o1_assets.cli.labels import submit, submit_lines

    result = submit(_settings(profile), file, round_)
    if as_json:
        _print(result)
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
    as_json: JsonOption = False,
) -> None:
    """Make the round's Label Studio project; doing it again adds only what is missing."""
    from dataclasses import asdict

    from o1_assets.cli.studio import push

    result = push(_settings(profile), round_, labelers, screening)
    if as_json:
        _print(asdict(result))
        return
    print(f"{result.added} of {result.solutions} solutions of {round_} sent; label them at {result.url}")


@studio.command("pull")
def pull_studio(
    round_: Annotated[str | None, typer.Argument(metavar="[ROUND]")] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """File what was labelled since the last pull, of one round or of all; `o1 run` then uses it."""
    from dataclasses import asdict

    from o1_assets.cli.studio import pull

    result = pull(_settings(profile), round_)
    if as_json:
        _print(asdict(result))
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
) -> None:
    """Become the Label Studio server of this machine (`make labeling`)."""
    from o1_assets.labels.studio.server import serve

    serve(_settings(profile), executable, port)


@labels.command("close")
def close_labels(
    round_: Annotated[str, typer.Argument(metavar="ROUND")],
    reason: Annotated[str, typer.Option(help="why; shown to whoever submits to it")] = "its labels are final",
    profile: ProfileOption = None,
) -> None:
    """Take no more batches for a round: what is sent for it is quarantined. `o1 labels reopen` undoes it."""
    from o1_assets.cli.labels import close

    close(_settings(profile), round_, reason)


@labels.command("reopen")
def reopen_labels(
    round_: Annotated[str, typer.Argument(metavar="ROUND")], profile: ProfileOption = None
) -> None:
    """Take batches for a closed round again."""
    from o1_assets.cli.labels import reopen

    reopen(_settings(profile), round_)


@labels.command("import-prm800k")
def import_labels(
    folder: Annotated[
        Path, typer.Argument(help="with phase1_train.jsonl, phase2_train.jsonl, ...; hub fetches them")
    ],
    name: Annotated[str, typer.Option(help="what the profile calls the source")] = "prm800k",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a label source of the published PRM800K: phase 1 for r00, generation g for the round g + 1."""
    from o1_assets.cli.labels import import_lines, import_published

    result = import_published(_settings(profile), folder, name)
    if as_json:
        _print(result)
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
    as_json: JsonOption = False,
) -> None:
    """Which labels are in an artifact, by round, batch and labeller: as they were when it was made."""
    from o1_assets.cli.trace import trace_json, trace_labels, trace_lines

    found = trace_labels(_settings(profile), key, version, labeler, batch, lines)
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
    as_json: JsonOption = False,
) -> None:
    """Take a batch out of its round; nothing is deleted. `o1 run` then makes again what was made of it."""
    from o1_assets.cli.withdrawal import withdraw, withdraw_lines

    result = withdraw(_settings(profile), batch, round_, reason, dry_run)
    if as_json:
        _print(result)
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
    as_json: JsonOption = False,
) -> None:
    """Take a withdrawn batch back; `o1 run` then finds what was made of it."""
    from o1_assets.cli.withdrawal import restore

    result = restore(_settings(profile), batch, round_, reason)
    if as_json:
        _print(result)
    else:
        print(f"batch {result['batch'][:12]} counts in {result['round']} again; `o1 run` takes it in")


def _write_report(settings: Settings) -> dict[str, Any]:
    from o1_assets.reporting import write_report

    return write_report(settings)


def _headline_table(settings: Settings, headline: dict[str, Any] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    from o1_assets.reporting import headline_of

    table = Table(title="Headline", title_justify="left")
    for column in ("figure", "value", "±", "target", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for name, row in (headline or headline_of(settings)).items():
        value, target, spread = row["value"], row["target"], row["spread"]
        met = None
        if target is not None and value is not None:
            met = value >= target if row["better"] == "higher" else value <= target
        table.add_row(
            name,
            "-" if value is None else f"{value:.3f}",
            "" if spread is None else f"{spread:.3f}",
            "" if target is None else f"{'≥' if row['better'] == 'higher' else '≤'} {target:.3f}",
            "" if met is None else ("met" if met else "missed"),
        )
    Console().print(table)


def main() -> None:
    try:
        app()
    except KeyboardInterrupt:
        print("o1: interrupted; what was finished is kept, `o1 run` continues", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        print(f"o1: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def _message(error: Exception) -> str | None:
    """For the person at the terminal; None if the error is a defect, whose traceback is wanted."""
    from o1_assets.cli.errors import EXPECTED  # which imports every command: half of a start
    from o1_assets.trouble import disk_full

    if isinstance(error, EXPECTED):
        return str(error)
    full = disk_full(error, Settings.load().home) if isinstance(error, OSError) else None
    return str(full) if full else None
