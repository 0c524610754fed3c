"""The audit as one self-contained HTML page: the graph of the ancestry, each version clickable.

In the drawing a row is a folder of keys (a round) and a column a stage. Data flows from left to right inside a row and
from top to bottom between rows, so eleven rounds look like what they are: the same eight stages eleven times. A general
layered drawing puts them on one line of sixty layers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from o1_assets.audit.result import Audit, document

# A key and a version.
Name = tuple[str, str]

# A version's box, the gaps between boxes and between rows, and the room for the rows' titles: pixels.
WIDTH, HEIGHT = 132, 40
GAP_X, GAP_Y, GAP_ROW, LEFT = 30, 10, 34, 100


@dataclass(frozen=True)
class Box:
    """The upper left corner of a version's box, in pixels."""

    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """A line from an input to what was made from it. implied: a longer path exists too; it is shown on request."""

    source: Name
    target: Name
    path: str
    implied: bool


@dataclass(frozen=True)
class Drawing:
    """The drawing, in pixels. rows: folder, y of its middle, its top and its height."""

    width: int
    height: int
    rows: tuple[tuple[str, int, int, int], ...]
    boxes: Mapping[Name, Box]
    edges: tuple[Edge, ...]


def page(audit: Audit) -> str:
    """The page. It loads nothing from elsewhere, and shows all content of manifests and labellers as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("o1_assets.audit", "."),
        autoescape=True,  # labellers write names and comments
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawing = draw({version.name: version.inputs for version in audit.versions})
    return environment.get_template("page.html.j2").render(
        audit=audit,
        document=document(audit),
        drawing=drawing,
        ids={version.name: f"v{i}" for i, version in enumerate(audit.versions)},
        size={"width": WIDTH, "height": HEIGHT},
    )


def draw(inputs: Mapping[Name, Sequence[Name]]) -> Drawing:
    """The position of each version. inputs: those of each version, in the order of the data."""
    # Rows are sorted by the layer of their deepest version, which puts r03 after r02 without reading the names.
    layers, inner = _depths(inputs, across=True), _depths(inputs, across=False)
    columns = _columns(inputs, inner)
    deepest: dict[str, int] = defaultdict(int)
    for (key, _), layer in layers.items():
        deepest[_folder(key)] = max(deepest[_folder(key)], layer)
    rows, boxes, y = [], {}, GAP_ROW
    for folder in sorted(deepest, key=lambda name: (deepest[name], name)):
        cells: dict[int, list[Name]] = defaultdict(list)
        for name in inputs:
            if _folder(name[0]) == folder:
                cells[columns[_stage(name[0])]].append(name)
        height = _column_height(max(map(len, cells.values())))
        for column, names in cells.items():
            # The longest chain of a row runs straight along its bottom.
            top = y + height - _column_height(len(names))
            for i, name in enumerate(sorted(names, key=lambda name: (inner[name], name))):
                boxes[name] = Box(LEFT + column * (WIDTH + GAP_X), top + i * (HEIGHT + GAP_Y))
        rows.append((folder, y + height // 2, y, height))
        y += height + GAP_ROW
    right = max(box.x for box in boxes.values()) + WIDTH + GAP_X
    return Drawing(right, y, tuple(rows), boxes, tuple(_edges(inputs, boxes)))


def _column_height(boxes: int) -> int:
    return boxes * (HEIGHT + GAP_Y) - GAP_Y


def _depths(inputs: Mapping[Name, Sequence[Name]], across: bool) -> dict[Name, int]:
    """The length of the longest path to each version from one without inputs. across: through other folders too."""
    depth: dict[Name, int] = {}
    for name, before in inputs.items():
        steps = [depth[i] + 1 for i in before if across or _folder(i[0]) == _folder(name[0])]
        depth[name] = max(steps, default=0)
    return depth


def _columns(inputs: Mapping[Name, Sequence[Name]], inner: Mapping[Name, int]) -> dict[str, int]:
    """Stage -> column: as far to the right as its descendants in its own row allow."""
    latest: dict[Name, int] = {}
    limit: dict[Name, int] = {}
    for name in reversed(list(inputs)):
        latest[name] = limit.get(name, inner[name] + 1) - 1
        for i in inputs[name]:
            if _folder(i[0]) == _folder(name[0]):
                limit[i] = min(limit.get(i, latest[name]), latest[name])
    # One column for a stage in all rounds: the rightmost that any of them needs.
    columns: dict[str, int] = defaultdict(int)
    for (key, _), column in latest.items():
        columns[_stage(key)] = max(columns[_stage(key)], column)
    return columns


def _edges(inputs: Mapping[Name, Sequence[Name]], boxes: Mapping[Name, Box]) -> list[Edge]:
    ancestors: dict[Name, set[Name]] = {}
    edges = []
    for name, before in inputs.items():
        ancestors[name] = set(before).union(*(ancestors[i] for i in before))
        for i in dict.fromkeys(before):
            # Every round reads the generator and all earlier labels: drawn at once, these edges hide the others.
            implied = any(i in ancestors[other] for other in before)
            edges.append(Edge(i, name, _curve(boxes[i], boxes[name]), implied))
    return edges


def _curve(a: Box, b: Box) -> str:
    """An SVG path, to the right if there is room, else from one row down to the next."""
    if a.x + WIDTH < b.x and abs(a.y - b.y) <= HEIGHT + GAP_Y:
        x1, y1, x2, y2 = a.x + WIDTH, a.y + HEIGHT // 2, b.x, b.y + HEIGHT // 2
        bend = GAP_X // 2
        return f"M{x1} {y1}C{x1 + bend} {y1} {x1 + bend} {y2} {x1 + GAP_X} {y2}H{x2}"
    x1, y1, x2, y2 = a.x + WIDTH // 2, a.y + HEIGHT, b.x + WIDTH // 2, b.y
    bend = min(60, max(24, abs(y2 - y1) // 2))
    return f"M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _stage(key: str) -> str:
    """The name of a key's column: r03/prm and r04/prm share one, base/model and generator/model do not."""
    return re.sub(r"\d+", "#", key)
