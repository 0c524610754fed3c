"""The audit for a person at a terminal: the verdict, what is broken, what differs from today, then the ancestry.

The ancestry is one small tree a folder of keys (a round), newest first, so that nothing is indented further than
a round is deep. A version is shown once; where it is an input again, or of another round, it is only named.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from o1_assets.audit.differences import commit
from o1_assets.audit.result import Audit, Audited

Name = tuple[str, str]


SHOWN = 400
"""Letters of a configuration or a list of libraries that are shown."""


LISTED = 20
"""Broken links that are listed; JSON and the page have all."""


def render(audit: Audit) -> RenderableType:
    return Group(*_verdict(audit), *_broken(audit), *_recorded(audit), *_remarks(audit), *_trees(audit))


def console() -> Console:
    """Lines are wrapped at the terminal's width, and not at all in a file or a pipe."""
    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=200)


def verdict(audit: Audit) -> str:
    """One line: what was looked at, and whether it holds."""
    said = audit.summary
    looked = f"{said['versions']} versions of {said['artifacts']} artifacts, {said['files']} files, "
    looked += f"{said['bytes'] / 2**20:.1f} MiB"
    if said["batches"]:
        looked += f", {said['batches']} label batches with {said['lines']:,} lines"
    count = len(audit.broken)
    holds = "everything is as it was recorded" if not count else f"{count} link{'s' * (count > 1)} broken"
    return f"{holds} ({looked}; {audit.seconds:.1f} s)"


def _verdict(audit: Audit) -> Iterator[Text]:
    made = audit.asked.manifest
    title = Text(audit.key, style="bold")
    if made:
        title.append(f"  {made.digest}", style="cyan").append(f"  {_when(made.finished)}", style="dim")
    yield title
    yield Text(
        f"{'✗' if audit.broken else '✓'} {verdict(audit)}", style="bold red" if audit.broken else "green"
    )


def _broken(audit: Audit) -> Iterator[Text]:
    for broken in audit.broken[:LISTED]:
        yield (
            Text("  ✗ ", style="red")
            .append(broken.key, style="bold")
            .append(f" ({broken.part}): {broken.message}")
        )
    if len(audit.broken) > LISTED:
        yield Text(f"  and {len(audit.broken) - LISTED} more; --json lists all", style="red")


def _recorded(audit: Audit) -> Iterator[Text]:
    """How the version that was asked about was made; of the others the page and --json tell the same."""
    made = audit.asked.manifest
    if made is None:
        return
    there = made.environment
    libraries = ", ".join(f"{name} {version}" for name, version in there.libraries.items())
    for name, value in (
        ("code", f"{made.code_version}, {commit(there)}"),
        ("seed", f"{made.seed}, profile {made.profile}"),
        (
            "machine",
            f"{there.hardware}, {there.threads} thread{'s' * (there.threads > 1)}, Python {there.python}",
        ),
        ("libraries", libraries),
        ("config", json.dumps(made.config)),
    ):
        yield Text(f"  {name:10}", style="dim").append(value if len(value) < SHOWN else f"{value[:SHOWN]} …")


def _remarks(audit: Audit) -> Iterator[Text]:
    if audit.remarks:
        yield Text("\nNot as today, and not broken", style="bold")
    for message, keys in audit.remarks.items():
        unique = list(dict.fromkeys(keys))
        whole = len(unique) == audit.summary["artifacts"]
        yield Text("  · ").append(message).append(f": {'all' if whole else named(unique)}", style="dim")


def _trees(audit: Audit) -> Iterator[RenderableType]:
    by_name = {(one.key, one.version): one for one in audit.versions}
    several = {key for key, versions in _versions(audit).items() if len(versions) > 1}
    shown: set[Name] = set()
    yield Text("\nMade from", style="bold")
    for folder in _folders(audit):
        tree = Tree(Text(folder, style="bold"), guide_style="dim")
        # What nothing later in the folder was made from comes first, its inputs below it.
        for one in reversed(audit.versions):
            if _folder(one.key) == folder and (one.key, one.version) not in shown:
                _branch(tree, one, by_name, shown, several)
        yield tree


def _branch(
    tree: Tree, one: Audited, by_name: dict[Name, Audited], shown: set[Name], several: set[str]
) -> None:
    shown.add((one.key, one.version))
    own: list[Name] = []
    named_only: list[Name] = []
    for name in (
        dict.fromkeys((i.key, i.version) for i in one.manifest.inputs.values()) if one.manifest else ()
    ):
        nested = _folder(name[0]) == _folder(one.key) and name not in shown
        (own if nested else named_only).append(name)
    branch = tree.add(_line(one, [_short(one, name, several) for name in named_only], several))
    for name in own:
        if name not in shown:  # an input of the one before it
            _branch(branch, by_name[name], by_name, shown, several)


def _line(one: Audited, inputs: list[str], several: set[str]) -> Text:
    style = "bold red" if one.broken else ""
    line = Text("✗ " if one.broken else "", style=style).append(_last(one.key), style=style or "bold")
    made = one.manifest
    if made is None:
        return line.append("  its manifest cannot be read", style=style)
    line.append(f"  {made.digest[:12]}", style="cyan").append(f"  {_when(made.finished)}", style="dim")
    line.append(f"  {made.cost.seconds:.1f} s", style="dim")
    if one.labels and one.labels.batches:
        line.append(f"  {_batches(one)}")
    if inputs:
        line.append(f"  from {named(inputs)}", style="dim")
    return line


def _batches(one: Audited) -> str:
    batches = one.labels.batches if one.labels else ()
    lines = sum(batch.lines for batch in batches)
    who = sorted({labeller for batch in batches for labeller in batch.rated_by})
    return f"{lines:,} lines in {len(batches)} batch{'es' * (len(batches) > 1)} by {named(who)}"


def named(names: Iterable[str]) -> str:
    """Names in a few words: r00/labels ... r09/labels (10) where many differ in their round only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.partition("/")[2] if "/" in name else name].append(name)
    words = [
        word
        for group in alike.values()
        for word in ([f"{group[0]} … {group[-1]} ({len(group)})"] if len(group) > 3 else group)
    ]
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _short(one: Audited, name: Name, several: set[str]) -> str:
    key, version = name
    word = _last(key) if _folder(key) == _folder(one.key) else key
    return f"{word} of {_when(version)}" if key in several else word


def _folders(audit: Audit) -> list[str]:
    """The one asked about first, then by where its newest version stands in the data, newest first."""
    return list(dict.fromkeys(_folder(one.key) for one in reversed(audit.versions)))


def _versions(audit: Audit) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for one in audit.versions:
        found[one.key].add(one.version)
    return found


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def _when(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment.partition("-")[0] if "T" in moment[:9] else moment).strftime(
            "%Y-%m-%d %H:%M"
        )
    except ValueError:
        return moment
