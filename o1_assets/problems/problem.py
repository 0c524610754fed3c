"""What a source of problems yields, and the order that it is drawn in."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from o1_assets.core.errors import O1Error


class ProblemError(O1Error, ValueError):
    """What is wrong with a source and what to do about it, in one sentence."""


class LeftOut(ProblemError):
    """A row or item of a source that cannot be used. A source yields it in place of the problem, and goes on.

    place: such as "problems.jsonl, line 7". reason: the same words for every row of its kind, since rows are counted
    by it. remedy: what to do about it. detail: what is special about this row, such as its value.
    """

    def __init__(self, place: str, reason: str, remedy: str, detail: str = "") -> None:
        # A lone surrogate of the file could be written neither to a terminal nor into a table.
        self.place, self.reason, self.remedy, self.detail = map(printable, (place, reason, remedy, detail))
        between = f" ({self.detail})" if self.detail else ""
        super().__init__(f"{self.place}: {self.reason}{between}; {self.remedy}.")


@dataclass(frozen=True)
class RawProblem:
    """One problem as its source has it.

    canonical: its content, whatever the wording (`canonical.py`).
    group: what puts problems on one side of the split together, where that is less than their content.
    split: the side that its publishers put it on; None where the hash of its content decides.
    corrected: whether the source's own answer was wrong and has been replaced.
    place: where it stands, for messages; "" for what is generated.
    """

    question: str
    answer: str
    canonical: str
    grader: str
    difficulty: int
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    corrected: bool = False
    place: str = ""
    group: str = ""


def stored_solution(metadata: str) -> str:
    """The worked solution that came with a problem, from its metadata; "" without one."""
    solution = json.loads(metadata).get("solution")
    # A file may have a column of that name that holds anything.
    return solution if isinstance(solution, str) else ""


class Source(Protocol):
    endless: bool
    """Whether it can be drawn from for ever; if not, it ends by itself."""

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]: ...


def in_seeded_order(items: Iterable[RawProblem | LeftOut], seed: int) -> list[RawProblem | LeftOut]:
    """The rows that are left out, as they come, then the problems shuffled: the first n are a fair sample."""

    # By a hash of the content instead of by position: a new row in the file moves none of the others.
    def position(item: RawProblem | LeftOut) -> bytes:
        if isinstance(item, LeftOut):
            return b""
        text = f"{seed}\0{item.question}\0{item.answer}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return sorted(items, key=position)


def summary(left_out: Sequence[LeftOut], reasons: int = 6, examples: int = 3) -> str:
    """How many were left out for each of the commonest reasons, and where the first of them stand."""
    by_reason: dict[str, list[LeftOut]] = {}
    for row in left_out:
        by_reason.setdefault(row.reason, []).append(row)
    commonest = sorted(by_reason, key=lambda reason: -len(by_reason[reason]))
    parts = []
    for reason in commonest[:reasons]:
        first, *others = by_reason[reason][:examples]
        # The first with its file, of the others the line is enough.
        example = f"{first.place}: {first.detail[:80]}" if first.detail else first.place
        places = [example, *(row.place.rpartition(", ")[2] for row in others)]
        more = " ..." if len(by_reason[reason]) > examples else ""
        parts.append(f"{len(by_reason[reason])} because {reason} ({', '.join(places)}{more})")
    rest = sum(len(by_reason[reason]) for reason in commonest[reasons:])
    return "; ".join(parts) + (f"; {rest} for other reasons" if rest else "")


def printable(text: str) -> str:
    """The text with escapes in place of control characters and lone surrogates: safe in a terminal and a table."""
    return "".join(c if unicodedata.category(c) not in UNWRITABLE else ascii(c)[1:-1] for c in text)


# Control characters and lone surrogates.
UNWRITABLE = frozenset({"Cc", "Cs"})
