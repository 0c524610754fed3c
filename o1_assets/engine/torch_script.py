"""Functions in TorchScript, compiled once a process: one call that does not need Python's lock."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

import torch

_compiling = Lock()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled at its first use, by whichever thread comes first while all others wait."""
    # TorchScript parses the function's source, and two threads that do so at the same time meet "AST constructor
    # recursion depth mismatch" in Python 3.11 (CPython's issue 106905).
    with _compiling:
        return _compile(function)


@cache
def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what replaces it needs a C++ compiler
        return torch.jit.script(function)
