"""docs/results.md: every finished experiment in Markdown, each figure with the versions that it rests on.

The text depends on the versions in the store alone: no date, no path, nothing of the machine that writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from o1_assets.core.formatting import seconds
from o1_assets.experiments.result import (
    Claim,
    Result,
    cells,
    claim_interval,
    claim_target,
    claim_value,
    verdict,
)
from o1_assets.store.manifest import Manifest

# The experiment whose first picture stands at the top.
FIRST = "two_curves"

# Of a digest: as many as `o1 status` shows.
CHARACTERS = 12

# Rows of a table from which on it is folded.
LONG = 14

HEAD = """\
# Results

Written by `o1 results` from the artifacts of `o1 run --with ablations`: change nothing here by hand. Every number is
read from the artifact named below it; `o1 audit KEY` traces that to every problem, label, seed and line of code.
Intervals are 95%. A claim that was missed stands here as those that were met do.
"""


@dataclass(frozen=True)
class Finished:
    """manifest: of `ablations/<experiment>/result`. made_from: the part's versions that it rests on, itself last.

    stale: why it is not what today's code and settings would make; empty if it is. pictures: every PNG, by name.
    """

    result: Result
    manifest: Manifest
    made_from: Sequence[Manifest]
    stale: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def document(finished: Sequence[Finished], missing: Mapping[str, str], profile: str) -> str:
    """The whole text. missing: key of a result that was not made -> why, or what it would answer."""
    parts = [
        HEAD,
        *_summary(finished),
        *_missing(missing),
        *_picture_on_top(finished),
        *_cost(finished, profile),
    ]
    for experiment in finished:
        parts += _experiment(experiment)
    return "\n".join(parts).rstrip() + "\n"


def picture_files(finished: Sequence[Finished]) -> dict[str, bytes]:
    """File name -> PNG, of every picture that the text shows."""
    return {
        file_name(experiment.result.name, name): experiment.pictures[name]
        for experiment in finished
        for name in _shown_pictures(experiment)
    }


def file_name(experiment: str, picture: str) -> str:
    return re.sub(r"[^\w.-]+", "_", f"{experiment}-{picture}") + ".png"


def _summary(finished: Sequence[Finished]) -> list[str]:
    rows = [
        (*_claim_row(claim), f"[{experiment.result.title}](#{_anchor(experiment.result.title)})")
        for experiment in finished
        for claim in experiment.result.claims
        if claim.target is not None
    ]
    if not rows:
        return []
    return [
        *_table(("claim", "found", "95% interval", "target", "", "experiment"), rows, right=(1, 2, 3)),
        "",
    ]


def _missing(missing: Mapping[str, str]) -> list[str]:
    if not missing:
        return []
    return ["Not made:", "", *(f"- `{key}`: {why}" for key, why in missing.items()), ""]


def _picture_on_top(finished: Sequence[Finished]) -> list[str]:
    for experiment in finished:
        if experiment.result.name == FIRST and (shown := _shown_pictures(experiment)):
            return [_image(experiment, shown[0]), ""]
    return []


def _cost(finished: Sequence[Finished], profile: str) -> list[str]:
    every = {(m.key, m.version): m for experiment in finished for m in experiment.made_from}.values()
    machines = sorted({f"{m.environment.hardware}, {m.environment.threads} threads" for m in every})
    commits = sorted({str(m.environment.git_commit)[:CHARACTERS] for m in every if m.environment.git_commit})
    total = sum(m.cost.seconds for m in every)
    return [
        f"Profile `{profile}`. The {len(every)} artifacts of the experiments took {seconds(total)} one after another, "
        f"without the loop that they start from, on: {'; '.join(machines)}. "
        + (f"Commits: {', '.join(f'`{commit}`' for commit in commits)}." if commits else ""),
        "",
    ]


def _experiment(experiment: Finished) -> list[str]:
    result = experiment.result
    text = [f"## {result.title}", "", result.question, ""]
    if experiment.stale:
        text += [f"**Stale**: {experiment.stale}; `o1 run --with ablations` makes it again.", ""]
    if result.claims:
        rows = [_claim_row(claim) for claim in result.claims]
        text += [*_table(("claim", "found", "95% interval", "target", ""), rows, right=(1, 2, 3)), ""]
    on_top = _shown_pictures(experiment)[:1] if result.name == FIRST else []
    for name in _shown_pictures(experiment):
        if name not in on_top:
            text += [_image(experiment, name), ""]
    for table in result.tables.values():
        numeric, rows_ = cells(table.frame)
        right = [i for i, is_number in enumerate(numeric) if is_number]
        lines = _table(table.frame.columns, rows_, right)
        shown = [f"{table.title.removesuffix('.')}:", "", *lines, ""]
        text += shown if len(rows_) < LONG else _folded(table.title, lines)
    if result.notes:
        text += ["How it was measured:", "", *(f"- {note}" for note in result.notes), ""]
    return [*text, *_versions(experiment)]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return ["<details>", f"<summary>{_plain(title)}</summary>", "", *lines, "", "</details>", ""]


def _versions(experiment: Finished) -> list[str]:
    rows = [
        (f"`{m.key}`", _short(m.digest), str(m.seed), seconds(m.cost.seconds))
        for m in reversed(experiment.made_from)
    ]
    inputs = {item.key: item.digest for m in experiment.made_from for item in m.inputs.values()}
    keys = {m.key for m in experiment.made_from}
    others = [f"`{key}` {_short(inputs[key])}" for key in sorted(inputs) if key not in keys]
    return [
        "<details>",
        f"<summary>Versions and seeds of {experiment.result.name}: {len(rows)} "
        f"{'artifact' if len(rows) == 1 else 'artifacts'}, "
        f"{seconds(sum(m.cost.seconds for m in experiment.made_from))}</summary>",
        "",
        *_table(("artifact", "digest", "seed", "took"), rows, right=(3,)),
        "",
        f"Made from: {', '.join(others)}." if others else "Made from nothing else.",
        "",
        f"`o1 audit {experiment.manifest.key} --version {_short(experiment.manifest.digest).strip('`')}` traces them.",
        "",
        "</details>",
        "",
    ]


def _claim_row(claim: Claim) -> tuple[str, ...]:
    return (
        f"{claim.says} (`{claim.name}`)",
        claim_value(claim, claim.value),
        claim_interval(claim),
        claim_target(claim),
        {"met": "met", "missed": "**missed**"}.get(text := verdict(claim), text),
    )


def _shown_pictures(experiment: Finished) -> list[str]:
    """Pictures of several charts, then charts that are in none of those, then pictures that are no chart."""
    result = experiment.result
    inside = {chart for charts in result.panels.values() for chart in charts}
    known = [*result.panels, *(name for name in result.charts if name not in inside)]
    others = [name for name in sorted(experiment.pictures) if name not in {*known, *inside}]
    return [name for name in [*known, *others] if name in experiment.pictures]


def _image(experiment: Finished, name: str) -> str:
    chart = experiment.result.charts.get(name)
    alt = chart.axis.title if chart else f"{experiment.result.title}: {name.replace('_', ' ')}"
    return f"![{_plain(alt)}](results/{file_name(experiment.result.name, name)})"


def _short(digest: str) -> str:
    return f"`{digest[:CHARACTERS]}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    lines = [[_plain(name) for name in head], ["---:" if i in right else "---" for i in range(len(head))]]
    lines += [[_plain(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _plain(text: Any) -> str:
    """In one line, and nothing that ends a cell; < would begin a tag."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _anchor(title: str) -> str:
    """As GitHub names a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
