"""A tree of thoughts: each node is one step, a path from the root is a solution so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Node:
    """One step after the steps of its parents.

    logprob: log-probability of the step's tokens under the policy, given all before it.
    probabilities: the PRM's (3,) for negative, neutral, positive; None at the root.
    score: product of P(right) over the path, the solution score of the steps so far.
    ended: the solution ends here. cut: not a whole step (cut off, or blank); not followed.
    samples: how many identical samples this node stands for.
    drawn: how many next steps have been sampled after it.
    visits, value: for strategies that come back to a node.
    """

    index: int
    parent: Node | None
    text: str
    token_ids: list[int]
    logprob: float = 0.0
    probabilities: np.ndarray | None = None
    score: float = 1.0
    ended: bool = False
    cut: bool = False
    samples: int = 1
    drawn: int = 0
    visits: int = 0
    value: float = 0.0
    children: list[Node] = field(default_factory=list)

    def path(self) -> list[Node]:
        """The nodes from the first step to this one; the root is not a step and is left out."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    @property
    def depth(self) -> int:
        return len(self.path())

    def completion(self) -> str:
        """The text of the whole path, as a reward model reads it."""
        return "".join(node.text for node in self.path())

    def completion_ids(self) -> list[int]:
        return [token for node in self.path() for token in node.token_ids]


@dataclass(eq=False)
class Tree:
    """The search of one problem. tokens_scored counts every token a reward model read, prompt included."""

    prompt: str
    prompt_ids: Sequence[int]
    seed: int
    nodes: list[Node] = field(default_factory=list)
    tokens_generated: int = 0
    tokens_scored: int = 0

    def __post_init__(self) -> None:
        self.nodes.append(Node(index=0, parent=None, text="", token_ids=[]))

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def add(self, parent: Node, text: str, token_ids: list[int], logprob: float) -> Node:
        node = Node(len(self.nodes), parent, text, token_ids, logprob, score=parent.score)
        parent.children.append(node)
        self.nodes.append(node)
        return node

    def ends(self) -> Iterator[Node]:
        """The last nodes of all solutions that ended."""
        return (node for node in self.nodes if node.ended)

    def best(self) -> Node:
        """The ended node of highest score; without one the deepest whole step."""
        ended = list(self.ends())
        if ended:
            return max(ended, key=lambda n: (n.score, -n.index))
        return max((n for n in self.nodes if not n.cut), key=lambda n: (n.depth, n.score, -n.index))
