"""What of a checkpoint's object goes into an export, and what is made for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from o1_assets.core.files import json_bytes
from o1_assets.store.kinds import check_kinds

GENERATOR = "generator"
"""Folder, inside of a reward model's export, of the generator whose log-probabilities it reads."""


ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.png filter=lfs diff=lfs merge=lfs -text\n"
"""What the Hub writes into .gitattributes of a new repository, as far as it is of our files."""


_LEFT_OUT = (".parquet",)


def copy_checkpoint(source: Path, target: Path, plots: bool = True) -> None:
    """The files of a checkpoint's object: weights, configuration, tokenizer and, if wanted, its plots.

    Tables stay out: they are no part of a model. Raises StoreError on a file that no artifact may hold.
    """
    check_kinds(source)
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        wanted = len(name.parts) == 1 or (plots and name.parts[0] == "plots")
        if path.is_file() and wanted and path.suffix not in _LEFT_OUT and name.as_posix() != "tree.json":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)  # not its mode: the store's files are read-only


def is_reward_model(folder: Path) -> bool:
    return any(
        "TokenClassification" in name for name in _json(folder / "config.json").get("architectures") or ()
    )


def reads_generator(folder: Path) -> bool:
    """Whether a reward model reads how likely the generator found each step."""
    return bool(_json(folder / "config.json").get("probability_feature"))


def complete_config(folder: Path) -> None:
    """Training switches the cache of keys and values off and that is saved; whoever generates wants it."""
    path = folder / "config.json"
    path.write_bytes(json_bytes({**_json(path), "use_cache": True}))


def complete_generation_config(folder: Path, max_tokens: int | None) -> None:
    """Adds the longest solution, in tokens, that the model was trained to write; transformers stops at 20 without."""
    path = folder / "generation_config.json"
    known = _json(path) if path.exists() else _special_tokens(_json(folder / "config.json"))
    path.write_bytes(json_bytes({**known, **({"max_new_tokens": max_tokens} if max_tokens else {})}))


def plots(folder: Path) -> list[str]:
    """Names of the plots, relative to the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("plots/*.png"))


def _special_tokens(config: dict[str, Any], names: Collection[str] = ("bos", "eos", "pad")) -> dict[str, Any]:
    keys = [f"{name}_token_id" for name in names]
    return {key: config[key] for key in keys if config.get(key) is not None}


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content
