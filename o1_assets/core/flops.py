"""FLOPs, counted and not guessed: what one token costs a dense transformer.

Kaplan et al. 2020 (arXiv:2001.08361), section 2.1 and table 1: a forward pass takes about 2P FLOPs a token
(one multiply and one add for each weight), the backward pass twice that, P being the parameters without the
embeddings. Attention over the context is left out: 2 * layers * context * width is below P at the
lengths used here. Every cost in the graph goes through this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# FLOPs a token and weight. The backward pass computes two gradients, of the inputs and of the weights; frozen weights
# need only the first.
FORWARD = 2.0
FORWARD_AND_BACKWARD = 6.0
FROZEN = 4.0


def flops_generate(params: int, tokens: float) -> float:
    """FLOPs to sample `tokens` tokens, one forward pass each (the KV cache makes prompts cost once)."""
    return _count(FORWARD, params, tokens)


def flops_score(params: int, tokens: float) -> float:
    """FLOPs to read `tokens` tokens once: a reward model, or log-probabilities of a given text."""
    return _count(FORWARD, params, tokens)


def flops_train(params: int, tokens: int, frozen: bool = False) -> float:
    """FLOPs to train on `tokens` tokens once, forward and backward. Two epochs are twice the tokens.

    frozen: the weights themselves get no gradient, as under LoRA. LoRA's own parameters are left out: at rank 16 they
    are about one in a hundred.
    """
    return _count(FROZEN if frozen else FORWARD_AND_BACKWARD, params, tokens)


def non_embedding_parameters(model: PreTrainedModel) -> int:
    """P: the parameters outside of the token embedding, the language-model head and low-rank updates."""
    embeddings = (model.get_input_embeddings(), model.get_output_embeddings())
    skip = {id(p) for module in embeddings if module is not None for p in module.parameters()}
    return sum(
        p.numel() for name, p in model.named_parameters() if id(p) not in skip and ".lora_" not in name
    )


def _count(per_weight: float, params: int, tokens: float) -> float:
    if params < 0 or tokens < 0:
        raise ValueError(f"parameters ({params}) and tokens ({tokens}) are counts, they cannot be negative")
    return per_weight * params * tokens
