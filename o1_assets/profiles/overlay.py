"""Lays what one file or one command line sets over what was set below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.problems.worlds.registry import OfWorld
from o1_assets.profiles.fields import (
    GROUPS,
    Config,
    allows_none,
    chosen,
    is_prompt,
    nearest,
    rows,
    tables_in,
    tag_field,
)
from o1_assets.profiles.profile import Profile

NONE = "none"
"""How TOML, which has no null, writes None where a field may be None."""

PATHS = ("folder", "path")
"""Names of the fields that hold a path. In a file it is relative to the file's folder."""


@dataclass
class Overlay:
    """Fields of a layer on their way into `content`. source: what the layer is called.

    folder: that of a file's relative paths; None leaves them as they are. problems: what cannot be set, a clause each.
    origins: field -> the layer that set it.
    """

    source: str
    folder: Path | None = None
    problems: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)

    def apply(self, content: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the content with the layer over it."""
        result = dict(content)
        for group, members in GROUPS.items():
            if group in layer:
                self._spread(result, group, members, layer[group])
        self._merge(Profile, result, {k: v for k, v in layer.items() if k not in GROUPS}, "")
        self.problems = list(dict.fromkeys(self.problems))
        return result

    def _spread(self, content: dict[str, Any], group: str, members: tuple[str, ...], values: object) -> None:
        if not isinstance(values, dict):
            self.problems.append(
                f"{group} is {values!r}; it sets {', '.join(members)}, so it should be a table"
            )
            return
        for member in members:
            layer: dict[str, Any] = values
            for part in reversed(member.split(".")):
                layer = {part: layer}
            before = len(self.problems)
            self._merge(Profile, content, layer, "")
            if refused := self.problems[before:]:  # the other members would refuse the same
                self.problems[before:] = [problem.replace(member, group) for problem in refused]
                break

    def _merge(self, config: Config, content: dict[str, Any], layer: Mapping[str, Any], place: str) -> None:
        if issubclass(config, OfWorld) and layer.get("world", content.get("world")) != content.get("world"):
            content.pop("corpus", None)
        whole = {**content, **layer}
        for name, value in layer.items():
            path = f"{place}{name}"
            known = config.model_fields.get(name)
            if known is None:
                meant = nearest(path)
                self.problems.append(
                    f"there is no field {path}" + (f"; the nearest is {', '.join(meant)}" if meant else "")
                )
            elif place and is_prompt(known.annotation):
                self.problems.append(
                    f"{path} is a copy of `prompt`, which is one for all stages; set prompt.FIELD"
                )
            else:
                choices = tables_in(config, name, whole)
                content[name] = self._value(known, choices, content.get(name, ...), value, path)

    def _value(self, known: FieldInfo, choices: dict[str, Config], before: Any, value: Any, path: str) -> Any:
        """What the field holds with `value` over what it held before; `...`: its default."""
        if isinstance(value, dict) and choices:
            return self._table(known, choices, before, value, path)
        if isinstance(value, list) and (choices := rows(known.annotation)):
            value = [
                self._table(None, choices, None, row, f"{path}.{at}") if isinstance(row, dict) else row
                for at, row in enumerate(value)
            ]
        elif value == NONE and allows_none(known.annotation):
            value = None
        elif self.folder and path.rpartition(".")[2] in PATHS and isinstance(value, str):
            value = str((self.folder / Path(value).expanduser()).resolve())
        self._note(path)
        return value

    def _table(
        self,
        known: FieldInfo | None,
        choices: dict[str, Config],
        before: Any,
        value: dict[str, Any],
        path: str,
    ) -> dict[str, Any]:
        if before is ...:
            default = known.get_default(call_default_factory=True) if known else None
            before = _content(default) if isinstance(default, StageConfig) else {}
        before = before or {}
        tag = tag_field(choices)
        config = chosen(choices, {**before, **value})
        if config is None:  # a kind that there is not, which pydantic words
            return value
        # Of another kind of table nothing stays: its fields are others.
        if config is not chosen(choices, before):
            before = {}
            self._note(path)
        result = dict(before)
        self._merge(config, result, {k: v for k, v in value.items() if k != tag}, f"{path}.")
        if tag in config.model_fields and tag in {**before, **value}:
            result[tag] = value.get(tag, before.get(tag))
            self._note(f"{path}.{tag}")
        return result

    def _note(self, path: str) -> None:
        """Notes that this layer set the field, and whatever is inside it anew."""
        for inside in [each for each in self.origins if each.startswith(f"{path}.")]:
            del self.origins[inside]
        self.origins[path] = self.source


def _content(config: StageConfig) -> dict[str, Any]:
    """A table with all its fields, but for the prompts: the profile makes those anew."""
    content = config.model_dump(mode="json")
    for name, value in config:
        if isinstance(value, PromptFormat):
            del content[name]
        elif isinstance(value, StageConfig):
            content[name] = _content(value)
    return content
