"""The tokenizer of a base that is pre-trained here: a digit or number, an operator, a word, a newline are one token
each.

Spaces around operators are dropped on the way in, so that "Calculate 3 * 4 - 5." is seven tokens. The text of solutions
has no such spaces and survives decode(encode(text)) exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)


@dataclass(frozen=True)
class Vocabulary:
    """words: tried first, each a whole token. symbols: everything else, with the numbers that are one token each."""

    symbols: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        return (*SPECIAL, *self.symbols, *self.words)

    @property
    def pattern(self) -> str:
        """What is one token, the first alternative that fits: a word, a number, a character."""
        numbers = [r"\d+"] if "10" in self.symbols else []
        if "-1" in self.symbols:
            # A minus after a digit is an operator. Of more digits than two, each is a token: people type such numbers.
            numbers = [r"(?<!\d)-?\d{1,2}(?!\d)"]
        return "|".join((*self.words, *numbers, r"[\s\S]"))


ARITHMETIC = Vocabulary(
    symbols=("\n", *map(str, range(-99, 100)), *"+-*=", ".", "?"),
    words=("Calculate ", "What is ", "Solve ", "Compute ", "Evaluate: ", "check ", "wait ", "answer "),
)

# A number is one token: what a step needs is then at the same distance whatever its digits, and sums are looked up.
COUNTDOWN = Vocabulary(
    symbols=("\n", *map(str, range(100)), *"+-*/=()", ".", " ", "?"),
    words=("Use ", ", ", " and ", " to make ", " left ", "check ", "wait ", "answer "),
)

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
