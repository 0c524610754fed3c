"""Makes one artifact: looks the computation up in the cache, else runs it, stores the bytes, writes the manifest."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from o1_assets.core.artifact import Artifact, Outcome, Task, Waiting
from o1_assets.core.disk import disk_full
from o1_assets.core.engine import Engine
from o1_assets.engine.kept_samples import keeping_samples
from o1_assets.engine.training.tracking import Receiver, tracked_by, tracker
from o1_assets.execution.code_version import code_version
from o1_assets.execution.environment import environment, prepare_compute
from o1_assets.execution.ledger import Stopwatch
from o1_assets.execution.memory import give_back
from o1_assets.store.ancestry import reports
from o1_assets.store.manifest import Manifest, ManifestCost, ManifestInput
from o1_assets.store.scratch import Scratch, ScratchLost
from o1_assets.store.store import ArtifactStore, DamagedError, cache_key, inputs_of


@dataclass(frozen=True)
class Made:
    """The result of `materialize`. manifest: the key's new head. cached: it was found and not computed."""

    manifest: Manifest
    cached: bool


def materialize(
    artifact: Artifact,
    store: ArtifactStore,
    *,
    profile: str,
    open_engine: Callable[[Path], Engine],
    threads: int,
    engine: str = "transformers",
    progress: Callable[[str], None] = lambda line: None,
    on_start: Callable[[Task], None] = lambda task: None,
    on_update: Receiver | None = None,
) -> Made:
    """Makes `artifact` from the newest versions of its inputs, or finds that an equal computation was done.

    Nothing becomes visible before the compute function has returned: a killed computation leaves a scratch folder, and
    the last state of a training and the samples of a large model, from which an equal computation goes on. Raises
    MissingInput, Waiting, StoreError when an input is damaged, DiskFull, ScratchLost, or what the compute function
    raises. engine: the name of what `open_engine` opens, for the manifest. on_start: called with the task right before
    it is computed, if it has to be. on_update: is told the figures of a training while it runs.
    """
    inputs = current_inputs(artifact, store)
    # Read before anything is computed: a batch of labels that arrives meanwhile must make the result stale.
    external = artifact.external() if artifact.external else None
    wanted = artifact_cache_key(artifact, inputs, external)
    if cached := _lookup(artifact, store, wanted):
        return cached

    prepare_compute(threads, artifact.resource_class)
    unfinished = store.work / "unfinished" / wanted
    stopwatch = Stopwatch(unfinished)

    def report_progress(line: str) -> None:
        stopwatch.save()
        progress(line)

    with _scratch(artifact, store) as scratch:
        task = Task(
            inputs={name: store.verified(item.digest) for name, item in inputs.items()},
            out=scratch.folder,
            seed=artifact.seed,
            open_engine=keeping_samples(open_engine, unfinished, report_progress),
            progress=report_progress,
            unfinished=unfinished,
            ancestry=lambda name: reports(store, inputs[name]),
        )
        on_start(task)
        with (
            tracker(artifact.key, store.work.parent / "tracking", progress) as receiver,
            tracked_by(*(each for each in (on_update, receiver) if each is not None)),
        ):
            outcome = artifact.compute(task, artifact.config)
        seconds = stopwatch.seconds
        give_back()
        # A folder that was removed and made again would be stored with some of its files missing.
        scratch.require()
        digest = store.put(scratch.folder)

    # What arrived outside while it computed is not in the result, so it must not be in its key either.
    external = outcome.external or external
    config = artifact.config.model_dump(mode="json")
    manifest = Manifest(
        key=artifact.key,
        digest=digest,
        cache_key=artifact_cache_key(artifact, inputs, external),
        inputs=inputs,
        external=external,
        code_version=code_version(artifact.compute, artifact.unused),
        config=config,
        seed=artifact.seed,
        profile=profile,
        finished=datetime.now(UTC).isoformat(),
        cost=_cost(outcome, seconds),
        figures=outcome.figures,
        rows=outcome.rows,
        sample=outcome.sample,
        environment=environment(threads, engine, config),
    )
    manifest = store.record(manifest)
    # Only now: killed before the manifest is there, an equal computation still has a state to go on from.
    shutil.rmtree(unfinished, ignore_errors=True)
    return Made(manifest, cached=False)


def find_cached(artifact: Artifact, store: ArtifactStore) -> Made | None:
    """The result of an equal computation on the newest inputs, now the key's head, if there is one.

    Raises MissingInput, StoreError.
    """
    return _lookup(artifact, store, artifact_cache_key(artifact, current_inputs(artifact, store)))


def _lookup(artifact: Artifact, store: ArtifactStore, cache_key: str) -> Made | None:
    for find in (lambda: store.cached(cache_key), lambda: store.recorded(artifact.key, cache_key)):
        try:
            manifest = find()
            if manifest is None:
                continue
            # Never adopted unseen: everything made from a damaged object would inherit the damage.
            store.verified(manifest.digest)
        except DamagedError:  # as good as absent, so it is made again
            continue
        store.adopt(manifest)
        # Killed after the manifest was written and before the cache entry, a computation left its last state.
        shutil.rmtree(store.work / "unfinished" / cache_key, ignore_errors=True)
        return Made(manifest, cached=True)
    return None


@contextmanager
def _scratch(artifact: Artifact, store: ArtifactStore) -> Iterator[Scratch]:
    """An empty folder to make the artifact in.

    A full disk, or a folder that somebody removed meanwhile, causes all kinds of errors in libraries. They become
    DiskFull and ScratchLost here.
    """
    scratch = Scratch(store.scratch())
    try:
        yield scratch
    except Waiting:  # expected: people have not rated yet, whatever the disk is like
        raise
    except Exception as error:
        if full := disk_full(error, store.work):
            raise full from error
        if scratch.lost():
            raise ScratchLost(
                f"{scratch.folder} was removed while {artifact.key} was being made in it, so nothing of it was "
                "stored; `o1 run` makes it again"
            ) from error
        raise
    finally:
        scratch.remove()


def _cost(outcome: Outcome, seconds: float) -> ManifestCost:
    # Linux reports the peak in KiB. It is the process's: under the in-process executor, that of all steps so far.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return ManifestCost(seconds=seconds, peak_rss_gib=peak, **asdict(outcome.cost))


def current_inputs(artifact: Artifact, store: ArtifactStore) -> dict[str, ManifestInput]:
    """The newest version of every input. Raises MissingInput when one was never made."""
    return inputs_of(artifact.key, artifact.inputs, store.heads(set(artifact.inputs.values())))


def artifact_cache_key(
    artifact: Artifact, inputs: dict[str, ManifestInput], external: str | None = None
) -> str:
    """The cache key of an artifact on given inputs. external: as in `Outcome`; None asks the artifact."""
    return cache_key(
        artifact.key,
        code_version(artifact.compute, artifact.unused),
        artifact.config.model_dump(mode="json"),
        artifact.seed,
        {name: item.digest for name, item in inputs.items()},
        external or (artifact.external() if artifact.external else None),
    )
