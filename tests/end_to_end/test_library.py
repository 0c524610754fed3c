"""The examples of docs/library.md, one after another, on the mini graph's home."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_examples_run(
    mini_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".o1").symlink_to(mini_home)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)
    lines = capsys.readouterr().out.splitlines()
    assert "model.safetensors" in lines[0] and lines[1].endswith("'r01/policy']")
    assert lines[2:4] == ["True True False", "[True, False]"]
    assert len(lines) == 7 and lines[4].startswith("'2*3=6")
