"""`o1 labels`: export, submit, close, reopen, import-prm800k."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from o1_assets.files import NotAFile
from o1_assets.labels.export_file import Which, export_to_file
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import known_round, round_inputs
from o1_assets.labels.violation import Violation
from o1_assets.settings import Settings


class LabelsError(Exception):
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
    from o1_assets.labels.hub_prm800k import fetch_prm800k
    from o1_assets.labels.import_prm800k import import_prm800k
    from o1_assets.labels.source import LabelSource

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
