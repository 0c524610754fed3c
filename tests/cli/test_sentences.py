"""Errors that a file or a user caused are one sentence."""

from __future__ import annotations

import errno
import os

import pytest

from o1_assets.cli.errors import _message


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_may_not_be_opened_is_one_sentence(code: int) -> None:
    error = OSError(code, os.strerror(code), "/somewhere/run.lock")
    message = _message(error)
    assert message is not None and message.startswith("/somewhere/run.lock: ") and "another path" in message
    assert _message(OSError(errno.EIO, "?", "/x")) is None
