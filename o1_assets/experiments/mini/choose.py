"""mini/model: the best of the arms on train problems that none of them was trained on."""

from __future__ import annotations

import shutil

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import sample
from o1_assets.experiments.mini.chains import train_problems
from o1_assets.experiments.mini.config import ChoiceConfig


def make_model(task: Task, config: ChoiceConfig) -> Outcome:
    """Inputs: train (problems), and the arms. Writes the best arm's checkpoint, and choice.parquet: arm, right.

    By known answers of train problems, as GPT*'s own training set is chosen: held-out problems only measure.
    """
    _, problems = train_problems(read_parquet(task.inputs["train"] / "problems.parquet"))
    problems = problems.head(config.problems)
    sampling = SamplingConfig(
        problems=problems.height,
        samples=config.samples,
        temperature=config.temperature,
        prompt=config.prompt,
    )
    right, cost = dict[str, float](), Cost()
    for arm in sorted(set(task.inputs) - {"train"}):
        engine = task.open_engine(task.inputs[arm])
        # The same seed: arms are compared on equal random numbers.
        solutions, spent = sample(engine, problems, sampling, task.seed)
        engine.close()
        right[arm] = float(solutions.select(pl.col("correct").mean()).item())
        cost += spent
        task.progress(f"{arm}: {right[arm]:.3f} right on {problems.height} train problems")
    best = max(right, key=lambda arm: right[arm])
    for file in (path for path in task.inputs[best].rglob("*") if path.is_file()):
        target = task.out / file.relative_to(task.inputs[best])
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)  # without its mode: the store's files are read-only
    table = pl.DataFrame({"arm": list(right), "right": list(right.values())})
    table.write_parquet(task.out / "choice.parquet")
    figures = {f"right {arm}": share for arm, share in right.items()}
    return Outcome({"chosen": best, **figures}, cost, table.height, table.to_dicts())
