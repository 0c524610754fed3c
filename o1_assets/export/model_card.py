"""Model cards in Hugging Face's format: what a checkpoint is, was trained on and is good for, from its manifest.

A card is no part of the checkpoint's object, whose digest it names: it lies beside the manifest, as
cards/<key>/<version>.md, is written when the manifest is, and made again from it where it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from o1_assets.core.formatting import with_thousands
from o1_assets.export.card_words import Words, words_of
from o1_assets.store.ancestry import ancestry, find_version
from o1_assets.store.manifest import Environment, Manifest
from o1_assets.store.store import ArtifactStore, StoreError

TEMPLATE = Path(__file__).with_name("model_card.md.j2")


LINEAGE = "## Lineage"


MODELS = ("model", "prm", "orm", "policy", "q_value")
"""Stages whose artifacts are checkpoints; what is made from one has them as a start, not as data."""


def is_checkpoint(store: ArtifactStore, manifest: Manifest) -> bool:
    """Whether the version holds a model: a configuration and weights, as its object lists them."""
    names = {entry["path"] for entry in store.tree(manifest.digest)}
    return "config.json" in names and any(name.endswith(".safetensors") for name in names)


def write_card(store: ArtifactStore, manifest: Manifest) -> str:
    """Writes the card of a recorded checkpoint beside its manifest and returns it. Raises StoreError."""
    text = make_card(store, manifest)
    store.backend.write(card_name(manifest.key, manifest.version), text.encode())
    return text


def make_card(store: ArtifactStore, manifest: Manifest) -> str:
    """The card of a recorded checkpoint, from the manifests of all that it was made from. Raises StoreError."""
    return model_card(ancestry(store, manifest.key, manifest.version), partial(_labelers, store))


def read_card(store: ArtifactStore, key: str, version: str | None = None) -> str:
    """The card of a version (today's without one; as `find_version` takes it), made if it is missing.

    Raises StoreError if there is no such version, or if it is no checkpoint.
    """
    name = find_version(store, key, version)
    content = store.backend.read(card_name(key, name))
    if content is not None:
        return content.decode()
    manifest = store.manifest(key, name)
    if not is_checkpoint(store, manifest):
        raise StoreError(
            f"{key} is no checkpoint, so it has no model card; `o1 audit {key}` shows its lineage"
        )
    return write_card(store, manifest)


def card_name(key: str, version: str) -> str:
    """Where a card lies in its store."""
    return f"cards/{key}/{version}.md"


def without_lineage(card: str) -> str:
    """The card's text without its header and its long end: what the UI shows beside the lineage graph."""
    return card.partition("\n---\n")[2].partition(LINEAGE)[0].strip()


def model_card(
    ancestors: Sequence[Manifest], labelers: Callable[[Manifest], int | None] = lambda batches: None
) -> str:
    """The card of the last of `ancestors`, which come inputs first.

    labelers: how many labellers rated in a version of rNN/label_batches, None if that is not known.
    """
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment as Jinja
    from jinja2 import StrictUndefined

    manifest, words = ancestors[-1], words_of(ancestors[-1])
    header = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag=words.pipeline,
        tags=["o1-assets", *words.tags],
    )
    template = Jinja(undefined=StrictUndefined, keep_trailing_newline=True).from_string(TEMPLATE.read_text())
    text = template.render(card_data=header.to_yaml(), **_fields(manifest, ancestors, words, labelers))
    return str(ModelCard(text))  # reads the header back: what is no valid YAML fails here


def _fields(
    manifest: Manifest,
    ancestors: Sequence[Manifest],
    words: Words,
    labelers: Callable[[Manifest], int | None],
) -> dict[str, Any]:
    own = {item.key for item in manifest.inputs.values()}
    return {
        "manifest": manifest,
        "title": words.title,
        "what": words.what,
        "use": words.use,
        "limits": words.limits,
        "load": words.load,
        "labels_are": words.labels_are,
        "data": [m for m in ancestors if m.key in own and m.key.rpartition("/")[2] not in MODELS],
        "labels": _label_rows(ancestors, labelers),
        "figures": [
            (name, with_thousands(value)) for name, value in manifest.figures.items() if value is not None
        ],
        "compute": _compute(manifest, ancestors),
        "environment": _environment(manifest.environment),
        "lineage": [
            {
                "key": m.key,
                "digest": m.digest,
                "version": m.version,
                "code_version": m.code_version,
                "commit": _commit(m.environment),
            }
            for m in reversed(ancestors)
        ],
        "config": json.dumps(manifest.config, indent=1, sort_keys=True),
    }


def _label_rows(
    ancestors: Sequence[Manifest], labelers: Callable[[Manifest], int | None]
) -> list[dict[str, Any]]:
    """One row a rNN/labels that it was made from, directly or not."""
    known = {(m.key, m.version): m for m in ancestors}
    rows = []
    for m in ancestors:
        if m.key.endswith("/labels") and "batches" in m.inputs:
            source = m.inputs["batches"]
            batches = known[source.key, source.version]
            raters = labelers(batches)
            rows.append(
                {
                    "round": m.key.partition("/")[0],
                    "annotator": batches.figures.get("annotator", ""),
                    "protocol": m.config.get("protocol", ""),
                    "batches": batches.figures.get("batches", ""),
                    "people": batches.figures.get("batches_from_people", ""),
                    "labelers": "" if raters is None else raters,
                    **{
                        name: m.figures.get(name, "")
                        for name in ("labels", "positive", "neutral", "negative")
                    },
                }
            )
    return rows


def _compute(manifest: Manifest, ancestors: Sequence[Manifest]) -> list[tuple[str, str, str]]:
    names = {
        "seconds": "seconds",
        "FLOPs (2P a token read or written, 6P a token trained on)": "flops",
        "tokens trained on": "tokens_trained",
        "tokens generated": "tokens_generated",
        "tokens scored": "tokens_scored",
    }
    return [
        (
            title,
            with_thousands(getattr(manifest.cost, name)),
            with_thousands(sum(getattr(m.cost, name) for m in ancestors)),
        )
        for title, name in names.items()
    ]


def _environment(environment: Environment) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in environment.libraries.items())
    return (
        f"On {environment.hardware}, {environment.threads} threads; engine {environment.engine}; Python "
        f"{environment.python}, {libraries}."
    )


def _commit(environment: Environment) -> str:
    if environment.git_commit is None:
        return ""
    return f"`{environment.git_commit[:12]}`{' with local changes' if environment.git_dirty else ''}"


def _labelers(store: ArtifactStore, batches: Manifest) -> int | None:
    """How many labellers rated in a version of rNN/label_batches; None if its object is gone."""
    import polars as pl

    if not store.present(batches.digest):
        return None
    records = pl.scan_parquet(store.path(batches.digest) / "records.parquet")
    return int(records.select(pl.col("labeler").n_unique()).collect().item())
