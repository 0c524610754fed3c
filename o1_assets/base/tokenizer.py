"""The tokenizer of a base that is pre-trained here: a digit or number, an operator, a word, a newline are one token
each.

Spaces around operators are dropped on the way in, so that "Calculate 3 * 4 - 5." is seven tokens. The text of solutions
has no such spaces and survives decode(encode(text)) exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.problems.worlds.arithmetic.teacher import ARITHMETIC
from o1_assets.problems.worlds.world import BOS, EOS, PAD, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast


# A conversation is the question, a newline, the solution: the plain prompt of the whole project.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token }}{% else %}{{ message['content'] + '\n' }}{% endif %}{% endfor %}"
)


def make_tokenizer(max_positions: int, vocabulary: Vocabulary = ARITHMETIC) -> PreTrainedTokenizerFast:
    """A tokenizer that adds no special tokens by itself: a prompt, a step and a whole text encode alike."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(
        models.WordLevel({t: i for i, t in enumerate(vocabulary.tokens)}, unk_token=UNKNOWN)
    )
    # Only after a digit: the space of "answer -7" belongs to the word.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(rf"(?<=\d) *\{op} *"), op) for op in "+-*"]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(vocabulary.pattern), behavior="isolated")
    # Words are whole tokens because the pattern tries them first; anything else is cut into characters.
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=max_positions,
        chat_template=CHAT_TEMPLATE,
    )


def unknown_pieces(text: str, tokenizer: PreTrainedTokenizerBase, shown: int = 5) -> str:
    """The pieces of `text` that have no token."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    pieces: list[str] = []
    before = -1  # where the last unknown token ended: neighbours are shown as one piece
    for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        if token == tokenizer.unk_token_id:
            if start == before:
                pieces[-1] += text[start:end]
            else:
                pieces.append(text[start:end])
            before = end
    quoted = [f'"{piece}"' for piece in dict.fromkeys(piece.strip() or piece for piece in pieces)]
    return ", ".join(quoted[:shown]) + (f" and {len(quoted) - shown} more" if len(quoted) > shown else "")
