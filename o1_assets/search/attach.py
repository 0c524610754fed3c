"""What was sampled becomes nodes of the tree: a step, or a solution step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from o1_assets.core.engine import Sample
from o1_assets.engine.steps import separator, split_steps, step_ends
from o1_assets.search.interface import Complete, Expand
from o1_assets.search.tree import Node, Tree

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The tokens that a request's `start` put before a sample, and the sample.
Drawn = tuple[list[int], Sample]


@dataclass(frozen=True)
class Attachment:
    """How samples are read. answer_of, self_check: as in `SearchModels`."""

    tokenizer: PreTrainedTokenizerBase
    answer_of: Callable[[str], str | None]
    self_check: Callable[[str, str], bool | None]

    @cached_property
    def end_token(self) -> int:
        # Asked for with each step, and a tokenizer looks it up by its text.
        return cast(int, self.tokenizer.eos_token_id)

    def attach(self, tree: Tree, request: Expand | Complete, samples: Sequence[Drawn]) -> list[Node]:
        """Adds the samples to the tree; returns what the request's reply lists."""
        reply: list[Node] = []
        made = request.node.visited[-1]
        # The last node of each different solution: a policy that is sure of itself repeats most of them many times.
        last: dict[tuple[bool, tuple[int, ...]], Node] = {}
        for start, sample in samples:
            tree.tokens_generated += len(sample.token_ids)
            if isinstance(request, Complete):
                solution = sample.finished, tuple(sample.token_ids)
                if solution in last:
                    self._repeat(tree, request.node, last[solution])
                else:
                    last[solution] = self._solution(tree, request.node, sample, made)
                reply.append(last[solution])
                continue
            tokens = [*start, *sample.token_ids]
            node = self._step(tree, request.node, tokens, sum(sample.logprobs), sample.finished, made)
            if node.ended and node is not request.node:
                node.forced = request.forced
            if not node.cut and node not in reply:
                reply.append(node)
        return reply

    @staticmethod
    def _repeat(tree: Tree, after: Node, last: Node) -> None:
        """One more solution that goes from `after` to `last`."""
        # What was cut off is continued by a whole step beside it.
        known = after.depth - after.partial
        for node in last.path()[known:]:
            node.samples += 1
        if last.ended:
            tree.end(last)

    def _solution(self, tree: Tree, node: Node, sample: Sample, made: int) -> Node:
        """Adds a solution step by step; steps that others share are not added again. Returns its last node."""
        token_ids, logprobs = sample.token_ids, sample.logprobs
        if node.partial:
            # The rest of a step that was cut off: the whole step stands beside it.
            assert node.parent is not None
            token_ids = [*node.token_ids, *token_ids]
            logprobs = [node.logprob, *[0.0] * (len(node.token_ids) - 1), *logprobs]
            node = node.parent
        ends = step_ends(token_ids, self.tokenizer)
        # The last step reaches to the end of the sample: an end token after it belongs to it.
        bounds = sorted({0, *(end + 1 for end in ends[:-1]), len(token_ids)})
        for a, b in pairwise(bounds):
            if node.ended or node.cut:
                break
            whole = sample.finished or b < len(token_ids)
            node = self._step(tree, node, token_ids[a:b], sum(logprobs[a:b]), whole, made)
        return node

    def _step(
        self, tree: Tree, parent: Node, tokens: Sequence[int], logprob: float, whole: bool, made: int
    ) -> Node:
        """The child of `parent` with these tokens, or `parent` itself if they only end the solution."""
        end = self.end_token
        if list(tokens) == [end]:
            if not parent.ended:
                parent.token_ids = [*parent.token_ids, end]
            tree.end(parent)
            return parent
        # A node that ended has got an end token, which a sample of that one step does not have.
        spellings = (list(tokens), [*tokens, end])
        alike = (child for child in parent.children if child.token_ids in spellings)
        node = next((child for child in alike if child.partial != whole), None)
        if node is not None:
            node.samples += 1
            if node.ended:
                tree.end(node)
            return node
        text = str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))
        node = tree.add(parent, text, list(tokens), float(logprob), made)
        # Exactly one step: the reward models read as many steps on a path as it has nodes.
        node.partial = not whole
        node.cut = not whole or len(split_steps(text, separator(self.tokenizer))) != 1
        node.answer = None if node.cut else self.answer_of(text)
        if node.answer is not None:
            node.passes = self.self_check(tree.prompt, node.answer)
        if not node.cut and (tokens[-1] == end or node.answer is not None):
            # A step with the answer ends the solution even where sampling stopped before the end token.
            if tokens[-1] != end:
                node.token_ids.append(end)
            tree.end(node)
        return node
