"""Tokens that the PRM reads for the trees of a search, against those of the trees' distinct prefixes.

Every path that the search asked about is a sequence of tokens from the prompt to the end of its last step; all
beginnings of all paths of one tree, each once, are what has to be read at least by a scorer that knows one tree. The
second figure is how many times more is read by scoring each path anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.registry import Figure

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer
    from o1_assets.search.tree import Tree


NAME = "prm_tree_tokens_ratio"


PROBLEMS, TOKENS, SEEDS = 60, 1024, 3


def compare() -> Mapping[str, Figure]:
    from benchmarks.models import finished
    from benchmarks.race import STEPS
    from o1_assets.core.seeds import derive_seed
    from o1_assets.search.interface import Budget
    from o1_assets.search.run import search
    from o1_assets.search.strategies import STRATEGIES

    ratios, anew = [], []
    with finished(PROBLEMS) as given:
        scorer = given.scorer()
        thinker = given.thinker(scorer)
        budget = Budget(TOKENS, STEPS, given.step_tokens, given.prompt.max_tokens)
        for name in ("beam", "dvts", "mcts"):
            strategy = STRATEGIES[name].strategy
            for seed in range(SEEDS):
                seeds = [derive_seed(seed, row["problem_id"]) for row in given.problems]
                before = scorer.tokens_scored
                found = search(strategy, given.prompts, thinker, budget, seeds)
                # Each token is read by the PRM and by the generator whose log-probabilities it looks at.
                read = (scorer.tokens_scored - before) / (1 if scorer.generator is None else 2)
                distinct, whole = 0, 0
                for one in found:
                    tokens = asked(one.tree, scorer)
                    distinct, whole = distinct + distinct_prefixes(tokens), whole + sum(map(len, tokens))
                ratios.append(read / distinct)
                anew.append(whole / read)
            print(
                f"  {name:10} {ratios[-1]:.4f} of the distinct prefixes, {anew[-1]:.2f} times fewer than anew"
            )
    says = f"beam, dvts and mcts, {TOKENS} tokens a problem, {PROBLEMS} problems, {SEEDS} seeds"
    return {
        NAME: Figure(max(ratios), max(ratios) - min(ratios), "ratio", f"at most 1, the worst of {says}"),
        "prm_tree_tokens_saving": Figure(
            min(anew), max(anew) - min(anew), "times", f"scoring every path anew, the least of {says}"
        ),
    }


def asked(tree: Tree, scorer: Scorer) -> list[tuple[int, ...]]:
    """Tokens of each path that the PRM was asked about, up to its last step's end."""
    return [
        scorer.sequence(tree.prompt_ids, node.completion_ids()).tokens
        for node in tree.nodes
        if node.probabilities is not None
    ]


def distinct_prefixes(sequences: Sequence[tuple[int, ...]]) -> int:
    """How many different beginnings, of any length from 1 on, all sequences together have."""
    return len({sequence[:n] for sequence in sequences for n in range(1, len(sequence) + 1)})
