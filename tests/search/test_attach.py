"""Samples become nodes of a tree."""

from __future__ import annotations

from o1_assets.core.engine import SamplingParams
from o1_assets.search.attach import Attachment
from o1_assets.search.interface import Complete
from o1_assets.search.tree import Tree
from tests.search.test_search import answer_of
from tests.search.test_strategies import Everywhere
from tests.search.toy import TablePolicy


def attached(together: bool) -> tuple[list[int], list[object], list[object], int]:
    """Solutions from the root, and the rest of one that was cut off: in one reply, or each in one of its own."""
    policy, prompt = TablePolicy(Everywhere()), "q\n"
    tree = Tree(prompt, policy.tokenizer.encode(prompt), 0)
    attachment = Attachment(policy.tokenizer, answer_of, lambda prompt, answer: answer == "answer 3")
    reply = []
    # 40 of each, most of them equal: whole ones, then some cut off within a step, then their rests.
    for longest in (100, 8, 100):
        node = (
            next((n for n in tree.nodes if n.partial), tree.root) if reply and longest == 100 else tree.root
        )
        before = [*tree.prompt_ids, *node.completion_ids()]
        samples = policy.sample([before] * 40, SamplingParams(longest), range(longest, longest + 40))
        node.visited.append(0)
        request = Complete(node, 40)
        parts = [samples] if together else [[sample] for sample in samples]
        for part in parts:
            reply += [n.index for n in attachment.attach(tree, request, [([], sample) for sample in part])]
    nodes = [
        (n.text, n.parent and n.parent.index, n.samples, n.token_ids, n.logprob, n.ended, n.partial, n.passes)
        for n in tree.nodes
    ]
    return reply, nodes, [(end.node.index, end.tokens) for end in tree.ends], tree.tokens_generated


def test_equal_solutions_of_a_reply_count_as_often_as_they_were_sampled() -> None:
    assert attached(together=True) == attached(together=False)
    reply, _, ends, _ = attached(together=True)
    assert len(reply) == 120 > len({*reply}) + 20 and len(ends) > 60
