"""The audit as text for a terminal: the verdict, what is broken, what differs from today, then the ancestry.

The ancestry is listed by folders of keys (rounds), newest first, with a line for each version and its inputs. The page
draws the graph and, like the JSON document, shows everything that is recorded of each version.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Console, Group
from rich.text import Text

from o1_assets.audit.result import Audit, AuditedVersion, LabelTrail
from o1_assets.execution.differences import commit

# How many letters of a configuration or a list of libraries are shown, and how many broken links.
SHOWN, LISTED = 400, 20


def render(audit: Audit) -> Group:
    return Group(*_verdict(audit), *_recorded(audit), *_remarks(audit), *_ancestry(audit))


def console() -> Console:
    """Lines are wrapped at the terminal's width, and not at all in a file or a pipe."""
    shown = Console(highlight=False)
    # rich takes 80 columns where there is no terminal, and would break digests in a log.
    return shown if shown.is_terminal else Console(highlight=False, width=200)


def _verdict(audit: Audit) -> Iterator[Text]:
    title, made = Text(audit.key, style="bold"), audit.asked.manifest
    if made:
        title.append(f"  {made.digest}", style="cyan").append(f"  {_minute(made.finished)}", style="dim")
    yield title
    mark, style = ("✗", "bold red") if audit.broken else ("✓", "green")
    yield Text(f"{mark} {audit.verdict}", style=style)
    for broken in audit.broken[:LISTED]:
        line = Text("  ✗ ", style="red").append(broken.key, style="bold")
        yield line.append(f" ({broken.part}): {broken.message}")
    if len(audit.broken) > LISTED:
        yield Text(f"  and {len(audit.broken) - LISTED} more; --json lists all", style="red")


def _recorded(audit: Audit) -> Iterator[Text]:
    """How the audited version was made."""
    made = audit.asked.manifest
    if made is None:
        return
    then = made.environment
    threads = f"{then.threads} thread{'s' * (then.threads > 1)}"
    for name, value in {
        "code": f"{made.code_version}, {commit(then)}",
        "seed": f"{made.seed}, profile {made.profile}",
        "machine": f"{then.hardware}, {threads}, Python {then.python}",
        "libraries": ", ".join(f"{name} {version}" for name, version in then.libraries.items()),
        "config": json.dumps(made.config),
    }.items():
        yield Text(f"  {name:10}", style="dim").append(value if len(value) < SHOWN else f"{value[:SHOWN]} …")


def _remarks(audit: Audit) -> Iterator[Text]:
    if audit.remarks:
        yield Text("\nNot as today, and not broken", style="bold")
    for message, keys in audit.remarks.items():
        unique = list(dict.fromkeys(keys))
        whole = len(unique) == audit.summary["artifacts"]
        yield Text("  · ").append(message).append(f": {'all' if whole else in_short(unique)}", style="dim")


def _ancestry(audit: Audit) -> Iterator[Text]:
    folders: dict[str, list[AuditedVersion]] = defaultdict(list)
    for version in reversed(audit.versions):  # what was asked about comes first, and each before its inputs
        folders[version.key.rpartition("/")[0]].append(version)
    keys = [version.key for version in audit.versions]
    several = {key for key in keys if keys.count(key) > 1}
    yield Text("\nMade from", style="bold")
    for folder, versions in folders.items():
        yield Text(folder, style="bold")
        yield from (_line(version, folder, several) for version in versions)


def _line(version: AuditedVersion, folder: str, several: set[str]) -> Text:
    """several: keys of which the ancestry holds more than one version, which are told apart by their dates."""
    style = "bold red" if version.broken else "bold"
    line = Text("  ✗ " if version.broken else "  ", style=style).append(_within(version.key, folder), style)
    made = version.manifest
    if made is None:
        return line.append("  its manifest cannot be read", style=style)
    line.append(f"  {made.digest[:12]}", style="cyan").append(f"  {_minute(made.finished)}", style="dim")
    line.append(f"  {made.cost.seconds:.1f} s", style="dim")
    if version.labels and version.labels.batches:
        line.append(f"  {_batches(version.labels)}")
    inputs = [
        _within(key, folder) + (f" of {_minute(name)}" if key in several else "")
        for key, name in version.inputs
    ]
    return line.append(f"  from {in_short(inputs)}", style="dim") if inputs else line


def _batches(labels: LabelTrail) -> str:
    batches = labels.batches
    lines = sum(batch.lines for batch in batches)
    labellers = sorted({labeller for batch in batches for labeller in batch.rated_by})
    return f"{lines:,} lines in {len(batches)} batch{'es' * (len(batches) > 1)} by {in_short(labellers)}"


def in_short(names: Iterable[str]) -> str:
    """Names in a few words: r00/labels … r09/labels (10) where many differ in their round only."""
    # A PRM of round 10 is made from eleven tables of labels.
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.partition("/")[2] if "/" in name else name].append(name)
    words = [
        word
        for group in alike.values()
        for word in ([f"{group[0]} … {group[-1]} ({len(group)})"] if len(group) > 3 else group)
    ]
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _within(key: str, folder: str) -> str:
    """A key without its own folder's name."""
    return key.removeprefix(f"{folder}/")


def _minute(moment: str) -> str:
    """A time to the minute. moment: ISO 8601, or a version's name, which begins with a time without punctuation."""
    compact = "T" in moment[:9]
    try:
        time = datetime.fromisoformat(moment.partition("-")[0] if compact else moment)
        return time.strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment
