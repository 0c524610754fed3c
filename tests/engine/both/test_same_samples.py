"""One checkpoint says the same on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from o1_assets.engine.available import EngineMissing, require_engine
from o1_assets.engine.interface import Engine, SamplingParams
from tests.engine.both.conftest import Both
from tests.engine.checkpoints import Checkpoint, outcome
from tests.engine.statistics import ALARM, same_p

SAMPLES = 60
"""Of each prompt."""


def test_greedy_texts_are_the_same(both: Both, checkpoint: Checkpoint) -> None:
    prompts, params = checkpoint.prompts(), SamplingParams(96, temperature=0.0)
    ours, theirs = (e.sample(prompts, params, [0] * len(prompts)) for e in (both.vllm, both.transformers))
    assert [s.token_ids for s in ours] == [s.token_ids for s in theirs]


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_a_seed_gives_the_same_sample(both: Both, checkpoint: Checkpoint, temperature: float) -> None:
    """A number that falls between two tokens' shares to the last bit may tip one sample in tens of thousands."""
    prompts = checkpoint.prompts() * 10
    params = SamplingParams(96, temperature)
    ours, theirs = (e.sample(prompts, params, range(len(prompts))) for e in (both.vllm, both.transformers))
    equal = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.token_ids == b.token_ids]
    assert len(equal) >= len(prompts) - 2
    for a, b in equal:
        assert a.finished == b.finished
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def drawn(engine: Engine, checkpoint: Checkpoint, temperature: float, first_seed: int) -> list[list[object]]:
    """Outcomes of each prompt's samples."""
    prompts = [prompt for prompt in checkpoint.prompts() for _ in range(SAMPLES)]
    seeds = range(first_seed, first_seed + len(prompts))
    outcomes = [outcome(s) for s in engine.sample(prompts, SamplingParams(96, temperature), seeds)]
    return [outcomes[i : i + SAMPLES] for i in range(0, len(outcomes), SAMPLES)]


def test_at_temperature_one_outcomes_have_the_same_distribution(both: Both, checkpoint: Checkpoint) -> None:
    """Streams that have nothing to do with each other, so that only the distributions are compared."""
    ours = drawn(both.vllm, checkpoint, 1.0, 1_000_000)
    theirs = drawn(both.transformers, checkpoint, 1.0, 2_000_000)
    assert same_p(list(zip(ours, theirs, strict=True))) > ALARM
    hotter = drawn(both.transformers, checkpoint, 1.3, 3_000_000)
    assert same_p(list(zip(ours, hotter, strict=True))) < ALARM


def test_a_sample_that_had_to_make_room_goes_on_from_where_it_was(random_folder: Path) -> None:
    """With a cache for a few sequences only, vLLM drops some half-written and reads them anew."""
    try:
        require_engine("vllm")
    except EngineMissing as error:
        pytest.skip(str(error))
    from o1_assets.engine.vllm_engine import VllmEngine

    checkpoint = Checkpoint(random_folder, ["Calculate 3 * 4 - 5."])
    prompts, params = checkpoint.prompts() * 60, SamplingParams(300, temperature=0.5)
    block = 32 * 4 * 2 * 3 * 32 * 4  # tokens, layers, keys and values, heads, head size, bytes
    cramped, roomy = VllmEngine(random_folder, kv_cache_memory_bytes=24 * block), VllmEngine(random_folder)
    found, expected = (e.sample(prompts, params, range(60)) for e in (cramped, roomy))
    assert cramped.preemptions() > 0
    assert [s.token_ids for s in found] == [s.token_ids for s in expected]
    cramped.close()
    roomy.close()
