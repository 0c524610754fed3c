"""A long sampling that is killed goes on after its last part; the samples are those of one that was not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from o1_assets.core.engine import Engine, Sample, SamplingParams
from o1_assets.engine.kept_samples import FEWEST_PARAMETERS, PART, keeping_samples

PROMPTS = [[i, i + 1] for i in range(2 * PART + 3)]
SEEDS = list(range(len(PROMPTS)))
PARAMS = SamplingParams(9, 0.7, limits=tuple(i % 9 + 1 for i in SEEDS))


class Killed(BaseException):
    pass


class Echo:
    """Samples that show what was asked. dies_in: the call that is killed."""

    tokenizer = None
    constrains = False

    def __init__(self, parameters: int = FEWEST_PARAMETERS, dies_in: int = 0) -> None:
        self.parameters, self.dies_in, self.calls = parameters, dies_in, 0

    def sample(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams, seeds: Sequence[int]
    ) -> list[Sample]:
        self.calls += 1
        if self.calls == self.dies_in:
            raise Killed
        rows = enumerate(zip(prompts, seeds, strict=True))
        return [Sample([*prompt, seed, params.limit(i)], [seed / 7], True) for i, (prompt, seed) in rows]


def opened(echo: Echo, folder: Path | None, model: str = "model", lines: list[str] | None = None) -> Engine:
    progress = [].append if lines is None else lines.append
    return keeping_samples(lambda path: cast(Engine, echo), folder, progress)(Path(model))


def test_a_killed_sampling_goes_on_after_its_last_part(tmp_path: Path) -> None:
    whole = Echo().sample(PROMPTS, PARAMS, SEEDS)
    with pytest.raises(Killed):
        opened(Echo(dies_in=3), tmp_path).sample(PROMPTS, PARAMS, SEEDS)
    echo, lines = Echo(), list[str]()
    assert opened(echo, tmp_path, lines=lines).sample(PROMPTS, PARAMS, SEEDS) == whole
    assert echo.calls == 1 and lines[-1] == f"{len(PROMPTS)} of {len(PROMPTS)} samples"
    damaged = next((tmp_path / "samples").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert opened(echo, tmp_path).sample(PROMPTS, PARAMS, SEEDS) == whole and echo.calls == 2


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"seeds": SEEDS[::-1]},
        {"params": SamplingParams(9, 0.8)},
        {"prompts": PROMPTS[::-1]},
    ],
    ids=lambda other: str(*other),
)
def test_another_call_gets_its_own_samples(tmp_path: Path, other: dict[str, Any]) -> None:
    opened(Echo(), tmp_path).sample(PROMPTS, PARAMS, SEEDS)
    echo, asked = Echo(), {"prompts": PROMPTS, "params": PARAMS, "seeds": SEEDS} | other
    model = str(asked.pop("model", "model"))
    assert opened(echo, tmp_path, model).sample(**asked) == Echo().sample(**asked) and echo.calls == 3


def test_parts_are_the_same_where_nothing_is_kept(tmp_path: Path) -> None:
    echo = Echo()
    assert opened(echo, None).sample(PROMPTS, PARAMS, SEEDS) == Echo().sample(PROMPTS, PARAMS, SEEDS)
    assert echo.calls == 3, (
        "what meets in a batch decides a sample's last bits: a replay makes the same parts"
    )


def test_nothing_is_kept_of_small_models_and_short_calls(tmp_path: Path) -> None:
    small = Echo(FEWEST_PARAMETERS - 1)
    opened(small, tmp_path).sample(PROMPTS, PARAMS, SEEDS)
    opened(Echo(), tmp_path).sample(PROMPTS[:PART], SamplingParams(9), SEEDS[:PART])
    assert small.calls == 1 and not (tmp_path / "samples").exists()


def test_a_full_disk_costs_nothing_but_the_memory(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("no folder")
    lines: list[str] = []
    samples = opened(Echo(), tmp_path, lines=lines).sample(PROMPTS, PARAMS, SEEDS)
    assert samples == Echo().sample(PROMPTS, PARAMS, SEEDS) and "could not be kept" in lines[0]
