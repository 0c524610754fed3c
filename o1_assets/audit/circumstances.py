"""What is not today as it was when a version was made: code, libraries, Python, hardware."""

from __future__ import annotations

from o1_assets.materialize import environment
from o1_assets.store.manifest import Manifest


def changed_circumstances(manifest: Manifest, code_version: str) -> list[str]:
    """One clause each; empty when bytes are to be expected equal. code_version: of today's computation."""
    was = manifest.environment
    now = environment(was.threads, was.engine, manifest.config)
    changes = []
    if code_version != manifest.code_version:
        changes.append(f"its code has changed since; {checkout(manifest)}")
    others = [
        f"{name} {was.libraries.get(name, 'none')} then, {now.libraries.get(name, 'none')} now"
        for name in sorted(was.libraries.keys() | now.libraries.keys())
        if was.libraries.get(name) != now.libraries.get(name)
    ]
    if others:
        changes.append(f"other libraries: {', '.join(others)}")
    if was.python != now.python:
        changes.append(f"Python {was.python} then, {now.python} now")
    if was.processes != now.processes:
        changes.append(f"{was.processes} processes shared it then, {now.processes} now")
    if was.hardware != now.hardware:
        changes.append(f"other hardware: {was.hardware} then, {now.hardware} now")
    return changes


def checkout(manifest: Manifest) -> str:
    """Where the code that made it is to be found."""
    commit, dirty = manifest.environment.git_commit, manifest.environment.git_dirty
    if commit is None:
        return "it was made outside of a git checkout"
    changes = ", which had local changes that git does not know" if dirty else ""
    return f"`git checkout {commit[:12]}` has what made it{changes}"
