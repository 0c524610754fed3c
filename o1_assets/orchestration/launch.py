"""A training of several processes as a Dagster step: `accelerate launch` through Pipes.

    python -m o1_assets.orchestration.launch r03/policy 8

starts `o1_assets.orchestration.train` with `accelerate launch`, so that no process outlives the one that asked for it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import PROJECT
from o1_assets.execution.materialize import Made, find_cached
from o1_assets.orchestration.internals import PipesFailed
from o1_assets.store.store import ArtifactStore


def command(key: str, processes: int) -> list[str]:
    """`accelerate launch` for the processes of one training on this machine: NCCL on GPUs, gloo without any."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes)]
    if processes > 1:
        launch.append("--multi_gpu")  # this launcher also starts processes without GPUs
    # Given here, because accelerate takes what is missing from the user's configuration file. Port 0 is any free port,
    # so that two trainings can run on one machine.
    fixed = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    fixed += ["--main_process_port", "0"]
    return [*launch, *fixed, "-m", "o1_assets.orchestration.train", key]


def guarded(key: str, processes: int) -> list[str]:
    """The command that starts this module's `main`, which ends the training when this process ends."""
    return [sys.executable, "-m", "o1_assets.orchestration.launch", key, str(processes), str(os.getpid())]


def main() -> None:
    key, processes, *parent = sys.argv[1:]
    if sys.platform == "linux":
        # A killed step must not leave a training on devices that the next one is given.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG; kept by exec
        # The parent may ignore or block the signal, and exec keeps that as well.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    # The parent may have died before it could be watched; then this process was given to another one.
    if parent and os.getppid() != int(parent[0]):
        sys.exit("o1: what asked for this training is gone")
    os.dup2(2, 1)  # stdout belongs to the command that the person typed
    words = command(key, int(processes))
    os.execv(words[0], words)


class TrainingFailed(O1Error):
    """The processes of a training did not finish it; the message says why, or where it can be read."""


def make_in_processes(
    context: dg.AssetExecutionContext,
    artifact: Artifact,
    store: ArtifactStore,
    processes: int,
    overrides: str,
) -> Made:
    """As `materialize`, by `processes` processes. None is started where an equal computation was done.

    overrides: as in O1_SET, which tells the processes what the artifact is.

    Raises MissingInput, StoreError, TrainingFailed.
    """
    if cached := find_cached(artifact, store):
        return cached
    client = dg.PipesSubprocessClient(cwd=str(PROJECT))
    try:
        done = client.run(
            context=context, command=guarded(artifact.key, processes), env={"O1_SET": overrides}
        )
    except PipesFailed as error:
        raise TrainingFailed(
            f"{processes} processes of {artifact.key} failed: {error}; what they printed is in the step's stderr"
        ) from error
    (report,) = done.get_custom_messages()  # process 0 alone reports, once
    if "error" in report:
        raise TrainingFailed(str(report["error"]))
    return Made(store.manifest(artifact.key, str(report["version"])), bool(report["cached"]))


if __name__ == "__main__":
    main()
