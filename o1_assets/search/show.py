"""The tree of a search for people: in a terminal, and as one interactive HTML page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree as RichTree

from o1_assets.search.trace import NodeView, Trace

# Most steps shown of a tree; what is less interesting is counted instead.
LINES = 50
MARKS = {"followed": " ", "gave up": "✗", "open": "·", "ended": "=", "cut": "…"}

LEGEND = (
    "* of the answer   = a solution ends   · looked ahead, not followed   ✗ gave up   … cut off   "
    "<- went back to it"
)


def terminal_tree(question: str, trace: Trace, lines: int = LINES) -> RichTree:
    """A line a step: its text, P(right) of the step and of the path by the PRM, the policy's prior, visits; and whether
    an answer passes the check of its own problem, where there is one."""
    back = {move.node.index: 0 for move in trace.moves}  # how often the search came back to each node
    for move in trace.moves:
        back[move.node.index] += move.left is not None
    shown = _interesting(trace, lines)
    root = RichTree(_root(question, trace, back.get(0, 0)), guide_style="dim", highlight=False)
    branches = {0: root}
    for seen in (trace.nodes[i] for i in sorted(shown, key=lambda i: _order(trace.nodes[i]))):
        node = seen.node
        assert node.parent is not None
        branches[node.index] = branches[node.parent.index].add(_line(seen, back.get(node.index, 0)))
    for index, branch in branches.items():
        left_out = [c for c in trace.result.tree.nodes[index].children if c.index not in shown]
        if left_out:
            branch.add(_left_out([trace.nodes[c.index] for c in left_out], trace))
    return root


def _root(question: str, trace: Trace, back: int) -> Text:
    tree = trace.result.tree
    rounds = len(tree.rounds)
    jumps = sum(move.left is not None for move in trace.moves)
    text = Text(question, style="bold")
    text.append(
        f"  {len(tree.nodes) - 1} steps, {len(tree.ends)} solutions, {rounds} rounds, went back {jumps} times",
        "dim",
    )
    return text.append(f"  <-{back}" if back else "", "magenta")


def _line(seen: NodeView, back: int) -> Text:
    node = seen.node
    quiet = "bold" if seen.chosen else "" if seen.fate in ("followed", "ended") else "dim"
    text = Text(f"{'*' if seen.chosen else MARKS[seen.fate]} ", "bold" if seen.chosen else "dim")
    text.append(node.text.strip() or "(blank)", quiet)
    if seen.right is not None and seen.score is not None:
        text.append(f"  {seen.right:.2f}", _color(seen.right))
        text.append(f"  path {seen.score:.2f}", "dim")
    if node.q is not None:
        text.append(f"  q {node.q:.2f}", "dim")
    if seen.prior is not None and seen.prior < 1:
        text.append(f"  prior {seen.prior:.2f}", "dim")
    if node.visits:
        text.append(f"  visits {node.visits}", "dim")
    if node.samples > 1:
        text.append(f"  x{node.samples}", "dim")
    if node.forced:
        text.append("  asked for", "yellow")
    if node.passes is not None:
        text.append(*(("  passes", "green") if node.passes else ("  fails", "red")))
    if seen.fate == "gave up":
        text.append("  gave up", "red")
    if back:
        text.append(f"  <-{back if back > 1 else ''}", "magenta")
    return text


def _color(right: float) -> str:
    return "blue" if right >= 0.8 else "yellow" if right >= 0.4 else "red"


def _left_out(nodes: Sequence[NodeView], trace: Trace) -> Text:
    below = sum(_size(seen) - 1 for seen in nodes)
    text = f"{len(nodes)} more" + (f", {below} below" if below else "")
    scores = [seen.score for seen in nodes if seen.score is not None]
    return Text(text + (f", best {max(scores):.2f}" if scores else ""), "dim italic")


def _size(seen: NodeView) -> int:
    """Nodes of a subtree."""
    count, todo = 0, [seen.node]
    while todo:
        node = todo.pop()
        count += 1
        todo += node.children
    return count


def _interesting(trace: Trace, lines: int) -> set[int]:
    """Indices of the steps worth their line: the answer's, then solutions by score, then what was followed."""
    interest = [0.0] * len(trace.nodes)
    for seen in reversed(trace.nodes):  # children before their parents
        here = 0.0 if seen.node.parent is None else _interest(seen)
        # A step is shown if anything below it is, so it is as interesting as the most interesting of them.
        interest[seen.node.index] = max([here, *(interest[child.index] for child in seen.node.children)])
    ranked = sorted(range(1, len(trace.nodes)), key=lambda i: (-interest[i], i))
    return set(ranked[:lines])


def _interest(seen: NodeView) -> float:
    score = 0.0 if seen.score is None else seen.score
    return {"ended": 2.0, "followed": 1.0, "gave up": 1.0}.get(seen.fate, 0.0) + score + 10 * seen.chosen


def _order(seen: NodeView) -> tuple[int, bool, int]:
    """Parents before their children, the answer's step first among its siblings."""
    return (seen.node.depth, not seen.chosen, seen.node.index)


# The same as one self-contained, interactive HTML page.

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
    # The policy of the page names the hashes of its own style and script, so nothing else that got in would run.
    style, script = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    return environment.get_template("page.html.j2").render(
        title=title,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        searches=[
            {
                "question": question,
                "answer": trace.result.answer.answer,
                "steps": [seen.node.text.strip() for seen in trace.nodes if seen.chosen and seen.node.parent],
            }
            for question, trace in asked
        ],
        data=Markup(inert_json({"trees": [tree_json(question, trace) for question, trace in asked]})),
    )


def tree_json(question: str, trace: Trace) -> dict[str, Any]:
    """One search as the page's script reads it."""
    tree, answer = trace.result.tree, trace.result.answer
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
    # The data stand inside of a script element, which HTML ends at the first "</script", quoted or not.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    """Of an inline element, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
