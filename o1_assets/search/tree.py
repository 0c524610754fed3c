"""A tree of thoughts: each node is one step, a path from the root is a solution so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Node:
    """One step after the steps of its parents.

    logprob: log-probability of the step's tokens under the policy, given all before it, whoever proposed it.
    probabilities: by the PRM, (3,) for negative, neutral, positive; None if it was not asked.
    score: product of P(right) over the path, the solution score of the steps so far; 1 at the root.
    q: the chance that a solution which continues this one ends right, by the Q-value model; None if it was not asked.
    answer: the final answer, if the solution ends here with one.
    passes: whether that passes the check of its own problem; None without an answer, or a check.
    ended: the solution ends here. cut: not a whole step (cut off, or blank); no step follows it. partial: it was cut
    off by the length of its sample.
    forced: the answer was asked for before the policy gave one.
    samples: how many identical samples this node stands for. drawn: how many samples were drawn after it.
    made, visited: the number of the request that made the node, and of each request for what follows it.
    visits, value: for strategies that come back to a node (MCTS): how often, and the sum of what was found below.
    """

    index: int
    parent: Node | None = field(repr=False)
    text: str
    token_ids: list[int]
    logprob: float = 0.0
    probabilities: np.ndarray | None = None
    score: float = 1.0
    q: float | None = None
    answer: str | None = None
    passes: bool | None = None
    ended: bool = False
    cut: bool = False
    partial: bool = False
    forced: bool = False
    samples: int = 1
    drawn: int = 0
    made: int = 0
    visited: list[int] = field(default_factory=list)
    visits: int = 0
    value: float = 0.0
    children: list[Node] = field(default_factory=list, repr=False)

    def path(self) -> list[Node]:
        """The nodes from the first step to this one; the root is not a step and is left out."""
        nodes: list[Node] = []  # from the last to the first, turned around at the end
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    @property
    def depth(self) -> int:
        return len(self.path())

    def belief(self, prior: float) -> float:
        """The score times the policy's probability of all steps so far to the power of `prior`."""
        if not prior:
            return self.score
        return self.score * math.exp(prior * sum(node.logprob for node in self.path()))

    def completion(self) -> str:
        """The text of the whole path, as a reward model reads it."""
        return "".join(node.text for node in self.path())

    def completion_ids(self) -> list[int]:
        return [token for node in self.path() for token in node.token_ids]


@dataclass(frozen=True, eq=False)
class End:
    """A solution that ended: its last node, and the tokens generated until then.

    Equal solutions end as often as they were sampled, because each is a vote.
    """

    node: Node
    tokens: int


@dataclass(eq=False)
class Tree:
    """The search of one problem.

    ends: solutions in the order in which they ended. clock: requests so far. rounds: the number of the first request
    of each round; the requests of a round are answered together.
    tokens_generated: by the policy. tokens_scored: of the distinct prefixes that the PRM was asked about.
    ledger: both of these after each round.
    """

    prompt: str
    prompt_ids: Sequence[int]
    seed: int
    nodes: list[Node] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    clock: int = 0
    rounds: list[int] = field(default_factory=list)
    tokens_generated: int = 0
    tokens_scored: int = 0
    ledger: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes.append(Node(index=0, parent=None, text="", token_ids=[]))

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def add(self, parent: Node, text: str, token_ids: list[int], logprob: float, made: int = 0) -> Node:
        # The parent's score, until the PRM is asked: a step that nobody doubts is as good as what stands before it.
        node = Node(len(self.nodes), parent, text, token_ids, logprob, score=parent.score, made=made)
        parent.children.append(node)
        self.nodes.append(node)
        return node

    def end(self, node: Node) -> None:
        node.ended = True
        # With the tokens until now, so that the answer of a smaller budget can be read off later.
        self.ends.append(End(node, self.tokens_generated))

    def deepest(self, requests: int | None = None) -> Node:
        """The last whole step of the longest solution that did not end; among equals the best scored, else the root.

        requests: after how many requests, now unless given.
        """
        last = self.clock if requests is None else requests
        whole = (node for node in self.nodes if not node.cut and not node.ended and node.made < last)
        return max(whole, key=lambda n: (n.depth, n.score, -n.index), default=self.root)
