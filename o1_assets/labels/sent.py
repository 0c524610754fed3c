"""What a sender gives, a file or a folder of them, copied into one file that nobody else writes to."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path

from o1_assets.files import NotAFile, append
from o1_assets.labels.violation import Violation


@dataclass
class Sent:
    """parts: of a folder, each file's first line in the copy and its name. links: what was left out, and why."""

    parts: list[tuple[int, str]] = field(default_factory=list)
    links: list[Violation] = field(default_factory=list)

    def in_its_file(self, violation: Violation) -> Violation:
        """The violation with the file of a folder, and the line in it."""
        if not self.parts or not violation.line:
            return violation
        first, name = self.parts[bisect_right(self.parts, violation.line, key=lambda part: part[0]) - 1]
        return replace(violation, line=violation.line - first + 1, file=name)


def copy_sent(source: Path, target: Path) -> Sent:
    """Copies first, then looks: what is checked is what is kept, even if the sender goes on writing.

    Raises NotAFile where `source` is a link, OSError.
    """
    sent, line = Sent(), 1
    with target.open("wb") as out:
        if not source.is_dir() or source.is_symlink():
            append(source, out)
            return sent
        for file in sorted(source.glob("*.jsonl")):
            try:
                newlines, cut = append(file, out)
            except NotAFile as error:
                sent.links.append(Violation("not_a_file", str(error), file=file.name))
                continue
            sent.parts.append((line, file.name))
            if cut:
                out.write(b"\n")
            line += newlines + cut
    return sent
