"""Digests of files and folders. A folder's digest is the digest of a list: its files' paths, sizes and digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from o1_assets.core.files import sha256

TREE = "tree.json"


def sha256_json(value: Any) -> str:
    """Digest of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_tree(folder: Path) -> list[dict[str, Any]]:
    """One {path, size, sha256} for each file, sorted by path. Raises ValueError on anything but files and folders.

    Empty folders are not listed: two folders with the same files have the same digest.
    """
    tree = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is neither a file nor a folder; an artifact holds nothing else")
        # tree.json is left out: it is this list, and its digest names the object.
        if path.is_file() and path != folder / TREE:
            name = path.relative_to(folder).as_posix()
            tree.append({"path": name, "size": path.stat().st_size, "sha256": sha256(path)})
    return sorted(tree, key=lambda entry: entry["path"])


def tree_bytes(tree: list[dict[str, Any]]) -> bytes:
    """The bytes of tree.json. An audit compares them, so there is one way to write it."""
    # Not `json_bytes`: every store that exists holds these bytes.
    return json.dumps(tree, indent=1).encode()


def tree_digest(tree: list[dict[str, Any]]) -> str:
    return sha256_json(tree)
