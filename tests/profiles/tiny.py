"""Random models of the real architectures, a few hundred kilobytes, whose noise now and then is a right solution.

The vocabulary makes it so: many tokens end a step, and one token is a whole line with an answer. So a model that
knows nothing writes steps, ends some solutions and solves a few problems, and every stage has something to do.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


WORDS = (
    "system",
    "user",
    "assistant",
    "Tom has",
    "apples",
    "gets",
    "so ",
    "then ",
    "we add ",
    "it is ",
    "=",
    "+",
)


ENDINGS = (".", "?", "!", "so", "then", "now", "good", "thus")


def tokenizer(separator: str, answer: str, more: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """separator: "\\n" or "\\n\\n"; answer: with {} for a digit, as in "#### {}". more: further words."""
    vocabulary = [
        *SPECIAL, *WORDS, *more, "\n", *(end + separator for end in ENDINGS), *"0123456789",
        *(answer.replace("{}", digit, 1) + separator for digit in "0123456789"),
    ]  # fmt: skip
    whole = sorted(vocabulary, key=len, reverse=True)
    made = Tokenizer(models.WordLevel({t: i for i, t in enumerate(vocabulary)}, unk_token=SPECIAL[0]))
    pattern = "|".join("".join(f"\\{c}" if not c.isalnum() and c != "\n" else c for c in t) for t in whole)
    made.pre_tokenizer = pre_tokenizers.Split(Regex(f"{pattern}|[\\s\\S]"), behavior="isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        clean_up_tokenization_spaces=False,
    )


Kind = Literal["llama", "qwen2", "qwen3", "gemma3_text", "gpt2"]


def save_checkpoint(
    folder: Path,
    kind: Kind,
    separator: str = "\n",
    answer: str = "#### {}",
    tied: bool = True,
    padding: bool = True,
    more: tuple[str, ...] = (),
) -> Path:
    """A random checkpoint in `folder`: SmolLM2's architecture (llama, tied), Qwen's, Gemma 3's with sliding windows
    shorter than a solution, or GPT-2's. padding: whether the tokenizer has a token for it. more: words that it
    knows besides.
    """
    words = tokenizer(separator, answer, more)
    if not padding:
        words.pad_token = None
    torch.manual_seed(0)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0 if padding else None}
    shape: dict[str, Any] = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        **({"head_dim": 16} if kind in ("qwen3", "gemma3_text") else {}),
        **({"sliding_window": 8, "sliding_window_pattern": 2} if kind == "gemma3_text" else {}),
    }
    if kind == "gpt2":
        shape = {"vocab_size": len(words), "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 2048}
    model: Any = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **shape, **special, tie_word_embeddings=tied)
    )
    model.generation_config = GenerationConfig(eos_token_id=2, pad_token_id=special["pad_token_id"])
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def save_gsm8k(folder: Path, problems: int = 30) -> Path:
    """Word problems in GSM8K's files, their answers single digits."""
    _save(folder, problems, lambda q, a: {"question": q, "answer": f"<<{a}={a}>>\n#### {a}"})
    return folder


def save_word_problems(folder: Path, problems: int = 30) -> Path:
    """The same in the files of SVAMP, and of MAWPS and ASDiv-A, each about other things."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(problems)]
    pairs = [(n, n - n % 10) for n in range(11, 11 + problems)]
    svamp = [
        {
            "Body": f"Tom has {n} apples and gets {m} {name}.",
            "Question": "so then?",
            "Equation": f"( {n}.0 - {m}.0 )",
            "Answer": float(n - m),
        }
        for name, (n, m) in zip(names, pairs, strict=True)
    ]
    (folder / "SVAMP.json").write_text(json.dumps(svamp))
    with (folder / "mawps-asdiv-a-train.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("Question", "Numbers", "Equation", "Answer"))
        for name, (n, m) in zip(names, pairs, strict=True):
            question = f"Tom has number0 {name} and gets number1 so then ?"
            rows.writerow((question, f"{n}.0 {m}.0", "- number0 number1", float(n - m)))
    return folder


def save_math(folder: Path, problems: int = 30) -> Path:
    """The same in MATH's files."""
    _save(
        folder, problems, lambda q, a: {"problem": q, "solution": f"So \\boxed{{{a}}}.", "level": "Level 2"}
    )
    return folder


def save_problems(file: Path, problems: int) -> None:
    """The same in one file of anybody's own."""
    _save_lines(file, range(10, 10 + problems), lambda q, a: {"question": q, "answer": str(a)})


def _save(folder: Path, problems: int, row: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for side, first in (("train", 10), ("test", 500)):
        _save_lines(folder / f"{side}.jsonl", range(first, first + problems), row)


def _save_lines(file: Path, numbers: range, row: Any) -> None:
    lines = [row(f"Tom has {n} apples and gets {n % 7} so then?", n % 10) for n in numbers]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
