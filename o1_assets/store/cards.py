"""Model cards beside the manifests: cards/<key>/<version>.md, a text whose last line is the digest of the others.

A card names the digest of its checkpoint's object and so cannot be part of it. export/model_card.py writes what it
says; the digest tells an audit that nobody has written something else since.
"""

from __future__ import annotations

import hashlib

from o1_assets.store.backend import Backend, DamagedError, StoreError

_SEAL = "<!-- SHA-256 of the text above: {} -->\n"
_SEALED = _SEAL.partition("{")[0].encode()


# Of a version that is older nobody can tell whether its card ever had a digest: versions begin with the time at which
# they were made.
_ALL_SEALED_SINCE = "202612"


class UnsealedCard(StoreError):
    """The last line of an old version's card is no digest, as early releases wrote it: nothing is known of its text."""


def write_card(backend: Backend, key: str, version: str, text: str) -> str:
    """Writes a card and returns its text."""
    text = f"{text.rstrip()}\n"
    backend.write(card_name(key, version), (text + _SEAL.format(_digest(text.encode()))).encode())
    return text


def read_card(backend: Backend, key: str, version: str) -> str | None:
    """The text of a card; None if there is none.

    Raises DamagedError if it is not what was written, UnsealedCard if that cannot be told.
    """
    name = card_name(key, version)
    content = backend.read(name)
    if content is None:
        return None
    text, newline, last = content.removesuffix(b"\n").rpartition(b"\n")
    text += newline
    if not last.startswith(_SEALED) and version < _ALL_SEALED_SINCE:
        raise UnsealedCard(
            "its model card ends without a digest, as those of early releases do, so nothing tells whether somebody "
            "changed it; `o1 card` shows one that is made from the manifest"
        )
    if content != text + _SEAL.format(_digest(text)).encode():
        raise DamagedError(
            f"the model card {backend.place(name)} was changed since it was written, or an earlier release wrote it; "
            f"remove it, and `o1 card {key} --version {version}` writes it again"
        )
    return text.decode()


def card_name(key: str, version: str) -> str:
    """The name of a card in its store."""
    return f"cards/{key}/{version}.md"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
