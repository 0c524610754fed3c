"""Uploads to S3 that were cut off: parts of a large file that no listing shows and somebody pays for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from o1_assets.store.backend import Backend


@dataclass(frozen=True)
class Upload:
    """A file that was to be `key` in the bucket, and the number of the attempt."""

    key: str
    number: str


def cut_off(backend: Backend, before: float) -> list[Upload]:
    """Those of this store that were begun before a time (seconds since 1970). None where nobody may ask for them."""
    if not hasattr(backend.fs, "list_multipart_uploads"):
        return []
    bucket, _, prefix = backend.root.partition("/")
    begun = []
    with suppress(PermissionError, FileNotFoundError):
        begun = backend.fs.list_multipart_uploads(bucket)
    return [
        Upload(upload["Key"], upload["UploadId"])
        for upload in begun
        if upload["Key"].startswith(f"{prefix}/") and upload["Initiated"].timestamp() < before
    ]


def give_up(backend: Backend, uploads: list[Upload]) -> None:
    bucket = backend.root.partition("/")[0]
    for upload in uploads:
        backend.fs.abort_mpu(bucket, upload.key, upload.number)
