"""A store that is not a folder: what its client raises, in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

from o1_assets.core.errors import O1Error

_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az"})


_CLIENTS = frozenset({"botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "azure"})


class StoreError(O1Error):
    """Something in the store is missing or is not what its digest says, or the store cannot be reached."""


def open_url(url: str) -> tuple[Any, str]:
    """The file system and the path in it. Raises StoreError when nothing can open such a URL here."""
    try:
        # Another process may write at any time, so what a listing said once is never believed.
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        s3 = protocol(url) in ("s3", "s3a")
        remedy = "install it with `pip install 'o1-assets[s3]'`" if s3 else str(error)
        raise StoreError(f"the store {url} needs a package that is not installed: {remedy}") from None
    except ValueError as error:
        raise StoreError(f"the store {url} cannot be opened: {error}; correct O1_STORE") from None
    return fs, root.rstrip("/")


def has_bucket(url: str) -> bool:
    """Whether the first part of the path has to be made by somebody before anything can be written."""
    return protocol(url) in _BUCKETS


def protocol(url: str) -> str:
    return url.partition("://")[0]


@contextmanager
def answers(url: str) -> Iterator[None]:
    """Around every request. FileNotFoundError passes; it is an answer."""
    try:
        yield
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise StoreError(
            f"the store {url} refuses access ({error}); check the credentials (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the AWS profile) and their rights"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS:
            raise StoreError(
                f"the store {url} cannot be reached ({error or type(error).__name__}); check O1_STORE, the "
                "network and, for S3, the credentials and AWS_ENDPOINT_URL"
            ) from None
        raise
