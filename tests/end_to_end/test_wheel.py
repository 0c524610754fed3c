"""The package as a wheel, away from the clone: `make test-wheel`. The libraries are those of this environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from o1_assets.core.settings import PROJECT
from tests.mini import MINI

UV = os.environ.get("O1_TEST_WHEEL", "")


@pytest.mark.skipif(not UV, reason="`make test-wheel` says where uv is")
@pytest.mark.timeout(900)
def test_a_wheel_runs_the_loop_in_a_folder_of_its_own(tmp_path: Path) -> None:
    def call(*command: str, home: Path | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path / "work",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONWARNINGS": "ignore",
                "O1_SET": MINI,
                **({"O1_HOME": str(home)} if home else {}),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    (tmp_path / "work").mkdir()
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, PROJECT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "o1_assets/py.typed" in zipfile.ZipFile(wheel).namelist()
    environment = tmp_path / "environment"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel], check=True)
    (site,) = environment.glob("lib/*/site-packages")
    # Of that folder the libraries alone: what else is said there, as where the clone is, is not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))

    o1 = str(environment / "bin" / "o1")
    where = call(str(python), "-c", "import o1_assets, jobs, sensors, resources; print(o1_assets.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    before = {file for file in site.rglob("*") if "__pycache__" not in file.parts}
    made = json.loads(call(o1, "run", "--json"))
    assert made["computed"] > 10 and not made["waiting"]
    assert (tmp_path / "work" / ".o1" / "nano" / "report.html").is_file()
    # The profile's home is in the working directory, or where O1_HOME says; nothing is written into site-packages.
    assert {file for file in site.rglob("*") if "__pycache__" not in file.parts} == before
    call(o1, "labels", "status", home=tmp_path / "elsewhere")
    status = json.loads(call(o1, "status", "--json"))
    assert {row["state"] for row in status["artifacts"]} == {"fresh", "missing"}
    call(str(python), "-c", "import o1_assets.definitions")
