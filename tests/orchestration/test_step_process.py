"""What the processes of steps are forked from is safe to fork, and has imported what steps need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from o1_assets.core.settings import PROJECT
from o1_assets.orchestration.internals import STORAGES
from resources.compute import PRELOADED

LOOK = f"""
import importlib, json, os, sys, threading
for name in {PRELOADED!r}:
    importlib.import_module(name)
import torch
files = {{os.path.realpath(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd")}}
print(json.dumps({{
    "threads": threading.active_count(),
    "cuda": torch.cuda.is_initialized(),
    "databases": [name for name in files if name.endswith((".db", ".duckdb"))],
    "missing": [name for name in {[*STORAGES, "torch", "trl", "o1_assets.policy.grpo"]!r} if name not in sys.modules],
}}))
"""


def test_the_server_of_steps_has_imported_all_and_holds_nothing_that_a_fork_breaks(tmp_path: Path) -> None:
    environment = {**os.environ, "O1_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT), "O1_PROFILE": "nano"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"threads": 1, "cuda": False, "databases": [], "missing": []}
