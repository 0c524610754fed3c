"""What other search libraries are given: nano's models behind transformers, as fast as their interfaces allow.

Next steps are sampled by `transformers.generate` with a KV cache, all texts of a call in one batch padded on the
left, each until its newline. A path is scored by our own batch scorer, which shares what the paths of one call have
in common, so that only what a library does between calls differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.models import POLICY
from o1_assets.core.settings import PROJECT

if TYPE_CHECKING:
    from benchmarks.models import Finished


def import_rivals(folder: Path = PROJECT / ".rivals") -> None:
    """Makes its_hub and reasoners importable. Raises SystemExit if they are not there."""
    if not (folder / "ready").exists():
        raise SystemExit(f"{folder} has no its_hub and llm-reasoners to compare with; run `make rivals`")
    sys.path.append(str(folder))


class Generate:
    """Next steps by `transformers.generate`, scores of paths by the PRM; counts what is generated."""

    def __init__(self, finished: Finished, seed: int = 0) -> None:
        import torch
        from transformers import GenerationConfig

        from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer

        folder = finished.folders[POLICY]
        self.tokenizer: Any = load_tokenizer(folder)
        self.model: Any = load_causal_lm(folder).eval()
        self.scorer = finished.scorer()
        self.tokens = 0
        self._ends = torch.tensor([self.tokenizer.eos_token_id, self.tokenizer.convert_tokens_to_ids("\n")])
        self._config = GenerationConfig(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            use_cache=True,
            max_new_tokens=finished.step_tokens,
            eos_token_id=self._ends.tolist(),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        torch.manual_seed(seed)

    def steps(self, texts: Sequence[str]) -> list[str]:
        """The next step of each text, its newline included; empty where the model ends the solution."""
        import torch

        inputs = self.tokenizer(list(texts), return_tensors="pt", padding=True, return_token_type_ids=False)
        with torch.inference_mode():
            out = self.model.generate(**inputs, generation_config=self._config)
        new = out[:, inputs["input_ids"].shape[1] :]
        ended = torch.isin(new, self._ends)
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, new.shape[1])
        self.tokens += int(lengths.sum())
        kept = [row[:n].tolist() for row, n in zip(new, lengths.tolist(), strict=True)]
        decoded: list[str] = self.tokenizer.batch_decode(kept, skip_special_tokens=True)
        return decoded

    def scores(self, prompts: Sequence[str], solutions: Sequence[str]) -> list[float]:
        """The product of P(right) over the steps of each solution, whole or not."""
        from o1_assets.reward.aggregate import solution_score

        ids = [self.tokenizer.encode(text, add_special_tokens=False) for text in prompts]
        steps = [self.tokenizer.encode(text, add_special_tokens=False) for text in solutions]
        return [solution_score(found) for found in self.scorer.step_probabilities(ids, steps)]
