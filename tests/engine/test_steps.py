import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from o1_assets.engine.steps import ends_step, split_steps, step_ends
from tests.engine.models import TOKENIZER

PIECES = ("<eos>", ".\n", "\n\n", "\n", " ", "a", "b\nc", ".\n\n", "7", "\n\nSo", "x\ny\nz")


def words(tokens: tuple[str, ...] = PIECES) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens hold newlines among other characters, as those of large models do."""
    made = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="a"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", clean_up_tokenization_spaces=False
    )


WORDS = words()


def test_steps_are_the_lines_that_are_not_blank():
    assert split_steps("3*4=12\nanswer 12\n") == ["3*4=12", "answer 12"]
    assert split_steps("First.\n\n  \nThen.") == ["First.", "Then."]
    assert split_steps("") == []


def test_a_step_ends_at_its_newline():
    ids = TOKENIZER("3*4=12\nanswer 12\n")["input_ids"] + [TOKENIZER.eos_token_id]
    newline = TOKENIZER.convert_tokens_to_ids("\n")
    assert step_ends(ids, TOKENIZER) == [i for i, token in enumerate(ids) if token == newline]


def test_a_last_step_cut_off_ends_at_its_last_token_with_text():
    ids = TOKENIZER("3*4=12\n12-5")["input_ids"]
    assert step_ends([*ids, TOKENIZER.eos_token_id], TOKENIZER)[-1] == len(ids) - 1


@given(st.lists(st.integers(0, len(PIECES) - 1), max_size=20))
def test_there_are_as_many_ends_as_steps_whatever_the_tokens_hold(ids):
    text = WORDS.decode(ids, skip_special_tokens=True)
    ends = step_ends(ids, WORDS)
    assert len(ends) == len(split_steps(text))
    assert ends == sorted(ends)
    for step, end in zip(split_steps(text), ends, strict=True):
        assert step.strip() in WORDS.decode(ids[: end + 1], skip_special_tokens=True)


@pytest.mark.parametrize(("token", "ends"), [("\n", True), (".\n", True), ("a", False), ("<eos>", False)])
def test_a_token_with_a_newline_ends_a_step(token, ends):
    assert ends_step(WORDS, PIECES.index(token)) == ends
