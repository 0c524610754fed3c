"""A made-up set of PRM800K's raw size and shape: 100,000 labelled solutions with 1.1 million ratings, in round 1.

Phase 2 as published: own steps one after another, alternatives at the first wrong one only, sentences of
about ninety characters, the solution's own steps a second time in the question.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.cli.label_batches import submit
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.engine import Engine
from o1_assets.core.settings import Settings
from o1_assets.execution.materialize import materialize
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore

ROUND = "r01"


SOLUTIONS, PROBLEMS = 100_000, 12_000


HUMAN = "annotator=human"


TEXT = (
    "so we can see that the sum of both sides is equal to twice value which means subtract divide multiply by "
    "factor polynomial triangle angle integer prime number root equation first second $x^2+3x-4$ $\\frac{1}{2}$ "
    "$n\\equiv 3$ $12\\cdot 7=84$ therefore let us write simplify"
)


WORDS = TEXT.split()


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(9, 22))) + f" {rng.randrange(10**6)}."


def solution(number: int) -> tuple[str, str, list[list[str]], list[list[int]]]:
    """Id, problem id, completions of each step and their ratings."""
    rng = random.Random(number)
    right = rng.randint(3, 11)
    steps = [[sentence(rng)] for _ in range(right)]
    ratings = [[rng.choice((1, 1, 1, 0))] for _ in range(right)]
    if rng.random() < 0.87:
        steps.append([sentence(rng) for _ in range(rng.randint(3, 6))])
        ratings.append([-1, *(rng.choice((1, 0, -1)) for _ in steps[-1][1:])])
        steps += [[sentence(rng)] for _ in range(rng.randint(0, 5))]
    return f"{number:016x}", f"p{number % PROBLEMS:05}", steps, ratings


def records(numbers: range, labeler: str) -> Iterator[dict[str, Any]]:
    for number in numbers:
        name, problem, steps, ratings = solution(number)
        question = {
            "problem": f"Question {problem}?",
            "ground_truth_answer": "1",
            "pre_generated_steps": [texts[0] for texts in steps],
            "pre_generated_answer": "2",
            "pre_generated_verifier_score": 0.5,
        }
        found_error = ratings[-1][0] < 0
        finish_reason = "found_error" if found_error else "solution"
        not_rated: list[list[int | None]] = [[None] * len(texts) for texts in steps[len(ratings) :]]
        given: list[Sequence[int | None]] = [*ratings, *not_rated]
        yield {
            "labeler": f"{labeler}-{number % 40}",
            "timestamp": f"2023-01-{1 + number % 28:02}T10:{number % 60:02}:00.{number % 10**6:06}",
            "generation": 0,
            "is_quality_control_question": False,
            "is_initial_screening_question": False,
            "question": question,
            "label": {
                "steps": [step(texts, row) for texts, row in zip(steps, given, strict=True)],
                "total_time": 100_000,
                "finish_reason": finish_reason,
            },
            "o1": {"round": ROUND, "solution_id": name, "selection": "0", "protocol": "sparse"},
        }


def step(texts: list[str], ratings: Sequence[int | None]) -> dict[str, Any]:
    completions = [
        {"text": text, "rating": rating, "flagged": None} for text, rating in zip(texts, ratings, strict=True)
    ]
    right = ratings[0] is not None and ratings[0] >= 0
    return {
        "completions": completions,
        "human_completion": None,
        "chosen_completion": 0 if right else None,
    }


def write_records(file: Path, numbers: range, labeler: str) -> None:
    with file.open("w") as out:
        out.writelines(json.dumps(record) + "\n" for record in records(numbers, labeler))


def make_selection(task: Task, config: StageConfig) -> Outcome:
    solutions, completions = [], []
    for number in range(SOLUTIONS):
        name, problem, steps, _ = solution(number)
        own = [texts[0] for texts in steps]
        solutions.append((name, problem, own, "2", False, 0.5))
        completions += [
            (name, problem, s, c, text) for s, texts in enumerate(steps) for c, text in enumerate(texts)
        ]
    columns = ["solution_id", "problem_id", "steps", "answer", "correct", "score"]
    pl.DataFrame(solutions, schema=columns, orient="row").write_parquet(task.out / "solutions.parquet")
    schema = {"solution_id": pl.String, "problem_id": pl.String, "step": pl.Int32, "completion": pl.Int32,
              "text": pl.String}  # fmt: skip
    pl.DataFrame(completions, schema=schema, orient="row").write_parquet(task.out / "completions.parquet")
    return Outcome()


def make_problems(task: Task, config: StageConfig) -> Outcome:
    names = [f"p{number:05}" for number in range(PROBLEMS)]
    columns = {
        "problem_id": names,
        "question": [f"Question {name}?" for name in names],
        "answer": ["1"] * PROBLEMS,
    }
    pl.DataFrame(columns).write_parquet(task.out / "problems.parquet")
    return Outcome()


def settings(folder: Path) -> Settings:
    return Settings.load("nano", folder / "home")


def prepare_home(folder: Path) -> None:
    """A home whose store holds the problems and the selection of round 1, and nothing else."""
    home = settings(folder)
    store = ArtifactStore(home.store, home.work)
    for key, make in (("problems/train", make_problems), (f"{ROUND}/selection", make_selection)):
        artifact = Artifact(key, make, StageConfig(), {}, "made up", "benchmark")
        materialize(artifact, store, profile="nano", open_engine=no_engine, threads=2)


def submit_and_label(folder: Path, file: Path) -> dict[str, Any]:
    """What a labelling lead waits for: a batch taken in, and the round's labels made with it."""
    home = settings(folder)
    report = submit(Project(home, HUMAN), file, ROUND)
    store, graph = ArtifactStore(home.store, home.work), build_graph(load_profile("nano", HUMAN), home)
    for stage in ("label_batches", "labels"):
        made = materialize(graph[f"{ROUND}/{stage}"], store, profile="nano", open_engine=no_engine, threads=2)
    return {"accepted": report["accepted"], **made.manifest.figures}


def no_engine(path: Path) -> Engine:
    raise AssertionError("labels never sample")
