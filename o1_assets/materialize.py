"""Makes one artifact: looks the computation up in the cache, else runs it, stores the bytes, writes the manifest."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from o1_assets.artifact import Artifact, Cost, Outcome, Task, Waiting
from o1_assets.code_version import code_version
from o1_assets.elapsed import Elapsed
from o1_assets.engine.interface import Engine
from o1_assets.libraries import libraries
from o1_assets.scratch import Scratch, ScratchLost
from o1_assets.settings import PROJECT
from o1_assets.store.manifest import Environment, Manifest, ManifestCost, ManifestInput
from o1_assets.store.store import ArtifactStore, cache_key
from o1_assets.trouble import disk_full


class MissingInput(Exception):
    """An input has no version yet."""


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
            spent=lambda name: spent_on(store, inputs[name]),
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


def spent_on(store: ArtifactStore, item: ManifestInput) -> Cost:
    """What a version and all that it was made from took, each counted once. Raises StoreError."""
    from o1_assets.audit.walk import ancestry

    costs = [manifest.cost for manifest in ancestry(store, item.key, item.version)]
    own = (Cost(c.flops, c.tokens_generated, c.tokens_scored, c.tokens_trained) for c in costs)
    return sum(own, Cost())


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
    from o1_assets.audit.model_card import is_checkpoint, write_card

    try:
        if is_checkpoint(store, manifest):
            write_card(store, manifest)
    except Exception as error:
        progress(f"no model card was written: {error}")


def prepare_compute(threads: int, resource_class: str = "cpu") -> None:
    """Fixes what the bytes of a result depend on: the number of threads, and deterministic algorithms in torch.

    The caller's own OMP_NUM_THREADS has no say: the number that the manifest records is the one computed with.
    On GPUs torch has to be told before it is used; on CPUs the operators used here are deterministic as they are.
    """
    # Two spinning pools on few cores thrash.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if "torch" in sys.modules or resource_class != "cpu":
        torch: Any = import_module("torch")
        torch.set_num_threads(threads)
        # Some operators on GPUs have no deterministic form: they warn, and `o1 audit --replay` says how far apart
        # two runs are. Fresh memory is never read, so it need not be filled.
        torch.use_deterministic_algorithms(True, warn_only=True)
        deterministic: Any = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False


def environment(
    threads: int, engine: str = "transformers", config: Mapping[str, Any] = MappingProxyType({})
) -> Environment:
    """What this process would record of a computation with that configuration."""
    return Environment(
        git_commit=_git("rev-parse", "HEAD"),
        git_dirty=None if (status := _git("status", "--porcelain")) is None else bool(status),
        python=platform.python_version(),
        libraries=libraries(config),
        hardware=_hardware(),
        threads=threads,
        engine=engine,
        processes=_processes(),
    )


def _processes() -> int:
    if "torch" not in sys.modules:
        return 1
    from o1_assets.training.processes import processes

    return processes()


@cache
def _hardware() -> str:
    gpus = [
        line.split(":", 1)[1].strip()
        for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in file.read_text().splitlines()
        if line.startswith("Model:")
    ]
    return ", ".join([f"{platform.machine()} {_processor()}", f"{os.cpu_count()} cores", *gpus])


def _processor() -> str:
    """The model, and what tells machines of one name apart: family, model number, widest vectors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    vectors = next((v for v in ("avx512f", "avx2", "asimd") if v in said.get("flags", "").split()), "")
    details = [f"{name} {said[name]}" for name in ("cpu family", "model") if name in said]
    more = ", ".join(filter(None, [*details, vectors]))
    return f"{said.get('model name', platform.processor())}{f' ({more})' if more else ''}"


@cache
def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
