"""docs/results.json: every finished experiment as the pages show it, each with the versions that it rests on.

Experiments are made at different times and in different homes. So a record says its profile, commits and day itself,
and writing the results of one home replaces that home's experiments and leaves the others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from o1_assets.evaluation.headline import Headline
from o1_assets.experiments.result import NORMAL, Claim, Result, cells
from o1_assets.store.manifest import Manifest

Record = dict[str, Any]
"""profile, key, title, question, claims, tables, pictures, notes, stale, and what it rests on: digest, commits, day,
machines, seconds, made_from, inputs. earlier: where there are any, claims of records before it that it does not answer
itself, newest first: [{"day", "commits", "digest", "claims"}]."""

# Of a digest or a commit: as many as `o1 status` shows.
CHARACTERS = 12


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


def record(finished: Finished) -> Record:
    """The record of an experiment. It follows from the versions in the store alone."""
    result, made_from = finished.result, finished.made_from
    environments = [m.environment for m in made_from]
    inputs = {item.key: item.digest for m in made_from for item in m.inputs.values()}
    keys = {m.key for m in made_from}
    return {
        "profile": finished.manifest.profile,
        "key": finished.manifest.key,
        "title": result.title,
        "question": result.question,
        "claims": [asdict(claim) for claim in result.claims],
        "tables": [
            _table(table.title, *cells(table.frame), table.frame.columns) for table in result.tables.values()
        ],
        "pictures": [
            {"file": file_name(finished, name), "says": _says(finished, name)}
            for name in shown_pictures(finished)
        ],
        "notes": list(result.notes),
        "stale": finished.stale,
        "digest": finished.manifest.digest[:CHARACTERS],
        "day": finished.manifest.finished[:10],
        "commits": sorted(
            {f"{e.git_commit[:CHARACTERS]}{'+' if e.git_dirty else ''}" for e in environments if e.git_commit}
        ),
        "machines": sorted({f"{e.hardware}, {e.threads} threads" for e in environments}),
        "seconds": round(sum(m.cost.seconds for m in made_from), 1),
        "made_from": [
            [m.key, m.digest[:CHARACTERS], m.seed, round(m.cost.seconds, 1)] for m in reversed(made_from)
        ],
        "inputs": {key: inputs[key][:CHARACTERS] for key in sorted(inputs) if key not in keys},
    }


def loop_result(headline: Mapping[str, Headline]) -> Result:
    """The headline figures of a run as a result."""
    claims = []
    for name, row in headline.items():
        value, half = row["value"], None if row["error"] is None else NORMAL * row["error"]
        low = high = None
        if value is not None and half is not None:
            low, high = max(0.0, value - half), min(1.0, value + half)
        claims.append(Claim(name, _in_words(name), value, low, high, row["target"], row["better"], "share"))
    return Result(
        "loop", "The loop", "How far does the loop get, from GPT* to the last baby-o1?", claims, notes=NOTES
    )


WORDS = {
    "prm": "PRM",
    "orm": "ORM",
    "auc": "AUC",
    "generator": "GPT*,",
    "baby o1": "baby-o1,",
    "majority": "majority vote",
}


def _in_words(name: str) -> str:
    text = name.replace("_", " ")
    for word, written in WORDS.items():
        text = re.sub(rf"\b{word}\b", written, text)
    return text


NOTES = (
    "The interval of a figure is 1.96 times its standard error over problems, to both sides, cut off at 0 and 1: it is "
    "of this one training and says nothing of another.",
)


def merged(known: Sequence[Record], new: Sequence[Record], profile: str, keys: Sequence[str]) -> list[Record]:
    """The records of before with the new ones in the place of their own. keys: of the profile's results today.

    In the order of the keys; those of other profiles after them. What is no experiment of today is dropped. An arm that
    is no longer trained was mostly answered, so that a claim which the new record does not have is kept beside it, with
    the version that it is of.
    """
    ours = {r["key"]: r for r in known if r["profile"] == profile}
    ours |= {r["key"]: with_earlier(r, ours.get(r["key"])) for r in new}
    others = [r for r in known if r["profile"] != profile]
    return [*(ours[key] for key in keys if key in ours), *others]


def with_earlier(new: Record, before: Record | None) -> Record:
    """The record with the claims of the one before that it does not answer."""
    if before is None:
        return new
    answered = {claim["name"] for claim in new["claims"]}
    groups = []
    for group in (before, *before.get("earlier", ())):
        claims = [claim for claim in group["claims"] if claim["name"] not in answered]
        answered |= {claim["name"] for claim in claims}
        if claims:
            groups.append({**{name: group[name] for name in ("day", "commits", "digest")}, "claims": claims})
    return {**new, "earlier": groups} if groups else new


SUMMARY = "eval/summary"
"""Of the loop itself, whose headline figures are claims as those of experiments are."""


def part_of(key: str) -> str:
    """What `o1 run --with` is given to make a result; nothing for the loop."""
    return "" if key == SUMMARY else key.removesuffix("/result").removesuffix("/eval")


def stem(profile: str, key: str) -> str:
    """What the names of a result's files begin with: of nano's the experiment alone."""
    name = part_of(key).rpartition("/")[2] or "loop"
    return name if profile == "nano" else f"{profile}-{name}"


def picture_files(finished: Sequence[Finished]) -> dict[str, bytes]:
    """File name -> PNG, of every picture that the pages show."""
    return {
        file_name(experiment, name): experiment.pictures[name]
        for experiment in finished
        for name in shown_pictures(experiment)
    }


def file_name(finished: Finished, picture: str) -> str:
    of = stem(finished.manifest.profile, finished.manifest.key)
    return re.sub(r"[^\w.-]+", "_", f"{of}-{picture}") + ".png"


def shown_pictures(finished: Finished) -> list[str]:
    """Pictures of several charts, then charts that are in none of those, then pictures that are no chart."""
    result = finished.result
    inside = {chart for charts in result.panels.values() for chart in charts}
    known = [*result.panels, *(name for name in result.charts if name not in inside)]
    others = [name for name in sorted(finished.pictures) if name not in {*known, *inside}]
    return [name for name in [*known, *others] if name in finished.pictures]


def claims_of(record: Record) -> list[Claim]:
    """Of a record, or of a group of its earlier ones."""
    return [Claim(**claim) for claim in record["claims"]]


def _says(finished: Finished, name: str) -> str:
    chart = finished.result.charts.get(name)
    return chart.axis.title if chart else f"{finished.result.title}: {name.replace('_', ' ')}"


def _table(
    title: str, numeric: Sequence[bool], rows: Sequence[Sequence[str]], columns: Sequence[str]
) -> Record:
    right = [i for i, is_number in enumerate(numeric) if is_number]
    return {"title": title, "columns": list(columns), "right": right, "rows": [list(row) for row in rows]}
