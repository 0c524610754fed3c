"""Starts `o1_assets.train` with `accelerate launch`, so that no process of it outlives the one that asked for it.

python -m o1_assets.launch r03/policy 8
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def command(key: str, processes: int) -> list[str]:
    """`accelerate launch` for the processes of one training on this machine: NCCL on GPUs, gloo without any."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes)]
    if processes > 1:
        launch.append("--multi_gpu")  # its launcher serves processes without GPUs as well
    fixed = [
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
    ]
    return [*launch, *fixed, "-m", "o1_assets.train", key]


def guarded(key: str, processes: int) -> list[str]:
    """The same by way of this module."""
    return [sys.executable, "-m", "o1_assets.launch", key, str(processes), str(os.getpid())]


def main() -> None:
    key, processes, *asked = sys.argv[1:]
    if sys.platform == "linux":
        # A killed step must not leave a training on devices that the next one is given.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG; kept by exec
        # Whoever asked may ignore or block it, and exec keeps that as well.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    if asked and os.getppid() != int(asked[0]):
        sys.exit("o1: what asked for this training is gone")
    os.dup2(2, 1)  # stdout belongs to the command that the person typed
    words = command(key, int(processes))
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
