"""Small random models of several architectures that share a small tokenizer."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from o1_assets.engine.steps import LINE, SETTING
from o1_assets.engine.transformers_engine import TransformersEngine
from tests.digits import digit_tokenizer

TOKENIZER = digit_tokenizer(256)


PROMPTS = [
    TOKENIZER(text)["input_ids"]
    for text in (
        "Calculate 3 * 4 - 5.\n",
        "What is 1 + 2?\n",
        "Solve 9 - 8 - 7 * 6 + 10 * 2.\n",
        "Compute 7.\n",
    )
]


def byte_level(separator: str = LINE) -> PreTrainedTokenizerFast:
    """A byte-level BPE, as GPT-2's and Qwen's are: a line break merges with its neighbours, a space may be cut up."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(["So 3.\n\nThen 4.\n \nIt is\u00a05.\n\n\n"] * 9, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", clean_up_tokenization_spaces=False
    )
    tokenizer.init_kwargs[SETTING] = separator
    return tokenizer


def model(kind: str, sharpness: float = 30.0) -> Any:
    """Random weights; `sharpness` scales the output so that samples differ from uniform noise."""
    torch.manual_seed(1)
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": TOKENIZER.eos_token_id}
    common = {
        "vocab_size": len(TOKENIZER),
        "num_hidden_layers": 2,
        "hidden_size": 32,
        "num_attention_heads": 4,
    }
    made: Any
    if kind == "gpt2":
        made = GPT2LMHeadModel(
            GPT2Config(vocab_size=len(TOKENIZER), n_layer=2, n_embd=32, n_head=4, n_positions=256, **special)
        )
    elif kind == "gemma3":
        windows = {"head_dim": 8, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]}
        made = Gemma3ForCausalLM(
            Gemma3TextConfig(
                intermediate_size=48,
                num_key_value_heads=2,
                tie_word_embeddings=False,
                **windows,
                **common,
                **special,
            )
        )
    elif kind == "qwen2":
        made = Qwen2ForCausalLM(Qwen2Config(intermediate_size=48, num_key_value_heads=2, **common, **special))
    else:
        made = LlamaForCausalLM(LlamaConfig(intermediate_size=48, num_key_value_heads=4, **common, **special))
    head = made.get_output_embeddings()
    if head.weight is made.get_input_embeddings().weight:  # tied: sharpening it would drown everything else
        sharpness = 1.0
    with torch.no_grad():
        head.weight.mul_(sharpness)
    return made.eval()


def engine(kind: str = "llama", batch_size: int = 512, sharpness: float = 30.0) -> TransformersEngine:
    return TransformersEngine(model(kind, sharpness), TOKENIZER, batch_size)
