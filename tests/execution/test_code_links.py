"""Remotes as people write them become pages of the git host, without their passwords."""

from __future__ import annotations

import pytest

from o1_assets.execution.environment import SourceLocation, place_of, source_url, web_address
from tests.execution.toy import upper

PLACE = SourceLocation("/home/me/o1/o1_assets/base/pretrain.py", 26, "o1_assets/base/pretrain.py")


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:lab/o1.git", "https://github.com/lab/o1"),
        ("ssh://git@git.lab.org:2222/team/o1.git", "https://git.lab.org/team/o1"),
        ("https://user:secret@gitlab.com/lab/o1.git", "https://gitlab.com/lab/o1"),
        ("https://github.com/lab/o1/", "https://github.com/lab/o1"),
        ("/srv/git/o1.git", None),
        ("", None),
    ],
)
def test_a_remote_has_an_address_on_the_web(remote: str, address: str | None) -> None:
    assert web_address(remote) == address


def test_a_place_is_shown_at_its_commit() -> None:
    page = source_url(PLACE, "abc", "https://github.com/lab/o1")
    assert page == "https://github.com/lab/o1/blob/abc/o1_assets/base/pretrain.py#L26"
    assert "/-/blob/abc/" in str(source_url(PLACE, "abc", "https://gitlab.com/lab/o1"))
    assert source_url(PLACE, None, "https://github.com/lab/o1") is None


def test_a_computation_is_found_by_its_source() -> None:
    assert place_of(upper).path == "tests/execution/toy.py" and place_of(upper).line > 1
