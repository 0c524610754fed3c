"""What the sandbox's interpreter lacks: ordinary bodies of functions, against CPython.

`python -m benchmarks.sandbox_snippets` lists those that differ.
sandbox_snippets.txt has one a line, with ¦ for ends of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.registry import Figure
from o1_assets.problems.sandbox.unit_tests import UnitTest, run_tests

NAME = "sandbox_snippets"
FILE = Path(__file__).with_suffix(".txt")


def compare() -> Mapping[str, Figure]:
    verdicts = list(differences())
    same = sum(not difference for _, difference in verdicts)
    against = f"of {len(verdicts)} ordinary snippets, those with CPython's value"
    return {NAME: Figure(same / len(verdicts), 0.0, "share", against)}


def differences() -> Iterator[tuple[str, str]]:
    """Each snippet, and what the sandbox says where it differs; "" where it does not."""
    for line in FILE.read_text().splitlines():
        body = "".join(f"    {part}\n" for part in line.split("¦"))
        # As text: sets and slices are no plain data.
        source = f"def g(a, b):\n{body}\ndef f(a, b):\n    return repr(g(a, b))\n"
        names: dict[str, Any] = {}
        exec(source, names)
        yield line, run_tests(source, [UnitTest((7, 2), names["f"](7, 2))]).failures[0]


def main() -> None:
    for line, difference in differences():
        if difference:
            print(f"{line[:100]}\n    {difference[:200]}")


if __name__ == "__main__":
    main()
