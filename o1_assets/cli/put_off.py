"""Puts off the import of libraries that a command may turn out not to need."""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

LIBRARIES = ("numpy", "polars")


def import_when_used() -> None:
    """Puts a module in the place of each library, which is imported when something of it is first asked for."""
    # Many modules that a command imports use polars or numpy in functions that it does not call.
    for name in LIBRARIES:
        if name not in sys.modules and (spec := find_spec(name)) and spec.loader:
            spec.loader = LazyLoader(spec.loader)
            sys.modules[name] = module = module_from_spec(spec)
            spec.loader.exec_module(module)


def import_now() -> None:
    """Imports what was put off: two threads must not begin with it at once."""
    for name in LIBRARIES:
        if name in sys.modules:
            _ = sys.modules[name].__all__
