"""Explains the fields of a profile: what each means, holds and may hold, in the words of the configs themselves."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from o1_assets.core.artifact import StageConfig
from o1_assets.profiles.fields import Config, allows_none, is_prompt, rows, tables
from o1_assets.profiles.load import SET, Loaded
from o1_assets.profiles.profile import Profile

NOT_SET = ("name", "switches")
"""Fields that no file sets: a profile is called as its file is, and rounds are switched by `o1 labels switch`."""


@dataclass(frozen=True)
class ProfileField:
    """One field of a profile. meaning: a clause, with the unit. allowed: what may be written there, in words.

    value, default: as JSON has them; default is None too where a profile has to set the field (`required`). origin: the
    file, or --set, that set the value; empty where it is the default. is_table: it holds fields of its own.
    """

    path: str
    meaning: str
    value: Any
    default: Any
    required: bool
    allowed: str
    origin: str
    is_table: bool


def explained(loaded: Loaded) -> Iterator[ProfileField]:
    """Every field that the profile has, a table before what is in it."""
    yield from _explained(loaded.profile, "", loaded.origins)


def _explained(config: StageConfig, place: str, origins: Mapping[str, str]) -> Iterator[ProfileField]:
    content = config.model_dump(mode="json")
    for name, field in type(config).model_fields.items():
        path, value = f"{place}{name}", getattr(config, name)
        if path in NOT_SET or (place and is_prompt(field.annotation)):
            continue
        inner = isinstance(value, StageConfig)
        yield ProfileField(
            path,
            _table_meaning(type(value)) if inner else meaning(type(config), name),
            content[name],
            _default(field),
            field.is_required(),
            allowed(field),
            _origin(path, origins),
            inner,
        )
        if inner:
            yield from _explained(value, f"{path}.", origins)


def meaning(config: Config, name: str) -> str:
    """What the field is, in the words of its description or of the docstring below it; "" where nobody wrote any."""
    text = config.model_fields[name].description or _docstrings(config).get(name, "")
    return " ".join(text.split()).removesuffix(".")


def _table_meaning(config: Config) -> str:
    return " ".join(inspect.cleandoc(config.__doc__ or "").partition("\n\n")[0].split()).removesuffix(".")


@cache
def _docstrings(config: Config) -> dict[str, str]:
    """The strings that stand below the fields of a class and of those that it extends."""
    # pydantic can read them too (use_attribute_docstrings), but would do so whenever a class is made: at every start.
    texts: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if not issubclass(base, StageConfig) or base is StageConfig:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in pairwise(tree.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                texts[field.target.id] = text.value.value
    return texts


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return None
    default = field.get_default(call_default_factory=True)
    if isinstance(default, StageConfig):
        return default.model_dump(mode="json")
    return json.loads(json.dumps(default, default=lambda each: each.model_dump(mode="json")))


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """Who set the field: it alone, or the table that it is in as a whole."""
    parts = path.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((origins[name] for name in names if name in origins), "")


# What may be written.

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}

_LIMITS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}


def allowed(field: FieldInfo) -> str:
    """What the field may hold, in words: a whole number, at least 1."""
    limits = [
        words.format(f"{limit:g}")
        for each in field.metadata
        for name, words in _LIMITS.items()
        if (limit := getattr(each, name, None)) is not None
    ]
    limits += [
        f"{least} or more of them"
        for each in field.metadata
        if (least := getattr(each, "min_length", None)) is not None
    ]
    limits += [
        f"matching {pattern}" for each in field.metadata if (pattern := getattr(each, "pattern", None))
    ]
    words = ", ".join([_allowed(field.annotation), *limits])
    return words + (', or "none"' if allows_none(field.annotation) else "")


def _allowed(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if kinds := tables(annotation):
        return f"a table, one of the kinds {', '.join(kinds)}" if len(kinds) > 1 else "a table"
    if rows(annotation):
        return "a list of tables"
    if origin is Annotated:
        return _allowed(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_allowed(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments)) if len(arguments) > 1 else f"always {arguments[0]}"
    if origin is tuple:
        return f"a list, each {_allowed(arguments[0])}"
    if origin is not None:
        return f"a table from {_allowed(arguments[0])} to {_allowed(arguments[1])}"
    return _WORDS.get(annotation, "any value")


# As TOML.

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(value: Any) -> str:
    """A value as TOML has it. TOML has no null: None is "none"."""
    if value is None:
        return '"none"'
    if isinstance(value, dict):
        pairs = (
            f"{key if _BARE.fullmatch(key) else toml(key)} = {toml(each)}" for key, each in value.items()
        )
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    # JSON's text, numbers and booleans are TOML's too.
    return json.dumps(value, ensure_ascii=False)


HEAD = """\
# {name}: what differs from {parent}. A line that begins with # and no space is a setting with {parent}'s value. Remove
# the # and change the value, or delete what you leave alone. `o1 profile show FIELD` says what becomes stale by it.
# The tables [tuning], [rewards], [prm], [orm], [solutions], [selection] and [evaluation] set fields of several tables.
extends = {extends}
"""


def new_file(loaded: Loaded, name: str, extends: str) -> str:
    """The text of a file that extends the profile: every setting with its meaning, and none set but by --set."""
    lines = [HEAD.format(name=name, parent=loaded.profile.name, extends=toml(extends))]
    for field in table_by_table(explained(loaded)):
        if field.is_table:
            lines += ["", *_comment(field.meaning), f"[{field.path}]"]
            continue
        mark = "" if field.origin == SET else "#"
        lines += [*_comment(described(field)), f"{mark}{field.path.rpartition('.')[2]} = {toml(field.value)}"]
    return "\n".join(lines) + "\n"


def table_by_table(fields: Iterable[ProfileField]) -> list[ProfileField]:
    """The fields in the order of a file: TOML reads every line below a heading as of that table, so a table's own
    fields come before its tables."""
    fields = list(fields)
    places = {heading.path: i for i, heading in enumerate((f for f in fields if f.is_table), start=1)}
    return sorted(fields, key=lambda f: places.get(f.path if f.is_table else f.path.rpartition(".")[0], 0))


def described(field: ProfileField) -> str:
    """The field's meaning, and what it may hold in brackets."""
    return f"{field.meaning} ({field.allowed})".strip()


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def table_of(path: str) -> Config | None:
    """The class of the table that has the field, of whichever kind; None: there is no such field."""
    candidates: list[Config] = [Profile]
    *outer, name = path.split(".")
    for part in outer:
        fields = (config.model_fields[part] for config in candidates if part in config.model_fields)
        candidates = [inner for field in fields for inner in tables(field.annotation).values()]
    return next((config for config in candidates if name in config.model_fields), None)


def choices(path: str) -> list[Any]:
    """The values of a field that may hold one of a few names only; [] for any other."""
    table = table_of(path)

    def literals(annotation: Any) -> Iterator[Any]:
        for each in get_args(annotation):
            if get_origin(annotation) is Literal:
                yield each
            elif get_origin(annotation) in (Union, types.UnionType, Annotated):
                yield from literals(each)

    return list(literals(table.model_fields[path.rpartition(".")[2]].annotation)) if table else []
