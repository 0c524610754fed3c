"""ablations/scale/result: what gets stronger with the size of a model, and what with its depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.core.artifact import Figures, Outcome, StageConfig, Task
from o1_assets.core.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.statistics import Floats, Trend, trend
from o1_assets.experiments.measure import MEASURES
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.model_size.measure import SHARED
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.experiments.variants import PART

QUESTION = (
    "Which results get stronger with the model's size, and does a verifier need the probability feature less when it "
    "is larger or deeper?"
)
OF_DEPTHS = "Change for each doubling of the layers, equal parameters"


class ScaleResultConfig(StageConfig):
    """shapes: with their number of trainings. shared_samples: the N on solutions of the profile's GPT*."""

    shapes: tuple[Shape, ...]
    samples: int
    shared_samples: int
    corpus_solutions: int
    resamples: int


@dataclass(frozen=True)
class Measured:
    """values: measure -> [seeds, problems]; a measure of a whole set of problems has one column. spent: stage ->
    FLOPs, means over seeds."""

    shape: Shape
    values: dict[str, Floats]
    spent: dict[str, float]

    def compute(self, measure: str) -> float:
        """FLOPs of the trainings that a measure rests on: the base, GPT*, and the reward model that chooses."""
        stages = ["base"] if measure.startswith("base_") else ["base", "generator"]
        chooser = measure.partition("@")[0]
        stages += [chooser] if chooser in self.spent and chooser not in stages else []
        return sum(self.spent[stage] for stage in stages)


def make_scale_result(task: Task, config: ScaleResultConfig) -> Outcome:
    """Inputs: <shape>_<seed>, the evaluations."""
    models = [read(task, shape, config) for shape in config.shapes]
    sizes = sorted((m for m in models if m.shape.of_sizes), key=lambda m: m.shape.parameters)
    depths = sorted((m for m in models if m.shape.of_depths), key=lambda m: m.shape.layers)
    seed = derive_seed(task.seed, "bootstrap")

    def against(chosen: Sequence[Measured], x: Sequence[float], measure: str) -> Trend:
        return trend(x, [m.values[measure] for m in chosen], config.resamples, seed)

    of_the_pool = {f"{SHARED}{name}@{config.shared_samples}" for name in ("any", "majority")}
    names = [
        name for name in models[0].values if name not in of_the_pool and all(name in m.values for m in models)
    ]
    by_size = {name: against(sizes, [m.shape.parameters for m in sizes], name) for name in names}
    by_depth = {name: against(depths, [m.shape.layers for m in depths], name) for name in names if depths}
    n = config.samples
    accuracies = ("base_pass@1", "pass@1", "greedy", f"majority@{n}", f"orm@{n}", f"prm@{n}")
    by_compute = {
        name: against(sizes, [m.compute(name) for m in sizes], name) for name in accuracies if name in names
    }
    result = Result(
        name="scale",
        title="Size and depth of the model",
        question=QUESTION,
        claims=claims(by_size, by_depth, by_compute, n, config.shared_samples),
        tables={
            "models": Table("Every model: trainings, compute, and what it reaches", models_table(models, n)),
            "with_size": Table("Change for each doubling of the parameters", trends_table(by_size)),
            "with_compute": Table(
                "Accuracy for each doubling of the training compute", trends_table(by_compute)
            ),
            **({"with_depth": Table(OF_DEPTHS, trends_table(by_depth))} if depths else {}),
        },
        charts={
            "accuracy": accuracy_chart(by_compute, {k: [m.compute(k) for m in sizes] for k in by_compute}, n),
            "advantages": advantages_chart(by_size, [m.shape.parameters for m in sizes], n),
            "feature_with_size": feature_chart(
                by_size, [m.shape.parameters / 1e6 for m in sizes], "million parameters", n
            ),
            **(
                {"feature_with_depth": feature_chart(by_depth, [m.shape.layers for m in depths], "layers", n)}
                if depths
                else {}
            ),
        },
        notes=notes(models, config),
    )
    write_result(task.out, result)
    shown = trends_table(
        {k: v for k, v in by_size.items() if k in (f"prm_minus_orm@{n}", f"feature_gain@{n}")}
    )
    figures: Figures = {claim.name: claim.value for claim in result.claims}
    return Outcome(figures, rows=len(models), sample=shown.to_dicts())


def read(task: Task, shape: Shape, config: ScaleResultConfig) -> Measured:
    """All trainings of a shape, with the differences that the question is about."""
    folders = [task.inputs[f"{shape.name}_{seed}"] for seed in range(shape.seeds or 0)]
    tables = [_measures(folder) for folder in folders]
    # [seeds, problems], or [seeds, 1] of a measure that is one value for a whole set of problems
    values = {name: np.stack([table[name] for table in tables]) for name in tables[0]}
    n, m = f"@{config.samples}", f"@{config.shared_samples}"
    wanted = {
        "generator_minus_base": ("pass@1", "base_pass@1"),
        f"prm_minus_orm{n}": (f"prm{n}", f"orm{n}"),
        f"prm_minus_majority{n}": (f"prm{n}", f"majority{n}"),
        f"prm_minus_min_logprob{n}": (f"prm{n}", f"min_logprob{n}"),
        f"feature_gain{n}": (f"prm{n}", f"prm_plain{n}"),
        "feature_gain_step_f1": ("step_f1", "step_f1_plain"),
        f"{SHARED}prm_minus_orm{m}": (f"{SHARED}prm{m}", f"{SHARED}orm{m}"),
        f"{SHARED}feature_gain{m}": (f"{SHARED}prm{m}", f"{SHARED}prm_plain{m}"),
        f"{SHARED}feature_gain_step_f1": (f"{SHARED}step_f1", f"{SHARED}step_f1_plain"),
    }
    values |= {
        name: values[minuend] - values[subtrahend]
        for name, (minuend, subtrahend) in wanted.items()
        if minuend in values and subtrahend in values
    }
    spent = [stage_flops(task, f"{shape.name}_{seed}") for seed in range(shape.seeds or 0)]
    return Measured(shape, values, {stage: float(np.mean([s[stage] for s in spent])) for stage in spent[0]})


def stage_flops(task: Task, evaluation: str) -> dict[str, float]:
    """base, generator, prm, prm_plain, orm -> FLOPs of the trainings that an evaluated model comes from. Sampling what
    GPT* is trained on is part of making it."""
    flops = dict.fromkeys(("base", "generator", "prm", "prm_plain", "orm"), 0.0)
    for key, report in task.ancestry(evaluation)[:-1]:
        if key.startswith(f"{PART}/"):
            # ablations/scale/<shape>_<seed>/<stage>/<name>; the reward models are stages of round 0.
            _, _, _, stage, name = key.split("/")
            flops[name if stage == "r00" else stage] += report.cost.flops
    return flops


def _measures(folder: Path) -> dict[str, Floats]:
    table = read_parquet(folder / MEASURES)
    return {name: np.asarray(values) for name, values in table.select("measure", "per_problem").iter_rows()}


def claims(
    by_size: dict[str, Trend], by_depth: dict[str, Trend], by_compute: dict[str, Trend], n: int, m: int
) -> list[Claim]:
    """Figures that are only shown: what they become at this scale was not known before. n: of best-of-N on a model's
    own solutions; m: on those that are the same for all models, on which the feature is judged."""
    compute = by_compute["pass@1"]
    gain, deep = by_size[f"{SHARED}feature_gain@{m}"], by_depth.get(f"{SHARED}feature_gain@{m}")
    shown = [
        Claim(
            "pass@1_per_doubling_of_compute",
            "Sampled accuracy of GPT* grows by so much with each doubling of the training compute, on equal data.",
            compute.gain, compute.low, compute.high, unit="points",
        ),
        Claim(
            "pass@1_compute_r2",
            "So well does a line against log2 of the training compute describe it (R²).", compute.r2, unit="number",
        ),
    ]  # fmt: skip
    for name, says, change in (
        ("prm_minus_orm", "The PRM's advantage over the ORM", by_size[f"prm_minus_orm@{n}"]),
        ("prm_minus_majority", "The PRM's advantage over majority", by_size[f"prm_minus_majority@{n}"]),
    ):
        says = f"{says}, best of {n}, changes so with each doubling of the parameters."
        shown.append(
            Claim(
                f"{name}@{n}_per_doubling_of_size", says, change.gain, change.low, change.high, unit="points"
            )
        )
    shown.append(
        Claim(
            f"feature_gain@{m}_per_doubling_of_size",
            f"What the probability feature gives the PRM, best of {m} of the same solutions for all, changes so with "
            "each doubling of the parameters.",
            gain.gain, gain.low, gain.high, unit="points",
        )
    )  # fmt: skip
    ends = [
        ("smallest", "the smallest model", gain.points[0]),
        ("largest", "the largest model", gain.points[-1]),
    ]
    if deep:
        ends += [
            ("shallowest", "the model with the fewest layers", deep.points[0]),
            ("deepest", "the model with the most layers", deep.points[-1]),
        ]
    for name, says, point in ends:
        says = (
            f"The probability feature adds so much to best of {m} of the same solutions by the PRM of {says}."
        )
        shown.append(Claim(f"feature_gain_{name}", says, point.mean, point.low, point.high, unit="points"))
    if deep:
        shown.append(
            Claim(
                f"feature_gain@{m}_per_doubling_of_depth",
                f"What the feature gives, best of {m}, changes so with each doubling of the layers at equal "
                "parameters.",
                deep.gain, deep.low, deep.high, unit="points",
            )
        )  # fmt: skip
    return shown


def trends_table(trends: dict[str, Trend]) -> pl.DataFrame:
    """A row a measure: ends of the series, change for each doubling with its interval, the verdict that follows."""
    return pl.DataFrame(
        [
            {
                "measure": name,
                "smallest": measured.points[0].mean,
                "largest": measured.points[-1].mean,
                "per doubling": measured.gain,
                "low": measured.low,
                "high": measured.high,
                "R²": measured.r2,
                "verdict": measured.verdict,
            }
            for name, measured in trends.items()
        ]
    )


def models_table(models: Sequence[Measured], n: int) -> pl.DataFrame:
    """A row a model; accuracies are means over trainings and problems."""
    shown = ("base_pass@1", "pass@1", "greedy", f"majority@{n}", f"min_logprob@{n}", f"orm@{n}", f"prm_plain@{n}",
             f"prm@{n}", f"any@{n}", "step_f1_plain", "step_f1")  # fmt: skip
    return pl.DataFrame(
        [
            {
                "model": m.shape.name,
                "parameters": m.shape.parameters,
                "layers": m.shape.layers,
                "width": m.shape.hidden_size,
                "trainings": m.shape.seeds,
                "TFLOP of base": m.spent["base"] / 1e12,
                "TFLOP of GPT*": (m.spent["base"] + m.spent["generator"]) / 1e12,
                **{name: float(m.values[name].mean()) for name in shown if name in m.values},
            }
            for m in models
        ]
    )


def notes(models: Sequence[Measured], config: ScaleResultConfig) -> list[str]:
    most = max(m.shape.seeds or 0 for m in models)
    few = [f"{m.shape.name} {m.shape.seeds}" for m in models if (m.shape.seeds or 0) < most]
    sentences = [
        f"Every base read the same {config.corpus_solutions} solutions once, the same number of updates, so the "
        "training compute differs by the parameters alone; a smaller model could use its compute better on more "
        "data, so this is no compute-optimal frontier.",
        "FLOPs as everywhere: 6 P a token trained on, 2 P a token sampled; accuracies by a reward model count its "
        "training too.",
        "Reward models of all sizes are trained on the same labels and outcomes, those of the profile's own GPT* in "
        "round 0, with equal updates. Measures that begin with shared_ are on solutions of that GPT*, the same for "
        "all; the others on each model's own.",
        "Intervals are over trainings and problems; those of step F1 over trainings alone.",
    ]
    if few:
        sentences.append(
            f"Trained less often than {most} times, for time: {', '.join(few)}. The mean of one that was trained once "
            "is given the spread of the others' trainings."
        )
    return sentences


def accuracy_chart(trends: Mapping[str, Trend], compute: Mapping[str, Sequence[float]], n: int) -> Chart:
    """Accuracy against the training compute of all that it rests on, in TFLOP."""
    shown = {
        "base_pass@1": ("base, pass@1", GREY),
        "pass@1": ("GPT*, pass@1", PURPLE),
        f"majority@{n}": (f"majority of {n}", ORANGE),
        f"orm@{n}": (f"best of {n}, ORM", GREEN),
        f"prm@{n}": (f"best of {n}, PRM", BLUE),
    }
    series = [
        _line(label, [flops / 1e12 for flops in compute[name]], trends[name], color)
        for name, (label, color) in shown.items()
        if name in trends
    ]
    ticks = sorted({2.0 ** round(log2(x)) for line in series for x in line.x})
    axis = Axis(
        "Accuracy against training compute, equal data", "training compute, TFLOP", "accuracy", log2=True,
        ticks=ticks, from_zero=True,
    )  # fmt: skip
    return Chart(series, axis)


def advantages_chart(trends: Mapping[str, Trend], parameters: Sequence[int], n: int) -> Chart:
    """PRM minus ORM and PRM minus majority against size."""
    x = [p / 1e6 for p in parameters]
    series = [
        _line("PRM minus ORM", x, trends[f"prm_minus_orm@{n}"], GREEN),
        _line("PRM minus majority", x, trends[f"prm_minus_majority@{n}"], ORANGE),
    ]
    axis = Axis(
        f"The PRM's advantage, best of {n}", "million parameters", "difference in accuracy", log2=True,
        ticks=x, tick_labels=[f"{v:.1f}" for v in x],
    )  # fmt: skip
    return Chart(series, axis)


def feature_chart(trends: Mapping[str, Trend], x: Sequence[float], unit: str, n: int) -> Chart:
    """What the probability feature gives the PRM: in best of N, and in step F1."""
    series = [_line(f"best of {n}", x, trends[f"feature_gain@{n}"], BLUE)]
    if "feature_gain_step_f1" in trends:
        series.append(_line("step F1", x, trends["feature_gain_step_f1"], SKY))
    axis = Axis(
        "PRM with the probability feature minus PRM without", unit, "difference", log2=True,
        ticks=x, tick_labels=[f"{v:.2g}" for v in x],
    )  # fmt: skip
    return Chart(series, axis)


def _line(label: str, x: Sequence[float], measured: Trend, color: str) -> Series:
    spread = [(point.high - point.low) / 2 for point in measured.points]
    return Series(label, list(x), [point.mean for point in measured.points], color, spread=spread)
