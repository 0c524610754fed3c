"""Restores in a scratch home what lay outside of the graph when a version was made.

A replay must not read today's inbox: batches have arrived since, and one may have been withdrawn. The scratch home
has exactly those batches of people that the recorded rNN/label_batches lists, and the imported source at the version
that was read. A machine annotator rates again, and files its batch into the scratch home.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, sha256
from o1_assets.core.settings import Settings
from o1_assets.labels.inbox.batch import MANIFEST, RATINGS, RECORDS, SEALED, SOLUTIONS, inspect
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.recorded import RecordedBatch
from o1_assets.store.manifest import Manifest

# Where a batch that was accepted once may lie today: a withdrawal moves it, and keeps its lines.
PLACES = ("accepted", "withdrawn")


class Gone(O1Error):
    """Something outside of the graph that the version was made from is no longer there; the message names it."""


def restore_outside(
    manifest: Manifest, content: Path, settings: Settings, home: Path, note: Callable[[str], None]
) -> None:
    """Fills the scratch home `home` for one version. content: folder of its recorded object.

    Every batch is checked against its digest. note: called with what had to be taken from the object itself.
    Raises Gone when an imported source is no longer there.
    """
    round_name, _, stage = manifest.key.partition("/")
    if stage == "label_batches":
        for entry in json.loads((content / "index.json").read_text())["batches"]:
            if entry["source"] == PEOPLE:
                _restore_batch(str(entry["digest"]), round_name, content, settings, home, note)
    source = manifest.config.get("source")
    if manifest.external and isinstance(source, str):
        _restore_source(source, manifest.external.split()[-1], settings, home)


def _restore_batch(
    digest: str, round_name: str, content: Path, settings: Settings, home: Path, note: Callable[[str], None]
) -> None:
    # The copy counts as accepted, also where the batch was withdrawn later: the version was made before.
    target = home / "inbox" / round_name / "accepted" / digest
    for place in PLACES:
        folder = settings.inbox / round_name / place / digest
        if folder.is_dir() and not inspect(folder, round_name).faults:
            shutil.copytree(folder, target, copy_function=_link)
            return
    note(f"batch {digest[:12]} is no longer in the inbox; its ratings were taken from the recorded object")
    _batch_from_object(digest, content, target)


def _batch_from_object(digest: str, content: Path, target: Path) -> None:
    """Makes a batch's folder from its rows in rNN/label_batches. Only the lines as they were sent are missing."""
    recorded = RecordedBatch.find(content, digest)
    assert recorded is not None, "the digest comes from the object's index"
    target.mkdir(parents=True)
    for name, table in zip((RATINGS, RECORDS), recorded.tables(), strict=True):
        table.write_parquet(target / name)
    (target / SOLUTIONS).write_bytes(json_bytes(recorded.solutions()))
    tables = {name: sha256(target / name) for name in SEALED}
    (target / MANIFEST).write_bytes(structs.replace(recorded.manifest(), tables=tables).to_bytes())


def _restore_source(source: str, version: str, settings: Settings, home: Path) -> None:
    there, target = settings.imported / source / version, home / "imported" / source
    if not there.is_dir():
        raise Gone(
            f"version {version} of the imported source {source!r} is no longer in {settings.imported}; import it again"
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / "current.json").write_text(json.dumps({"version": version}))
    if not (target / version).exists():
        (target / version).symlink_to(there, target_is_directory=True)


def _link(source: str, target: str) -> None:
    """Batches are never changed, so the scratch home may share their bytes."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copy2(source, target)
