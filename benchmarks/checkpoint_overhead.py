"""What saving a training's state costs, and what a kill costs with it.

    python -m benchmarks.checkpoint_overhead [--updates 400] [--pairs 3]

Pre-trains nano's base for some updates, in turn with and without saving at the default interval: each pair's
difference in seconds and in processor time, as a share; then the time of one save, and of reading it back. A
kill loses what was done since the last save: at most the interval, half of it in the mean.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrain import build_model, encode, train
from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.core.settings import checkpoint_seconds
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.execution.environment import prepare_compute
from o1_assets.problems.worlds.arithmetic.teacher import draw_corpus
from o1_assets.profiles.load import load_profile


class Counted(Checkpoints):
    """Checkpoints that remember how long each save took and what was saved last."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.took: list[float] = []

    def save(self, update: int, state: Any) -> None:
        started = time.perf_counter()
        super().save(update, state)
        self.took.append(time.perf_counter() - started)
        self.state = state


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    prepare_compute(2)
    config = load_profile("nano").base
    assert isinstance(config, BaseConfig)
    tokenizer = make_tokenizer(config.max_positions)
    solutions = options.updates * config.batch_size
    corpus = draw_corpus(config.corpus.model_copy(update={"solutions": solutions}), 0, set())
    pairs = encode(tokenizer, list(corpus))

    def seconds(checkpoints: Checkpoints | None) -> tuple[float, float]:
        model = build_model(config, tokenizer, 0)
        wall, processor = time.perf_counter(), time.process_time()
        train(model, pairs, config, 0, checkpoints=checkpoints)
        return time.perf_counter() - wall, time.process_time() - processor

    seconds(None)
    shares: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = Counted(Path(folder))
        for pair in range(options.pairs):
            order = [None, kept] if pair % 2 else [kept, None]
            measured = {checkpoints: seconds(checkpoints) for checkpoints in order}
            for path in Path(folder).iterdir():
                path.unlink()
            (with_wall, with_processor), (wall, processor) = measured[kept], measured[None]
            shares.append((with_wall / wall - 1, with_processor / processor - 1))
            print(f"{wall:.1f} s, {with_wall:.1f} s with {len(kept.took)} saves so far", flush=True)
        for _ in range(20):
            kept.save(1, kept.state)
        started = time.perf_counter()
        kept.load()
        loading = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    save = statistics.median(kept.took)
    print(
        f"seconds: {statistics.median(s for s, _ in shares):+.2%} (pairs: {[f'{s:+.2%}' for s, _ in shares]})"
    )
    print(f"processor: {statistics.median(p for _, p in shares):+.2%} ({[f'{p:+.2%}' for _, p in shares]})")
    print(
        f"one save: {save * 1000:.0f} ms, {size / 2**20:.1f} MiB; {save / checkpoint_seconds():.2%} of the interval"
    )
    print(
        f"a kill loses {checkpoint_seconds() / 2:.0f} s in the mean, and {loading * 1000:.0f} ms to read it back"
    )


if __name__ == "__main__":
    main()
