from __future__ import annotations

import sys
from pathlib import Path

import pytest

from o1_assets.execution import source_digest
from o1_assets.execution.source_digest import Sources

ONE = b'"""Doc."""\n\nfrom o1_assets.core.files import sync\n\n\ndef f():\n    return sync(1)\n'


TWO = ONE.replace(b"sync(1)", b"sync(2)")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "__pycache__" / "sources.json"


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(content: bytes) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(source_digest, "_parse", parse)


def test_the_next_process_parses_only_what_is_new(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Sources(file)
    known = first.parsed(ONE)
    first.save()
    second = Sources(file)
    with monkeypatch.context() as patched:
        forbid_parsing(patched)
        assert second.parsed(ONE) == known
        with pytest.raises(AssertionError):
            second.parsed(TWO)
    assert second.parsed(TWO).definitions["f"].digest != known.definitions["f"].digest
    assert known.definitions["f"].mentions == {"sync": "o1_assets.core.files:sync"} == known.imports


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": []}', b"\xff\xfe"])
def test_a_damaged_file_is_not_believed(file: Path, damage: bytes) -> None:
    known = Sources(file).parsed(ONE)
    file.parent.mkdir()
    file.write_bytes(damage)
    again = Sources(file)
    assert again.parsed(ONE) == known
    again.save()
    assert Sources(file)._stored.keys() == again._used.keys()


def test_where_nothing_may_be_written_everything_is_parsed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.write_text("no folder")
    sources = Sources(file)
    known = sources.parsed(ONE)
    sources.save()
    assert Sources(file).parsed(ONE) == known
    file.parent.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    again = Sources(file)
    again.parsed(ONE)
    again.save()
    assert not file.parent.exists()


def test_sources_of_long_ago_are_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_digest, "_LIMIT", 3)
    for number in range(4):
        sources = Sources(file)
        sources.parsed(b"x = %d" % number)
        sources.save()
    assert len(Sources(file)._stored) == 1
