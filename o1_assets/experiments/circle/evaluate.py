"""circle/.../eval, one generation with and without the words, and circle/result, all of them side by side.

answers.parquet of a generation has a row a problem and way of asking:

    problem_id  String
    kind        String    "trained"; KIND, of which no generation trains on any; of problems/ood its own
    words       Boolean   asked with the words
    right       Float64   share of the solutions that are right
    any         Float64   1 where at least one is
    greedy      Float64   1 where the greedy solution is right
    chains      Float64   share of the solutions that are chains
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.config import SamplingConfig
from o1_assets.evaluation.evaluate_policy import held_out, sample
from o1_assets.evaluation.statistics import Floats, Interval, bootstrap, bounds, interval_around
from o1_assets.experiments.circle.config import CircleEvalConfig, with_words
from o1_assets.experiments.circle.rows import KIND, held_out_kind, is_chain
from o1_assets.experiments.mini.result import share_interval
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result

TRAINED = "trained"
TRIPLED = 3.0

# Arm -> what its generations learn from. The first is the circle, the others its controls.
ARMS = {
    "verified": "chains that the vote chose and PRM and ORM accept",
    "unverified": "any chains",
    "direct": "right direct answers",
}
COLORS = {"verified": BLUE, "unverified": ORANGE, "direct": GREY}


def make_generation_eval(task: Task, config: CircleEvalConfig) -> Outcome:
    """Inputs: base, test and ood (problems)."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    kind = pl.when(held_out_kind(test)).then(pl.lit(KIND)).otherwise(pl.lit(TRAINED))
    ood = held_out(read_parquet(task.inputs["ood"] / "problems.parquet"), config.ood_problems)
    engine = task.open_engine(task.inputs["base"])
    cost, parts = Cost(), []
    for problems, prompt in (
        (test.with_columns(kind=kind), config.prompt),
        (ood, config.prompt.scaled(config.longer)),
    ):
        for words in (False, True):
            sampling = SamplingConfig(
                problems=max(2, problems.height),
                samples=config.samples,
                temperature=config.temperature,
                prompt=with_words(prompt) if words else prompt,
            )
            # Equal random numbers for all generations and arms: they are compared in pairs.
            solutions, spent = sample(engine, problems, sampling, derive_seed(task.seed, "samples"))
            greedy, also_spent = sample(
                engine, problems, sampling, derive_seed(task.seed, "greedy"), greedy=True
            )
            parts.append(answers(solutions, greedy, problems, words))
            cost += spent + also_spent
    engine.close()
    table = pl.concat(parts)
    table.write_parquet(task.out / "answers.parquet")
    of_test = table.filter(pl.col("kind") == TRAINED).group_by("words").agg(pl.col("right", "chains").mean())
    figures = {
        f"{name}_{'with' if row['words'] else 'without'}_words": float(row[name])
        for row in of_test.sort("words").iter_rows(named=True)
        for name in ("right", "chains")
    }
    return Outcome({**figures}, cost, table.height)


def answers(
    solutions: pl.DataFrame, greedy: pl.DataFrame, problems: pl.DataFrame, words: bool
) -> pl.DataFrame:
    """As in answers.parquet, in the order of problem ids."""
    right = pl.col("correct").cast(pl.Float64)
    table = solutions.group_by("problem_id").agg(
        right=right.mean(), any=right.max(), chains=is_chain().cast(pl.Float64).mean()
    )
    likeliest = greedy.select("problem_id", greedy=right)
    table = table.join(problems.select("problem_id", "kind"), on="problem_id").join(
        likeliest, on="problem_id"
    )
    table = table.with_columns(words=words)
    return table.select("problem_id", "kind", "words", "right", "any", "greedy", "chains").sort("problem_id")


# All generations.


@dataclass(frozen=True)
class Generations:
    """evals: (arm, generation) -> its answers. Generation 0 is the same base in every arm."""

    evals: Mapping[tuple[str, int], pl.DataFrame]

    @property
    def last(self) -> int:
        return max(generation for _, generation in self.evals)

    def of(
        self, arm: str, generation: int, kind: str = TRAINED, words: bool = False, measure: str = "right"
    ) -> Floats:
        """[problems]"""
        chosen = (pl.col("kind") == kind) & (pl.col("words") == words)
        values: Floats = self.evals[arm, generation].filter(chosen)[measure].to_numpy()
        return values

    def line(self, arm: str, kind: str = TRAINED, words: bool = False, measure: str = "right") -> list[float]:
        """The mean of each generation."""
        return [float(self.of(arm, g, kind, words, measure).mean()) for g in range(self.last + 1)]

    @property
    def kinds(self) -> list[str]:
        """Of the problems, the trained one first."""
        kinds = self.evals[next(iter(ARMS)), 0]["kind"].unique().sort().to_list()
        return [TRAINED, *(kind for kind in kinds if kind != TRAINED)]


def make_circle_result(task: Task, config: CircleEvalConfig) -> Outcome:
    """Inputs: base (the eval of generation 0), and `<arm>_<generation>`, the evals of every other one."""
    base = read_parquet(task.inputs["base"] / "answers.parquet")
    evals = {(arm, 0): base for arm in ARMS}
    for name, folder in task.inputs.items():
        if name != "base":
            arm, generation = name.split("_")
            evals[arm, int(generation)] = read_parquet(folder / "answers.parquet")
    result = circle_result(Generations(evals), config, derive_seed(task.seed, "bootstrap"))
    write_result(task.out, result)
    figures = {claim.name: claim.value for claim in result.claims}
    return Outcome({**figures}, rows=len(evals), sample=result.tables["generations"].frame.to_dicts())


def mean_interval(values: Floats, resamples: int, seed: int) -> Interval:
    """Of the mean over problems."""
    drawn = bootstrap(lambda p: float(values[p].mean()), (len(values),), resamples, seed)
    interval = interval_around(float(values.mean()), drawn)
    assert interval is not None
    return interval


def circle_result(made: Generations, config: CircleEvalConfig, seed: int) -> Result:
    circle, last = next(iter(ARMS)), made.last
    first, end = made.of(circle, 0), made.of(circle, last)

    def mean(
        name: str, says: str, values: Floats, unit: str = "points", target: float | None = None
    ) -> Claim:
        interval = mean_interval(values, config.resamples, seed)
        return Claim(
            name, says, interval.mean, interval.low, interval.high, target,
            unit="share" if unit == "share" else "points",
        )  # fmt: skip

    ratio = share_interval(end, first, None, config.resamples, seed)
    likeliest = share_interval(
        made.of(circle, last, measure="greedy"),
        made.of(circle, 0, measure="greedy"),
        None,
        config.resamples,
        seed,
    )
    claims = [
        Claim(
            "circle_direct_to_chain",
            f"accuracy without the words of generation {last}, times that of generation 0",
            *bounds(ratio),
            TRIPLED,
            unit="number",
        ),
        # Of direct answers, the likeliest is far better than a sampled one: the corpus' own are often wrong.
        Claim("circle_direct_to_chain_greedy", "the same of greedy solutions", *bounds(likeliest), unit="number"),
        *(
            mean(f"circle_accuracy_g{g}", f"accuracy without the words, generation {g}", made.of(circle, g), "share")
            for g in range(last + 1)
        ),
        mean(
            "circle_unasked_chains", f"chains that generation {last} writes unasked",
            made.of(circle, last, measure="chains"), "share", 0.9,
        ),
        *(
            mean(
                f"circle_need_for_words_g{g}", f"accuracy with the words minus without, generation {g}",
                made.of(circle, g, words=True) - made.of(circle, g),
            )
            for g in (0, last)
        ),
        mean(
            "circle_gain_with_words", f"accuracy with the words, generation {last} minus generation 0",
            made.of(circle, last, words=True) - made.of(circle, 0, words=True),
        ),
        *(
            mean(f"circle_minus_{arm}", f"without the words, generation {last}: minus the control, {says}",
                 end - made.of(arm, last))
            for arm, says in ARMS.items() if arm != circle
        ),
        *(
            mean(
                f"circle_gain_{kind.replace(' ', '_')}",
                f"without the words, generation {last} minus generation 0, problems of the kind: {kind}",
                made.of(circle, last, kind) - made.of(circle, 0, kind),
            )
            for kind in made.kinds
        ),
        *_behind(made, config, seed),
    ]  # fmt: skip
    return Result(
        "circle",
        "The virtuous circle: thinking becomes the base's own habit",
        "Does a base that thinks only when told to become one that thinks by itself, and better, on its own chains?",
        claims,
        {"generations": _generations_table(made, config, seed), "kinds": _kinds_table(made)},
        charts(made),
        [
            f"{len(first)} held-out problems with {config.samples} solutions each, with the words and without; "
            "intervals are 95%, over problems. Each base was trained once.",
            "Every generation goes on from the one before it, and reads equally many rows in equally many updates, in "
            "all arms. The words are never in front of a row.",
            "A sampled direct answer is as noisy as those of the corpus, of which a part is wrong. So right direct "
            "answers alone raise accuracy too, and what thinking adds is the difference to that control. The control "
            "is filtered by the answer key, which the circle never reads: its chains are verified by a vote and by "
            "the loop's PRM and ORM.",
            "The ratio depends on how many of the corpus' direct answers are right (base.corpus.direct_right_rate). "
            "Where all are, nano's base answers better than it thinks, and the circle brings the habit and little "
            "else (docs/decisions/circle.md).",
            f"No generation trains on a problem that {KIND}; the base's corpus has such problems, with chains after "
            "the words. Problems out of distribution (longer, larger, chain_sum) are in no training at all.",
        ],
        {"circle": ["accuracy", "chains", "kinds"]},
    )


def _behind(made: Generations, config: CircleEvalConfig, seed: int) -> list[Claim]:
    """How far the gain on the held-out kind stays behind: two groups of problems, drawn independently."""
    circle, last = next(iter(ARMS)), made.last
    held, trained = (
        made.of(circle, last, kind, True) - made.of(circle, 0, kind, True) for kind in (KIND, TRAINED)
    )
    if not len(held):
        return []
    drawn = bootstrap(
        lambda h, t: float(held[h].mean() - trained[t].mean()),
        (len(held), len(trained)),
        config.resamples,
        seed,
        (len(held), len(trained)),
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    return [
        Claim(
            "circle_held_out_minus_trained",
            "what chains gain, asked with the words: on the kind that no generation trained on, minus on the others",
            float(held.mean() - trained.mean()),
            float(low),
            float(high),
            unit="points",
        )
    ]


def _generations_table(made: Generations, config: CircleEvalConfig, seed: int) -> Table:
    rows = []
    for arm in ARMS:
        for g in range(made.last + 1):
            if g == 0 and arm != next(iter(ARMS)):
                continue
            interval = mean_interval(made.of(arm, g), config.resamples, seed)
            rows.append(
                {
                    "learns from": "its corpus" if g == 0 else ARMS[arm],
                    "generation": g,
                    "without the words": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "greedy": float(made.of(arm, g, measure="greedy").mean()),
                    "with the words": float(made.of(arm, g, words=True).mean()),
                    "chains unasked": float(made.of(arm, g, measure="chains").mean()),
                    f"any of {config.samples}": float(made.of(arm, g, measure="any").mean()),
                }
            )
    return Table("Each generation, and the controls with equal rows and updates.", pl.DataFrame(rows))


def _kinds_table(made: Generations) -> Table:
    circle = next(iter(ARMS))
    rows = [
        {
            "problems": kind,
            "number": len(made.of(circle, 0, kind)),
            "asked": "with the words" if words else "without",
            **{f"generation {g}": value for g, value in enumerate(made.line(circle, kind, words))},
        }
        for kind in made.kinds
        for words in (False, True)
    ]
    return Table("What comes along: kinds of problems that no generation trained on.", pl.DataFrame(rows))


def charts(made: Generations) -> dict[str, Chart]:
    circle, generations = next(iter(ARMS)), range(made.last + 1)

    def axis(title: str, y: str) -> Axis:
        return Axis(title, "generation", y, ticks=list(generations), from_zero=True)

    def by_arm(measure: str) -> list[Series]:
        names = {"verified": "circle", "unverified": "not verified", "direct": "direct answers"}
        return [Series(names[arm], generations, made.line(arm, measure=measure), COLORS[arm]) for arm in ARMS]

    told = Series("told to think", generations, made.line(circle, words=True), SKY, style="dashed")
    colors = dict(zip(made.kinds, (BLUE, RED, GREEN, PURPLE, ORANGE), strict=False))
    kinds = [
        Series(
            kind, generations, made.line(circle, kind), color, style="line" if kind == TRAINED else "dashed"
        )
        for kind, color in colors.items()
    ]
    return {
        "accuracy": Chart([*by_arm("right"), told], axis("Accuracy without the words", "accuracy")),
        "chains": Chart(by_arm("chains"), axis("Chains that nobody asked for", "share of solutions")),
        "kinds": Chart(kinds, axis("The circle on kinds that it never trained on", "accuracy")),
    }
