"""Search trees as packed rows of tokens, as the Q-value model is trained on them and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost
from o1_assets.reward.tree import ROW_TOKENS, Row, StepSequence, pack
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.solved import Solved

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


@dataclass
class PackedTrees:
    """Trees as rows of tokens. where[tree][node index] is the row and the token at which that node ends."""

    rows: list[Row]
    features: list[NDArray[np.float32]] | None
    where: list[dict[int, tuple[int, int]]]

    def labels(self, targets: Sequence[Mapping[int, float]]) -> list[NDArray[np.float32]]:
        """For each row, shape (n,): the target of the node that ends at a token, NaN elsewhere."""
        labels = [np.full(len(row), np.nan, dtype=np.float32) for row in self.rows]
        for places, wanted in zip(self.where, targets, strict=True):
            for node, target in wanted.items():
                row, token = places[node]
                labels[row][token] = target
        return labels


def pack_trees(
    solved: Sequence[Solved],
    tokenizer: PreTrainedTokenizerBase,
    generator: PreTrainedModel | None,
    config: QValueConfig,
) -> tuple[PackedTrees, Cost]:
    """All trees as packed rows, and the generator's pass over them if the model reads it."""
    from o1_assets.reward.read import place_features, reading_cost

    rows: list[Row] = []
    paths: list[list[StepSequence]] = []
    where: list[dict[int, tuple[int, int]]] = []
    for one in solved:
        nodes, sequences = leaves(one, tokenizer)
        places: dict[int, tuple[int, int]] = {}
        for row in pack([sequence.tokens for sequence in sequences], ROW_TOKENS):
            for index, path in row.paths.items():
                for node, end in zip(nodes[index], sequences[index].ends, strict=True):
                    # A node on several paths stands once in each row: its first place is as good as any.
                    places.setdefault(node, (len(rows), int(path[end])))
            rows.append(row)
            paths.append(sequences)
        where.append(places)
    if generator is None:
        return PackedTrees(rows, None, where), Cost()
    tokens = sum(len(row) for row in rows)
    features = place_features(generator, rows, paths, config.score_tokens)
    return PackedTrees(rows, features, where), reading_cost(generator, tokens)


def leaves(solved: Solved, tokenizer: PreTrainedTokenizerBase) -> tuple[list[list[int]], list[StepSequence]]:
    """Every path of the tree to a node without whole children: the indices of its nodes, and its tokens.

    All shorter paths are prefixes of these, so that packing them packs the whole tree.
    """
    from o1_assets.engine.steps import close_last

    prompt = tuple(solved.tree.prompt_ids)
    nodes, sequences = [], []
    for node in solved.tree.nodes[1:]:
        if node.cut or any(not child.cut for child in node.children):
            continue
        path = node.path()
        tokens, ends = list(prompt), []
        for step in path:
            step_tokens = [token for token in step.token_ids if token != tokenizer.eos_token_id]
            tokens += step_tokens
            ends.append(len(tokens) - 1)
        nodes.append([step.index for step in path])
        tokens, ends = close_last(tokens, ends, tokenizer)
        sequences.append(StepSequence(tuple(tokens), len(prompt), tuple(ends)))
    return nodes, sequences


def values_of(model: RewardModel, packed: PackedTrees, config: QValueConfig) -> list[dict[int, float]]:
    """For each tree node index -> Q."""
    from o1_assets.reward.read import predict

    (of_rows,) = predict([model], packed.rows, packed.features, config.score_tokens)
    return [
        {node: float(of_rows[row][token, 1]) for node, (row, token) in places.items()}
        for places in packed.where
    ]
