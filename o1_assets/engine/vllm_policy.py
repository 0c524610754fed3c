"""vLLM beside a policy in training, in the same process: it samples with the weights that the policy has at the moment.

TRL's own path (`use_vllm`) is not taken. It draws without a seed for each sample, so a killed training would not go on
to equal bytes. And it writes into vLLM's parameters, which vLLM's build for CPUs has replaced by packed copies; vLLM's
own `reload_weights` packs anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from o1_assets.core.engine import computes_on_cpus
from o1_assets.engine.training.tuning import plain_weights
from o1_assets.engine.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class VllmPolicyEngine(VllmEngine):
    """Samples only inside of `newest_weights`: before, it holds random ones.

    On a GPU it sleeps outside of it, and gives its memory to the training (level 2: weights, keys and values go).
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model = model
        self._sleeps = not computes_on_cpus()
        options: dict[str, Any] = {"load_format": "dummy", "in_process": True}
        if self._sleeps:
            # In half precision, whatever the training computes in: the importance of each token corrects for it.
            options |= {"enable_sleep_mode": True, "dtype": "bfloat16"}
        with TemporaryDirectory() as folder:
            model.config.save_pretrained(folder)
            if model.generation_config is not None:
                model.generation_config.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            super().__init__(Path(folder), **options)
        self._sleep()

    @contextmanager
    def newest_weights(self) -> Iterator[None]:
        """vLLM has the policy's weights as they are now. What it kept of prefixes under others is dropped."""
        if self._sleeps:
            import torch

            torch.cuda.empty_cache()  # what the training let go of, so that vLLM can have it
            self._llm.wake_up(tags=["weights"])
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": plain_weights(self._model)})
        if not self._sleeps and self._model.config.tie_word_embeddings:
            self._llm.apply_model(_pack_head)
        if self._sleeps:
            self._llm.wake_up(tags=["kv_cache"])
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not drop the prefixes that it had read with other weights")
        try:
            yield
        finally:
            self._sleep()

    def _sleep(self) -> None:
        if self._sleeps:
            self._llm.sleep(level=2)


def _pack_head(model: Any) -> None:
    """Of vLLM's build for CPUs: `reload_weights` packs the embedding anew, but not the head that is tied to it."""
    model.lm_head.quant_method.process_weights_after_loading(model.lm_head)
