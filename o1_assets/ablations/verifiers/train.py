"""Trains one reward model on labelled solutions drawn at random, each with one of four kinds of supervision.

Equal seeds draw equal solutions, and fewer of them are a part of more: models of equal size and seed differ in what
they were told of the same solutions, and in nothing else.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

from o1_assets.ablations.verifiers.config import TrainingConfig
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.reward.train import make_orm, make_prm
from o1_assets.seeds import derive_seed


def train_verifier(task: Task, config: TrainingConfig) -> Outcome:
    """Inputs: generator, train (problems), solutions (all sampled), labelled (those that were rated, see labels.py),
    and large (a PRM) where it supervises. Writes a reward model."""
    labels = pl.read_parquet(task.inputs["labelled"] / "labels.parquet")
    if config.solutions is None:
        solutions = pl.read_parquet(task.inputs["solutions"] / "solutions.parquet")
    else:
        chosen = pl.read_parquet(task.inputs["labelled"] / "solutions.parquet")
        solutions = draw(chosen, labels, config.solutions, task.seed)
    cost = Cost()
    if config.supervision in ("large_steps", "large_outcome"):
        judged, cost = judge(task, solutions, config)
        labels, solutions = judged, solutions.with_columns(correct=all_right(solutions, judged))
    with tempfile.TemporaryDirectory() as laid_out:
        folder = Path(laid_out)
        labels.join(solutions.select("solution_id"), on="solution_id", how="semi").write_parquet(
            folder / "labels.parquet"
        )
        solutions.write_parquet(folder / "solutions.parquet")
        inputs = {name: task.inputs[name] for name in ("generator", "train")}
        inputs |= {"init": task.inputs["generator"], "labels_00": folder, "solutions_00": folder}
        own = replace(task, inputs=inputs, seed=derive_seed(task.seed, "training"))
        if isinstance(config.training, PRMConfig):
            made = make_prm(own, config.training)
        else:
            assert isinstance(config.training, ORMConfig)
            made = make_orm(own, config.training)
    return replace(made, cost=made.cost + cost)


def draw(chosen: pl.DataFrame, labels: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """`count` of the rated solutions, or all where there are fewer; the first of one random order."""
    rated = chosen.join(labels.select("solution_id").unique(), on="solution_id", how="semi").sort(
        "solution_id"
    )
    return rated.sample(fraction=1.0, shuffle=True, seed=derive_seed(seed, "draw")).head(count)


def judge(task: Task, solutions: pl.DataFrame, config: TrainingConfig) -> tuple[pl.DataFrame, Cost]:
    """The large PRM's ratings, shaped as labels: own steps up to the first that it calls wrong.

    A step is -1 where P(negative) is above the threshold, else +1 (Lightman et al. 2023, appendix H).
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.aggregate import NEGATIVE
    from o1_assets.reward.score import load_scorer

    questions = pl.read_parquet(task.inputs["train"] / "problems.parquet").select("problem_id", "question")
    known = solutions.join(questions, on="problem_id", how="inner", maintain_order="left")
    tokenizer = load_tokenizer(task.inputs["generator"])
    template = config.training.prompt_template
    prompts = [
        list(tokenizer(template.replace("{question}", question))["input_ids"])
        for question in known["question"]
    ]
    scorer = load_scorer(task.inputs["large"], task.inputs["generator"])
    found = scorer.step_probabilities(prompts, known["token_ids"].to_list())
    rows = []
    for solution, probabilities in zip(known.iter_rows(named=True), found, strict=True):
        for step, text in enumerate(solution["steps"]):
            rating = -1 if probabilities[step, NEGATIVE] > config.threshold else 1
            rows.append(
                {
                    "solution_id": solution["solution_id"],
                    "problem_id": solution["problem_id"],
                    "question": solution["question"],
                    "step": step,
                    "completion": 0,
                    "text": text,
                    "rating": rating,
                }
            )
            if rating < 0:
                break
    return pl.DataFrame(rows), scorer.cost()


def all_right(solutions: pl.DataFrame, judged: pl.DataFrame) -> pl.Series:
    """For each solution whether it has steps and none of them is called wrong."""
    fine = judged.group_by("solution_id").agg(fine=pl.col("rating").min() > 0)
    found = solutions.select("solution_id").join(fine, on="solution_id", how="left", maintain_order="left")
    return found["fine"].fill_null(False)
