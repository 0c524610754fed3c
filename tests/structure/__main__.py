"""Prints the figures of the package's structure: `python -m tests.structure`, `--long` with every line behind them."""

from __future__ import annotations

import sys

from tests.structure import source_tree as tree


def main() -> None:
    total, code, comments = tree.lines_and_comments()
    print(f"Python lines / files                        {total:,} / {len(tree.modules())}")
    print(f"comments per 100 lines of code              {100 * comments / code:.1f} ({comments} of {code:,})")
    lists = {
        "entries at the root": tree.root_entries(),
        "modules with one importer, in its folder": tree.single_neighbours(),
        "imports that run upwards": tree.upward_imports(),
        "circles": [" <-> ".join(circle) for circle in tree.circles()],
        "assignments to names such as found, own": tree.vague_names(),
        "calls of load_profile": tree.calls("load_profile"),
        "calls of ArtifactStore": tree.calls("ArtifactStore"),
    }
    for name, rows in lists.items():
        print(f"{name:<44}{len(rows)}")
        if "--long" in sys.argv:
            print(*(f"    {row}" for row in rows), sep="\n")


if __name__ == "__main__":
    main()
