"""A reward model of an architecture with sliding windows reads a tree as transformers reads each sequence alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from o1_assets.reward.incremental import TreeScorer
from o1_assets.reward.model import PRM_CLASSES, save_reward_model, start_reward_model
from o1_assets.reward.score import load_scorer
from tests.engine.models import TOKENIZER, model

TEXTS = ["3*4=12\n12-5=7\nanswer 7\n", "3*4=12\n12-5=8\n8-1=7\nanswer 7\n", "3*4=11\nanswer 6\n"]


@pytest.mark.parametrize("kind", ["gemma3", "gpt2"])
def test_its_scores_are_those_of_each_sequence_alone(kind: str, tmp_path: Path) -> None:
    generator, prm = tmp_path / "generator", tmp_path / "prm"
    model(kind).save_pretrained(generator)
    TOKENIZER.save_pretrained(generator)
    torch.manual_seed(1)
    started = start_reward_model(generator, PRM_CLASSES, None)
    with torch.no_grad():
        started.head.weight.normal_()
    save_reward_model(started, generator, prm)
    scorer = load_scorer(prm, generator)
    prompt = TOKENIZER("Calculate 3 * 4 - 5.\n")["input_ids"]
    completions = [TOKENIZER(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    together = scorer.step_probabilities([prompt] * len(TEXTS), completions)
    searched = TreeScorer(scorer)
    for i, completion in enumerate(completions):
        grown = searched.step_probabilities([prompt], [completion])[0]
        with torch.inference_mode():
            logits = scorer.models[0].backbone(torch.tensor([[*prompt, *completion]])).logits[0]
        ends = [len(prompt) + j for j, token in enumerate(completion) if TOKENIZER.decode(token) == "\n"]
        alone = logits[ends].double().softmax(-1).numpy()
        assert together[i] == pytest.approx(alone, abs=1e-5)
        assert grown == pytest.approx(alone, abs=1e-5)
