import numpy as np
import pytest
import torch

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.dataset import prm_examples
from o1_assets.reward.model import ProbabilityFeature
from o1_assets.reward.read import place_features
from o1_assets.reward.tree import collate
from tests.reward.conftest import make_labels


@pytest.fixture(scope="module")
def causal(generator):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(generator, dtype="float32").eval()


def test_the_feature_is_the_least_log_probability_of_the_steps_tokens(causal, tokenizer):
    examples = prm_examples(make_labels(6), tokenizer, PromptFormat())
    rows = [e.row()[0] for e in examples]
    placed = place_features(causal, rows, [e.sequences for e in examples], 300)
    for example, row, feature in zip(examples, rows, placed, strict=True):
        ends = set()
        for index, sequence in enumerate(example.sequences):
            with torch.inference_mode():
                logits = causal(torch.tensor([sequence.tokens])).logits[0].log_softmax(-1)
            each = [0.0] + [float(logits[i - 1, t]) for i, t in enumerate(sequence.tokens) if i]
            start = sequence.prompt_length
            for end in sequence.ends:
                node = row.paths[index][end]
                ends.add(int(node))
                assert feature[node] == pytest.approx(min(each[start : end + 1]), abs=1e-4)
                start = end + 1
        assert set(np.flatnonzero(~np.isnan(feature))) == ends


def test_a_trees_tokens_are_computed_as_if_each_sequence_were_alone(causal, tokenizer):
    (example,) = prm_examples(make_labels(1, seed=3), tokenizer, PromptFormat())
    row, _ = example.row()
    assert len(row) < sum(len(s.tokens) for s in example.sequences)
    with torch.inference_mode():
        packed = causal(**collate([row])).logits[0]
        for index, sequence in enumerate(example.sequences):
            alone = causal(torch.tensor([sequence.tokens])).logits[0]
            assert torch.allclose(packed[row.paths[index].tolist()], alone, atol=1e-4)


def test_the_embedding_is_continuous_and_nothing_where_no_step_ends():
    feature = ProbabilityFeature([-4.0, -1.0, -0.1], hidden=5)
    with torch.no_grad():
        feature.weight.normal_()
    at = torch.tensor([[float("nan"), -4.0, -1.0, -1.0 + 1e-6, -0.1, -9.0, 0.0]])
    out = feature(at)[0]
    assert torch.equal(out[0], torch.zeros(5))
    assert torch.allclose(out[1:3], feature.weight[:2]) and torch.allclose(out[4], feature.weight[2])
    assert torch.allclose(out[2], out[3], atol=1e-4)
    assert torch.allclose(out[5], out[1]) and torch.allclose(out[6], out[4])
