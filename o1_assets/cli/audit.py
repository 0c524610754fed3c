"""`o1 audit`: verifies an artifact's ancestry and shows it as text, JSON or a page; --replay makes it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from o1_assets.audit.audit import Today, audit
from o1_assets.audit.compare import FigureDifference
from o1_assets.audit.lines import Homes
from o1_assets.audit.replay import Replayed, Watch, replay, worst
from o1_assets.audit.result import Audit, document
from o1_assets.cli.common import Answer, StatusLine, check_page, command, refuse_together, write_page
from o1_assets.core.errors import O1Error
from o1_assets.core.formatting import figure_text
from o1_assets.execution.environment import environment
from o1_assets.execution.project import Project

app = typer.Typer()
HTML = "--html"

# How many files and figures of a replayed artifact a person is shown; --json has all.
SHOWN = 6


class AuditFailed(O1Error):
    """Something in the ancestry is not as it was recorded; the message names the first broken link."""


class BadDepth(O1Error, ValueError):
    """The depth is neither a whole number from 1 nor `all`."""


@command(app, "audit")
def audit_command(
    project: Project,
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
) -> Answer:
    """Verify all that a version of an artifact was made from, down to every byte, batch, labeller and line.

    With --replay: make it again from its recorded inputs in a scratch folder, and say what differs.
    """
    if replay:
        refuse_together("--replay", {HTML: html}, "the page is of an audit without it")
        return _replay_answer(run_replay(project, key, version, depth))
    check_page(html, HTML)
    return audit_answer(run_audit(project, key, version), html)


def run_audit(project: Project, key: str, version: str | None = None) -> Audit:
    """Audits a version against today's graph and inbox. Raises ProfileError, and StoreError if there is none."""
    today = Today(project.graph, environment(project.profile.threads))
    homes = Homes(project.inbox, project.settings.imported)
    return audit(project.store, key, version, today=today, homes=homes)


def audit_answer(result: Audit, html: Path | None) -> Answer:
    """Writes the page if one is asked for, and fails with AuditFailed if anything is broken. Raises PageError."""
    if html is not None:
        from o1_assets.audit.page import page

        write_page(html, page(result), HTML)

    def show() -> None:
        from o1_assets.audit.text import console, render

        console().print(render(result))
        if html is not None:
            print(f"page: {html}")

    # Raised only after the audit is printed: what is sound in the ancestry is worth reading too.
    error = AuditFailed(str(result.broken[0])) if result.broken else None
    return Answer(lambda: document(result), show, error)


# Replays.


def run_replay(project: Project, key: str, version: str | None, depth: str) -> list[Replayed]:
    """Makes a version again and compares it, with progress on stderr. depth: as `parse_depth` takes it.

    Raises BadDepth, StoreError.
    """
    generations = parse_depth(depth)
    return replay(
        project.store, project.settings, project.profile, key, version, generations, _ReplayProgress()
    )


def parse_depth(text: str) -> int | None:
    """How many generations of an ancestry are made again; None for `all`. Raises BadDepth."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise BadDepth(f"--depth {text!r} is no depth; give 1, 2, ... or all")
    return int(text)


def _replay_answer(results: list[Replayed]) -> Answer:
    # Within the tolerance is no failure: another machine or number of threads adds in another order.
    verdict = worst(results)
    return Answer(
        {"verdict": verdict, "artifacts": [_row(result) for result in results]},
        replay_lines(results),
        typer.Exit(1) if verdict == "differs" else None,
    )


def replay_lines(results: list[Replayed]) -> Iterator[str]:
    """A line for each artifact, below it what differs and why; the verdict of all comes last."""
    for result in results:
        manifest = result.manifest
        yield (
            f"{result.verdict:22} {manifest.key:24} {manifest.digest[:12]} -> {(result.digest or 'not made')[:12]:12} "
            f"{result.seconds:7.1f} s, then {manifest.cost.seconds:.1f} s"
        )
        yield from (f"    {clause}" for clause in _explained(result))
    counts = Counter(result.verdict for result in results)
    yield f"{worst(results)}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def _explained(result: Replayed) -> Iterator[str]:
    # What has changed since is named even where the bytes are equal: it shows the change to be harmless.
    word = "differs because" if result.verdict != "equal bytes" else "although"
    yield from (f"{word} {clause}" for clause in result.because)
    yield from (f"{file.path}: {file.what}" for file in result.files[:SHOWN])
    if len(result.files) > SHOWN:
        yield f"and {len(result.files) - SHOWN} more files (--json)"
    # Figures beyond their tolerance first: they decide the verdict.
    beyond_first = sorted(result.figures, key=lambda figure: figure.within)
    for figure in beyond_first[:SHOWN]:
        if figure.recorded is None or figure.replayed is None:
            yield f"{figure.name}: {_only(figure)}"
            continue
        far = "" if figure.relative is None else f", {figure.relative:.2%} apart"
        allowed = f"{figure.tolerance:.0%} allowed"
        if not figure.within:
            allowed = f"more than the {allowed}"
        values = [figure_text(value, ".5g") for value in (figure.recorded, figure.replayed)]
        yield f"{figure.name}: {values[0]} -> {values[1]}{far}, {allowed}"
    if len(result.figures) > SHOWN:
        yield f"and {len(result.figures) - SHOWN} more figures (--json)"
    yield from (f"note: {note}" for note in result.notes)


def _only(figure: FigureDifference) -> str:
    """Of a figure that only one of the two has, as where another release named it otherwise."""
    if figure.recorded is None:
        return f"was not given, is {figure_text(figure.replayed, '.5g')} now"
    return f"was {figure_text(figure.recorded, '.5g')}, is not given now"


def _row(result: Replayed) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "key": manifest.key,
        "version": manifest.version,
        "verdict": result.verdict,
        "digest": manifest.digest,
        "digest_replayed": result.digest,
        "because": list(result.because),
        "notes": list(result.notes),
        "files": [asdict(file) for file in result.files],
        "figures": [asdict(figure) for figure in result.figures],
        "seconds": round(result.seconds, 2),
        "seconds_recorded": round(manifest.cost.seconds, 2),
    }


class _ReplayProgress(Watch):
    """A line on stderr for each artifact that was made again. Its own progress is overwritten by the next line."""

    def __init__(self) -> None:
        self._lines = StatusLine("            ")

    def started(self, key: str, number: int, total: int) -> None:
        self._lines.replace(f"[{number}/{total}] {key} ...")

    def line(self, key: str, text: str) -> None:
        self._lines.replace(f"{key}: {text}")

    def done(self, replayed: Replayed, number: int, total: int) -> None:
        self._lines.keep(
            f"[{number:3}/{total}] {replayed.seconds:7.1f} s  {replayed.manifest.key:24} {replayed.verdict}"
        )
