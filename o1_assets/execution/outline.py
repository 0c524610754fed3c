"""What `o1 status` has to know of each artifact, kept from one command to the next.

Importing every stage and experiment and building a thousand artifacts takes longer than to compare them with the
store. So their outlines are kept in the work folder, under the digest of everything that they follow from: the
sources of this project, the profile, its overrides and switches, and the installed packages. They cannot be out of
date, and without the file they are made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.settings import BUILT_IN
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.progress import people_version
from o1_assets.store.digest import sha256_json

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.core.settings import Settings
    from o1_assets.execution.project import Project

PACKAGE = Path(__file__).resolve().parents[1]
FILE = "outlines.json"
SWITCHES = "annotators.json"


@dataclass(frozen=True)
class Outline:
    """An artifact without what makes it. code, config: its code version and configuration, when asked for.

    rated: the configuration of a round of the loop, if the artifact is its label batches. external, part: as in
    `Artifact`. checked_first: whether it has a preflight.
    """

    key: str
    part: str
    inputs: Mapping[str, str]
    seed: int
    code: Callable[[], str]
    config: Callable[[], dict[str, Any]]
    external: Callable[[], str] | None
    rated: LabelBatchesConfig | None = None
    checked_first: bool = False


def outline(artifact: Artifact) -> Outline:
    from o1_assets.execution.code_version import code_version

    return Outline(
        artifact.key,
        artifact.part,
        artifact.inputs,
        artifact.seed,
        partial(code_version, artifact.compute, artifact.unused),
        partial(artifact.config.model_dump, mode="json"),
        artifact.external,
        _rated(artifact),
        artifact.preflight is not None,
    )


def _rated(artifact: Artifact) -> LabelBatchesConfig | None:
    # A round of an experiment is rated apart from the inbox, and nothing lies outside of the graph there.
    config = artifact.config
    return config if isinstance(config, LabelBatchesConfig) and artifact.external is not None else None


def outlines(project: Project) -> dict[str, Outline]:
    """The outline of every artifact by its key, each after its inputs; kept ones if nothing has changed."""
    # A graph or profile that is here already may be one that the caller assigned.
    given = "graph" in vars(project) or "profile" in vars(project)
    origin = None if given else _origin(project)
    kept = _load(project, origin) if origin else None
    return _made(project, origin) if kept is None else kept


def _made(project: Project, origin: str | None) -> dict[str, Outline]:
    """The outlines of the graph, kept for the next command if they can be."""
    made = {key: outline(artifact) for key, artifact in project.graph.items()}
    # What else lies outside of the graph (a file of problems, an imported round) only its stage can look at.
    outside = [each.external for each in made.values() if each.external and not each.rated]
    if origin and project.profile.label_source is None and not any(version() for version in outside):
        _save(project, origin, made)
    return made


def _save(project: Project, origin: str, made: Mapping[str, Outline]) -> None:
    # The version of code that made nothing yet is compared with nothing, and there are a hundred to find out.
    versions, file = project.store.read_heads(made).manifests, project.settings.work / FILE
    rows = [
        {
            "key": o.key,
            "part": o.part,
            "inputs": dict(o.inputs),
            "seed": o.seed,
            "code": o.code() if o.key in versions else None,
            "config": o.config(),
            "external": None if o.external is None else "people" if o.rated else "nothing",
            # A preflight looks at what lies outside of the graph; here that is nothing.
            "checked_first": o.checked_first and (o.external is None or o.rated is not None),
        }
        for o in made.values()
    ]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json_bytes({"origin": origin, "outlines": rows}))
    except OSError:  # a home that cannot be written to builds the graph every time
        return


def _load(project: Project, origin: str) -> dict[str, Outline] | None:
    """The kept outlines; None if they are of something else, or damaged."""
    # Of what was first made since they were kept, the version of the code is found out and kept too.
    made_since = cache(lambda: _made(project, origin))
    try:
        content = json.loads((project.settings.work / FILE).read_bytes())
        if content["origin"] != origin:
            return None
        return {row["key"]: _parsed(row, project, made_since) for row in content["outlines"]}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _parsed(row: dict[str, Any], project: Project, made_since: Callable[[], dict[str, Outline]]) -> Outline:
    key, code, config = row["key"], row["code"], row["config"]
    rated = LabelBatchesConfig.model_validate(config) if row["external"] == "people" else None
    external: Callable[[], str] | None = str if row["external"] == "nothing" else None
    return Outline(
        key,
        row["part"],
        row["inputs"],
        row["seed"],
        lambda: code or made_since()[key].code(),
        lambda: dict(config),
        partial(people_version, project.inbox, rated) if rated else external,
        rated,
        row["checked_first"],
    )


def _origin(project: Project) -> str | None:
    """The digest of all that the graph of a project follows from; None if that cannot be told without building it."""
    settings = project.settings
    if not (profile := _profile_bytes(settings)):
        return None
    digest = hashlib.sha256()
    for name, content in _sources():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    switches = sha256_json(_bytes_of(settings.inbox / SWITCHES).hex())
    packages = [
        (path, os.stat(path).st_mtime_ns)
        for path in sys.path
        if path.endswith("site-packages") and os.path.isdir(path)
    ]
    others = [profile.hex(), project.overrides, switches, packages, sys.version, str(settings.home)]
    digest.update(json.dumps(others).encode())
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    """Every file of the package that a graph may follow from, by its path."""
    # Not by their times: a checkout and a copy of a folder may set those to anything.
    root = str(PACKAGE)
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            if name.endswith((".py", ".toml")):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield path.removeprefix(root), file.read()


def _profile_bytes(settings: Settings) -> bytes:
    """The name or the text of the profile; nothing if it extends a file that is not the package's own."""
    if settings.file is None:
        return settings.profile.encode()
    text = settings.file.read_bytes()
    try:
        parent = tomllib.loads(text.decode()).get("extends")
    except (ValueError, UnicodeDecodeError):
        return b""
    built_in = isinstance(parent, str) and (BUILT_IN / f"{parent}.toml").is_file() and "/" not in parent
    return str(settings.file).encode() + b"\0" + text if built_in or parent is None else b""


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
