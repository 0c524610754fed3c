"""Model cards in Hugging Face's format: what a checkpoint is, was trained on and is good for, from its manifest.

A card is no part of the checkpoint's object, whose digest it names: it lies beside the manifest, as
cards/<key>/<version>.md, is written when the manifest is, and made again from it where it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from o1_assets.core.formatting import with_thousands
from o1_assets.export.card_words import words_of
from o1_assets.store.ancestry import ancestry, find_version
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError

TEMPLATE = Path(__file__).with_name("model_card.md.j2")

LINEAGE = "## Lineage"

# Stages whose artifacts are checkpoints: what is made from one has them as a start, not as data.
MODELS = ("model", "prm", "orm", "policy", "q_value")

COSTS = {
    "seconds": "seconds",
    "flops": "FLOPs (2P a token read or written, 6P a token trained on)",
    "tokens_trained": "tokens trained on",
    "tokens_generated": "tokens generated",
    "tokens_scored": "tokens scored",
}


def is_checkpoint(store: ArtifactStore, manifest: Manifest) -> bool:
    """Whether the version holds a model: a configuration and weights, as its object lists them."""
    names = {entry["path"] for entry in store.tree(manifest.digest)}
    return "config.json" in names and any(name.endswith(".safetensors") for name in names)


def write_card(store: ArtifactStore, manifest: Manifest) -> str:
    """Writes the card of a recorded checkpoint beside its manifest and returns it. Raises StoreError."""
    text = make_card(store, manifest)
    store.backend.write(card_name(manifest.key, manifest.version), text.encode())
    return text


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


def make_card(store: ArtifactStore, manifest: Manifest) -> str:
    """The card of a recorded checkpoint, from the manifests of all that it was made from. Raises StoreError."""
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, StrictUndefined

    ancestors = ancestry(store, manifest.key, manifest.version)
    words, inputs = words_of(manifest), {item.key for item in manifest.inputs.values()}
    header = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag=words.pipeline,
        tags=["o1-assets", *words.tags],
    )
    costs = [
        (title, getattr(manifest.cost, name), sum(getattr(made.cost, name) for made in ancestors))
        for name, title in COSTS.items()
    ]
    jinja = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    jinja.filters["thousands"] = with_thousands
    text = jinja.from_string(TEMPLATE.read_text()).render(
        card_data=header.to_yaml(),
        manifest=manifest,
        words=words,
        data=[made for made in ancestors if made.key in inputs and made.key.rpartition("/")[2] not in MODELS],
        labels=list(_label_rows(store, ancestors)),
        figures={name: value for name, value in manifest.figures.items() if value is not None},
        costs=costs,
        lineage=ancestors[::-1],
        config=json.dumps(manifest.config, indent=1, sort_keys=True),
    )
    # Reads the header back: what is no valid YAML fails here, and not on the Hub.
    return str(ModelCard(text))


def _label_rows(store: ArtifactStore, ancestors: Sequence[Manifest]) -> Iterator[dict[str, Any]]:
    """One row a rNN/labels that it was made from, directly or not."""
    known = {(made.key, made.version): made for made in ancestors}
    for made in ancestors:
        if made.key.endswith("/labels") and "batches" in made.inputs:
            source = made.inputs["batches"]
            batches = known[source.key, source.version]
            # Figures of old manifests may lack some of these names.
            yield {
                "round": made.key.partition("/")[0],
                "annotator": batches.figures.get("annotator", ""),
                "protocol": made.config.get("protocol", ""),
                "batches": batches.figures.get("batches", ""),
                "people": batches.figures.get("batches_from_people", ""),
                "labelers": _labelers(store, batches),
                **{
                    name: made.figures.get(name, "") for name in ("labels", "positive", "neutral", "negative")
                },
            }


def _labelers(store: ArtifactStore, batches: Manifest) -> int | str:
    """How many labellers rated in a version of rNN/label_batches; an empty cell if its object is gone."""
    import polars as pl

    if not store.present(batches.digest):
        return ""
    records = pl.scan_parquet(store.path(batches.digest) / "records.parquet")
    return int(records.select(pl.col("labeler").n_unique()).collect().item())
