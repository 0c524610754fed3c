"""mini/eval: o1-mini beside the base, GPT* and baby-o1: accuracy against FLOPs, against seconds and against size.

Writes a result (`experiments/result.py`), answers.parquet (model, problems, problem, right) and seconds nowhere: they
differ between two equal computations, so they are figures of the manifest, and no file holds them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, powers_of_two
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import (
    PASS_AT_1,
    PRM,
    Draw,
    EvalModels,
    evaluate_policy,
    held_out,
    sample,
)
from o1_assets.evaluation.statistics import Floats
from o1_assets.experiments.mini.config import MiniEvalConfig
from o1_assets.experiments.mini.measured import ARMS, BABY, MINI, MODELS, Measured, votes_for
from o1_assets.experiments.mini.result import mini_result
from o1_assets.experiments.result import write_result

if TYPE_CHECKING:
    from pathlib import Path

    from o1_assets.core.engine import Engine

BATCHES = (1, 64)


def make_mini_eval(task: Task, config: MiniEvalConfig) -> Outcome:
    """Inputs: those of MODELS and ARMS, prm (with its generator), test and ood (problems)."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    ood = held_out(read_parquet(task.inputs["ood"] / "problems.parquet"), config.ood_problems)
    measured = {name: _measure(task, name, test, config) for name in MODELS}
    few = SamplingConfig(
        problems=test.height, samples=config.ood_samples, temperature=config.temperature, prompt=config.prompt
    )
    unlike = few.model_copy(update={"problems": ood.height, "prompt": config.prompt.scaled(config.longer)})
    of_arms, cost = _right(task, ARMS, test, few, "arms")
    out, spent = _right(task, MODELS, ood, unlike, "ood")
    cost += sum((m.evaluation.cost for m in measured.values()), spent)
    seconds = time_models(task, test, config)
    seed = derive_seed(task.seed, "bootstrap")
    spent_on = {name: teaching_flops(task, name) for name in ARMS}
    result = mini_result(measured, of_arms, out, config, seed, spent_on)
    write_result(task.out, result)
    answers = [
        {"model": name, "problems": which, "problem": i, "right": float(value)}
        for which, right in (
            ("test", {name: m.right() for name, m in measured.items()}),
            ("arms", of_arms),
            ("ood", out),
        )
        for name, values in right.items()
        for i, value in enumerate(values)
    ]
    pl.DataFrame(answers).write_parquet(task.out / "answers.parquet")
    figures: Figures = {f"{PASS_AT_1} {name}": float(m.right().mean()) for name, m in measured.items()}
    figures |= {claim.name: claim.value for claim in result.claims}
    return Outcome(
        {**figures, **timed_figures(seconds, measured)},
        cost,
        len(answers),
        result.tables["models"].frame.to_dicts(),
    )


def _measure(task: Task, name: str, test: pl.DataFrame, config: MiniEvalConfig) -> Measured:
    engine = task.open_engine(task.inputs[name])
    parameters = engine.parameters
    evaluation = evaluate_policy(
        engine,
        EvalModels(task.inputs["prm"], task.inputs["generator"], log_probabilities=False),
        test,
        config,
        [Draw.of(task.seed, 0)],  # equal random numbers: models are compared in pairs
        selectors=(PRM, MAJORITY, PASS),
        ns=powers_of_two(config.samples),
        progress=task.progress,
    )
    tokens = float(evaluation.solutions.select(pl.col("token_ids").list.len().mean()).item())
    return Measured(evaluation, parameters, tokens, _megabytes(task.inputs[name]))


def teaching_flops(task: Task, arm: str) -> float:
    """Of all that the arm took after the student's pre-training: the teacher's chains, and every training."""
    made = [report for key, report in task.ancestry(arm) if key.startswith("mini/") and key != "mini/base"]
    return sum(report.cost.flops for report in made)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6


def _right(
    task: Task, names: Mapping[str, str], problems: pl.DataFrame, config: SamplingConfig, purpose: str
) -> tuple[dict[str, Floats], Cost]:
    """Input -> [problems], the share of its solutions that are right."""
    right, cost = dict[str, Floats](), Cost()
    for name in names:
        engine = task.open_engine(task.inputs[name])
        solutions, spent = sample(engine, problems, config, derive_seed(task.seed, purpose))
        engine.close()
        table = solutions.group_by("problem_id").agg(pl.col("correct").cast(pl.Float64).mean())
        right[name] = table.sort("problem_id")["correct"].to_numpy()
        cost += spent
    return right, cost


# Against the clock.


def time_models(task: Task, test: pl.DataFrame, config: MiniEvalConfig) -> dict[tuple[str, int], float]:
    """(model, batch) -> seconds a problem, one chain each."""
    engines = {name: task.open_engine(task.inputs[name]) for name in MODELS}
    questions = test["question"].head(config.timed_problems).to_list()
    seconds: dict[tuple[str, int], float] = {}
    # In turn, so that what else the machine does meanwhile slows all of them down alike.
    for turn in range(config.timings):
        for batch in BATCHES:
            for name, engine in engines.items():
                taken = _seconds(engine, questions, batch, config, derive_seed(task.seed, turn))
                seconds[name, batch] = min(taken, seconds.get((name, batch), taken))
    for engine in engines.values():
        engine.close()
    return seconds


def _seconds(
    engine: Engine, questions: Sequence[str], batch: int, config: MiniEvalConfig, seed: int
) -> float:
    prompts = config.prompt.encode(engine.tokenizer, list(questions))
    # One at a time takes long, and a few problems say as much.
    prompts = (
        prompts[: max(1, len(prompts) // 4)] if batch == 1 else (prompts * batch)[: max(batch, len(prompts))]
    )
    params = SamplingParams(config.prompt.max_tokens, config.temperature)
    started = time.perf_counter()
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        engine.sample(part, params, [derive_seed(seed, start + i) for i in range(len(part))])
    return (time.perf_counter() - started) / len(prompts)


def timed_figures(seconds: Mapping[tuple[str, int], float], measured: Mapping[str, Measured]) -> Figures:
    """Seconds of a chain, and what o1-mini reaches by a vote in the time of one chain of baby-o1."""
    figures: dict[str, float | int | str | None] = {}
    for batch in BATCHES:
        of = {name: seconds[name, batch] for name in MODELS}
        figures |= {f"seconds_{name}_{batch}": value for name, value in of.items()}
        figures[f"mini_seconds_share_{batch}"] = of[MINI] / of[BABY]
        n = votes_for(of[BABY] / of[MINI], measured[MINI])
        figures[f"mini_seconds_votes_{batch}"] = n
        figures[f"mini_seconds_vote_accuracy_{batch}"] = float(measured[MINI].right(f"{MAJORITY}@{n}").mean())
    return figures
