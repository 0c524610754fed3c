"""Makes one artifact: looks the computation up in the cache, else runs it, stores the bytes, writes the manifest."""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from o1_assets.core.artifact import Artifact, Outcome, Task, Waiting
from o1_assets.core.disk import disk_full
from o1_assets.core.engine import Engine
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.execution.code_version import code_version
from o1_assets.execution.environment import environment, prepare_compute
from o1_assets.store.ancestry import spent_on
from o1_assets.store.manifest import Manifest, ManifestCost, ManifestInput
from o1_assets.store.scratch import Scratch, ScratchLost
from o1_assets.store.store import ArtifactStore, MissingInput, cache_key

# The seconds that an artifact takes, those of earlier attempts that were killed included.
#
# They are kept in unfinished/<cache key>/attempts/seconds.json.
#

KEEP_SECONDS = 10.0
"""The least time between two writes: what a kill may leave uncounted."""


class Elapsed:
    """Counts from now on, on top of what killed attempts left under `unfinished`."""

    def __init__(self, unfinished: Path) -> None:
        # In a folder of its own: saving a training's state removes the other files beside it.
        self._file = unfinished / "attempts" / "seconds.json"
        self._earlier = 0.0
        with suppress(OSError, ValueError, TypeError):
            self._earlier = float(json.loads(self._file.read_text()))
        self._started = self._kept = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def keep(self) -> None:
        """Writes them down if it is time to. A disk that is full is no reason to stop computing."""
        if time.perf_counter() - self._kept < KEEP_SECONDS:
            return
        with suppress(OSError):
            replace_file(self._file, json_bytes(self.seconds))
        self._kept = time.perf_counter()


@dataclass(frozen=True)
class Made:
    """manifest: the version that is now the key's head. cached: it was not computed this time."""

    manifest: Manifest
    cached: bool


def current_inputs(artifact: Artifact, store: ArtifactStore) -> dict[str, ManifestInput]:
    """The newest version of every input. Raises MissingInput when one was never made."""
    return inputs_of(artifact, store.heads(set(artifact.inputs.values())))


def inputs_of(artifact: Artifact, heads: Mapping[str, Manifest]) -> dict[str, ManifestInput]:
    """As `current_inputs`, of heads that were read before: key -> newest version."""
    inputs = {}
    for name, key in artifact.inputs.items():
        head = heads.get(key)
        if head is None:
            raise MissingInput(f"{artifact.key} needs {key}, which has not been made; run `o1 run`")
        inputs[name] = ManifestInput(key=key, digest=head.digest, version=head.version)
    return inputs


def artifact_cache_key(
    artifact: Artifact, inputs: dict[str, ManifestInput], external: str | None = None
) -> str:
    """external: the version of what lies outside of the graph; None asks for today's."""
    return cache_key(
        artifact.key,
        code_version(artifact.compute),
        artifact.config.model_dump(mode="json"),
        artifact.seed,
        {name: item.digest for name, item in inputs.items()},
        external or (artifact.external() if artifact.external else None),
    )


def materialize(
    artifact: Artifact,
    store: ArtifactStore,
    *,
    profile: str,
    open_engine: Callable[[Path], Engine],
    threads: int,
    engine: str = "transformers",
    progress: Callable[[str], None] = lambda line: None,
    begin: Callable[[Task], None] = lambda task: None,
) -> Made:
    """Makes `artifact` from the newest versions of its inputs, or finds that an equal computation was done.

    Nothing becomes visible before the compute function has returned: a killed computation leaves a scratch
    folder, and the last state of a training, which an equal computation goes on from. Raises MissingInput, Waiting,
    StoreError when an input or the result found is damaged, DiskFull, ScratchLost, or what the compute function
    raises. engine: the name of what `open_engine` opens, for the manifest. begin: called with the task right before
    it is computed, if it has to be.
    """
    inputs = current_inputs(artifact, store)
    external = artifact.external() if artifact.external else None
    equal = artifact_cache_key(artifact, inputs, external)
    found = _found(artifact, store, equal)
    if found is not None:
        return found

    prepare_compute(threads, artifact.resource_class)
    unfinished = store.work / "unfinished" / equal
    out = Scratch(store.scratch())
    elapsed = Elapsed(unfinished)

    def said(line: str) -> None:
        elapsed.keep()
        progress(line)

    try:
        task = Task(
            inputs={name: store.verified(item.digest) for name, item in inputs.items()},
            out=out.folder,
            seed=artifact.seed,
            open_engine=open_engine,
            progress=said,
            unfinished=unfinished,
            cost_of=lambda name: spent_on(store, inputs[name]),
        )
        begin(task)
        outcome: Outcome = artifact.compute(task, artifact.config)
        # What arrived outside while it computed is not in the result, so it must not be in its key either.
        external = outcome.external or external
        seconds = elapsed.seconds
        if out.lost():
            raise FileNotFoundError(f"{out.folder} is gone")
        digest = store.put(out.folder)
    except Waiting:
        raise
    except Exception as error:
        if full := disk_full(error, store.work):
            raise full from error
        if out.lost():
            raise ScratchLost(
                f"{out.folder} was removed while {artifact.key} was being made in it, so nothing of it was stored; "
                "`o1 run` makes it again"
            ) from error
        raise
    finally:
        out.remove()
    config = artifact.config.model_dump(mode="json")
    manifest = Manifest(
        key=artifact.key,
        digest=digest,
        cache_key=artifact_cache_key(artifact, inputs, external),
        inputs=inputs,
        external=external,
        code_version=code_version(artifact.compute),
        config=config,
        seed=artifact.seed,
        profile=profile,
        finished=datetime.now(UTC).isoformat(),
        cost=ManifestCost(
            seconds=seconds,
            peak_rss_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            flops=outcome.cost.flops,
            tokens_generated=outcome.cost.tokens_generated,
            tokens_scored=outcome.cost.tokens_scored,
            tokens_trained=outcome.cost.tokens_trained,
        ),
        figures=outcome.figures,
        rows=outcome.rows,
        sample=outcome.sample,
        environment=environment(threads, engine, config),
    )
    manifest = store.record(manifest)
    shutil.rmtree(unfinished, ignore_errors=True)
    _write_card(store, manifest, progress)
    return Made(manifest, cached=False)


def known(artifact: Artifact, store: ArtifactStore) -> Made | None:
    """The result of an equal computation on the newest inputs, now the key's head, if there is one.

    Raises MissingInput, StoreError.
    """
    return _found(artifact, store, artifact_cache_key(artifact, current_inputs(artifact, store)))


def _found(artifact: Artifact, store: ArtifactStore, equal: str) -> Made | None:
    found = store.cached(equal) or store.recorded(artifact.key, equal)
    if found is None:
        return None
    store.verified(found.digest)
    store.adopt(found)
    return Made(found, cached=True)


def _write_card(store: ArtifactStore, manifest: Manifest, progress: Callable[[str], None]) -> None:
    """A checkpoint's model card. It says nothing that the manifest does not, so it is no reason to fail."""
    from o1_assets.export.model_card import is_checkpoint, write_card

    try:
        if is_checkpoint(store, manifest):
            write_card(store, manifest)
    except Exception as error:
        progress(f"no model card was written: {error}")
