"""What only a store that is not a folder can get wrong. The rest of a store's tests run on S3 as they do on a disk."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

import duckdb
import httpx
import pytest

from o1_assets.core.artifact import Artifact
from o1_assets.execution.status import graph_status
from o1_assets.store.backend import Backend
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.gc import find_garbage, remove_garbage
from o1_assets.store.objects import object_name
from o1_assets.store.scratch import DAY
from o1_assets.store.store import ArtifactStore, StoreError
from tests.execution.toy import make, make_all, toy_graph
from tests.store.s3 import NewBucket
from tests.store.test_catalogue import RowsConfig, table

LATER = time.time() + 100 * DAY


@pytest.fixture
def url(new_bucket: NewBucket) -> str:
    return f"s3://{new_bucket()}/team/nano"


def open_store(url: str, work: Path) -> ArtifactStore:
    return ArtifactStore(url, work)


def test_two_writers_at_once_lose_nothing(url: str, tmp_path: Path) -> None:
    """Both versions are there and whole, and the head is one of them."""
    made, failed = {}, []

    def write(name: str, count: int) -> None:
        try:
            made[name] = make_all(open_store(url, tmp_path / name), toy_graph(count=count))[
                "toy/both"
            ].manifest
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=row) for row in (("a", 3), ("b", 3), ("c", 4))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    store = open_store(url, tmp_path / "work")
    head = store.head("toy/both")
    assert head is not None and head.digest in {manifest.digest for manifest in made.values()}
    for manifest in store.history("toy/both"):
        store.verify(manifest.digest)
        cached = store.cached(manifest.cache_key)
        assert cached is not None and cached.digest == manifest.digest
    assert {manifest.digest for manifest in store.history("toy/both")} >= {m.digest for m in made.values()}


@pytest.mark.parametrize("fails", range(4))
def test_half_a_put_is_never_seen_and_is_cleaned_up(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """The connection breaks at the n-th of three files and the list of them; then the same is put again."""
    store = open_store(url, tmp_path)

    def folder() -> Path:
        made = store.scratch()
        for name in ("a.txt", "b.txt", "c.txt"):
            (made / name).write_text(name)
        return made

    sent = 0
    upload = Backend.upload

    def broken(backend: Backend, source: Path, name: str) -> None:
        nonlocal sent
        if sent == fails:
            raise StoreError("the connection broke")
        sent += 1
        upload(backend, source, name)

    with monkeypatch.context() as patched:
        patched.setattr(Backend, "upload", broken)
        with pytest.raises(StoreError, match="broke"):
            store.put(folder())
    halves = {entry.name.split("/")[2] for entry in store.backend.walk("objects")}
    assert not any(store.present(digest) for digest in halves)
    digest = store.put(folder())
    store.verify(digest)
    assert halves <= {digest}
    if fails:
        store.backend.remove([f"{object_name(digest)}/tree.json"])
        remove_garbage(store, find_garbage(store, 0, LATER))
        assert not list(store.backend.walk("objects"))


def test_nothing_that_a_run_does_relies_on_listings(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(url, tmp_path)
    monkeypatch.setattr(Backend, "names", lambda backend, folder: [])
    monkeypatch.setattr(Backend, "walk", lambda backend, folder: iter(()))
    make_all(store, toy_graph())
    assert {row.state for row in graph_status(toy_graph(), open_store(url, tmp_path)).values()} == {"fresh"}
    assert all(one.cached for one in make_all(open_store(url, tmp_path), toy_graph()).values())


def test_a_damaged_copy_is_found_and_a_damaged_object_too(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path / "a")
    digest = make(store, toy_graph()["toy/letters"]).manifest.digest
    (store.path(digest) / "text.txt").write_text("x")
    assert (store.verified(digest) / "text.txt").read_text() == "abc", "it was fetched again"
    store.backend.write(f"{object_name(digest)}/text.txt", b"x")
    assert graph_status(toy_graph(), store, every_byte=True)["toy/letters"].state == "damaged"
    with pytest.raises(StoreError, match="not what was stored"):
        store.verify(digest)
    with pytest.raises(StoreError, match="not what its digest says"):
        open_store(url, tmp_path / "b").path(digest)
    assert not make(open_store(url, tmp_path / "c"), toy_graph()["toy/letters"]).cached
    assert open_store(url, tmp_path / "d").path(digest)


def test_a_store_of_another_prefix_is_not_touched(url: str, tmp_path: Path) -> None:
    """nano and nano2 lie side by side in one bucket."""
    store, other = open_store(url, tmp_path), open_store(f"{url}2", tmp_path)
    for one in (store, other):
        for count in (1, 2):
            make_all(one, toy_graph(count=count))
    before = {entry.name for entry in other.backend.walk("manifests")}
    remove_garbage(store, find_garbage(store, 0, LATER))
    assert {entry.name for entry in other.backend.walk("manifests")} == before
    assert len(store.versions("toy/both")) == 1


def test_uploads_that_were_cut_off_are_given_up(url: str, tmp_path: Path) -> None:
    """Of a large file parts may lie in the bucket that no listing of files shows."""
    store = open_store(url, tmp_path)
    bucket = urlparse(url).netloc
    for key in ("team/nano/objects/aa/x", "team/other/y"):
        store.backend.fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    assert not find_garbage(store, 0, 0).uploads, "it may just be being sent"
    remove_garbage(store, find_garbage(store, 0, LATER))
    left = store.backend.fs.list_multipart_uploads(bucket)
    assert [upload["Key"] for upload in left] == ["team/other/y"]


def test_the_catalogue_shows_tables_of_a_remote_store(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path / "work")
    manifests = {
        "toy/table": make(store, Artifact("toy/table", table, RowsConfig(rows=5), {}, "", "toy")).manifest,
        "toy/letters": make(store, toy_graph()["toy/letters"]).manifest,
    }
    assert rebuild_catalogue(store, manifests, tmp_path / "c.duckdb") == ["toy/table.numbers"]
    with duckdb.connect(str(tmp_path / "c.duckdb"), read_only=True) as connection:
        assert connection.execute('select count(*) from "toy/table.numbers"').fetchone() == (5,)
    copies = {path.name for path in (tmp_path / "work" / "copies").iterdir()}
    assert copies == {manifests["toy/table"].digest}, "what holds no table is not fetched"


def test_a_missing_bucket_is_named(url: str, tmp_path: Path) -> None:
    store = open_store("s3://nobody-made-this/nano", tmp_path)
    for ask in (lambda: graph_status(toy_graph(), store), lambda: make_all(store, toy_graph())):
        with pytest.raises(StoreError, match=r"bucket nobody-made-this .* does not exist"):
            ask()


def test_wrong_credentials_are_named(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_bucket: NewBucket
) -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    httpx.post(f"{endpoint}/moto-api/reset-auth", content="0").raise_for_status()
    try:
        with pytest.raises(StoreError, match=r"refuses access .* check the credentials"):
            graph_status(toy_graph(), open_store(url, tmp_path))
    finally:
        httpx.post(f"{endpoint}/moto-api/reset-auth", content="inf").raise_for_status()


def test_a_server_that_does_not_answer_is_named(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StoreError, match=r"cannot be reached .* AWS_ENDPOINT_URL"):
            graph_status(toy_graph(), open_store(url, tmp_path))
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_missing_package_and_an_unknown_kind_of_store_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="Protocol not known: ftps"):
        open_store("ftps://host/path", tmp_path)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for protocol in ("s3", "s3a"):
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)
    with pytest.raises(StoreError, match=r"pip install 'o1-assets\[s3\]'"):
        open_store("s3://bucket/nano", tmp_path)
