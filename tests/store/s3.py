"""A real S3 API on loopback: moto's server, with the standard AWS environment variables pointing to it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import httpx

_NUMBERS = itertools.count()


NewBucket = Callable[[], str]


@contextmanager
def s3_server() -> Iterator[NewBucket]:
    """Makes buckets, and says their names. Whoever may do what is only asked where a test switches that on."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())

    def new_bucket() -> str:
        bucket = f"bucket-{next(_NUMBERS)}"
        httpx.put(f"{endpoint}/{bucket}", timeout=60).raise_for_status()  # a loaded machine takes its time
        return bucket

    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with patch.dict(os.environ, environment):
            yield new_bucket
    finally:
        server.stop()
