"""The kinds of file that an artifact may hold: tables, weights, pictures and text, each read without running anything.

It is a list of what is allowed, by name and by first bytes, so everything else stays out: pickles under any name
(*.pt, *.pth, *.pkl, *.bin, training_args.bin), zip archives of pickles, NumPy's object arrays, code.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from o1_assets.store.backend import StoreError

# How many bytes of a file are looked at to tell its kind.
HEAD = 4096


def refusal(name: str, head: bytes) -> str | None:
    """Why an artifact may not hold a file of this name that begins with `head`; None if it may.

    head: the first HEAD bytes, or all of a shorter file.
    """
    suffix = PurePosixPath(name).suffix.lower()
    looks_right = _KINDS.get(suffix)
    if looks_right is not None and looks_right(head):
        return None
    if _pickle(head):
        fault = "is a pickle, which can run any code when it is read"
    elif head.startswith(b"PK\x03\x04"):
        fault = "is a zip archive, as torch.save writes its pickles"
    elif looks_right is None:
        fault = f"is a {suffix} file"
    else:
        fault = f"does not begin as a {suffix.lstrip('.') or 'text'} file does"
    return f"{name} {fault}; an artifact holds safetensors, Parquet, PNG, JSON and text only"


def check_kinds(folder: Path) -> None:
    """Raises StoreError naming the first file of the folder that no artifact may hold."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                why = refusal(path.relative_to(folder).as_posix(), file.read(HEAD))
            if why:
                raise StoreError(f"{why}; remove it from {folder}")


def _text(head: bytes) -> bool:
    try:
        # Incremental, because `head` may end in the middle of a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not _pickle(head) and all(letter >= " " or letter in "\t\n\r\f" for letter in text)


def _json(head: bytes) -> bool:
    return _text(head) and (not head.strip() or head.lstrip()[:1] in b'{["-0123456789tfn')


def _safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors does: eight bytes of length, then a JSON object."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 30


def _pickle(head: bytes) -> bool:
    """Whether it is a pickle: of protocol 2 and later by the first bytes; older ones are text, and are parsed."""
    if len(head) > 1 and head[0] == 0x80 and head[1] <= 5:
        return True
    try:
        # genops only reads the opcodes, it runs none of them.
        names = {opcode.name for opcode, _, _ in pickletools.genops(head)}
    except Exception:  # genops raises whatever the bytes lead it to
        return False
    # A text may happen to parse as a pickle. Only these opcodes import or call something.
    return bool(names & {"GLOBAL", "INST", "REDUCE", "OBJ"})


_KINDS: dict[str, Callable[[bytes], bool]] = {
    ".parquet": lambda head: head.startswith(b"PAR1"),
    ".safetensors": _safetensors,
    ".png": lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
    ".json": _json,
    ".jsonl": _json,
    ".jinja": _text,
    ".md": _text,
    ".txt": _text,
    "": _text,
}
