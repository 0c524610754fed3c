"""docs/results.md, one table of claims, and a page for each experiment, in Markdown.

The texts depend on the records alone: no date of today, no path, nothing of the machine that writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from o1_assets.core.formatting import seconds
from o1_assets.experiments.record import Record, claims_of, part_of, stem
from o1_assets.experiments.result import Claim, claim_interval, claim_target, claim_value, verdict

# Rows of a table from which on it is folded.
LONG = 14

HEAD = """\
# Results

Written by `o1 results` from [results.json](results.json): change nothing here by hand. Every figure is read from an
artifact; an experiment's page names its version, and `o1 audit KEY` traces that to every problem, label, seed and line
of code. Intervals are 95%. A claim that was missed stands here as those that were met do. Experiments are made at
different times: the second table says at which commits each was.
"""


def page(records: Sequence[Record], missing: Mapping[str, str]) -> str:
    """results.md. missing: key of a result that was not made -> why, or what it would answer."""
    parts = [HEAD, *_claims(records), *_experiments(records), *_missing(missing)]
    return "\n".join(parts).rstrip() + "\n"


def experiment_page(record: Record) -> str:
    """The page of one experiment, in the folder of the pictures."""
    text = [
        f"# {record['title']}",
        "",
        record["question"],
        "",
        f"[All results](../results.md). {_origin(record)}",
        "",
    ]
    if record["stale"]:
        text += [f"**Stale**: {record['stale']}; {_command(record)} makes it again.", ""]
    if claims := claims_of(record):
        text += _claims_table(claims)
    for picture in record["pictures"]:
        text += [f"![{_plain(picture['says'])}]({picture['file']})", ""]
    for table in record["tables"]:
        lines = _table(table["columns"], table["rows"], table["right"])
        shown = [f"{table['title'].removesuffix('.')}:", "", *lines, ""]
        text += shown if len(table["rows"]) < LONG else _folded(table["title"], lines)
    for group in record.get("earlier", ()):
        commits = ", ".join(f"`{commit}`" for commit in group["commits"])
        text += [
            f"Answered on {group['day']} at {commits} (version `{group['digest']}`), by arms that are no longer "
            "trained unless they are asked for:",
            "",
            *_claims_table(claims_of(group)),
        ]
    if record["notes"]:
        text += ["How it was measured:", "", *(f"- {note}" for note in record["notes"]), ""]
    return "\n".join([*text, *_versions(record)]).rstrip() + "\n"


def _claims_table(claims: Sequence[Claim]) -> list[str]:
    rows = [_claim_row(claim) for claim in claims]
    return [*_table(("claim", "found", "95% interval", "target", ""), rows, right=(1, 2, 3)), ""]


def page_name(record: Record) -> str:
    return f"{stem(record['profile'], record['key'])}.md"


def _claims(records: Sequence[Record]) -> list[str]:
    rows = []
    for record in records:
        for claim in claims_of(record):
            if claim.target is not None:
                says, value, interval, target, met = _claim_row(claim)
                found = value if claim.low is None or claim.high is None else f"{value} ({interval})"
                rows.append((f"[{says}](results/{page_name(record)})", found, target, met, _command(record)))
    if not rows:
        return []
    return [*_table(("claim", "found (95% interval)", "target", "", "command"), rows, right=(1, 2)), ""]


def _experiments(records: Sequence[Record]) -> list[str]:
    rows = [
        (
            f"[{record['title']}](results/{page_name(record)}){' (stale)' if record['stale'] else ''}",
            f"`{record['profile']}`",
            record["day"],
            " ".join(f"`{commit}`" for commit in record["commits"]),
            seconds(record["seconds"]),
        )
        for record in records
    ]
    head = ("experiment", "profile", "finished", "made at commits", "took")
    return ["## Experiments", "", *_table(head, rows, right=(4,)), "", EXPLAINED, ""] if rows else []


EXPLAINED = (
    "A commit with + had local changes. What an experiment took is the sum over its artifacts, one after another, "
    "without the loop that they start from. Stale is what today's code or settings would make anew; the figure is "
    "still true of the versions that its page names."
)


def _missing(missing: Mapping[str, str]) -> list[str]:
    if not missing:
        return []
    return [
        "Not made:",
        "",
        *(f"- `{key}`, by `o1 run --with {part_of(key)}`: {why}" for key, why in missing.items()),
    ]


def _command(record: Record) -> str:
    of = "" if record["profile"] == "nano" else f" --profile {record['profile']}"
    part = part_of(record["key"])
    return f"`o1 run{f' --with {part}' if part else ''}{of}`"


def _origin(record: Record) -> str:
    commits = ", ".join(f"`{commit}`" for commit in record["commits"]) or "no commit that was recorded"
    return (
        f"Profile `{record['profile']}`, finished on {record['day']}, at {commits}, on: "
        f"{'; '.join(record['machines'])}. Made by {_command(record)}."
    )


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return ["<details>", f"<summary>{_plain(title)}</summary>", "", *lines, "", "</details>", ""]


def _versions(record: Record) -> list[str]:
    made_from = record["made_from"]
    rows = [(f"`{key}`", f"`{digest}`", str(seed), seconds(took)) for key, digest, seed, took in made_from]
    others = [f"`{key}` `{digest}`" for key, digest in record["inputs"].items()]
    return [
        "<details>",
        f"<summary>Versions and seeds: {len(rows)} {'artifact' if len(rows) == 1 else 'artifacts'}, "
        f"{seconds(record['seconds'])}</summary>",
        "",
        *_table(("artifact", "digest", "seed", "took"), rows, right=(3,)),
        "",
        f"Made from: {', '.join(others)}." if others else "Made from nothing else.",
        "",
        f"`o1 audit {record['key']} --version {record['digest']}` traces them.",
        "",
        "</details>",
        "",
    ]


def _claim_row(claim: Claim) -> tuple[str, str, str, str, str]:
    return (
        f"{claim.says} (`{claim.name}`)",
        claim_value(claim, claim.value),
        claim_interval(claim),
        claim_target(claim),
        {"met": "met", "missed": "**missed**"}.get(text := verdict(claim), text),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    lines = [[_plain(name) for name in head], ["---:" if i in right else "---" for i in range(len(head))]]
    lines += [[_plain(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _plain(text: Any) -> str:
    """In one line, and nothing that ends a cell; < would begin a tag."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
