"""Answers in \\boxed{...}: the boxes of a solution, and which of them are its final answer.

People box more than one answer ("\\boxed{3} or \\boxed{5}"), intermediate results, and a number without braces
(\\boxed 2): MATH's own solutions do all of that (Hendrycks et al. 2021, arXiv:2103.03874).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*|\\.|[{}]", re.DOTALL)
# TeX would box the first digit of \boxed 12 only, but 12 is what everybody means.
_WITHOUT_BRACES = re.compile(
    r"[-+]?(?:\d(?:[\d.,/]*\d)?|[A-Za-z](?![A-Za-z])|\\[A-Za-z]+(?:\s*\{[^{}]*\}){0,2})"
)
_EMPTY = re.compile(r"\\[hv]?phantom\{[^{}]*\}|\\[,:;! ]|[\s~$]")
_COMMAND = re.compile(r"\\(?:text|mbox|textrm|mathrm)\s*\{([^{}]*)\}|\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{2,}")
_JOINT = re.compile(r"\b(?:and|or)\b|[,;]|\\\\")
_SENTENCE_END = re.compile(r"(?<!\\)[.!?][\s$)]|\n\s*\n")

LONGEST_JOINT = 200
"""Characters between two boxes of one answer."""


@dataclass(frozen=True)
class Box:
    """The box text[start:end]. content: what it holds; "" for an empty one. joint: what joins it to the box before,
    as in ", and"; None where it is an answer by itself."""

    start: int
    end: int
    content: str
    joint: str | None = None


def boxes(text: str) -> list[Box]:
    """The boxes that hold no other, in their order; [] where the last is never closed: its solution was cut short."""
    closed: list[tuple[int, int, str]] = []
    braces: list[int | None] = []  # where the box begins whose brace this is; None for any other brace
    newest, position = -1, 0
    while token := _TOKEN.search(text, position):
        position = token.end()
        if token[0] == "{":
            braces.append(None)
        elif token[0] == "}":
            start = braces.pop() if braces else None
            if start is not None and (not closed or closed[-1][0] < start):
                content = text[text.index("{", start) + 1 : token.start()]
                closed.append((start, position, content))
        elif token[0].startswith(("\\boxed", "\\fbox")):
            if text.startswith("{", position):
                newest = token.start()
                braces.append(newest)
                position += 1
            elif bare := _WITHOUT_BRACES.match(text, position):
                newest, position = token.start(), bare.end()
                closed.append((newest, position, bare[0]))
    if not closed or newest > closed[-1][0]:
        return []
    ends = [0, *(end for _, end, _ in closed)]
    return [
        Box(start, end, _content(content), _joint(text[before:start]) if before else None)
        for (start, end, content), before in zip(closed, ends, strict=False)
    ]


def final_boxes(solution: list[Box]) -> list[Box]:
    """The last box and those that are joined to it, without empty ones; [] where the last is empty."""
    first = len(solution) - 1
    while first > 0 and solution[first].joint:
        first -= 1
    group = [box for box in solution[max(first, 0) :] if box.content]
    return group if solution and solution[-1].content else []


def boxed_answer(text: str) -> str | None:
    """The final answer; a list such as "3, 5" where several boxes are joined. None if there is none."""
    contents = dict.fromkeys(box.content for box in final_boxes(boxes(text)))
    return ", ".join(contents) or None


def _content(content: str) -> str:
    if not _EMPTY.sub("", content):
        return ""
    content = content.strip()
    # An \fbox holds text, and a formula in it is between dollars.
    if len(content) > 2 and content[0] == content[-1] == "$" and "$" not in content[1:-1]:
        content = content[1:-1].strip()
    return content


def _joint(between: str) -> str | None:
    """What joins two boxes that nothing but formulas, commas, "and" and "or" stands between; else None."""
    if len(between) > LONGEST_JOINT or _SENTENCE_END.search(between):
        return None
    words = _COMMAND.sub(lambda match: f" {match[1] or ''} ", between)
    joints = _JOINT.findall(words)
    return " ".join(joints) if joints and set(_WORD.findall(words)) <= {"and", "or", "either"} else None
