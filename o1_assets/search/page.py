"""The tree of a search as one self-contained, interactive HTML page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from o1_assets.search.trace import Trace

HERE = Path(__file__).parent


def render(asked: Sequence[tuple[str, Trace]], title: str) -> str:
    """asked: each question with its trace. title: which model and strategy.

    Questions and steps are untrusted text: they are data of the page, which the script writes as text, and the
    page's policy runs no other script and loads nothing.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("o1_assets.search", "."), autoescape=True, undefined=StrictUndefined
    )
    style, script = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    return environment.get_template("page.html.j2").render(
        title=title,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=Markup(inert_json({"trees": [tree_json(question, trace) for question, trace in asked]})),
    )


def tree_json(question: str, trace: Trace) -> dict[str, Any]:
    """One search as the page's script reads it."""
    tree, answer = trace.found.tree, trace.found.answer
    return {
        "question": question,
        "answer": answer.answer,
        "chosen": answer.index,
        "forced": answer.forced,
        "tokens": {"generated": tree.tokens_generated, "scored": tree.tokens_scored},
        "votes": trace.votes(),
        "rounds": len(tree.rounds),
        "moves": [
            {
                "node": move.node.index,
                "round": move.round,
                "left": None if move.left is None else move.left.index,
                "new": [node.index for node in move.new],
            }
            for move in trace.moves
        ],
        "nodes": [seen.to_json() for seen in trace.nodes],
    }


def inert_json(value: Any) -> str:
    """JSON that can end no script element and is the same value: < > & are written as escapes."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """Of an inline element, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
