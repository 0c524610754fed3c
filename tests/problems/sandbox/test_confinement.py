from __future__ import annotations

import json
import subprocess
import sys

import pytest

from o1_assets.problems.sandbox import confinement

# What the interpreter's process may still do is tried in one of Python, which is a binary like any other.
ATTEMPTS = """
import json, os, runpy, socket, sys, threading
layers = runpy.run_path(sys.argv[1])["confine"](sys.executable)

def attempt(action):
    try:
        action()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    except RuntimeError:
        return "RuntimeError"
    return "allowed"

def thread():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()

print(json.dumps([layers, {
    "read": attempt(lambda: open("/etc/passwd").read()),
    "write": attempt(lambda: open(sys.argv[2], "w").write("x")),
    "remove": attempt(lambda: os.remove(sys.argv[3])),
    "execute": attempt(lambda: os.execv("/bin/true", ["true"])),
    "connect": attempt(lambda: socket.socket().connect(("127.0.0.1", 9))),
    "local socket": attempt(socket.socketpair),
    "fork": attempt(os.fork),
    "signal": attempt(lambda: os.kill(os.getppid(), 0)),
    "memory": attempt(lambda: bytearray(2**30)),
    "thread": attempt(thread),
}]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have resource limits alone")
def test_each_layer_refuses_what_it_is_for(tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ATTEMPTS, confinement.__file__, tmp_path / "new", victim],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    layers, results = json.loads(output)
    assert results["memory"] == "MemoryError" and "resource limits" in layers
    if "landlock" in layers:
        assert {results[name] for name in ("read", "write", "remove", "execute")} == {"PermissionError"}
        assert victim.exists() and not (tmp_path / "new").exists()
    if "seccomp" in layers:
        assert {results[name] for name in ("connect", "local socket", "fork", "signal")} == {
            "PermissionError"
        }
        assert results["thread"] == "allowed"
