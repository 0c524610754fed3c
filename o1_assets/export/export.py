"""`o1 export`: one version of a checkpoint as a folder ready for the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from o1_assets.export.contents import (
    ATTRIBUTES,
    GENERATOR,
    complete_config,
    complete_generation_config,
    copy_checkpoint,
    is_reward_model,
    plots,
    reads_generator,
)
from o1_assets.export.errors import ExportError
from o1_assets.export.evaluations import evaluations_of
from o1_assets.export.folder import check_target, write_folder
from o1_assets.export.model_card import is_checkpoint, make_card
from o1_assets.export.readme import export_card
from o1_assets.store.ancestry import ancestry
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError


@dataclass(frozen=True)
class Exported:
    """changed: False if the folder held the same export already. megabytes: of all its files, in 10^6 bytes."""

    key: str
    version: str
    digest: str
    folder: Path
    files: list[str]
    megabytes: float
    changed: bool


def export(store: ArtifactStore, key: str, folder: Path, version: str | None = None) -> Exported:
    """Writes a version of a checkpoint (today's without one; as `find_version` takes it) into `folder`.

    Weights, configuration, tokenizer, generation config and README.md, the model card; with a reward model that reads
    the generator's log-probabilities also that generator. Every byte of the object is compared with its digest first.
    Same version and same evaluations of it in the store, same bytes. Raises StoreError, ExportError.
    """
    check_target(folder)
    manifest = ancestry(store, key, version)[-1]
    if not is_checkpoint(store, manifest):
        raise StoreError(f"{key} is no checkpoint, so there is nothing to load; `o1 status` lists all keys")
    source = store.verified(manifest.digest)
    generator = _generator(store, manifest, source)

    def fill(stage: Path) -> None:
        copy_checkpoint(source, stage)
        complete_config(stage)
        if not is_reward_model(stage):
            complete_generation_config(stage, _longest(manifest))
        if generator is not None:
            (stage / GENERATOR).mkdir()
            copy_checkpoint(generator, stage / GENERATOR, plots=False)
        card = export_card(
            make_card(store, manifest), evaluations_of(store, manifest), plots(stage), manifest
        )
        (stage / "README.md").write_text(card)
        (stage / ".gitattributes").write_text(ATTRIBUTES)

    about = {
        "key": manifest.key,
        "version": manifest.version,
        "digest": manifest.digest,
        "profile": manifest.profile,
    }
    try:
        changed = write_folder(folder, fill, about)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise ExportError(f"{folder} cannot be written: {error.strerror}; name another folder") from None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Exported(
        key=manifest.key,
        version=manifest.version,
        digest=manifest.digest,
        folder=folder,
        files=[path.relative_to(folder).as_posix() for path in files],
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        changed=changed,
    )


def _generator(store: ArtifactStore, manifest: Manifest, source: Path) -> Path | None:
    """The object of the generator that a reward model reads; None for all other models."""
    if not is_reward_model(source) or not reads_generator(source):
        return None
    if "generator" not in manifest.inputs:
        raise ExportError(
            f"{manifest.key} reads a generator's log-probabilities, but its manifest names no generator"
        )
    return store.verified(manifest.inputs["generator"].digest)


def _longest(manifest: Manifest) -> int | None:
    """Tokens of the longest solution that the model was trained on; None if its stage does not say."""
    found = manifest.config.get("prompt", {}).get("max_tokens")
    return found if isinstance(found, int) else None
