"""mini/eval: o1-mini beside the base, GPT* and baby-o1: accuracy against FLOPs, against seconds and against size.

Writes a result (`experiments/result.py`), answers.parquet (model, problems, problem, right) and seconds nowhere: they
differ between two equal computations, so they are figures of the manifest, and no file holds them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.plots import Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, powers_of_two
from o1_assets.evaluation.charts import flops_axis
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import (
    PASS_AT_1,
    PRM,
    Draw,
    EvalModels,
    Evaluation,
    evaluate_policy,
    held_out,
    sample,
)
from o1_assets.evaluation.statistics import Floats, Interval, bootstrap, interval_around
from o1_assets.experiments.mini.config import ACCURACY_SHARE, TIME_SHARE, MiniEvalConfig
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

if TYPE_CHECKING:
    from pathlib import Path

    from o1_assets.core.engine import Engine

# Input -> what it is called, from the weakest on.
MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1", "mini": "o1-mini"}
BABY, MINI = "policy", "mini"

# Input -> how the student was taught. The first two are distillation, the others its controls.
ARMS = {
    "on_policy": "on-policy distillation from baby-o1, after its chains",
    "chains": "SFT on baby-o1's chains that PRM and ORM accept",
    "generator_chains": "SFT on GPT*'s right chains",
    "rl": "RL on the student itself, after GPT*'s right chains",
    "student": "pre-trained alone",
}

BATCHES = (1, 64)


@dataclass(frozen=True)
class Measured:
    """One model on the held-out problems. flops, tokens: of one chain. megabytes: of its weights' files."""

    evaluation: Evaluation
    parameters: int
    tokens: float
    megabytes: float

    @property
    def flops(self) -> float:
        return flops_generate(self.parameters, self.tokens)

    def right(self, measure: str = PASS_AT_1) -> Floats:
        """[problems]"""
        return self.evaluation.measures(0)[measure]

    @property
    def best_of_n_flops(self) -> float:
        """Of all samples of a problem, and of the PRM's reading."""
        return self.evaluation.cost.flops / len(self.evaluation.problem_ids)


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


def votes_for(chains: float, model: Measured) -> int:
    """The largest N that was measured and needs at most so many chains; at least 1."""
    samples = model.evaluation.pools[0].samples
    return max([n for n in powers_of_two(samples) if n <= chains], default=1)


# The result.


def share_interval(
    part: Floats, whole: Floats, less: Floats | None, resamples: int, seed: int
) -> Interval | None:
    """Of mean(part - less) / mean(whole - less), over problems; less: what both begin at, 0 without it."""
    zero = np.zeros_like(part) if less is None else less
    top, bottom = part - zero, whole - zero

    def ratio(p: np.ndarray) -> float:
        below = float(bottom[p].mean())
        return float(top[p].mean()) / below if below > 0 else float("nan")

    drawn = bootstrap(ratio, (len(part),), resamples, seed)
    return interval_around(ratio(np.arange(len(part))), drawn)


def mini_result(
    measured: Mapping[str, Measured],
    arms: Mapping[str, Floats],
    ood: Mapping[str, Floats],
    config: MiniEvalConfig,
    seed: int,
    spent: Mapping[str, float],
) -> Result:
    """measured, ood: input of MODELS -> it. arms: input of ARMS -> [problems]; spent: -> FLOPs of its teaching."""
    baby, mini = measured[BABY], measured[MINI]
    n, most = votes_for(baby.flops / mini.flops, mini), config.samples
    vote = mini.right(f"{MAJORITY}@{n}")

    def share(
        name: str,
        says: str,
        part: Floats,
        whole: Floats,
        less: Floats | None = None,
        target: float | None = None,
    ) -> Claim:
        found = share_interval(part, whole, less, config.resamples, seed)
        low, high = (None, None) if found is None else (found.low, found.high)
        return Claim(name, says, None if found is None else found.mean, low, high, target, unit="share")

    def minus(name: str, says: str, a: Floats, b: Floats) -> Claim:
        difference = a - b
        drawn = bootstrap(lambda p: float(difference[p].mean()), (len(a),), config.resamples, seed)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return Claim(name, says, float(difference.mean()), float(low), float(high), unit="points")

    claims = [
        share(
            "mini_accuracy_share",
            "pass@1 of o1-mini as a share of baby-o1's",
            mini.right(),
            baby.right(),
            target=ACCURACY_SHARE,
        ),
        Claim(
            "mini_flops_share",
            "FLOPs of one chain, as a share of baby-o1's",
            mini.flops / baby.flops,
            target=TIME_SHARE,
            better="lower",
            unit="share",
        ),
        Claim(
            "mini_bytes_share",
            "bytes of the weights, as a share of baby-o1's",
            mini.megabytes / baby.megabytes,
            better="lower",
            unit="share",
        ),
        minus(
            "mini_vote_minus_baby_o1",
            f"o1-mini's vote of {n}, in the FLOPs of one chain of baby-o1, minus that chain",
            vote,
            baby.right(),
        ),
        minus(
            "mini_best_of_n_minus_baby_o1",
            f"the PRM's choice among {most} chains of o1-mini, minus that among as many of baby-o1",
            mini.right(f"{PRM}@{most}"),
            baby.right(f"{PRM}@{most}"),
        ),
        minus(
            "mini_any_minus_baby_o1",
            f"any of {most} chains of o1-mini right, minus any of as many of baby-o1",
            mini.right(f"{PASS}@{most}"),
            baby.right(f"{PASS}@{most}"),
        ),
        share(
            "mini_gap_closed",
            "of the gap between the student taught by GPT*'s right chains and baby-o1, the share that o1-mini closes",
            mini.right(),
            baby.right(),
            arms["generator_chains"],
        ),
        share("mini_ood_share", "pass@1 out of distribution, as a share of baby-o1's", ood[MINI], ood[BABY]),
        minus(
            "mini.chains_minus_generator_chains",
            "SFT on baby-o1's accepted chains, minus on GPT*'s right ones",
            arms["chains"],
            arms["generator_chains"],
        ),
        minus(
            "mini.on_policy_minus_chains",
            "on-policy distillation, minus the SFT that it started from",
            arms["on_policy"],
            arms["chains"],
        ),
        minus(
            "mini.on_policy_minus_rl",
            "on-policy distillation, minus RL on the student itself",
            arms["on_policy"],
            arms["rl"],
        ),
    ]
    return Result(
        "mini",
        "o1-mini: a quarter of the parameters",
        "How much of baby-o1 does a model of a quarter of its size keep, and what teaches it best?",
        claims,
        {"models": _models_table(measured, ood, config), "arms": _arms_table(arms, spent)},
        {"flops": _flops_chart(measured, config)},
        [
            "Each arm was trained once, from one pre-trained student; intervals are 95%, over problems alone. The arm "
            "that became o1-mini was chosen on train problems that no arm saw.",
            "The vote reads no reward model, so that its FLOPs are those of its chains. Best of N also reads the PRM, "
            "which is larger than o1-mini.",
            "Seconds are in the manifest's figures, and `o1 report --json` has them: models of this size spend most of "
            "a token's time on calling operators, so seconds follow the number of layers, and FLOPs the parameters.",
        ],
    )


def _models_table(
    measured: Mapping[str, Measured], ood: Mapping[str, Floats], config: MiniEvalConfig
) -> Table:
    n = config.samples
    rows = [
        {
            "model": MODELS[name],
            "parameters": m.parameters,
            "megabytes": m.megabytes,
            "tokens a chain": m.tokens,
            "FLOPs a chain": m.flops,
            PASS_AT_1: float(m.right().mean()),
            f"vote of {n}": float(m.right(f"{MAJORITY}@{n}").mean()),
            f"best of {n}": float(m.right(f"{PRM}@{n}").mean()),
            f"FLOPs of best of {n}": m.best_of_n_flops,
            f"any of {n}": float(m.right(f"{PASS}@{n}").mean()),
            "out of distribution": float(ood[name].mean()),
        }
        for name, m in measured.items()
    ]
    return Table(f"Every model on the same held-out problems, {n} solutions each", pl.DataFrame(rows))


def _arms_table(arms: Mapping[str, Floats], spent: Mapping[str, float]) -> Table:
    rows = [
        {
            "arm": name,
            "how the student was taught": says,
            PASS_AT_1: float(arms[name].mean()),
            "FLOPs of teaching": spent[name],
        }
        for name, says in ARMS.items()
    ]
    return Table("What teaches a small model, one training each", pl.DataFrame(rows))


def _flops_chart(measured: Mapping[str, Measured], config: MiniEvalConfig) -> Chart:
    colors = dict(zip(MODELS, (plots.GREY, plots.ORANGE, plots.BLUE, plots.GREEN), strict=True))
    series = [
        Series(
            MODELS[name],
            [n * m.flops for n in powers_of_two(config.samples)],
            [float(m.right(f"{MAJORITY}@{n}").mean()) for n in powers_of_two(config.samples)],
            colors[name],
        )
        for name, m in measured.items()
    ]
    return Chart(series, flops_axis(series, f"A vote of 1 to {config.samples} chains", "FLOPs a problem"))
