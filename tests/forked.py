"""`o1` in a process of its own that need not import torch, transformers and Dagster first.

A server process imports them once for each test worker; every command is a fork of it. What a command does to its
process (environment, torch's determinism, caches, loggers) ends with it, exactly as if a user had started it, for
0.1 s of processor time in place of 5 to 12. Tests of the start itself, and of what a command imports, use
`subprocess`.
"""

from __future__ import annotations

import atexit
import gc
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

PRELOADED = [
    "o1_assets.cli.main",
    "o1_assets.definitions",
    "o1_assets.policy.grpo",
    "o1_assets.report.write",
    "matplotlib.backends.backend_svg",
    "reasoning_gym",
    "torch._inductor.config",
    "transformers.models.llama.modeling_llama",
]
"""Imports only: a thread that a library starts at import would not survive the fork."""


@cache
def _server() -> ForkServerContext:
    # The server passes over what it cannot import, and every command would be slow again.
    gone = [name for name in PRELOADED if importlib.util.find_spec(name) is None]
    assert not gone, f"renamed? {gone}"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def process(target: Callable[..., object], *arguments: object) -> BaseProcess:
    """A process, to be started, that calls `target`; what it needs of PRELOADED is imported."""
    return _server().Process(target=target, args=arguments)


def o1(
    *arguments: str, environment: Mapping[str, str], timeout: float = 280, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`o1 ARGUMENTS` with these environment variables beside the test's own ones. Raises subprocess.TimeoutExpired.

    cwd: the working directory; None: the test's.
    """
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        settings = {**os.environ, **environment}
        command = process(_main, arguments, settings, stdout, stderr, cwd or Path.cwd())
        command.start()
        command.join(timeout)
        if command.exitcode is None:
            command.kill()
            command.join()
            raise subprocess.TimeoutExpired(["o1", *arguments], timeout)
        return subprocess.CompletedProcess(
            ["o1", *arguments], command.exitcode, stdout.read_text(), stderr.read_text()
        )


@contextmanager
def started(
    *arguments: str, environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[BaseProcess, Path, Path]]:
    """`o1 ARGUMENTS`, which runs meanwhile and is killed in the end; the process and what it prints, in `folder`."""
    stdout, stderr = folder / "stdout", folder / "stderr"
    command = process(_main, arguments, {**os.environ, **environment}, stdout, stderr, Path.cwd())
    command.start()
    try:
        yield command, stdout, stderr
    finally:
        command.kill()
        command.join()


def _main(
    arguments: tuple[str, ...], environment: dict[str, str], stdout: Path, stderr: Path, cwd: Path
) -> None:
    from o1_assets.cli.main import main
    from tests.unsynced import stop_waiting

    for stream, file in ((sys.stdout, stdout), (sys.stderr, stderr)):
        with file.open("w") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["o1", *arguments]
    warnings.simplefilter("ignore")
    stop_waiting()
    gc.freeze()  # what was preloaded need not be looked through again and again
    try:
        main()
    finally:
        # multiprocessing leaves with os._exit, which skips them; the graders' workers are ended by one.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
