"""The `o1` command. Errors are one sentence on stderr and exit code 1; --json prints one JSON document on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from o1_assets.cli.common import (
    JsonOption,
    ProfileOption,
    SetOption,
    VersionOption,
    print_json,
    settings_of,
)
from o1_assets.cli.labels import labels
from o1_assets.cli.report import print_headline
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


app.add_typer(labels, name="labels")


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
    _run(settings_of(profile, set_), as_json, include_missing=True, parts=with_ or ())


@app.command()
def refresh(profile: ProfileOption = None, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Make again what is stale and what was made from it; what was never made stays so."""
    _run(settings_of(profile, set_), as_json, include_missing=False)


def _run(settings: Settings, as_json: bool, include_missing: bool, parts: Sequence[str] = ()) -> None:
    from o1_assets.cli.run import run as run_graph

    result = run_graph(settings, include_missing=include_missing, parts=parts)
    if result.reportable and (result.computed or not settings.report.exists()):
        _write_report(settings)
    for why in result.waiting.values():
        print(why, file=sys.stderr)
    if as_json:
        print_json(
            {
                "computed": result.computed,
                "cached": result.cached,
                "seconds": round(result.seconds, 1),
                "waiting": result.waiting,
            }
        )
        return
    if result.reportable:
        print_headline(settings)
    print(f"{result.computed} computed, {result.cached} cached, {result.seconds:.1f} s")
    print(f"report: {settings.report}" if result.reportable else "no report yet: no round was finished")


@app.command()
def status(profile: ProfileOption = None, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Every artifact: fresh, stale and why, or missing; every round: what it waits for."""
    from o1_assets.cli.status import round_lines, status_rows

    rows, rounds = status_rows(settings_of(profile, set_))
    if as_json:
        print_json(
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
        str | None,
        typer.Option(help="h100, a100, l40s, ...: an unknown name lists them; cpu, as measured, without it"),
    ] = None,
    utilisation: Annotated[
        float | None, typer.Option(help="share of the GPU's peak that is reached; 0.3 without it")
    ] = None,
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

    if check:
        given = {"--gpu": gpu, "--utilisation": utilisation, "--with": with_}
        _exclusive(
            "--check", given, "everything that was made is compared with what it took where it was made"
        )
    settings = settings_of(profile, set_)
    if not check:
        speed_share = planning.UTILISATION if utilisation is None else utilisation
        made, speed = planning.plan(settings, with_ or (), gpu or "cpu", speed_share, assume or ())
        if as_json:
            print_json(planning.plan_json(made, speed))
        else:
            planning.print_plan(made, speed)
        return
    compared, taken = planning.check(settings, assume or ())
    if as_json:
        print_json(planning.check_json(compared, taken))
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
    if replay:
        _exclusive("--replay", {"--html": html}, "the page is of an audit without it")
        _replay(settings_of(profile, set_), key, version, depth, as_json)
        return
    from o1_assets.cli.audit import HTML, run_audit, show
    from o1_assets.cli.common import check_page

    if html is not None:
        check_page(html, HTML)
    settings = settings_of(profile, set_)
    show(run_audit(settings, key, version), as_json, html)


@app.command()
def report(profile: ProfileOption = None, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Rebuild the HTML report and name it; --json prints every headline figure."""
    settings = settings_of(profile, set_)
    headline = _write_report(settings)
    if as_json:
        from o1_assets.report.write import ablations_of

        print_json(
            {"headline": headline, "ablations": ablations_of(settings), "report": str(settings.report)}
        )
        return
    print_headline(settings, headline)
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
    from o1_assets.cli.report import write_results

    written = write_results(settings_of(profile, set_), folder)
    if as_json:
        print_json(
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
    from o1_assets.cli.common import check_page

    if tree is not None:
        check_page(tree, thinking.TREE)
    settings = settings_of(profile, set_)
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
        print_json(asked.to_json())
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
        float | None, typer.Option(min=0, help="keep every version and run younger than this; 30 without it")
    ] = None,
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
    from o1_assets.cli.gc import KEEP_DAYS, add_pin, collect, list_pins, remove_pin

    settings = settings_of(profile)
    if pin or unpin:
        given = {"--unpin": pin and unpin, "--yes": yes or None, "--keep-days": keep_days}
        _exclusive("--pin" if pin else "--unpin", given, "a pin is set or taken away in a call of its own")
    if reason and not pin:
        raise typer.BadParameter("it is the reason of a --pin", param_hint="--reason")
    if pin and not reason:
        raise typer.BadParameter("say why with --reason, for those who come after you", param_hint="--pin")
    if pin or unpin:
        changed = add_pin(settings, pin, reason) if pin else remove_pin(settings, unpin or "")
        if as_json:
            print_json({"pins": [vars(entry) for entry in list_pins(settings)]})
        else:
            print(f"{'pinned' if pin else 'no longer pinned'}: {changed.key} {changed.version}")
        return
    result = collect(settings, keep_days=KEEP_DAYS if keep_days is None else keep_days, yes=yes)
    if as_json:
        print_json(result.document())
    else:
        print(*result.lines(), sep="\n")


def _exclusive(option: str, others: Mapping[str, object], why: str) -> None:
    """Refuses what would be dropped silently. others: option -> what was given for it, or None."""
    given = [name for name, value in others.items() if value is not None and value != []]
    if given:
        raise typer.BadParameter(f"not together with {option}: {why}", param_hint=", ".join(given))


def _replay(settings: Settings, key: str, version: str | None, depth: str, as_json: bool) -> None:
    from o1_assets.cli.replay import failed, replay_json, replay_lines, run_replay

    results = run_replay(settings, key, version, depth)
    if as_json:
        print_json(replay_json(results))
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
    from o1_assets.cli.export import card as card_of

    text = card_of(settings_of(profile), key, version)
    if as_json:
        print_json({"key": key, "card": text})
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

    exported = export(settings_of(profile), key, folder, version)
    if as_json:
        print_json(export_json(exported))
    else:
        print(*export_lines(exported), sep="\n")


@app.command("dagster-home", hidden=True)
def dagster_home(profile: ProfileOption = None) -> None:
    """Print the folder of the profile's Dagster instance (made on first use)."""
    from o1_assets.orchestration.instance import make_instance

    settings = settings_of(profile)
    make_instance(settings)
    print(settings.dagster_home())


def _write_report(settings: Settings) -> dict[str, Any]:
    from o1_assets.report.write import write_report

    return write_report(settings)


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
    from o1_assets.core.disk import disk_full

    # A file that the user named and that is not there: the system's own sentence already names it.
    if isinstance(error, O1Error | FileNotFoundError):
        return str(error)
    full = disk_full(error, Settings.load().home) if isinstance(error, OSError) else None
    return str(full) if full else None
