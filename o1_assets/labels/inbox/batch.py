"""One batch's folder: its manifest, which seals itself, and what of the folder is no longer what was accepted."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from o1_assets.core.errors import O1Error
from o1_assets.core.files import NotAFile, json_bytes, sha256
from o1_assets.store.digest import sha256_json

RATINGS, RECORDS = "ratings.parquet", "records.parquet"
INDEX = "index.json"
"""In a folder of rNN/label_batches: the round, the selection's digest, and each batch's digest, source and counts."""

LINES, MANIFEST, SOLUTIONS = "batch.jsonl", "manifest.json", "solutions.json"
SEALED = (RATINGS, RECORDS, SOLUTIONS)
"""Files whose digests the manifest holds; the lines' digest is the batch's name."""

Count = Annotated[int, Meta(ge=0, lt=2**31)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class DamagedBatch(O1Error, ValueError):
    """A batch is not what was accepted, and nothing else has its content; the message says what to do."""


class BatchManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lines: records in the batch. original: SHA-256 of the file as submitted. name: what the sender called it.

    selection: digest of the one that the lines were checked against. tables: SHA-256 of the files beside the lines.
    seal: SHA-256 of all other fields. Manifests of earlier versions lack the last fields.
    """

    digest: Digest
    round: str
    source: str
    lines: Count
    solutions: Count
    labelers: list[str]
    original: str
    name: str
    received: str
    protocol: str = ""
    selection: str = ""
    tables: dict[str, Digest] = {}
    seal: str = ""

    def to_bytes(self) -> bytes:
        return json_bytes({**self._fields(), **({"seal": self.seal} if self.seal else {})})

    def sealed(self) -> BatchManifest:
        return msgspec.structs.replace(self, seal=sha256_json(self._fields()))

    def _fields(self) -> dict[str, object]:
        fields = msgspec.structs.asdict(self)
        del fields["seal"]
        return fields

    @classmethod
    def read(cls, folder: Path, round_name: str, digest: str) -> BatchManifest:
        """The manifest of the batch `digest` of a round. Raises ValueError on any other one, OSError."""
        content = (folder / MANIFEST).read_bytes()
        try:
            manifest = _DECODER.decode(content)
        except msgspec.ValidationError as error:
            unknown = "unknown field" in str(error)
            newer = (
                "; a newer version of this project may have written it: update this one" if unknown else ""
            )
            raise ValueError(f"{error}{newer}") from error
        if (manifest.digest, manifest.round) != (digest, round_name):
            raise ValueError(f"it is the manifest of {manifest.digest[:12]} of {manifest.round[:20]!r}")
        # Its bytes too: a parser takes one of two equal fields, and passes over spaces.
        if manifest.seal and (manifest != manifest.sealed() or content != manifest.to_bytes()):
            raise ValueError("it was changed after the batch was accepted")
        if not set(manifest.tables) <= set(SEALED):
            raise ValueError("it names files that no batch has")
        return manifest


_DECODER = msgspec.json.Decoder(BatchManifest)


@dataclass(frozen=True)
class Inspection:
    """manifest: None if it is damaged. faults: what of the folder is damaged, a clause each.

    whole_tables, whole_lines: whether the ratings can be read from the tables, or made again from the lines.
    """

    manifest: BatchManifest | None
    faults: tuple[str, ...]
    whole_tables: bool
    whole_lines: bool
    whole_solutions: bool

    @property
    def usable(self) -> bool:
        return self.manifest is not None and self.whole_solutions and (self.whole_tables or self.whole_lines)


def inspect(folder: Path, round_name: str) -> Inspection:
    """Compares every file of a batch with what was accepted. A folder that has not changed is not read again."""
    return _inspect(folder, round_name, _state(folder))


def _state(folder: Path) -> tuple[object, ...]:
    """What changes when anybody changes a file of the batch, for as long as the clock goes forward."""
    return tuple(_state_of(folder / name) for name in (LINES, MANIFEST, SOLUTIONS, RATINGS, RECORDS))


def _state_of(file: Path) -> object:
    try:
        status = os.lstat(file)
    except OSError as error:
        return error.errno
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=100_000)
def _inspect(folder: Path, round_name: str, state: tuple[object, ...]) -> Inspection:
    digest, faults, manifest = folder.name, list[str](), None
    try:
        manifest = BatchManifest.read(folder, round_name, digest)
    except (OSError, ValueError, RecursionError) as error:
        faults.append(f"{MANIFEST}: {_clause(error)}")
    recorded = manifest.tables if manifest else {}
    whole = {SOLUTIONS: True}
    for name, wanted in {LINES: digest, **recorded}.items():
        try:
            whole[name] = sha256(folder / name) == wanted
            if not whole[name]:
                faults.append(f"{name} is not what was accepted")
        except (OSError, NotAFile) as error:
            whole[name] = False
            faults.append(f"{name}: {_clause(error)}")
    if manifest and whole[SOLUTIONS]:
        try:
            count = len(set(read_solutions(folder)))
            # Without a digest, as in batches of before there was one, the number is all that can be compared.
            if SOLUTIONS not in recorded and count != manifest.solutions:
                raise ValueError(f"it has {count} solutions, and {MANIFEST} has {manifest.solutions}")
        except (OSError, ValueError, RecursionError) as error:
            whole[SOLUTIONS] = False
            faults.append(f"{SOLUTIONS}: {_clause(error)}")
    # Without their digests, as in batches of before there were any, tables prove nothing.
    tables = all(whole.get(name, False) for name in (RATINGS, RECORDS))
    return Inspection(manifest, tuple(faults), tables, whole[LINES], whole[SOLUTIONS])


def read_solutions(folder: Path) -> list[str]:
    """Ids of the solutions that a batch rates, sorted. Raises ValueError, OSError. Not read again until it changes."""
    return list(_read_solutions(folder, _state_of(folder / SOLUTIONS)))


@lru_cache(maxsize=10_000)
def _read_solutions(folder: Path, state: object) -> tuple[str, ...]:
    return msgspec.json.decode((folder / SOLUTIONS).read_bytes(), type=tuple[str, ...])


def _clause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return re.sub(r"\s+", " ", str(error))[:200]


@dataclass(frozen=True)
class Damage:
    """Something in a round's part of the inbox that is not as it should be.

    place: the file or folder. why: what is wrong with it. effect: what that means for the labels. remedy: what to do.
    """

    round: str
    place: Path
    why: str
    effect: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.round}: {self.place}: {self.why}; {self.effect}: {self.remedy}"


def batch_sources(folder: Path) -> dict[str, str]:
    """Digest of each batch in a folder of rNN/label_batches -> who it is from."""
    return {entry["digest"]: entry["source"] for entry in json.loads((folder / INDEX).read_text())["batches"]}
