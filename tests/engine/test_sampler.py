import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from o1_assets.core.engine import SamplingParams
from o1_assets.engine.llama_step import LlamaStep
from o1_assets.engine.shared_batch import COMPACT_AT
from o1_assets.engine.transformers_engine import TransformersEngine
from tests.engine.models import PROMPTS, TOKENIZER, engine

KINDS = ("llama", "qwen2", "gpt2", "gemma3")  # the last with windows shorter than what is read


def shapes_of(sampler: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Is filled with (rows, columns) of the tokens of every call that computes some, whoever computes them."""
    shapes: list[tuple[int, int]] = []
    sampler.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    step = LlamaStep.__call__

    def counting(self: LlamaStep, ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        shapes.append(tuple(ids.shape))
        return step(self, ids, *rest)

    monkeypatch.setattr(LlamaStep, "__call__", counting)
    return shapes


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_is_what_generate_gives(kind):
    ours = engine(kind)
    samples = ours.sample(PROMPTS, SamplingParams(max_tokens=24, temperature=0.0), [0] * len(PROMPTS))
    for prompt, sample in zip(PROMPTS, samples, strict=True):
        theirs = ours.model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt)),
            max_new_tokens=24,
            do_sample=False,
        )
        assert sample.token_ids == theirs[0, len(prompt) :].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_the_batch_around_it(kind):
    ours = engine(kind)
    params = SamplingParams(max_tokens=24)
    prompts = [PROMPTS[i % len(PROMPTS)] for i in range(40)]
    together = ours.sample(prompts, params, range(40))
    ours.batch_size = 7
    in_parts = ours.sample(prompts[::-1], params, range(39, -1, -1))[::-1]
    alone = [ours.sample([prompts[i]], params, [i])[0] for i in (0, 1, 2, 3, 17)]
    assert [s.token_ids for s in together] == [s.token_ids for s in in_parts]
    assert [together[i].token_ids for i in (0, 1, 2, 3, 17)] == [s.token_ids for s in alone]
    assert len({tuple(s.token_ids) for s in together}) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_logprobs_of_samples_are_those_of_the_whole_sequence(kind):
    ours = engine(kind)
    prompts = PROMPTS * 5
    samples = ours.sample(prompts, SamplingParams(max_tokens=20, temperature=0.7), range(len(prompts)))
    sequences = [[*p, *s.token_ids] for p, s in zip(prompts, samples, strict=True)]
    scored = ours.logprobs(sequences, [len(p) for p in prompts])
    for sample, logprobs in zip(samples, scored, strict=True):
        assert len(sample.logprobs) == len(sample.token_ids) == len(logprobs)
        assert sample.logprobs == pytest.approx(logprobs, abs=2e-4)


def test_samples_follow_the_models_distribution():
    ours = engine(sharpness=8.0)
    n = 6_000
    drawn = ours.sample([PROMPTS[0]] * n, SamplingParams(max_tokens=1, temperature=2.0), range(n))
    counts = torch.bincount(torch.tensor([s.token_ids[0] for s in drawn]), minlength=len(TOKENIZER)).double()
    with torch.no_grad():
        logits = ours.model(torch.tensor([PROMPTS[0]])).logits[0, -1]
    expected = torch.softmax(logits.double() / 2.0, 0) * n
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    # 99.9% point of chi-square with as many degrees of freedom as tokens, less one.
    freedom = len(TOKENIZER) - 1
    assert chi_square < freedom + 3.1 * (2 * freedom) ** 0.5 + 6


def test_a_sample_ends_at_the_end_token_or_at_the_limit():
    ours = engine()
    samples = ours.sample([PROMPTS[1]] * 300, SamplingParams(max_tokens=12), range(300))
    assert {s.finished for s in samples} == {True, False}
    for sample in samples:
        assert sample.finished == (sample.token_ids[-1] == TOKENIZER.eos_token_id)
        assert TOKENIZER.eos_token_id not in sample.token_ids[:-1]
        assert sample.finished or len(sample.token_ids) == 12


def test_stop_at_step_ends_after_the_first_newline():
    ours = engine()
    newline = TOKENIZER.convert_tokens_to_ids("\n")
    whole = ours.sample(PROMPTS * 50, SamplingParams(max_tokens=30), range(200))
    steps = ours.sample(PROMPTS * 50, SamplingParams(max_tokens=30, stop_at_step=True), range(200))
    assert any(s.token_ids[-1] == newline for s in steps)
    for one, step in zip(whole, steps, strict=True):
        end = one.token_ids.index(newline) + 1 if newline in one.token_ids else len(one.token_ids)
        assert step.token_ids == one.token_ids[:end]
        assert step.finished == (step.token_ids[-1] in (newline, TOKENIZER.eos_token_id))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_prompts_are_read_once(kind: str, monkeypatch: pytest.MonkeyPatch):
    torch.set_num_threads(1)  # one worker, one batch
    ours = engine(kind)
    widths = shapes_of(ours, monkeypatch)
    ours.sample([PROMPTS[0]] * 64, SamplingParams(max_tokens=3), range(64))
    assert widths[0] == (1, len(PROMPTS[0]))
    assert widths[1][0] > 1


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_finished_rows_leave_the_batch(kind: str, monkeypatch: pytest.MonkeyPatch):
    ours = engine(kind)
    shapes = shapes_of(ours, monkeypatch)
    samples = ours.sample([PROMPTS[0]] * 200, SamplingParams(max_tokens=20), range(200))
    lengths = [len(s.token_ids) for s in samples]
    for step, (width, _) in enumerate(shapes[1:], 1):
        unfinished = sum(length > step for length in lengths)
        assert unfinished <= width <= unfinished / (1 - COMPACT_AT) + 1


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_sample_ends_where_the_model_reads_no_further(kind: str, shared: bool) -> None:
    """It was an index error, in whatever stage re-encoded steps that had grown longer."""
    ours = engine(kind)
    longest = ours.model.config.max_position_embeddings
    prompt = (PROMPTS[0] * longest)[: longest - 3]
    prompts = [prompt, PROMPTS[1], prompt + [prompt[0]] * 3, prompt + [prompt[0]] * 9]
    params = SamplingParams(max_tokens=12, temperature=0.7, shared=shared)
    full, short, none, beyond = ours.sample(prompts, params, range(4))
    assert len(full.token_ids) <= 3 and full.finished == (full.token_ids[-1] == TOKENIZER.eos_token_id)
    assert none.token_ids == beyond.token_ids == [] and not (none.finished or beyond.finished)
    (alone,) = ours.sample(prompts[1:2], params, [1])
    assert short.token_ids == alone.token_ids and short.finished == alone.finished


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_what_samples_begin_with_alike_is_computed_once(kind: str, monkeypatch: pytest.MonkeyPatch):
    torch.set_num_threads(1)  # one batch
    ours = engine(kind)
    # Likely tokens only, so that many samples are equal for long; prompts of different lengths, some of them equal.
    params = SamplingParams(max_tokens=12, temperature=0.03, limits=(12, 5, 9) * 30)
    prompts = [PROMPTS[i % 3] for i in range(90)]
    every = ours.sample(prompts, params, range(90))
    shapes = shapes_of(ours, monkeypatch)
    shared = ours.sample(prompts, replace(params, shared=True), range(90))
    assert [s.token_ids for s in shared] == [s.token_ids for s in every]
    assert [s.finished for s in shared] == [s.finished for s in every]
    for one, other in zip(shared, every, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    for step, (rows, _) in enumerate(shapes[1:], 1):
        going = [
            (*p, *s.token_ids[:step]) for p, s in zip(prompts, every, strict=True) if len(s.token_ids) > step
        ]
        assert len({*going}) <= rows <= len({*going}) / (1 - COMPACT_AT)
    assert max(rows for rows, _ in shapes) < 60


def test_sampling_leaves_a_model_in_training_as_it_was():
    ours = engine()
    ours.model.train()
    ours.sample(PROMPTS, SamplingParams(max_tokens=2), range(4))
    assert ours.model.training


def test_bad_calls_are_refused():
    ours = engine()
    with pytest.raises(ValueError, match="2 prompts but 1 seeds"):
        ours.sample(PROMPTS[:2], SamplingParams(max_tokens=2), [0])
    with pytest.raises(ValueError, match="empty prompt"):
        ours.sample([[]], SamplingParams(max_tokens=2), [0])


def test_no_prompts_give_no_samples():
    assert engine().sample([], SamplingParams(max_tokens=2), []) == []
    assert engine().logprobs([], []) == []


def test_parameters_leave_out_embedding_and_head():
    ours = engine("gpt2")
    tied = ours.model.transformer.wte.weight.numel()
    assert ours.parameters == sum(p.numel() for p in ours.model.parameters()) - tied


def test_a_checkpoint_opens_by_the_engines_name(tmp_path):
    from o1_assets.engine.open import open_engine

    ours = engine()
    ours.model.save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    opened = open_engine(tmp_path)
    params = SamplingParams(max_tokens=10)
    before, after = (e.sample(PROMPTS, params, range(4)) for e in (ours, opened))
    assert [s.token_ids for s in before] == [s.token_ids for s in after]
    with pytest.raises(ValueError, match="transformers, vllm"):
        open_engine(tmp_path, "tensorflow")


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2"])
def test_with_a_memory_a_tree_is_sampled_as_without(kind: str) -> None:
    """Three levels of a tree, prompts of several lengths, some repeated, some never seen before."""
    plain, cached = engine(kind), engine(kind)
    params = SamplingParams(12, stop_at_step=True)
    prompts = [list(p) for p in PROMPTS for _ in range(3)]
    with cached.prefix_cache():
        for level in range(3):
            seeds = [1000 * level + i for i in range(len(prompts))]
            expected = plain.sample(prompts, params, seeds)
            found = cached.sample(prompts, params, seeds)
            assert [s.token_ids for s in found] == [s.token_ids for s in expected]
            for a, b in zip(found, expected, strict=True):
                assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
            grown = [[*p, *s.token_ids] for p, s in zip(prompts, expected, strict=True)]
            prompts = [*grown[::2], *grown[::4], [*PROMPTS[0], *PROMPTS[1], level]]


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_with_a_memory_only_what_is_new_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = engine(kind)
    shapes = shapes_of(sampler, monkeypatch)

    def read() -> list[int]:
        columns = [column for _, column in shapes]
        shapes.clear()
        return columns

    params = SamplingParams(8, stop_at_step=True)
    prompt = list(PROMPTS[2])
    with sampler.prefix_cache():
        [first] = sampler.sample([prompt], params, [0])
        columns = read()
        assert columns[0] == len(prompt) - 1 and set(columns[1:]) == {1}
        sampler.sample([[*prompt, *first.token_ids]] * 4, params, [1, 2, 3, 4])
        assert set(read()) == {1}
    sampler.sample([prompt], params, [0])
    assert max(read()) == len(prompt)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constrained_sample_is_written_as_the_pattern_says(kind):
    ours = engine(kind)
    pattern = r"(-?[0-9]{1,2}[-+*]){2}[0-9]\n?"
    prompts = [PROMPTS[i % len(PROMPTS)] for i in range(30)]
    params = SamplingParams(max_tokens=24, pattern=pattern)
    samples = ours.sample(prompts, params, range(30))
    texts = [TOKENIZER.decode(s.token_ids, skip_special_tokens=True) for s in samples]
    assert all(s.finished for s in samples) and len(set(texts)) > 20
    assert [t for t in texts if not re.fullmatch(pattern, t)] == []
    ours.batch_size = 7
    assert [s.token_ids for s in ours.sample(prompts, params, range(30))] == [s.token_ids for s in samples]
    # the log-probabilities are those of the model, which is free to write anything
    scored = ours.logprobs(
        [[*p, *s.token_ids] for p, s in zip(prompts, samples, strict=True)], [len(p) for p in prompts]
    )
    assert samples[0].logprobs == pytest.approx(scored[0], abs=2e-4)
