"""Which source of solutions finds most of what a PRM has to learn, and what it costs.

    python -m benchmarks.search_pressure [--home FOLDER] [--round r05] [--problems 40] [--tokens 300] [--threads 1]

needs a finished run of nano (`make run`). A round's policy samples 200 train problems 16 times each, as rNN/solutions
does. Searches that read the round's PRM then solve some of those that it did not always solve. Printed for each source
are `rounds.search.mistakes`, whose condemned ones are right in every step, and processor seconds; `new_...` are of
solutions that were not sampled.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.engine import SamplingParams
from o1_assets.core.settings import Settings
from o1_assets.evaluation.steps import NO_ERROR
from o1_assets.experiments.measure import first_errors
from o1_assets.problems.solutions import generated_tokens, sample_solutions
from o1_assets.profiles.load import load_profile
from o1_assets.rounds.config import SearchConfig
from o1_assets.rounds.search import mistakes, search_problems
from o1_assets.rounds.selection import product_scores
from o1_assets.store.store import ArtifactStore

SEARCHES: tuple[tuple[Any, Any, float], ...] = (
    ("best-of-n", "policy", 1.0),
    ("best-of-n", "policy", 1.5),
    ("best-of-n", "generator", 1.0),
    ("beam", "policy", 1.0),
    ("beam", "policy", 1.5),
    ("beam", "generator", 1.0),
    ("beam", "generator", 1.3),
    ("dvts", "generator", 1.0),
    ("mcts", "policy", 1.0),
    ("mcts", "generator", 1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_pressure")
    parser.add_argument("--home", help="O1_HOME of a finished nano run")
    parser.add_argument("--round", default="r05")
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    for row in measure(given.home, given.round, given.problems, given.tokens, given.threads):
        print(json.dumps(row), flush=True)


def measure(
    home: str | None, round_name: str, problems: int, tokens: int, threads: int
) -> Iterator[dict[str, Any]]:
    """One row a source, the policy's own samples first."""
    import torch

    from o1_assets.engine.open import open_engine
    from o1_assets.reward.score import load_scorer

    torch.set_num_threads(threads)
    settings, prompt = Settings.load("nano", home), load_profile("nano", "").prompt
    # A store that is only read puts nothing into its work folder.
    store = ArtifactStore(settings.store, Path(tempfile.gettempdir()))

    def folder(key: str) -> Path:
        head = store.head(key)
        if head is None:
            raise SystemExit(f"{settings.home} has no {key}; `make run` makes it")
        return store.path(head.digest)

    engines = {
        name: open_engine(folder(key))
        for name, key in (("policy", f"{round_name}/policy"), ("generator", "generator/model"))
    }
    prm, generator = folder(f"{round_name}/prm"), folder("generator/model")
    train = pl.read_parquet(folder("problems/train") / "problems.parquet")
    asked = train.sample(200, seed=1, shuffle=True)
    start = time.process_time()
    params = SamplingParams(prompt.max_tokens, 1.0)
    solutions = sample_solutions(engines["policy"], asked, 16, params, 2, prompt)
    seconds = time.process_time() - start
    known = solutions.unique(["problem_id", "text"], keep="first", maintain_order=True)
    # As rNN/selection does: the prompt of each solution, then the product over its steps.
    questions = known.join(asked, on="problem_id", how="left", maintain_order="left")["question"].to_list()
    prompts = prompt.encode(engines["policy"].tokenizer, questions)
    scored = known.with_columns(score=product_scores(load_scorer(prm, generator), prompts, known))
    figures = mistakes(_with_sound(scored, asked), generated_tokens(solutions))
    yield {"source": "sampled", **_rounded({**figures, "seconds": seconds})}
    missed = asked.join(solutions.filter(~pl.col("correct")), on="problem_id", how="semi")
    chosen = missed.sample(min(problems, missed.height), seed=3, shuffle=True)
    for strategy, proposer, temperature in SEARCHES:
        config = SearchConfig(
            name="search", strategy=strategy, proposer=proposer, temperature=temperature, problems=problems,
            tokens=tokens,
        )  # fmt: skip
        scorer = load_scorer(prm, generator)
        start = time.process_time()
        found = search_problems(config, chosen, engines[proposer], scorer, prompt, 4)
        seconds = time.process_time() - start
        ended = _with_sound(found.solutions, chosen)
        new = mistakes(ended.join(known, on=["problem_id", "text"], how="anti"), found.tokens)
        kept = {f"new_{name}": value for name, value in new.items() if "per_1000" in name}
        yield {
            "source": f"{strategy}, {proposer}, {temperature}",
            **_rounded({**mistakes(ended, found.tokens), **kept, "seconds": seconds}),
        }


def _with_sound(solutions: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Adds `sound`: the exact checker finds no wrong step. Of nano's condemned right answers it finds one in 70%."""
    errors = first_errors(solutions, problems)
    assert errors is not None, "nano's problems are arithmetic"
    return solutions.with_columns(sound=pl.Series(errors) == NO_ERROR)


def _rounded(figures: dict[str, float | int | None]) -> dict[str, float | int | None]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}


if __name__ == "__main__":
    main()
