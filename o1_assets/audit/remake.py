"""The computation of a recorded version, from its manifest: configuration, seed, threads and engine as recorded.

Of today's graph only the compute function is taken.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from o1_assets.audit.differences import checkout
from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.engine import Engine
from o1_assets.core.errors import O1Error
from o1_assets.core.files import sha256
from o1_assets.core.settings import Settings
from o1_assets.engine.open import EngineMissing
from o1_assets.execution.environment import prepare_compute
from o1_assets.graph import build_graph
from o1_assets.labels.inbox.reader import PEOPLE, BatchManifest
from o1_assets.labels.inbox.tables import EVENT, RATINGS, RECORD, RECORDS
from o1_assets.labels.prm800k.source import LabelSource
from o1_assets.profiles.profile import Profile
from o1_assets.store.ancestry import spent_on
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

_ROUND = re.compile(r"r(\d\d)/")


class CannotRemake(O1Error):
    """Today's code has no computation for this version, or this machine no engine; the message says what has."""


def recorded_artifact(manifest: Manifest, profile: Profile, settings: Settings) -> Artifact:
    """The artifact as it was. settings: the home whose inbox and imported sources it reads.

    Raises CannotRemake when today's code does not know the key, or its configuration.
    """
    artifact = build_graph(_profile_of(manifest, profile), settings).get(manifest.key)
    if artifact is None:
        raise CannotRemake(f"today's code makes no {manifest.key}; {checkout(manifest)}")
    try:
        config = type(artifact.config).model_validate(manifest.config)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CannotRemake(
            f"the configuration of {manifest.key} does not fit today's code (at {field}); {checkout(manifest)}"
        ) from None
    inputs = {name: item.key for name, item in manifest.inputs.items()}
    return replace(artifact, config=config, seed=manifest.seed, inputs=inputs)


def remake(
    manifest: Manifest,
    artifact: Artifact,
    inputs: Mapping[str, Path],
    out: Path,
    progress: Callable[[str], None],
    store: ArtifactStore,
) -> Outcome:
    """Fills `out`. Raises what the compute function raises, CannotRemake where it needs an engine that is not here."""
    from o1_assets.engine.open import open_engine

    def opened(path: Path) -> Engine:
        try:
            return open_engine(path, manifest.environment.engine)
        except EngineMissing as error:
            raise CannotRemake(f"{manifest.key} was sampled on another engine: {error}") from None

    prepare_compute(manifest.environment.threads, artifact.resource_class)
    task = Task(
        inputs=inputs,
        out=out,
        seed=manifest.seed,
        open_engine=opened,
        progress=progress,
        cost_of=lambda name: spent_on(store, manifest.inputs[name]),
    )
    return artifact.compute(task, artifact.config)


def _profile_of(manifest: Manifest, profile: Profile) -> Profile:
    """Today's profile, with the round in it, and that round imported exactly if it was."""
    match = _ROUND.match(manifest.key)
    if match is None:
        return profile
    k, source = int(match[1]), manifest.config.get("source")
    imported = LabelSource(name=source, first=k, last=k) if isinstance(source, str) else None
    return profile.model_copy(update={"rounds": max(profile.rounds, k), "label_source": imported})


# What lay outside of the graph when a version was made, laid out again in a scratch home.
#
# A replay must not read today's inbox: batches have come since, one may have been withdrawn. The scratch home
# has the people's batches that the recorded rNN/label_batches lists and no other, and the imported source at the
# version that was read. A machine annotator rates again, and files into the scratch home.
#

BATCHES = "label_batches"


FORMER_PLACES = ("accepted", "withdrawn")


class Gone(O1Error):
    """What the version was made from outside of the graph is no longer there; the message names it."""


def restore_outside(
    manifest: Manifest, content: Path, settings: Settings, home: Path, note: Callable[[str], None]
) -> None:
    """Fills the scratch home `home` for one version. content: folder of its recorded object.

    Every batch is checked against its digest. note: is told what had to be taken from the object itself.
    Raises Gone when an imported source is no longer there.
    """
    round_name, _, stage = manifest.key.partition("/")
    if stage == BATCHES:
        for entry in json.loads((content / "index.json").read_text())["batches"]:
            if entry["source"] == PEOPLE:
                _restore_batch(str(entry["digest"]), round_name, content, settings, home, note)
    source = manifest.config.get("source")
    if manifest.external and isinstance(source, str):
        _restore_source(source, manifest.external.split()[-1], settings, home)


def _restore_batch(
    digest: str, round_name: str, content: Path, settings: Settings, home: Path, note: Callable[[str], None]
) -> None:
    target = home / "inbox" / round_name / "accepted" / digest
    for place in FORMER_PLACES:
        folder = settings.inbox / round_name / place / digest
        if folder.is_dir() and sha256(folder / "batch.jsonl") == digest:
            shutil.copytree(folder, target, copy_function=_link)
            return
    note(f"batch {digest[:12]} is no longer in the inbox; its ratings were taken from the recorded object")
    _batch_from_object(digest, round_name, content, target)


def _batch_from_object(digest: str, round_name: str, content: Path, target: Path) -> None:
    """A batch's folder from the rows that rNN/label_batches kept of it; only its lines as sent are not there."""
    own = pl.col("batch") == digest
    ratings = pl.read_parquet(content / RATINGS).filter(own).select(list(EVENT))
    records = pl.read_parquet(content / RECORDS).filter(own)
    index = json.loads((content / "index.json").read_text())
    fits = bool((records["misfit"] == "").all())
    target.mkdir(parents=True)
    ratings.write_parquet(target / RATINGS)
    records.select(list(RECORD)).write_parquet(target / RECORDS)
    solutions = sorted(set(records["solution_id"].drop_nulls()))
    manifest = BatchManifest(
        digest=digest,
        round=round_name,
        source=PEOPLE,
        lines=next(int(e["lines"]) for e in index["batches"] if e["digest"] == digest),
        solutions=next(int(e["solutions"]) for e in index["batches"] if e["digest"] == digest),
        labelers=sorted(set(records["labeler"].drop_nulls())),
        original="",
        name="",
        received="",
        selection=str(index["selection"]) if fits else "",
        tables={name: sha256(target / name) for name in (RATINGS, RECORDS)},
    )
    (target / "solutions.json").write_text(json.dumps(solutions))
    (target / "manifest.json").write_text(json.dumps(asdict(manifest)))


def _restore_source(source: str, version: str, settings: Settings, home: Path) -> None:
    there, target = settings.imported / source / version, home / "imported" / source
    if not there.is_dir():
        raise Gone(
            f"version {version} of the imported source {source!r} is no longer in {settings.imported}; import it again"
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / "current.json").write_text(json.dumps({"version": version}))
    if not (target / version).exists():
        (target / version).symlink_to(there, target_is_directory=True)


def _link(source: str, target: str) -> None:
    """Batches are never changed, so the scratch home may share their bytes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
