from pathlib import Path

import numpy as np
import pytest

from o1_assets.reward import tree
from o1_assets.reward.config import SCORE_TOKENS
from o1_assets.reward.score import Scorer, load_scorer

PROMPTS = ["Calculate 3 * 4 - 5.\n", "Calculate 1 + 2.\n"]


COMPLETIONS = [
    (0, "3*4=12\n12-5=7\nanswer 7\n"),
    (0, "3*4=12\n12-5=8\nanswer 8\n"),
    (0, "3*4=12\n"),
    (1, "answer 3\n"),
    (1, "1+2=3\ncheck 1+2=3\nanswer 3\n"),
    (0, "3*4=12\n12-5=7\nanswer 7\n"),
]


@pytest.fixture(scope="module")
def folders(generator, tmp_path_factory) -> tuple[Path, Path]:
    import torch

    from o1_assets.reward.config import PRMConfig
    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model

    paths = []
    for classes in (PRM_CLASSES, ORM_CLASSES):
        torch.manual_seed(1)
        model = start_reward_model(generator, classes, PRMConfig().probability_edges)
        with torch.no_grad():
            model.backbone.score.weight.normal_()
            model.feature.weight.normal_()
        paths.append(tmp_path_factory.mktemp("model"))
        save_reward_model(model, generator, paths[-1])
    return paths[0], paths[1]


@pytest.fixture
def both(folders, generator) -> Scorer:
    return load_scorer(folders[0], generator, orm=folders[1])


def encode(tokenizer, items):
    prompts = [tokenizer.encode(PROMPTS[p], add_special_tokens=False) for p, _ in items]
    return prompts, [tokenizer.encode(c, add_special_tokens=False) for _, c in items]


def test_a_solution_has_the_same_scores_alone_and_among_others(both, tokenizer):
    together = both.step_probabilities(*encode(tokenizer, COMPLETIONS))
    for item, among in zip(COMPLETIONS, together, strict=True):
        (alone,) = both.step_probabilities(*encode(tokenizer, [item]))
        assert alone.shape == among.shape
        assert np.allclose(alone, among, atol=1e-5)


def test_each_step_has_one_row_of_probabilities(both, tokenizer):
    scores = both.step_probabilities(*encode(tokenizer, COMPLETIONS))
    assert [s.shape for s in scores] == [(3, 3), (3, 3), (1, 3), (1, 3), (3, 3), (3, 3)]
    assert all(np.allclose(s.sum(-1), 1) for s in scores)


def test_a_steps_score_does_not_depend_on_what_follows(both, tokenizer):
    scores = both.step_probabilities(*encode(tokenizer, COMPLETIONS))
    assert np.allclose(scores[0][0], scores[1][0], atol=1e-6) and np.allclose(
        scores[0][0], scores[2][0], atol=1e-6
    )
    assert not np.allclose(scores[0][1], scores[1][1], atol=1e-3)


def test_one_call_for_both_models_agrees_with_two_calls_and_costs_one_generator_pass_less(both, tokenizer):
    inputs = encode(tokenizer, COMPLETIONS)
    steps, outcomes = both.score_both(*inputs)
    shared = both.tokens_scored
    apart, alone = both.step_probabilities(*inputs), both.outcome_probabilities(*inputs)
    assert all(np.array_equal(a, b) for a, b in zip(steps, apart, strict=True)) and outcomes == alone
    assert (both.tokens_scored - shared) * 3 == shared * 4


def test_equal_completions_are_computed_once(both, tokenizer):
    one = encode(tokenizer, COMPLETIONS[:1])
    both.step_probabilities(*one)
    cost = both.tokens_scored
    both.step_probabilities(*(part * 9 for part in one))
    assert both.tokens_scored == 2 * cost == 2 * 2 * len(one[0][0] + one[1][0])
    assert both.cost().flops > 0


def test_the_end_token_changes_nothing_and_an_unfinished_step_is_one_more_step(both, tokenizer):
    prompts, completions = encode(tokenizer, [(0, "3*4=12\n"), (0, "3*4=12\n12-")])
    completions.append([*completions[0], tokenizer.eos_token_id])
    whole, unfinished, ended = both.step_probabilities([prompts[0]] * 3, completions)
    assert np.array_equal(whole, ended)
    assert unfinished.shape == (2, 3) and np.allclose(unfinished[0], whole[0], atol=1e-6)


def test_a_completion_without_a_step_has_no_step_scores_and_outcome_zero(both, tokenizer):
    steps, outcomes = both.score_both(*encode(tokenizer, [(0, "\n"), (0, "")]))
    assert [s.shape for s in steps] == [(0, 3), (0, 3)]
    assert outcomes == [0.0, 0.0]


def test_score_answers_for_the_only_model_that_was_loaded(folders, generator, tokenizer):
    inputs = encode(tokenizer, COMPLETIONS[:1])
    assert load_scorer(folders[0], generator).score(*inputs)[0].shape == (3, 3)
    assert 0 < load_scorer(folders[1], generator).score(*inputs)[0] < 1


def test_asking_for_a_model_that_was_not_loaded_says_which(folders, generator, tokenizer):
    with pytest.raises(ValueError, match="no ORM"):
        load_scorer(folders[0], generator).outcome_probabilities(*encode(tokenizer, COMPLETIONS[:1]))


def largest_batch(monkeypatch, scorer, inputs) -> int:
    """Tokens, with padding, of the largest batch that the models are given."""
    from o1_assets.reward import read

    sizes = []

    def collate(rows):
        batch = tree.collate(rows)
        sizes.append(batch["input_ids"].numel())
        return batch

    monkeypatch.setattr(read, "collate", collate)
    scorer.score_both(*inputs)
    return max(sizes)


def test_a_reward_model_carries_its_batch_limit_to_whoever_scores_with_it(
    generator, tokenizer, tmp_path, monkeypatch
):
    import json

    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, save_reward_model, start_reward_model

    for name, classes, limit in (("prm", PRM_CLASSES, 16_384), ("orm", ORM_CLASSES, 300)):
        save_reward_model(
            start_reward_model(generator, classes, None, score_tokens=limit), generator, tmp_path / name
        )
    texts = [f"{a}+{b}={a + b}\nanswer {a + b}\n" for a in range(9) for b in range(9)]
    inputs = encode(tokenizer, [(1, text) for text in texts])
    large = load_scorer(tmp_path / "prm", generator)
    both = load_scorer(tmp_path / "prm", generator, orm=tmp_path / "orm")
    assert (large.batch_tokens, both.batch_tokens) == (16_384, 300)
    assert largest_batch(monkeypatch, both, inputs) <= 300

    tuned = start_reward_model(tmp_path / "orm", ORM_CLASSES, None)  # fine-tuned with the default
    assert tuned.score_tokens == SCORE_TOKENS
    save_reward_model(tuned, generator, tmp_path / "tuned")
    assert "score_tokens" not in json.loads((tmp_path / "tuned" / "config.json").read_text())
