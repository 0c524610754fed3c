"""What is wrong with a line of a batch, said so that a program can sort it and a person can mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Violation:
    """rule: a stable name for programs; message: one sentence for people; line counts from 1 (0: the whole file).

    file: which one of a folder; line is then the line in it.
    """

    rule: str
    message: str
    line: int = 0
    solution: str | None = None
    step: int | None = None
    completion: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = [self.file] if self.file else []
        where += [f"line {self.line}"] if self.line else []
        where += [
            f"{name} {at}"
            for name in ("solution", "step", "completion")
            if (at := getattr(self, name)) is not None
        ]
        return f"{', '.join(where) or 'file'}: {self.message} [{self.rule}]"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
