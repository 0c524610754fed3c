"""Takes a copy of what was sent, a file or a folder of files, and names what of it can hold no records.

The copy is checked and filed, so a sender who goes on writing cannot change what was checked. In a folder each file
stands for itself: one that cannot be read, is no text or is still being written is named, and the others are taken.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from o1_assets.core.errors import O1Error
from o1_assets.core.files import NotAFile, open_regular
from o1_assets.labels.protocol import Violation

_CHUNK = 1 << 20

# The first bytes of what is often sent in place of lines of JSON. UTF-32 begins like UTF-16, so it comes first.
_ENCODED = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_PACKED = {
    b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2",
    b"PAR1": "Parquet",
}  # fmt: skip


class UnreadableFile(O1Error):
    """A file could not be read to its end; nothing of it was taken."""


@dataclass
class Submission:
    """A copy of a file, or of the files of a folder one after another, that nobody else writes to.

    parts: of a folder, each file's first line in the copy and its name. refused: what was left out, or is incomplete,
    and why. has_lines: whether the copy can hold records at all.
    """

    parts: list[tuple[int, str]] = field(default_factory=list)
    refused: list[Violation] = field(default_factory=list)
    has_lines: bool = True

    def in_its_file(self, violation: Violation) -> Violation:
        """The violation with the name of the file in the folder, and the line in that file."""
        if not self.parts or not violation.line:
            return violation
        first, name = self.parts[bisect_right(self.parts, violation.line, key=lambda part: part[0]) - 1]
        return replace(violation, line=violation.line - first + 1, file=name)


def copy_submission(source: Path, target: Path) -> Submission:
    """Copies `source` to `target`. Raises NotAFile where `source` is a link, UnreadableFile, OSError."""
    submission, line = Submission(), 1
    with target.open("wb") as copy:
        # A link to a folder is refused like one to a file.
        if not source.is_dir() or source.is_symlink():
            with open_regular(source) as file:
                violation = not_text(file, source)
                submission.has_lines = violation is None
                _, _, changed = _append(file, source, copy)
            submission.refused = [each for each in (violation, changed) if each]
            return submission
        for path, violation in _files(source):
            start = copy.tell()
            try:
                if violation is None:
                    with _open(path) as file:
                        violation = not_text(file, path)
                        if violation is None:
                            newlines, is_cut, violation = _append(file, path, copy)
                            submission.parts.append((line, path.name))
                            if is_cut:
                                # Otherwise the last line of this file and the first of the next would be one.
                                copy.write(b"\n")
                            line += newlines + is_cut
            except NotAFile as error:
                violation = Violation("not_a_file", str(error))
            # Only of reading: a full disk is no fault of the file and ends the submission.
            except UnreadableFile as error:
                copy.seek(start)
                copy.truncate()
                violation = Violation("not_readable", str(error))
            if violation is not None:
                submission.refused.append(replace(violation, file=path.name))
        submission.has_lines = bool(submission.parts)
        if not submission.has_lines and not submission.refused:
            submission.refused.append(Violation("empty", "the folder holds no .jsonl file"))
    return submission


def _files(folder: Path) -> Iterator[tuple[Path, Violation | None]]:
    """What lies in the folder, by name, with the reason why it is not read. Raises OSError."""
    # Where an accepted batch is sent again, the files beside its lines were made from them.
    if (folder / "batch.jsonl").exists() and (folder / "manifest.json").exists():
        yield folder / "batch.jsonl", None
        return
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == ".jsonl":
            yield path, None
        # Hidden files are an editor's or a system's, and nobody means to send them.
        elif not path.name.startswith("."):
            yield (
                path,
                Violation(
                    "not_jsonl",
                    "it is left out: of a folder only files whose names end in .jsonl are read; submit it on its own",
                ),
            )


def _open(path: Path) -> BufferedReader:
    try:
        return open_regular(path)
    except OSError as error:  # it may have been removed since it was listed
        raise _unreadable(path, error) from error


def not_text(file: BufferedReader, path: Path) -> Violation | None:
    try:
        beginning = file.peek(8)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not beginning:
        return Violation("empty", "the file holds no records")
    for mark, name in _ENCODED.items():
        if beginning.startswith(mark):
            return Violation("not_utf8", f"the file is {name}; save it as UTF-8 and send it again")
    for mark, name in _PACKED.items():
        if beginning.startswith(mark):
            return Violation("not_text", f"the file is {name}; unpack it and send the lines of JSON")
    return None


def _append(file: BufferedReader, path: Path, out: BinaryIO) -> tuple[int, bool, Violation | None]:
    """Copies a file's bytes to `out`.

    Returns its number of newlines, whether it ends in the middle of a line, and what is wrong if somebody was writing
    to it meanwhile.
    """
    # In pieces, counting on the way: a batch of labels may be larger than memory, and is read once.
    newlines, last, before = 0, b"\n", _state(file)
    for chunk in _chunks(file, path):
        out.write(chunk)
        newlines += chunk.count(b"\n")
        last = chunk[-1:]
    message = "somebody was writing to the file while it was read; send it again when it is complete"
    changed = None if _state(file) == before else Violation("still_written", message)
    return newlines, last != b"\n", changed


def _chunks(file: BufferedReader, path: Path) -> Iterator[bytes]:
    try:
        while chunk := file.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UnreadableFile:
    return UnreadableFile(f"{path} cannot be read ({error.strerror or error}); mend that and send it again")


def _state(file: BufferedReader) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
