"""What happened in a search: its moves in their order, and what became of each step.

The terminal, the page and the JSON of `o1 ask` are views of this.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from o1_assets.reward.aggregate import right_probabilities
from o1_assets.search.interface import SearchResult
from o1_assets.search.mcts import prior
from o1_assets.search.tree import Node, Tree

# followed: the search continued from here. gave up: it continued from here, but from no step after it, and no solution
# ended there. open: a step that was scored and not followed. ended: a solution ends here. cut: not a whole step.
Fate = Literal["root", "followed", "gave up", "open", "ended", "cut"]


@dataclass
class Move:
    """Steps were sampled after `node`. Moves of one round were made together.

    left: the node of the round before from which the search went back to this one; None if it went on below one of
    them, or stayed. new: the nodes that this move added, those of whole solutions included.
    """

    tick: int
    round: int
    node: Node
    left: Node | None = None
    new: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class NodeView:
    """One step, as people are shown it.

    prior: the policy's probability of it among its siblings. right: P(right) by the PRM; score: the product over the
    path. Each is None if it was not computed. move: index of the move that made it, -1 at the root.
    """

    node: Node
    fate: Fate
    chosen: bool
    prior: float | None
    right: float | None
    score: float | None
    move: int

    def to_json(self) -> dict[str, Any]:
        node = self.node
        probabilities = None if node.probabilities is None else [float(p) for p in node.probabilities]
        return {
            "index": node.index,
            "parent": None if node.parent is None else node.parent.index,
            "text": node.text.strip("\n"),
            "fate": self.fate,
            "chosen": self.chosen,
            "forced": node.forced,
            "answer": node.answer,
            "prior": self.prior,
            "right": self.right,
            "probabilities": probabilities,
            "score": self.score,
            "q": node.q,
            "probability": math.exp(node.logprob),
            "samples": node.samples,
            "visits": node.visits,
            "value": node.value / node.visits if node.visits else None,
            "move": self.move,
        }


@dataclass(frozen=True)
class Trace:
    """nodes: by index, the root first. moves: in their order."""

    result: SearchResult
    nodes: list[NodeView]
    moves: list[Move]

    @classmethod
    def of(cls, result: SearchResult) -> Trace:
        tree = result.tree
        moves = _moves(tree)
        made_by = {node.index: i for i, move in enumerate(moves) for node in move.new}
        chosen = {node.index for node in result.answer.path()} | {0}
        reached = {node.index for end in tree.ends for node in end.node.path()}
        nodes = []
        for node in tree.nodes:
            asked = node.probabilities is not None
            right = (
                float(right_probabilities(node.probabilities)[0]) if node.probabilities is not None else None
            )
            nodes.append(
                NodeView(
                    node,
                    _fate(node, reached),
                    node.index in chosen,
                    _prior(node),
                    right,
                    node.score if asked else None,
                    made_by.get(node.index, -1),
                )
            )
        return cls(result, nodes, moves)

    def path(self) -> list[NodeView]:
        """The steps of the answer."""
        return [self.nodes[node.index] for node in self.result.answer.path()]

    def votes(self) -> list[dict[str, Any]]:
        """One {answer, solutions, score} for each answer, the most frequent first; score is a sum over solutions."""
        ends = [end.node for end in self.result.tree.ends if end.node.answer is not None]
        tally: dict[str, list[Node]] = {}
        for node in ends:
            tally.setdefault(str(node.answer), []).append(node)
        rows = [
            {
                "answer": answer,
                "solutions": len(nodes),
                "score": sum(n.score for n in nodes) if nodes[0].probabilities is not None else None,
            }
            for answer, nodes in tally.items()
        ]
        return sorted(rows, key=lambda row: -int(str(row["solutions"])))


def _moves(tree: Tree) -> list[Move]:
    # `clock` numbers all requests; `rounds` has the first number of each round, so a search in it gives the round.
    visits = sorted((tick, node.index) for node in tree.nodes for tick in node.visited)
    moves = [Move(tick, bisect_right(tree.rounds, tick) - 1, tree.nodes[index]) for tick, index in visits]
    by_tick = {move.tick: move for move in moves}
    for node in tree.nodes[1:]:
        by_tick[node.made].new.append(node)
    before: list[Move] = []
    for _, group in groupby(moves, key=lambda move: move.round):
        in_round = list(group)
        for move in in_round:
            move.left = _left(move.node, [other.node for other in before])
        before = in_round
    return moves


def _left(node: Node, before: Sequence[Node]) -> Node | None:
    """Which of the nodes before the search came back from to reach `node`: the nearest by the tree."""
    path = [0, *(step.index for step in node.path())]
    # On the path from one of them, the search went on instead of back.
    if not before or any(other.index in path for other in before):
        return None
    shared = [sum(step.index in path for step in other.path()) for other in before]
    return before[max(range(len(before)), key=lambda i: (shared[i], i))]


def _fate(node: Node, reached: set[int]) -> Fate:
    if node.parent is None:
        return "root"
    if node.cut:
        return "cut"
    if node.ended:
        return "ended"
    if not node.visited and not node.children:
        return "open"
    # Below it something was continued, or a solution through it ended: it was followed. Else the search left it.
    gone_on = any(child.visited or child.children for child in node.children)
    return "followed" if gone_on or node.index in reached else "gave up"


def _prior(node: Node) -> float | None:
    """None where the step was not sampled: asked for, or cut off before its probability was known."""
    if node.parent is None or node.forced or node.cut:
        return None
    return prior(node, [child for child in node.parent.children if not child.forced and not child.cut])
