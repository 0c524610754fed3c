"""What a training does with the GPUs that it sees. There are none here: what asks for them is made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from o1_assets.engine.training.checkpoint import random_state, set_random_state
from o1_assets.engine.training.processes import disable_data_parallel


@pytest.mark.parametrize(("seen", "used"), [(0, 0), (1, 1), (8, 1)])
def test_a_batch_goes_to_one_gpu_however_many_are_seen(seen: int, used: int) -> None:
    class Arguments:
        @property
        def device(self) -> str:
            self._n_gpu = seen  # as transformers counts them when it is first asked
            return "cuda:0"

    assert disable_data_parallel(Arguments())._n_gpu == used  # type: ignore[type-var]


def test_what_one_device_sets_is_what_transformers_multiplies_a_batch_by(tmp_path: Any) -> None:
    from transformers import TrainingArguments

    arguments = disable_data_parallel(TrainingArguments(output_dir=str(tmp_path), use_cpu=True))
    arguments._n_gpu = 4
    assert arguments.n_gpu == 4 and arguments.train_batch_size == 4 * arguments.per_device_train_batch_size


@pytest.mark.parametrize("now", [1, 2, 4])
def test_a_training_goes_on_with_fewer_or_more_gpus_than_it_began_with(
    now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored: list[torch.Tensor] = []
    generators = SimpleNamespace(device_count=lambda: now, set_rng_state_all=restored.extend)
    state = {**random_state(), "cuda": [torch.tensor([i]) for i in range(2)]}
    monkeypatch.setattr(torch, "cuda", generators)
    set_random_state(state)
    assert [int(one) for one in restored] == list(range(min(now, 2)))
