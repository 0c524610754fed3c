"""What every engine promises (`core/engine.py`), asked of each on the same checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.core.flops import non_embedding_parameters
from o1_assets.engine.open import ENGINES
from o1_assets.engine.steps import ends_step
from tests.engine.checkpoints import Checkpoint
from tests.engine.statistics import ALARM, fit_p

LOGPROB = 2e-4
"""Two ways of summing in float32 may differ by this much in a token's log-probability."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, opened: Callable[[str], Engine]) -> Engine:
    return opened(request.param)


@pytest.fixture(params=ENGINES)
def paragraph_engine(request: pytest.FixtureRequest, opened_paragraphs: Callable[[str], Engine]) -> Engine:
    return opened_paragraphs(request.param)


@pytest.fixture
def prompts(checkpoint: Checkpoint) -> list[list[int]]:
    return checkpoint.prompts()


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> Any:
    return checkpoint.model()


def tokens(samples: list[Sample]) -> list[list[int]]:
    return [sample.token_ids for sample in samples]


@torch.inference_mode()
def reference_logprobs(model: Any, prompt: list[int], completion: list[int]) -> list[float]:
    """Of every token of a completion, by one plain pass of the model."""
    ids = torch.tensor([[*prompt, *completion]])
    every = torch.log_softmax(model(input_ids=ids).logits[0, len(prompt) - 1 : -1].double(), dim=-1)
    return every.gather(1, torch.tensor(completion)[:, None]).squeeze(1).tolist()


def test_greedy_takes_the_likeliest_token(engine: Engine, model: Any, prompts: list[list[int]]) -> None:
    samples = engine.sample(prompts, SamplingParams(48, temperature=0.0), range(len(prompts)))
    for prompt, sample in zip(prompts, samples, strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*prompt, *sample.token_ids]])).logits[0]
        assert sample.token_ids == logits[len(prompt) - 1 : -1].argmax(dim=1).tolist()
        assert sample.finished or len(sample.token_ids) == 48


def test_a_sample_is_its_seeds_whatever_the_batch_around_it(engine: Engine, prompts: list[list[int]]) -> None:
    params = SamplingParams(48)
    together = tokens(engine.sample(prompts * 3, params, range(3 * len(prompts))))
    backwards = tokens(engine.sample((prompts * 3)[::-1], params, range(3 * len(prompts) - 1, -1, -1)))[::-1]
    alone = [tokens(engine.sample([prompts[i]], params, [i]))[0] for i in (0, 1, 17)]
    assert together == backwards
    assert alone == [together[i] for i in (0, 1, 17)]
    others = tokens(engine.sample([prompts[0]] * 60, params, range(60)))
    assert len({tuple(one) for one in others}) > 5


def test_a_limit_cuts_the_sample_of_its_prompt_alone(engine: Engine, prompts: list[list[int]]) -> None:
    prompts, seeds = prompts[:6], range(6)
    whole = engine.sample(prompts, SamplingParams(48), seeds)
    limits = (48, 1, 3, 48, 2, 5)
    for full, short, limit in zip(
        whole, engine.sample(prompts, SamplingParams(48, limits=limits), seeds), limits, strict=True
    ):
        assert short.token_ids == full.token_ids[:limit]
        assert short.finished == (full.finished and len(full.token_ids) <= limit)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_samples_that_share_their_beginnings_are_the_same(
    engine: Engine, prompts: list[list[int]], temperature: float
) -> None:
    prompts, limits = prompts[:4] * 5, (48, 1, 7, 30) * 5
    params = SamplingParams(48, temperature, limits=limits)
    every = engine.sample(prompts, params, range(20))
    shared = engine.sample(prompts, replace(params, shared=True), range(20))
    assert tokens(shared) == tokens(every)
    assert [sample.finished for sample in shared] == [sample.finished for sample in every]


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 + 5])
def test_any_whole_number_is_a_seed(engine: Engine, prompts: list[list[int]], seed: int) -> None:
    first, again = engine.sample([prompts[0]] * 2, SamplingParams(48), [seed, seed])
    assert first.token_ids == again.token_ids


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_logprobs_are_the_models_at_temperature_one(
    engine: Engine, model: Any, prompts: list[list[int]], temperature: float
) -> None:
    samples = engine.sample(prompts, SamplingParams(48, temperature), range(len(prompts)))
    for prompt, sample in zip(prompts, samples, strict=True):
        assert sample.logprobs == pytest.approx(
            reference_logprobs(model, prompt, sample.token_ids), abs=LOGPROB
        )


def test_whole_texts_are_scored_as_by_the_model(engine: Engine, model: Any, prompts: list[list[int]]) -> None:
    completions = tokens(engine.sample(prompts, SamplingParams(48, 1.5), range(len(prompts))))
    scored = engine.logprobs(
        [[*p, *c] for p, c in zip(prompts, completions, strict=True)], [len(p) for p in prompts]
    )
    for prompt, completion, found in zip(prompts, completions, scored, strict=True):
        assert found == pytest.approx(reference_logprobs(model, prompt, completion), abs=LOGPROB)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_tokens_are_drawn_from_the_models_distribution(
    engine: Engine, model: Any, prompts: list[list[int]], temperature: float
) -> None:
    n = 3_000
    drawn = engine.sample([prompts[0]] * n, SamplingParams(1, temperature), range(n))
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompts[0]])).logits[0, -1].double()
    counts = Counter(sample.token_ids[0] for sample in drawn)
    assert fit_p(counts, torch.softmax(logits / temperature, 0).tolist()) > ALARM
    # Twice as hot has to be noticed.
    assert fit_p(counts, torch.softmax(logits / (2 * temperature), 0).tolist()) < ALARM


def test_a_sample_ends_at_an_end_token_or_at_the_limit(engine: Engine, prompts: list[list[int]]) -> None:
    samples = engine.sample(prompts * 4, SamplingParams(20), range(4 * len(prompts)))
    assert {sample.finished for sample in samples} == {True, False}
    end = engine.tokenizer.eos_token_id
    for sample in samples:
        assert len(sample.logprobs) == len(sample.token_ids)
        assert end not in sample.token_ids[:-1]
        assert sample.finished == (sample.token_ids[-1] == end)
        assert sample.finished or len(sample.token_ids) == 20


def test_stopping_at_a_step_ends_after_its_newline(engine: Engine, prompts: list[list[int]]) -> None:
    params, seeds = SamplingParams(64), range(4 * len(prompts))
    whole = engine.sample(prompts * 4, params, seeds)
    steps = engine.sample(prompts * 4, SamplingParams(64, stop_at_step=True), seeds)
    ended = 0
    for sample, step in zip(whole, steps, strict=True):
        newlines = [i for i, token in enumerate(sample.token_ids) if ends_step(engine.tokenizer, token)]
        assert step.token_ids == sample.token_ids[: newlines[0] + 1 if newlines else None]
        assert step.finished == (bool(newlines) or sample.finished)
        ended += bool(newlines)
    assert ended > len(prompts) // 2


def blank_line(engine: Engine, sample: Sample) -> int | None:
    """How many tokens a text has up to its first blank line, told by the text alone, as steps are."""
    ids = sample.token_ids
    texts = (str(engine.tokenizer.decode(ids[:n], skip_special_tokens=True)) for n in range(1, len(ids) + 1))
    return next((n for n, text in enumerate(texts, 1) if "\n\n" in text), None)


def test_a_paragraph_ends_in_one_token_or_in_two(paragraph_engine: Engine, paragraphs: Checkpoint) -> None:
    prompts = paragraphs.prompts() * 24
    whole = paragraph_engine.sample(prompts, SamplingParams(64), range(len(prompts)))
    steps = paragraph_engine.sample(prompts, SamplingParams(64, stop_at_step=True), range(len(prompts)))
    in_one, in_two = 0, 0
    for sample, step in zip(whole, steps, strict=True):
        end = blank_line(paragraph_engine, sample)
        assert step.token_ids == sample.token_ids[:end]
        assert step.logprobs == pytest.approx(sample.logprobs[:end], abs=LOGPROB)
        assert step.finished == (end is not None or sample.finished)
        if end is not None:
            alone = ends_step(paragraph_engine.tokenizer, step.token_ids[-1])
            in_one, in_two = in_one + alone, in_two + (not alone)
    assert in_one > 10 and in_two > 10


def test_a_paragraph_is_whole_if_its_second_token_is_the_last_allowed(
    paragraph_engine: Engine, paragraphs: Checkpoint
) -> None:
    prompts, tokenizer = paragraphs.prompts() * 8, paragraph_engine.tokenizer
    whole = paragraph_engine.sample(prompts, SamplingParams(64), range(len(prompts)))
    ends = [(seed, blank_line(paragraph_engine, sample)) for seed, sample in enumerate(whole)]
    seed, end = next(
        (seed, end) for seed, end in ends if end and not ends_step(tokenizer, whole[seed].token_ids[end - 1])
    )
    for limit, finished in ((end, True), (end - 1, False)):
        [step] = paragraph_engine.sample([prompts[seed]], SamplingParams(limit, stop_at_step=True), [seed])
        assert (step.token_ids, step.finished) == (whole[seed].token_ids[:limit], finished)


def test_what_was_read_once_is_not_read_again(engine: Engine, prompts: list[list[int]]) -> None:
    """Up to the blocks that an engine keeps prefixes in, of 32 tokens at most."""
    params = SamplingParams(1, stop_at_step=True)
    prefix = [token for prompt in prompts for token in prompt][:100]
    assert len(prefix) == 100
    longer = [[*prefix, *prompt] for prompt in prompts[:4]]
    plain = engine.sample(longer, params, range(4))
    with engine.prefix_cache():
        engine.sample([prefix], params, [0])
        with tokens_read(engine) as read:
            again = engine.sample(longer, params, range(4))
    assert tokens(again) == tokens(plain)
    for a, b in zip(again, plain, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=LOGPROB)
    new = sum(len(prompt) - 100 for prompt in longer)
    assert 0 < sum(read) <= new + 4 * 32


@contextmanager
def tokens_read(engine: Any) -> Iterator[list[int]]:
    """The numbers of prompt tokens that the model is given meanwhile, padding included."""
    read: list[int] = []
    if hasattr(engine, "reused_tokens"):
        before = engine.prompt_tokens - engine.reused_tokens
        yield read
        read.append(engine.prompt_tokens - engine.reused_tokens - before)
        return
    hook = engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    yield read
    hook.remove()


def test_bad_calls_are_refused(engine: Engine, prompts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="2 prompts but 1 seeds"):
        engine.sample(prompts[:2], SamplingParams(2), [0])
    with pytest.raises(ValueError, match="an empty prompt"):
        engine.sample([prompts[0], []], SamplingParams(2), [0, 1])


def test_no_prompts_give_no_samples(engine: Engine) -> None:
    assert engine.sample([], SamplingParams(2), []) == []
    assert engine.logprobs([], []) == []


def test_parameters_are_those_without_embeddings(engine: Engine, model: Any) -> None:
    assert engine.parameters == non_embedding_parameters(model)
