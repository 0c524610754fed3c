"""Leases this machine's GPUs: a step has its devices for itself, whoever else computes here.

Dagster's pools count steps and do not know which device is free. So each device is a file lock in a folder of the
machine. A step holds as many as its class names and sees no others, through CUDA_VISIBLE_DEVICES. The system releases
them when its process ends, however it ends. On Ray and Kubernetes the cluster does this.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from o1_assets.core.errors import O1Error

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_SECONDS = 0.5
PROC = Path("/proc/driver/nvidia/gpus")


class DevicesMissing(O1Error):
    """A step needs more GPUs than this machine has."""


def machine_devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES of this process names, else a number for each GPU that the driver lists."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() and name.strip() != "-1"]
    # The driver's own list: to ask CUDA would load torch into a process that only hands steps out.
    return [str(i) for i in range(len(list(PROC.iterdir())))] if PROC.is_dir() else []


def lease_folder() -> Path:
    """The folder of the locks: O1_DEVICE_LEASES, else one of this user's on this machine."""
    # Not in O1_HOME: all profiles and homes share the machine's GPUs.
    named = os.environ.get("O1_DEVICE_LEASES")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"o1-devices-{os.getuid()}"


def enough_devices(profile: Profile) -> None:
    """Raises DevicesMissing when a class that the profile uses needs more GPUs than there are."""
    present = len(machine_devices())
    for name in sorted({profile.model_class, profile.class_of_training}):
        wanted = profile.classes.of(name).gpus
        if wanted > present:
            raise DevicesMissing(
                f"class {name} of profile {profile.name} needs {wanted} GPUs and this machine has {present}: lower "
                f"classes.{name}.gpus, name another class, or take profile nano, which needs none"
            )


@contextmanager
def leased(
    count: int,
    devices: Sequence[str] | None = None,
    folder: Path | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[list[str]]:
    """Waits for `count` free devices and holds them; this process and its children see no others.

    devices: the names to choose from; None asks the machine. on_wait: called once if it has to wait.
    Raises DevicesMissing.
    """
    if not count:
        yield []
        return
    present = list(machine_devices() if devices is None else devices)
    if count > len(present):
        raise DevicesMissing(f"a step needs {count} GPU(s), this machine has {len(present)}")
    where = folder or lease_folder()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = os.environ.get(VISIBLE)
    with ExitStack() as held:
        # One step at a time collects its devices, and keeps those it has while it waits for more. Otherwise a step
        # that wants all GPUs would be passed over for ever, or two of them would each hold half and wait.
        with FileLock(where / "turn"):
            names = _collect(count, present, where, held, on_wait)
        os.environ[VISIBLE] = ",".join(names)
        try:
            yield names
        finally:
            if before is None:
                del os.environ[VISIBLE]
            else:
                os.environ[VISIBLE] = before


def _collect(
    count: int, present: Sequence[str], where: Path, held: ExitStack, on_wait: Callable[[], None]
) -> list[str]:
    names: list[str] = []
    announced = False
    while True:
        for name in present:
            if name not in names and len(names) < count:
                lock = FileLock(where / f"device-{name.replace('/', '_')}")
                try:
                    held.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    continue
                names.append(name)
        if len(names) == count:
            return sorted(names, key=list(present).index)
        if not announced:
            on_wait()
            announced = True
        time.sleep(POLL_SECONDS)
