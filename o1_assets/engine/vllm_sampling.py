"""Our sampling inside vLLM: each sample from its counter-based stream, as the transformers engine draws it.

vLLM's sampler has a random generator for each request and draws row by row. With `core.seeds.uniforms` a seed means the
same sample on both engines (up to the models' last bits), and a batch is drawn at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from o1_assets.core.seeds import uniforms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from vllm.config import VllmConfig
    from vllm.v1.sample.logits_processor import BatchUpdate

# Rows drawn at once: a vocabulary of 150,000 in double precision takes 1.2 MB a row.
ROWS = 64


@dataclass(frozen=True)
class _Stream:
    """new: the tokens generated so far, which vLLM keeps appending to."""

    seed: int
    temperature: float
    new: Sequence[int]


class StreamSampler(LogitsProcessor):
    """Masks all tokens of a row but the one that its stream draws, so that vLLM's greedy choice is the sample.

    A request asks for it by extra_args={"o1_seed": ..., "o1_temperature": ...} and temperature 0.
    """

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._streams: dict[int, _Stream] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        process_dict_updates(self._streams, batch_update, _stream)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        rows = list(self._streams)
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            streams = [self._streams[row] for row in some]
            at = torch.tensor(some, device=logits.device)
            chosen = _draw(logits[at], streams)
            # In place, as vLLM expects it. The log-probabilities that it reports are computed before (raw_logprobs).
            logits[at] = -torch.inf
            logits[at, chosen] = 0.0
        return logits


def _stream(params: Any, prompt: list[int] | None, new: list[int]) -> _Stream | None:
    wanted = params.extra_args or {}
    if "o1_seed" not in wanted:
        return None
    return _Stream(wanted["o1_seed"], wanted["o1_temperature"], new)


def _draw(logits: torch.Tensor, streams: Sequence[_Stream]) -> torch.Tensor:
    """A token for each row of logits (rows, vocabulary), by inverse CDF."""
    temperatures = torch.tensor([s.temperature for s in streams], device=logits.device)
    scaled = logits.float() / temperatures[:, None]
    cumulative = torch.softmax(scaled, dim=1, dtype=torch.float64).cumsum(dim=1)
    drawn = torch.from_numpy(_uniforms(streams)).to(logits.device)[:, None]
    chosen = torch.searchsorted(cumulative, drawn * cumulative[:, -1:], right=True).squeeze(1)
    return chosen.clamp(max=logits.shape[1] - 1)


def _uniforms(streams: Sequence[_Stream]) -> NDArray[np.float64]:
    """Each stream's number at the position that it has come to, (rows,)."""
    seeds = np.array([s.seed for s in streams], dtype=np.uint64)
    positions = np.array([len(s.new) for s in streams])
    # Requests of a batch are at different tokens; those at the same one are drawn together.
    result = np.empty(len(streams))
    for position in set(positions.tolist()):
        here = positions == position
        result[here] = uniforms(seeds[here], position)
    return result
