"""The page of a search: everything in it, nothing from elsewhere, and no text of a model is ever run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from o1_assets.search.beam import StepBeam
from o1_assets.search.show import inert_json, render
from o1_assets.search.trace import Trace
from tests.search.wide import large, think

HOSTILE = """</script><script>document.title="run"</script><img src=x onerror='document.title="run"'>&amp;"""


class Elements(HTMLParser):
    """Every element's name and attributes, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def data_of(page: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert match is not None
    return json.loads(match[1])


def test_a_page_of_500_nodes_has_all_of_them_and_its_replay() -> None:
    trace = Trace.of(large())
    [tree] = data_of(render([("q", trace)], "toy"))["trees"]
    assert len(tree["nodes"]) == len(trace.nodes) > 500
    assert [node["index"] for node in tree["nodes"]] == list(range(len(trace.nodes)))
    assert {i for move in tree["moves"] for i in move["new"]} == set(range(1, len(trace.nodes)))
    assert tree["rounds"] == 1 + max(move["round"] for move in tree["moves"])
    assert tree["nodes"][tree["chosen"]]["answer"] == tree["answer"]


def test_without_its_script_the_page_shows_questions_answers_and_the_steps_to_them() -> None:
    trace = Trace.of(large())
    [still] = re.findall(r"<noscript>(.*?)</noscript>", render([("1 < 2?", trace)], "toy"), re.S)
    assert "<h2>1 &lt; 2?</h2>" in still and f"<b>{trace.result.answer.answer}</b>" in still
    chosen = [seen.node.text.strip() for seen in trace.nodes if seen.chosen and seen.node.parent]
    assert re.findall(r"<li>(.*?)</li>", still) == chosen and chosen


def hostile_page() -> str:
    table = {"q\n": {HOSTILE + "\n": 1.0}, f"q\n{HOSTILE}\n": {"answer </script>\n": 1.0}}
    found = think(StepBeam(1, 1), tokens=100, table=table)
    return render([(HOSTILE, Trace.of(found))], f"model {HOSTILE}")


def test_questions_steps_and_titles_cannot_leave_their_place() -> None:
    page = hostile_page()
    elements = Elements(page)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert "img" not in [tag for tag, _ in elements.found]
    [tree] = data_of(page)["trees"]
    assert tree["question"] == HOSTILE and HOSTILE in [node["text"] for node in tree["nodes"]]
    assert inert_json("<&>\u2028") == '"\\u003c\\u0026\\u003e\\u2028"'


def test_the_page_runs_its_own_script_only_and_loads_nothing() -> None:
    page = hostile_page()
    elements = Elements(page)
    [policy] = [a["content"] for tag, a in elements.found if tag == "meta" and "http-equiv" in a]
    assert policy is not None and policy.startswith("default-src 'none'") and "unsafe" not in policy
    for kind in ("script", "style"):
        [own] = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.S)
        [allowed] = re.findall(rf"{kind}-src 'sha256-([^']+)'", policy)
        assert base64.b64encode(hashlib.sha256(own.encode()).digest()).decode() == allowed
    assert not [
        name for _, a in elements.found for name in a if name in ("src", "href") or name.startswith("on")
    ]
    assert "innerHTML" not in page and "insertAdjacentHTML" not in page
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.skipif("O1_TEST_BROWSER" not in os.environ, reason="O1_TEST_BROWSER names no Chromium")
def test_a_browser_draws_every_node_and_runs_nothing_hostile(tmp_path: Path) -> None:
    def drawn(page: str, fragment: str = "") -> str:
        file = tmp_path / "tree.html"
        file.write_text(page)
        command = [
            os.environ["O1_TEST_BROWSER"], "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            f"--user-data-dir={tmp_path}/browser", "--virtual-time-budget=4000", f"file://{file}{fragment}",
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    trace = Trace.of(large())
    page = render([("q", trace)], "toy")
    assert drawn(page).count('role="treeitem"') == len(trace.nodes)
    early = drawn(page, "#t=3&view=all")
    shown = sum(seen.move < 0 or trace.moves[seen.move].round < 3 for seen in trace.nodes)
    boxes = re.findall(r'<div class="(node [^"]*)"', early)
    assert sum("future" not in box for box in boxes) == shown
    assert "<title>run</title>" not in drawn(hostile_page())
