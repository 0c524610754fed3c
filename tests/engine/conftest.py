from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from o1_assets.core.engine import Engine
from o1_assets.core.settings import Settings
from o1_assets.engine.open import EngineMissing, open_engine, require_engine
from tests.engine.checkpoints import (
    TRAINED,
    Checkpoint,
    paragraph_checkpoint,
    random_checkpoint,
    trained_checkpoint,
)

Opened = Callable[[str], Engine]


@pytest.fixture(scope="session", params=["random", "trained"] if TRAINED else ["random"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    if request.param == "random":
        return random_checkpoint(tmp_path_factory.mktemp("random"))
    found = trained_checkpoint(Settings.load("nano"))
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def opened(checkpoint: Checkpoint) -> Iterator[Opened]:
    """Opens the checkpoint by an engine's name, once. Skips where the engine cannot be had."""
    with _opening(checkpoint) as open_once:
        yield open_once


@pytest.fixture(scope="session")
def paragraphs(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Random weights and a tokenizer by which a step is a paragraph."""
    return paragraph_checkpoint(tmp_path_factory.mktemp("paragraphs"))


@pytest.fixture(scope="session")
def opened_paragraphs(paragraphs: Checkpoint) -> Iterator[Opened]:
    """As `opened`, of `paragraphs`."""
    with _opening(paragraphs) as open_once:
        yield open_once


@contextmanager
def _opening(checkpoint: Checkpoint) -> Iterator[Opened]:
    engines: dict[str, Engine] = {}
    torch.set_num_threads(1)  # on operators this small more threads only wait for each other

    def open_once(name: str) -> Engine:
        if name not in engines:
            _need(name)
            engines[name] = open_engine(checkpoint.path, name)
        return engines[name]

    yield open_once
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="session")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano's architecture with random weights."""
    return random_checkpoint(tmp_path_factory.mktemp("random")).path


@pytest.fixture
def with_vllm() -> None:
    """Skips where vLLM cannot be had."""
    _need("vllm")


def _need(engine: str) -> None:
    try:
        require_engine(engine)
    except EngineMissing as error:
        pytest.skip(str(error))
