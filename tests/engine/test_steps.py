from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from o1_assets.engine.steps import (
    PARAGRAPH,
    StepsDiffer,
    as_one_step,
    ends_step,
    find_steps,
    is_blank,
    pair_steps,
    split_steps,
    step_ends,
)
from tests.engine.models import TOKENIZER, byte_level

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


# What files, people and models have put into a line, and what str.splitlines takes for the end of one.
ODD = "\u00a0\u2003\u3000\u202f\u200b\ufeff\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\x1f\x00\r\t \n\ufffd"


BYTES, BYTES_OF_PARAGRAPHS = byte_level(), byte_level(PARAGRAPH)
TOKENIZERS = {"nano": TOKENIZER, "bytes": BYTES, "bytes, paragraphs": BYTES_OF_PARAGRAPHS}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(
    text=st.text(st.sampled_from(ODD + "\n\n\n3+=é\U0001f600"), max_size=30)
    | st.lists(st.sampled_from(["3", ".\n\n", "\n \n", "\n\t\n", "\n\u00a0\n", "\u3000", "\n"])).map("".join),
    cut=st.integers(0, 60),
)
def test_text_and_tokens_have_the_same_steps_whatever_spaces_are_in_them(name, text, cut):
    """Also where a sample was cut off in the middle of a character."""
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text, add_special_tokens=False)[: cut or None]
    decode = partial(tokenizer.decode, skip_special_tokens=True)
    steps = find_steps(ids, tokenizer)
    between = PARAGRAPH if tokenizer is BYTES_OF_PARAGRAPHS else "\n"
    assert [step.text for step in steps] == split_steps(decode(ids), between)
    assert [step.end for step in steps] == step_ends(ids, tokenizer)
    # A letter that follows joins an open step and begins another one after a closed one.
    steps_before_a_letter = [len(split_steps(decode(ids[:n]) + "a", between)) for n in range(len(ids) + 1)]
    closed = steps_before_a_letter[-1] - 1
    for k, step in enumerate(steps[:closed]):
        assert steps_before_a_letter[step.end : step.end + 2] == [k + 1, k + 2]
    for step in steps[closed:]:
        assert not is_blank(tokenizer.decode([ids[step.end]]))
        assert all(is_blank(decode([token])) for token in ids[step.end + 1 :])


@given(st.text(st.sampled_from(ODD + "ab")), st.sampled_from(["\n", PARAGRAPH]))
def test_a_step_with_separators_in_it_is_one_step_when_it_is_read_again(text, between):
    step = as_one_step(text, between)
    assert split_steps(f"a{between}{step}{between}b", between) == [
        "a",
        *([] if is_blank(text) else [step.strip("\n")]),
        "b",
    ]
    assert as_one_step(step, between) == step
    seen, given_text = ([letter for letter in t if not is_blank(letter)] for t in (step, text))
    assert seen == given_text


def test_what_nobody_can_see_is_no_step():
    spaces = "".join(chr(i) for i in range(0x110000) if chr(i).isspace())
    assert (
        is_blank(spaces) and is_blank("\u200b\ufeff\u200e") and not is_blank("\ufffd") and not is_blank("3")
    )
    # These end a line for str.splitlines, and no step.
    assert split_steps("3*4\u2028=12\n\u00a0\n\u3000\nanswer\x1c12\r\n") == ["3*4\u2028=12", "answer\x1c12\r"]


def test_steps_and_values_of_different_numbers_are_refused_with_the_solutions_name():
    assert list(pair_steps("0a1b", ["3*4=12"], [2])) == [("3*4=12", 2)]
    with pytest.raises(StepsDiffer, match="solution 0a1b has 1 steps and 2 values"):
        pair_steps("0a1b", ["3*4=12"], [2, 3])


def test_a_tokenizer_that_loses_line_breaks_is_refused():
    class Stripping:
        def decode(self, ids, skip_special_tokens=True):
            return "".join(PIECES[i] for i in ids).strip() if len(ids) > 1 else PIECES[ids[0]]

    with pytest.raises(StepsDiffer, match="begins 'a' has 0 line breaks and its tokens have 1"):
        find_steps([PIECES.index("a"), PIECES.index("\n")], Stripping())
