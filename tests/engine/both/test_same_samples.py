"""One checkpoint says the same on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from o1_assets.core.engine import Engine, SamplingParams
from tests.engine.both.conftest import Both
from tests.engine.checkpoints import Checkpoint, outcome
from tests.engine.statistics import ALARM, same_p

SAMPLES = 1_440
"""On either side, whatever the number of prompts."""


def test_greedy_texts_are_the_same(both: Both, checkpoint: Checkpoint) -> None:
    prompts, params = checkpoint.prompts(), SamplingParams(96, temperature=0.0)
    ours, theirs = (e.sample(prompts, params, [0] * len(prompts)) for e in (both.vllm, both.transformers))
    assert [s.token_ids for s in ours] == [s.token_ids for s in theirs]


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_a_seed_gives_the_same_sample(both: Both, checkpoint: Checkpoint, temperature: float) -> None:
    draw_alike(both, checkpoint.prompts() * 10, SamplingParams(96, temperature))


def test_a_seed_gives_the_same_step_where_two_tokens_end_it(
    both_paragraphs: Both, paragraphs: Checkpoint
) -> None:
    draw_alike(both_paragraphs, paragraphs.prompts() * 10, SamplingParams(64, stop_at_step=True))


def draw_alike(both: Both, prompts: list[list[int]], params: SamplingParams) -> None:
    """Both engines, of equal seeds. A number that falls between two tokens' shares to the last bit may tip one sample
    in tens of thousands."""
    ours, theirs = (e.sample(prompts, params, range(len(prompts))) for e in (both.vllm, both.transformers))
    equal = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.token_ids == b.token_ids]
    assert len(equal) >= len(prompts) - 2
    for a, b in equal:
        assert a.finished == b.finished
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def drawn(engine: Engine, checkpoint: Checkpoint, temperature: float, first_seed: int) -> list[list[object]]:
    """Outcomes of each prompt's samples. Random weights say something else with every token: few prompts, often."""
    prompts = checkpoint.prompts() if checkpoint.store else checkpoint.prompts()[:4]
    n = SAMPLES // len(prompts)
    seeds = range(first_seed, first_seed + n * len(prompts))
    params = SamplingParams(96 if checkpoint.store else 1, temperature)
    samples = engine.sample([prompt for prompt in prompts for _ in range(n)], params, seeds)
    outcomes = [outcome(sample) for sample in samples]
    return [outcomes[i : i + n] for i in range(0, len(outcomes), n)]


def test_at_temperature_one_outcomes_have_the_same_distribution(both: Both, checkpoint: Checkpoint) -> None:
    """Streams that have nothing to do with each other, so that only the distributions are compared."""
    ours = drawn(both.vllm, checkpoint, 1.0, 1_000_000)
    theirs = drawn(both.transformers, checkpoint, 1.0, 2_000_000)
    assert same_p(list(zip(ours, theirs, strict=True))) > ALARM
    hotter = drawn(both.transformers, checkpoint, 2.0, 3_000_000)
    assert same_p(list(zip(ours, hotter, strict=True))) < ALARM


def test_opening_leaves_this_process_as_it_was(with_vllm: None, random_folder: Path) -> None:
    """vLLM seeds all generators and takes torch's number of threads away; and once closed it opens again."""
    from o1_assets.engine.vllm_engine import VllmEngine

    torch.manual_seed(3)
    expected = torch.rand(4)
    for _ in range(2):
        torch.manual_seed(3)
        engine = VllmEngine(random_folder)
        assert torch.equal(torch.rand(4), expected)
        assert len(engine.sample([[5, 6, 7]], SamplingParams(4), [0])) == 1
        engine.close()
        engine.close()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)


def test_a_sample_that_had_to_make_room_goes_on_from_where_it_was(
    with_vllm: None, random_folder: Path
) -> None:
    """With a cache for a few sequences only, vLLM drops some half-written and reads them anew."""
    from o1_assets.engine.vllm_engine import VllmEngine

    checkpoint = Checkpoint(random_folder, ["Calculate 3 * 4 - 5."])
    prompts, params = checkpoint.prompts() * 60, SamplingParams(300, temperature=0.5)
    block = 32 * 4 * 2 * 3 * 32 * 4  # tokens, layers, keys and values, heads, head size, bytes
    cramped = VllmEngine(random_folder, kv_cache_memory_bytes=24 * block, disable_log_stats=False)
    roomy = VllmEngine(random_folder)
    found, expected = (e.sample(prompts, params, range(60)) for e in (cramped, roomy))
    counters = {metric.name: metric for metric in cramped._llm.get_metrics()}
    assert counters["vllm:num_preemptions"].value > 0
    assert [s.token_ids for s in found] == [s.token_ids for s in expected]
    cramped.close()
    [again] = roomy.sample(prompts[:1], params, [0])  # closing one leaves the other open
    assert again.token_ids == found[0].token_ids
    roomy.close()
