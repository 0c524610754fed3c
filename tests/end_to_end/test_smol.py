"""The profile smol at its smoke size on the real model: `O1_TEST_SMOL=FOLDER` names SVAMP's files.

It takes some ten minutes on two cores, so it is not part of `make test`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = os.environ.get("O1_TEST_SMOL", "")


@pytest.mark.skipif(not DATA, reason="set O1_TEST_SMOL to a clone of github.com/arkilpatel/SVAMP")
@pytest.mark.timeout(3600)
def test_word_problems_from_weights_to_report(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="weights in GGUF: `uv sync --extra smol`")
    command = [sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()"]
    sizes = ["--profile", "smol-smoke", "--set", f"problems.source.folder={DATA}"]
    environment = {**os.environ, "O1_HOME": str(tmp_path)}

    def o1(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments, *sizes], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = json.loads(o1("run", "--json"))
    assert made["computed"] == 33 and not made["waiting"]
    states = {row["key"]: row["state"] for row in json.loads(o1("status", "--json"))["artifacts"]}
    optional = ("q_value", "thinking", "prompting", "low_rank", "difficulty", "eval/base")
    assert {state for key, state in states.items() if not any(name in key for name in optional)} == {"fresh"}
    assert (tmp_path / "smol-smoke" / "report.html").stat().st_size > 10_000
