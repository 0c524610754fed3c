from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from o1_assets.core.engine import Engine


@dataclass(frozen=True)
class Both:
    transformers: Engine
    vllm: Any


@pytest.fixture
def both(opened: Callable[[str], Engine]) -> Both:
    """One checkpoint on both engines."""
    return Both(vllm=opened("vllm"), transformers=opened("transformers"))


@pytest.fixture
def both_paragraphs(opened_paragraphs: Callable[[str], Engine]) -> Both:
    """As `both`, of a checkpoint whose steps are paragraphs."""
    return Both(vllm=opened_paragraphs("vllm"), transformers=opened_paragraphs("transformers"))
