"""Runs an `o1` command in this process as the console script does; what it imports is part of its time."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path


def o1(home: Path, *arguments: str, **environment: str) -> str:
    """What it printed. home: O1_HOME. Raises AssertionError if it failed."""
    from o1_assets.cli import main

    os.environ.update(environment, O1_HOME=str(home))
    sys.argv = ["o1", *arguments]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as end:
            assert not end.code, f"o1 {' '.join(arguments)}: {end.code}\n{out.getvalue()[-2000:]}"
    return out.getvalue()
