"""The page with the graph: everything is on it, nothing overlaps, and nothing that others wrote is run."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

from o1_assets.audit.page import HEIGHT, WIDTH, draw, page
from o1_assets.core.settings import Settings
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore
from tests.audit.world import audited
from tests.execution.toy import make_all, toy_graph


def test_every_version_is_a_node_with_all_that_is_recorded_of_it(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    make_all(store, toy_graph())
    text = page(audited(store, "toy/both"))
    assert re.findall(r'class="node[^"]*" id="(v\d)"', text) == ["v0", "v1", "v2"]
    # The graph is one stop of the tab key, at what was asked for.
    assert re.findall(r'id="(v\d)" tabindex="0"', text) == ["v2"]
    told = re.search(r'<script type="application/json" id="audit">(.*?)</script>', text, re.DOTALL)
    assert told is not None
    said = json.loads(told[1])
    assert [one["key"] for one in said["versions"]] == ["toy/letters", "toy/upper", "toy/both"]
    assert text.count('class="edge"') == 2 and text.count('class="edge implied"') == 1, (
        "letters -> both is implied"
    )
    assert not re.search(r'(src|href)="(?!#")', text), "nothing comes from elsewhere"


def test_what_is_broken_is_marked_and_listed(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    made = make_all(store, toy_graph())
    file = store.path(made["toy/upper"].manifest.digest) / "text.txt"
    file.chmod(0o644)
    file.write_text("ABX")
    text = page(audited(store, "toy/both"))
    assert re.findall(r'class="node broken" id="(v\d)"', text) == ["v1"]
    assert "1 link broken" in text and "is not what was stored" in text


def test_what_a_manifest_says_is_text(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    made = make_all(store, toy_graph(suffix=evil))["toy/upper"].manifest
    store.record(made.model_copy(update={"figures": {evil: evil}, "profile": evil}))
    text = page(audited(store, "toy/upper"))
    assert "<script>alert" not in text and "<img" not in text and "alert(1)" in text


def test_a_whole_graph_of_eleven_rounds_is_laid_out_without_overlaps(tmp_path: Path) -> None:
    graph = build_graph(load_profile("nano"), Settings.load("nano", tmp_path))
    drawing = draw({(key, ""): [(i, "") for i in a.inputs.values()] for key, a in graph.items()})
    assert drawing.boxes.keys() == {(key, "") for key in graph}
    for (one, a), (other, b) in combinations(drawing.boxes.items(), 2):
        assert abs(a.x - b.x) >= WIDTH or abs(a.y - b.y) >= HEIGHT, (one, other)
    middles = {row[0]: row[1] for row in drawing.rows}
    order = ["problems", "base", "difficulty", "generator", *(f"r{k:02}" for k in range(11)), "eval"]
    rows = sorted(middles, key=lambda name: middles[name])
    assert [name for name in rows if not name.startswith(("ablations/", "circle", "mini"))] == order
    for k in range(1, 11):  # every round looks alike
        for stage in ("solutions", "selection", "label_batches", "labels", "prm", "orm", "policy", "eval"):
            assert drawing.boxes[f"r{k:02}/{stage}", ""].x == drawing.boxes[f"r00/{stage}", ""].x
    assert all(
        box.x + WIDTH < drawing.width and box.y + HEIGHT < drawing.height for box in drawing.boxes.values()
    )
