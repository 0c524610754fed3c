"""Runs an `o1` command in this process as the console script does; what it imports is part of its time."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from unittest.mock import patch


def o1(home: Path, *arguments: str, **environment: str) -> str:
    """What it printed. home: O1_HOME. Raises AssertionError if it failed."""
    from o1_assets.cli import main

    out = io.StringIO()
    with (
        patch.dict(os.environ, {"O1_HOME": str(home), **environment}),
        patch.object(sys, "argv", ["o1", *arguments]),
        contextlib.redirect_stdout(out),
    ):
        try:
            main()
        except SystemExit as end:
            assert not end.code, f"o1 {' '.join(arguments)}: {end.code}\n{out.getvalue()[-2000:]}"
    return out.getvalue()
