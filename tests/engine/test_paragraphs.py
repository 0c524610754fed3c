"""Steps that are paragraphs: a tokenizer says so, and text, tokens and the sampler agree."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.core.engine import SamplingParams
from o1_assets.engine.steps import SETTING, close_last, ends_step, separator, split_steps, step_ends
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.engine.vllm_engine import StepEnds
from tests.engine.models import PROMPTS, TOKENIZER, model


class Pieces:
    """A tokenizer whose tokens are the given pieces of text."""

    def __init__(self, pieces: list[str], between: str | None = "\n\n") -> None:
        self.pieces = pieces
        self.init_kwargs = {SETTING: between} if between else {}

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return "".join(self.pieces[i] for i in ids)

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [self.pieces.index(text)]


BLANK = re.compile(r"\n[ \t\r]*\n")


PIECES = ["a", "b ", "\n", "\n\n", ".\n", ".\n\n", " \n", "\nc", "\n\nd", "x\n\ny\n\n", "\t", "\r\n"]


def test_a_line_is_a_step_unless_the_tokenizer_says_otherwise() -> None:
    assert separator(TOKENIZER) == "\n"
    assert split_steps("a\nb\n\nc") == ["a", "b", "c"]
    assert split_steps("a\nb\n \n\nc\n", "\n\n") == ["a\nb", "c"]


@given(st.lists(st.integers(0, len(PIECES) - 1), max_size=12), st.sampled_from(["\n", "\n\n"]))
def test_tokens_end_as_many_steps_as_the_text_has(ids: list[int], between: str) -> None:
    words: Any = Pieces(PIECES, between)
    ends, steps = step_ends(ids, words), split_steps(words.decode(ids), between)
    assert len(ends) == len(steps) and ends == sorted(ends)
    for end, step in zip(ends, steps, strict=True):
        assert step.strip()[:1] in words.decode(ids[: end + 1])


@given(st.lists(st.integers(0, len(PIECES) - 1), max_size=12))
def test_one_token_or_several_end_a_paragraph_where_they_make_a_blank_line(ids: list[int]) -> None:
    words: Any = Pieces(PIECES)
    ends = StepEnds(words)
    expected = next((n for n in range(1, len(ids) + 1) if BLANK.search(words.decode(ids[:n]))), None)
    single = next((n for n, token in enumerate(ids, 1) if token in ends.single), None)
    assert (ends.several(ids[:single]) or single) == expected
    lines: Any = Pieces(PIECES, None)
    assert StepEnds(lines).several(ids) is None


@pytest.mark.parametrize(
    ("ids", "closed"), [([0, 5, 0], [0, 5, 0, 3]), ([0, 5], [0, 5]), ([0, 3, 0, 2], [0, 3, 0, 3])]
)
def test_the_last_step_is_closed_as_the_others_are(ids: list[int], closed: list[int]) -> None:
    words: Any = Pieces(PIECES)
    tokens, ends = close_last(ids, step_ends(ids, words), words)
    assert tokens == closed and ends[-1] == len(closed) - 1
    plain: Any = Pieces(PIECES, None)
    assert close_last([0], [0], plain) == ([0], [0])


def test_a_sample_of_one_step_ends_with_its_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    """nano's newline is a token of its own, so that a blank line is always made of two."""
    monkeypatch.setitem(TOKENIZER.init_kwargs, SETTING, "\n\n")
    newline = TOKENIZER.encode("\n", add_special_tokens=False)[0]
    assert not ends_step(TOKENIZER, newline)
    noisy = model("llama", 1.0)
    with torch.no_grad():
        noisy.get_output_embeddings().weight[newline] *= 0
        noisy.get_output_embeddings().weight[newline] += noisy.get_output_embeddings().weight.abs().mean() * 3
    engine = TransformersEngine(noisy, TOKENIZER, 3)
    prompts = [prompt for prompt in PROMPTS for _ in range(16)]
    samples = engine.sample(prompts, SamplingParams(40, stop_at_step=True), range(len(prompts)))
    cut = 0
    for sample in samples:
        pairs = [
            i
            for i in range(1, len(sample.token_ids))
            if sample.token_ids[i - 1 : i + 1] == [newline, newline]
        ]
        assert pairs in ([], [len(sample.token_ids) - 1])
        cut += bool(pairs)
    assert cut, "no sample wrote a blank line"
