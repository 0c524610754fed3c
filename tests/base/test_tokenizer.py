from random import Random

import pytest

from o1_assets.base.config import CorpusConfig
from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.problems.worlds.arithmetic.teacher import WORDINGS, draw_corpus


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(512)


def test_solution_text_survives_the_tokenizer_exactly(tokenizer):
    corpus = draw_corpus(CorpusConfig(solutions=500), seed=3, exclude=())
    for _, steps in corpus:
        text = "".join(step + "\n" for step in steps)
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_prompt_is_few_tokens_and_its_spaces_do_not_matter(tokenizer):
    ids = tokenizer("Calculate 3 * 4 - 5.\n")["input_ids"]
    assert len(ids) == 8
    assert ids == tokenizer("Calculate 3*4-5.\n")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[0] == "Calculate "


@pytest.mark.parametrize(
    "text", ["wait -4-5=-9\n", "check 3--4=7\n", "answer -7\n", "3+-4=-1\n", "-3*-4=12\n"]
)
def test_signs_keep_their_place(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_wording_is_known(tokenizer):
    for wording in WORDINGS:
        ids = tokenizer(wording.format("3 + 10 * 2 - 0") + "\n")["input_ids"]
        assert tokenizer.unk_token_id not in ids


def test_steps_and_texts_encode_alike(tokenizer):
    steps = ["3*4=12\n", "wait 3*4=12\n", "answer 12\n"]
    Random(0).shuffle(steps)
    apart = [i for step in steps for i in tokenizer(step)["input_ids"]]
    assert apart == tokenizer("".join(steps))["input_ids"]


def test_the_chat_template_writes_the_plain_prompt(tokenizer):
    messages = [{"role": "user", "content": "Calculate 3 * 4."}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "Calculate 3 * 4.\n"


def test_a_saved_tokenizer_loads_with_auto_tokenizer(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "8-9=-1\nwait 9-8=1\nanswer 1\n"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == text
    assert (loaded.pad_token, loaded.eos_token, loaded.padding_side) == ("<pad>", "<eos>", "left")
