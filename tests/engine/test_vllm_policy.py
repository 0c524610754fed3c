"""In which order vLLM is woken, given weights and put to sleep on a GPU, where no test runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from o1_assets.engine.vllm_policy import VllmPolicyEngine


class Calls:
    """Stands for vLLM: keeps what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.dropped = True

    def wake_up(self, tags: list[str]) -> None:
        self.names.append(f"wake {tags[0]}")

    def sleep(self, level: int) -> None:
        self.names.append(f"sleep {level}")

    def collective_rpc(self, method: str, kwargs: dict[str, Any]) -> None:
        self.names.append(f"{method} {[name for name, _ in kwargs['weights_iterator']]}")

    def reset_prefix_cache(self) -> bool:
        self.names.append("reset")
        return self.dropped


def test_it_wakes_takes_the_weights_drops_prefixes_and_sleeps_again_whatever_happens() -> None:
    engine = VllmPolicyEngine.__new__(VllmPolicyEngine)
    engine._sleeps, engine._model, engine._llm = True, torch.nn.Linear(2, 2), Calls()
    expected = ["wake weights", "reload_weights ['weight', 'bias']", "wake kv_cache", "reset", "sleep 2"]
    with pytest.raises(ZeroDivisionError), engine.newest_weights():
        assert engine._llm.names == expected[:-1]
        raise ZeroDivisionError
    assert engine._llm.names == expected
    engine._llm.dropped = False
    with pytest.raises(RuntimeError, match="did not drop"), engine.newest_weights():
        pass
