"""`kill -9` of a real `o1 run` at twenty moments, and a real full disk. Long, so only with O1_TEST_KILL=1.

Half of the kills come after a random time, half at a random call of what makes things durable or visible (fsync,
rename, replace): those moments are short, and a clock would hardly ever meet them.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from o1_assets.core.settings import Settings
from o1_assets.store.store import ArtifactStore
from tests.end_to_end.mini_home import O1, graph_keys
from tests.mini import MINI

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("O1_TEST_KILL"), reason="takes half an hour: O1_TEST_KILL=1 runs it"
    ),
    pytest.mark.timeout(7200),
]


KILLS = 20


RUN = """
import atexit, os, signal, sys
left = int(sys.argv.pop(1))
atexit.register(lambda: print("calls", -left))
def counted(call):
    def wrapper(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return wrapper
for name in ("fsync", "rename", "replace"):
    setattr(os, name, counted(getattr(os, name)))
from o1_assets.engine.training import checkpoint
checkpoint.COST_SHARE = 0.1  # trainings of seconds: save more often than is right for longer ones
from o1_assets.cli import main
main()
"""


def run(home: Path, at_call: int = 0, kill_after: float = float("inf")) -> tuple[bool, str]:
    """(killed, what it printed): `o1 run`, killed with its children at a call or after so much processor time."""
    environment = {
        **os.environ,
        "O1_HOME": str(home),
        "O1_SET": MINI,
        "OMP_NUM_THREADS": "2",
        "O1_CHECKPOINT_SECONDS": "0.1",
    }
    log = home.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", RUN, str(at_call), "run", "--json"],
            env=environment, stdout=output, stderr=output, start_new_session=True, text=True,
        )  # fmt: skip
        wait_until(process, kill_after)
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    printed = log.read_text()
    assert process.returncode in (0, -signal.SIGKILL), printed[-3000:]
    return process.returncode != 0, printed


def wait_until(process: subprocess.Popen[str], seconds: float) -> None:
    """Until the process has ended or taken so much processor time: that does not depend on what runs beside it."""
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        times = watched.cpu_times()
        if times.user + times.system > seconds:
            return
        time.sleep(0.1)


def plain(home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI, "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [*O1, "run", "--json"], env=environment, capture_output=True, text=True, timeout=1200
    )


def store_of(home: Path) -> ArtifactStore:
    settings = Settings.load("nano", home)
    return ArtifactStore(settings.store, settings.work)


def digests(home: Path) -> dict[str, str]:
    store = store_of(home)
    return {key: head.digest for key in graph_keys(home) if (head := store.head(key))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float, int]:
    """Digests of an undisturbed run, its processor seconds, how often it made something durable or visible."""
    home = tmp_path_factory.mktemp("whole") / "o1"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    killed, printed = run(home)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not killed
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return digests(home), seconds, int(printed.rpartition("calls ")[2])


def test_twenty_kills_and_the_same_digests(whole: tuple[dict[str, str], float, int], tmp_path: Path) -> None:
    wanted, seconds, calls = whole
    rng, kills, resumed, passes = random.Random(20), Counter[str](), 0, 0
    while kills.total() < KILLS:
        passes += 1
        home = tmp_path / f"o{passes}"
        finished: dict[str, str] = {}
        while kills.total() < KILLS:
            by_clock = kills.total() % 2 == 0
            killed, printed = (
                run(home, kill_after=rng.uniform(0.1, 0.7) * seconds)
                if by_clock
                else run(home, at_call=rng.randint(1, calls // 3))
            )
            resumed += printed.count("continues at update")
            store, now = store_of(home), digests(home)
            assert finished.items() <= now.items(), "what was finished stays as it was"
            finished = now
            for digest in now.values():
                store.verify(digest)
            if not killed:
                break
            kills["clock" if by_clock else "call"] += 1
            print(
                f"kill {kills.total()} ({'clock' if by_clock else 'call'}): {len(now)} artifacts finished",
                flush=True,
            )
        assert run(home)[0] is False
        store = store_of(home)
        assert digests(home) == wanted
        assert {key: len(store.versions(key)) for key in wanted} == dict.fromkeys(wanted, 1), "made once"
        assert not [p for p in (store.work / "scratch").iterdir()]
        assert not [p for p in (store.work / "unfinished").iterdir()]
        assert Settings.load("nano", home).report.exists()
        shutil.rmtree(home)
    assert resumed, "no kill met a training that had saved its state"
    print(f"\n{kills} in {passes} passes, {resumed} trainings continued, undisturbed {seconds:.0f} s")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes, if this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_with_room_the_same_digests(
    whole: tuple[dict[str, str], float, int], small_disk: Path
) -> None:
    home, failures = small_disk / "o1", 0
    for size in ("1m", "3m", "6m", "10m", "16m", "400m"):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(small_disk)], check=True)
        done = plain(home)
        for digest in digests(home).values():
            store_of(home).verify(digest)
        if done.returncode == 0:
            break
        failures += 1
        said = [line for line in done.stderr.splitlines() if line.startswith("o1: ")]
        print(size, len(digests(home)), said)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-3000:]
        assert len(said) == 1 and str(small_disk) in said[0] and "is full" in said[0], done.stderr[-3000:]
    assert failures >= 3 and digests(home) == whole[0]


@pytest.mark.parametrize("folder", ["work", "dagster"])
def test_a_folder_removed_before_or_during_a_run_is_one_sentence_at_most(
    whole: tuple[dict[str, str], float, int], tmp_path: Path, folder: str
) -> None:
    wanted, seconds, _ = whole
    home = tmp_path / "o1"
    for share in (0.4, 0.5):
        environment = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI, "OMP_NUM_THREADS": "2"}
        process = subprocess.Popen(
            [*O1, "run"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until(process, share * seconds)
        shutil.rmtree(home / "nano" / folder, ignore_errors=True)
        _, error = process.communicate(timeout=600)
        said = [line for line in error.splitlines() if line.startswith("o1: ")]
        print(folder, process.returncode, said)
        assert "Traceback" not in error, error[-3000:]
        assert process.returncode == 0 or (len(said) == 1 and folder in said[0]), error[-3000:]
        for digest in digests(home).values():
            store_of(home).verify(digest)
    shutil.rmtree(home / "nano" / folder, ignore_errors=True)
    assert plain(home).returncode == 0
    assert digests(home) == wanted


def test_two_runs_at_once_make_everything_once(
    whole: tuple[dict[str, str], float, int], tmp_path: Path
) -> None:
    home = tmp_path / "o1"
    environment = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI, "OMP_NUM_THREADS": "2"}
    both = [
        subprocess.Popen(
            [*O1, "run"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=1200) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("waiting for it to end" in error for _, error in outputs) == 1
    assert sorted("\n0 computed" in f"\n{output}" for output, _ in outputs) == [False, True]
    store = store_of(home)
    assert digests(home) == whole[0]
    assert {key: len(store.versions(key)) for key in whole[0]} == dict.fromkeys(whole[0], 1)
