"""`o1 profile`: explains the numbers of a profile, writes a file that changes some, and compares two."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.core.files import replace_file
from o1_assets.core.settings import built_in_profiles
from o1_assets.execution.project import Project

if TYPE_CHECKING:
    from o1_assets.plan.readers import Readers
    from o1_assets.profiles.explain import ProfileField
    from o1_assets.profiles.load import Loaded

app = typer.Typer(
    no_args_is_help=True, help="Explain a profile's numbers, write a file of your own, compare two."
)

WIDTH = 118
# A table's fields are listed with their values; longer ones are cut, and shown whole where one is asked for alone.
SHOWN = 60


@command(app, "show")
def show(
    project: Project,
    field: Annotated[
        str | None,
        typer.Argument(metavar="FIELD", help="a field or a table, such as policy.updates; else all"),
    ] = None,
) -> Answer:
    """What each number means: its unit, value, default and range; of one field also what becomes stale by it."""
    from o1_assets.profiles.explain import explained

    loaded = _loaded(project)
    fields = [each for each in explained(loaded) if field is None or _is_in(each.path, field)]
    if not fields:
        return _absent(loaded, field or "")
    if len(fields) > 1 or fields[0].is_table:
        return Answer([_document(each) for each in fields if not each.is_table], lambda: _print_all(fields))
    from o1_assets.plan.readers import readers

    (only,) = fields
    who = readers(loaded, project.settings, only.path, only.value)
    return Answer({**_document(only), **asdict(who)}, [*_lines(only), *_stale_lines(who)])


@command(app, "new")
def new(
    project: Project,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="such as mine.toml; the profile is called as it is")
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME|FILE", help="what it extends; else what --profile says"),
    ] = None,
) -> Answer:
    """Write a file that extends a profile: every number with its meaning, and none changed but by --set."""
    from o1_assets.profiles.explain import new_file
    from o1_assets.profiles.load import ProfileError, read_profile

    if file.suffix != ".toml" or file.stem in built_in_profiles():
        raise ProfileError(
            f"{file} is no name for a profile: give one that ends in .toml and is not a built-in profile's, such as "
            "mine.toml"
        )
    if file.exists():
        raise ProfileError(f"{file} is already there; name another file, or remove it first")
    parent = from_ or project.settings.reference
    loaded = read_profile(parent, project.overrides)
    if parent not in built_in_profiles():  # a path; in a file it is relative to that file
        parent = os.path.relpath(parent, file.parent)
        parent = parent if os.sep in parent else f"./{parent}"
    replace_file(file, new_file(loaded, file.stem, parent).encode())
    return Answer(
        {"file": str(file), "extends": parent},
        [f"{file} extends {parent} and changes nothing yet: edit it, then `o1 plan --profile {file}`"],
    )


@command(app, "diff")
def diff(
    project: Project,
    a: Annotated[str, typer.Argument(metavar="A", help="name or file of a profile")],
    b: Annotated[
        str | None, typer.Argument(metavar="B", help="another one; else what --profile and --set say")
    ] = None,
) -> Answer:
    """The numbers in which two profiles differ."""
    from o1_assets.profiles.explain import explained, toml
    from o1_assets.profiles.load import read_profile

    loaded = [read_profile(a, ""), read_profile(b, "") if b else _loaded(project)]
    left, right = ({f.path: f.value for f in explained(each) if not f.is_table} for each in loaded)
    names = a, b or project.settings.reference
    rows: list[dict[str, Any]] = [
        {"field": path, "a": left.get(path), "b": right.get(path), "in": [path in left, path in right]}
        for path in dict.fromkeys([*left, *right])
        if (path in left, left.get(path)) != (path in right, right.get(path))
    ]

    def lines() -> Iterator[str]:
        for row in rows:
            values = (toml(row[side]) if there else "-" for side, there in zip("ab", row["in"], strict=True))
            yield "{}: {}  ->  {}".format(row["field"], *map(_cut, values))
        yield (
            f"{len(rows)} field{'s differ' if len(rows) > 1 else ' differs'} from {names[0]} to {names[1]}"
            if rows
            else "no field differs"
        )

    return Answer({"a": names[0], "b": names[1], "differences": rows}, lines())


def _loaded(project: Project) -> Loaded:
    from o1_assets.profiles.load import read_profile

    return read_profile(project.settings.reference, project.overrides)


def _is_in(path: str, field: str) -> bool:
    """Whether the path is the field, or is in the table, or in one of the tables of the group, that it names."""
    from o1_assets.profiles.fields import GROUPS

    group, _, rest = field.partition(".")
    members = [f"{member}.{rest}" if rest else member for member in GROUPS.get(group, ())]
    return any(path == each or path.startswith(f"{each}.") for each in members or [field])


def _absent(loaded: Loaded, field: str) -> Answer:
    """A field that another kind of table has, or none."""
    from o1_assets.profiles.explain import allowed, meaning, table_of
    from o1_assets.profiles.fields import nearest
    from o1_assets.profiles.load import ProfileError

    table, name = table_of(field), field.rpartition(".")[2]
    if table is None:
        meant = nearest(field)
        raise ProfileError(
            f"there is no field {field}" + (f"; the nearest is {', '.join(meant)}" if meant else "")
        )
    words, range_ = meaning(table, name), allowed(table.model_fields[name])
    place = field.rpartition(".")[0]
    return Answer(
        {"path": field, "meaning": words, "allowed": range_, "value": None},
        [
            *textwrap.wrap(f"{field}: {words}", WIDTH),
            f"  allowed  {range_}",
            f"  absent   from profile {loaded.profile.name}, whose {place} is of another kind, or none",
        ],
    )


def _document(field: ProfileField) -> dict[str, Any]:
    return {name: value for name, value in asdict(field).items() if name != "is_table"}


def _print_all(fields: Iterable[ProfileField]) -> None:
    from o1_assets.profiles.explain import described, table_by_table, toml

    for field in table_by_table(fields):
        if field.is_table:
            print(f"\n[{field.path}]", *textwrap.wrap(field.meaning, WIDTH), sep="\n")
            continue
        print(f"  {field.path.rpartition('.')[2]} = {_cut(toml(field.value))}{_set_by(field)}")
        print(textwrap.indent("\n".join(textwrap.wrap(described(field), WIDTH - 6)), " " * 6))


def _lines(field: ProfileField) -> Iterator[str]:
    from o1_assets.profiles.explain import toml

    yield from textwrap.wrap(f"{field.path}: {field.meaning}", WIDTH)
    yield f"  value    {toml(field.value)}{_set_by(field)}"
    yield f"  default  {'none: each profile says it' if field.required else toml(field.default)}"
    yield f"  allowed  {field.allowed}"


def _set_by(field: ProfileField) -> str:
    return f"  ({field.origin})" if field.origin else ""


def _stale_lines(who: Readers) -> Iterator[str]:
    if who.refused:
        yield f"  stale    not known, because it cannot be changed alone: {who.refused}"
    elif not who.direct and not who.added:
        yield "  stale    nothing: no artifact is made of it"
    else:
        yield f"  read by  {summary(who.direct) or 'none'}"
        yield f"  stale    when it changes: these, and what is made from them, {len(who.stale)} artifacts in all"
        if who.added:
            yield f"  added    {len(who.added)} artifacts, with another value: {summary(who.added)}"


def summary(keys: Iterable[str]) -> str:
    """Keys in few words: those of all rounds once, those of an experiment by their number."""
    counts: dict[str, int] = {}
    for key in keys:
        name = re.sub(r"^r\d\d/", "rNN/", key)
        if name.startswith("ablations/"):
            name = "/".join(name.split("/")[:2]) + "/..."
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(name + (f" ({count})" if count > 1 else "") for name, count in counts.items())


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
