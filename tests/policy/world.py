"""A tiny policy that has a misconception, and reward models that know better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from o1_assets.engine.steps import step_ends
from tests.digits import digit_tokenizer

QUESTIONS = [f"Calculate {a} * {b}." for a in (2, 3, 4) for b in (5, 6)]


WRONG, RIGHT = ("1+1=2\nanswer 1\n", 0.75), ("2+2=4\nanswer 2\n", 0.25)


def tiny_policy(seed: int = 0, heads: int = 2) -> tuple[Any, Any]:
    """(model, tokenizer): writes WRONG or RIGHT with about the given probabilities, whatever the question."""
    tokenizer = digit_tokenizer(64)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=heads,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    ids, labels = [], []
    for question in QUESTIONS:
        prompt = tokenizer.encode(question + "\n", add_special_tokens=False)
        for text, share in (WRONG, RIGHT):
            completion = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
            for _ in range(round(share * 4)):
                ids.append(prompt + completion)
                labels.append([-100] * len(prompt) + completion)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        loss = model(input_ids=torch.tensor(ids), labels=torch.tensor(labels)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, tokenizer


class ExactRewards:
    """Gives every step and answer of RIGHT full marks and everything else none."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.calls = 0

    def step_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[np.ndarray]:
        self.calls += 1
        scored = []
        for ids in completions:
            ends = step_ends(ids, self.tokenizer)
            prefixes = [self.tokenizer.decode(ids[: end + 1], skip_special_tokens=True) for end in ends]
            rights = [float(RIGHT[0].startswith(prefix)) for prefix in prefixes]
            scored.append(np.array([[1 - r, 0, r] for r in rights]).reshape(-1, 3))
        return scored

    def with_kv_cache(self) -> ExactRewards:
        return self

    def outcome_probabilities(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> list[float]:
        texts = [self.tokenizer.decode(ids, skip_special_tokens=True) for ids in completions]
        return [float(text.endswith("answer 2\n")) for text in texts]

    def score_both(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> tuple[list[np.ndarray], list[float]]:
        return self.step_probabilities(prompts, completions), self.outcome_probabilities(prompts, completions)
