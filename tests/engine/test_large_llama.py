"""Continuous batches of larger Llamas: the samples of the plain sampler, with few rows that are always full."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from o1_assets.core.engine import Sample, SamplingParams
from o1_assets.engine import continuous_batch, large_llama
from o1_assets.engine.continuous_batch import BLOCK, choose
from o1_assets.engine.large_llama import LargeLlama
from o1_assets.engine.open import open_engine
from o1_assets.engine.shared_batch import draw
from o1_assets.engine.steps import LINE, PARAGRAPH
from o1_assets.engine.transformers_engine import TransformersEngine
from tests.engine.models import TOKENIZER, byte_level
from tests.engine.test_llama_step import llama

VOCABULARY = 29
PROMPT = [[3, 4, 6]] * 4


def sampler(separator: str = LINE) -> TransformersEngine:
    model = llama(shared=2)
    model.generation_config.eos_token_id = 5
    return TransformersEngine(model, byte_level(separator))


def prompts_after(common: int) -> list[list[int]]:
    """Prompts of several lengths after so many common tokens, each of them three times; one has nothing of its own."""
    draw = random.Random(1)
    begin = [draw.randrange(VOCABULARY) for _ in range(common)]
    ends = [[draw.randrange(VOCABULARY) for _ in range(length)] for length in (1, 1, 3, 4, 4, 9)]
    return [[*begin, *end] for end in ends for _ in range(3)]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Sample], list[Sample]]]:
    """Samples of the continuous batch and of the plain sampler."""

    def of(engine: TransformersEngine, prompts: list[list[int]], params: SamplingParams) -> Any:
        seeds = range(len(prompts))
        monkeypatch.setattr(large_llama, "FEWEST_PARAMETERS", 0)
        mine = engine.sample(prompts, params, seeds)
        monkeypatch.setattr(large_llama, "FEWEST_PARAMETERS", 10**12)
        return mine, engine.sample(prompts, params, seeds)

    return of


def assert_same(mine: list[Sample], theirs: list[Sample]) -> None:
    assert [(s.token_ids, s.finished) for s in mine] == [(s.token_ids, s.finished) for s in theirs]
    for one, other in zip(mine, theirs, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=2e-5)


@pytest.mark.parametrize("common", (0, 7))
@pytest.mark.parametrize("temperature", (0.0, 0.7))
@pytest.mark.parametrize("threads", (1, 2))
def test_samples_are_those_of_the_plain_sampler(both: Any, common: int, temperature: float, threads: int):
    torch.set_num_threads(threads)
    mine, theirs = both(sampler(), prompts_after(common), SamplingParams(20, temperature))
    assert_same(mine, theirs)
    assert {s.finished for s in mine} == {True, False}


def test_a_place_is_refilled_and_no_sample_notices(both: Any, monkeypatch: pytest.MonkeyPatch):
    torch.set_num_threads(1)
    rows: list[int] = []
    step = LargeLlama.next_logits
    monkeypatch.setattr(
        LargeLlama, "next_logits", lambda self, ids, *rest: rows.append(len(ids)) or step(self, ids, *rest)
    )
    monkeypatch.setattr(continuous_batch, "MOST_ROWS", 4)
    limits = tuple(3 + 2 * (i % 9) for i in range(18))
    mine, theirs = both(sampler(), prompts_after(3), SamplingParams(20, limits=limits))
    assert_same(mine, theirs)
    assert max(rows) == 4
    tokens = sum(len(sample.token_ids) for sample in mine)
    assert sum(rows) == tokens  # no row was computed for nothing
    assert len(rows) < tokens / 4 + 20  # all places were filled until nobody waited


def test_what_prompts_share_is_read_once(both: Any, monkeypatch: pytest.MonkeyPatch):
    torch.set_num_threads(1)
    read: list[int] = []
    hidden = LargeLlama._hidden

    def counting(self: LargeLlama, ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        if rest[6] is None:  # no rows: a prompt is read
            read.append(len(ids))
        return hidden(self, ids, *rest)

    monkeypatch.setattr(LargeLlama, "_hidden", counting)
    draw = random.Random(2)
    whole = [draw.randrange(VOCABULARY) for _ in range(80)]
    # A question, the same with one step more each time, and one that goes on differently from the third step on.
    prompts = [whole[:20], whole[:40], whole[:60], whole, [*whole[:50], *whole[:25]]]
    mine, theirs = both(sampler(), [*prompts, *prompts, *prompts], SamplingParams(6))
    assert_same(mine, theirs)
    # All begin with the first 19 tokens, and no prompt's last token is read with it. The one that goes on differently
    # is 11 tokens from what was read before it, too few to wait for.
    assert read[0] == 19
    assert sum(read) == 79 + (11 + 24)


@pytest.mark.parametrize("separator", (LINE, PARAGRAPH))
def test_steps_end_where_the_plain_sampler_ends_them(
    both: Any, separator: str, monkeypatch: pytest.MonkeyPatch
):
    engine = sampler(separator)
    texts = ("\n", "\n\n", " \n", "a")
    # As if every token were one of these texts, so that lines and blank lines are frequent.
    monkeypatch.setattr(engine.tokenizer, "decode", lambda ids, **options: texts[int(np.ravel(ids)[0]) % 4])
    mine, theirs = both(engine, prompts_after(2), SamplingParams(20, stop_at_step=True))
    assert_same(mine, theirs)
    assert max(len(s.token_ids) for s in mine) > 1


def test_no_prompts_have_no_samples(both: Any):
    assert both(sampler(), [], SamplingParams(5, 1.0)) == ([], [])


def test_weights_that_were_trained_since_are_seen(both: Any):
    engine = sampler()
    before, _ = both(engine, PROMPT, SamplingParams(5))
    with torch.no_grad():
        engine.model.model.layers[0].mlp.down_proj.weight.mul_(-3)
    mine, theirs = both(engine, PROMPT, SamplingParams(5))
    assert_same(mine, theirs)
    assert mine != before


def test_bfloat16_is_a_setting_of_its_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(large_llama, "FEWEST_PARAMETERS", 0)
    llama(shared=2).save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    whole, rounded = (
        open_engine(tmp_path, name).sample(PROMPT, SamplingParams(1, 0.0), range(4))
        for name in ("transformers", "transformers-bfloat16")
    )
    assert rounded[0].logprobs == pytest.approx(whole[0].logprobs, abs=0.05)
    assert rounded[0].logprobs != whole[0].logprobs


@pytest.mark.parametrize("vocabulary", (BLOCK // 3, 3 * BLOCK, 3 * BLOCK + 17))
def test_a_number_draws_the_same_token_block_by_block(vocabulary: int):
    torch.manual_seed(0)
    logits = torch.randn(500, vocabulary) * 4
    logits[:, -1] = logits[:, 0] = float("-inf")  # tokens that cannot be drawn, also not by the last bits
    uniform = np.random.default_rng(0).random(500)
    uniform[:2] = 0, 1 - 2.0**-53
    mine, likely = choose(logits, 0.8, uniform)
    theirs, other = draw(logits, 0.8, uniform)
    assert torch.equal(mine, theirs)
    torch.testing.assert_close(likely, other)
