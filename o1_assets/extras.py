"""Packages that only some settings need: a missing one is said in one sentence before any work starts."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {"ray": ("dagster_ray", "ray"), "k8s": ("dagster_k8s",), "postgres": ("dagster_postgres",)}
"""Extra of this project -> modules that it brings."""


class MissingExtra(Exception):
    """A setting needs a package that is not installed."""


def require(name: str, setting: str = "") -> None:
    """name: of an extra; anything else needs none. setting: what asks for it. Raises MissingExtra."""
    missing = [module for module in EXTRAS.get(name, ()) if find_spec(module) is None]
    if missing:
        raise MissingExtra(
            f"{setting or f'executor={name}'} needs the package {missing[0].replace('_', '-')}, which is not "
            f'installed: pip install "o1-assets[{name}]"; executor=local and SQLite work without it'
        )
