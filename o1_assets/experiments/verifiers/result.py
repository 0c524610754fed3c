"""What `ablations/verifiers` found: claims as paired differences, tables and charts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.best_of_n import MAJORITY, PASS, WEIGHTED
from o1_assets.evaluation.statistics import interval
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.experiments.verifiers import config as arms
from o1_assets.experiments.verifiers.compared import compare
from o1_assets.experiments.verifiers.compared_result import compared_chart, compared_claims, compared_table
from o1_assets.experiments.verifiers.config import WORKS_AGAIN, VerifiersResultConfig
from o1_assets.experiments.verifiers.measure import (
    ALL,
    LEAST_LIKELY,
    PART,
    POOLS,
    accuracies,
    main_selectors,
    selector_name,
    values,
)


@dataclass(frozen=True)
class Difference:
    """A claim: the accuracy of `better` minus that of `worse`, on the same problems, solutions and random subsets.

    better, worse: selectors. problems: ALL or PART, as in the table of accuracies.
    """

    name: str
    says: str
    better: str
    worse: str
    target: float | None = None
    problems: str = ALL
    pools: tuple[str, ...] = ("test", "ood")


def differences(config: VerifiersResultConfig) -> list[Difference]:
    """The main PRM is that of the most labels, the ORM the best supplied one: neither was chosen by its result."""
    largest = config.sizes[-1]
    prm = arms.prm(largest)
    return [
        Difference(
            "prm_minus_orm", "Best of N by the PRM beats best of N by the ORM (Lightman et al. 2023: 78.2 and 72.4; "
            "out of distribution 72.9 and 63.8).", prm, arms.EVERY, 0.05,
        ),
        Difference(
            "prm_minus_majority", "Best of N by the PRM beats majority voting (Lightman et al. 2023: 78.2 and 69.6; "
            "out of distribution 72.9 and 61.3).", prm, MAJORITY, 0.10,
        ),
        Difference(
            "prm_minus_orm_same_solutions", "The same, the ORM being trained on the PRM's solutions only.",
            prm, arms.orm(largest), None, PART,
        ),
        Difference(
            "prm_minus_least_likely_token", "The PRM beats the least likely token's log-probability, which needs no "
            "training.", prm, LEAST_LIKELY,
        ),
        Difference(
            "probability_feature_gain", "What a PRM that starts from GPT* gains by being told how unlikely GPT* found "
            "each step.",
            arms.FROM_GENERATOR, arms.bare(largest), None, PART,
        ),
        Difference(
            "product_minus_minimum", "The product over steps against the worst step (Lightman et al. 2023, appendix F: "
            "78.2 and 77.6).", prm, selector_name(prm, "minimum", "right"),
        ),
        Difference(
            "neutral_right_minus_wrong", "Neutral steps as right against neutral as wrong (Lightman et al. 2023, "
            "appendix F: 78.2 and 77.4).", prm, selector_name(prm, "product", "wrong"),
        ),
        Difference(
            "prm_vote_minus_best", "Majority weighted by the PRM against its best solution.", WEIGHTED + prm, prm,
        ),
        *[difference for compared in config.compared[-1:] for difference in _by_large(compared)],
    ]  # fmt: skip


def _by_large(compared: int) -> list[Difference]:
    return [
        Difference(
            "process_minus_outcome", "On the same solutions: supervision of every step by the large PRM against its "
            "verdict on the whole (Lightman et al. 2023, section 4.1).",
            arms.large_process(compared), arms.large_outcome(compared), None, PART, ("test",),
        ),
        Difference(
            "process_minus_answer", "On the same solutions: supervision of every step by the large PRM against the "
            "final answer (Lightman et al. 2023, section 4.1).",
            arms.large_process(compared), arms.orm(compared), None, PART, ("test",),
        ),
        Difference(
            "large_outcome_minus_answer", "On the same solutions: the large PRM's verdict on the whole against the "
            "final answer (Lightman et al. 2023, section 4.1).",
            arms.large_outcome(compared), arms.orm(compared), None, PART, ("test",),
        ),
    ]  # fmt: skip


def claims(table: pl.DataFrame, config: VerifiersResultConfig, seed: int) -> list[Claim]:
    """prm_minus_orm@64, then the same out of distribution with `_ood`, and so on."""
    differing = []
    for difference in differences(config):
        for pool in difference.pools:
            gap = values(table, pool, difference.problems, difference.better, config.n) - values(
                table, pool, difference.problems, difference.worse, config.n
            )
            measured = interval(gap, config.resamples, seed)
            differing.append(
                Claim(
                    name=f"{difference.name}@{config.n}" + ("_ood" if pool == "ood" else ""),
                    says=difference.says if pool == "test" else f"Out of distribution: {difference.says}",
                    value=measured.mean,
                    low=measured.low,
                    high=measured.high,
                    target=difference.target,
                    unit="points",
                )
            )
    return differing


TITLES = {"test": "in distribution", "ood": "out of distribution"}

NOTES = (
    "Every selector chooses among the same solutions of GPT*; for each N random subsets of them are drawn, the same "
    "for all. Intervals are 95%, over training seeds and problems together.",
    "All models make the same number of updates, with the profile's settings for round 0, and start from what its "
    "first reward models start from; the table `compared` says what its own start from. A PRM's labels of a solution "
    "end at its first wrong step and include rated alternatives; an ORM reads the whole solution. The PRM of the "
    "claims has the most labelled solutions, the ORM the outcomes of all sampled ones.",
    "The probability feature tells a reward model the log-probability of each step's least likely token under GPT*. "
    "A PRM from GPT* with it, one without it, and that number alone are compared with each other.",
    "Lightman et al. 2023 (arXiv:2305.20050): best of 1860 on MATH: PRM 78.2, ORM 72.4, majority 69.6; best of 100 out "
    "of distribution: 72.9, 63.8, 61.3.",
    "Out of distribution are longer expressions, larger factors and values, and another generator of reasoning_gym "
    "asked in another form (problems/ood, column kind).",
    "The PRMs of `compared` learn from the same ratings with the same updates. They differ in their start, and in "
    "whether they read the probability feature: the profile's does, and one that starts from GPT*. Accuracies "
    "are over all subsets of the samples. Hard steps are right ones with a token that GPT* gives less than .3, against "
    "wrong ones without. Steps are judged up to the first wrong one.",
    "works_again has no training. What it generates is paid for again with every solution that it judges.",
)


BY_LARGE = (
    "In the controlled comparison the last round's PRM is the large PRM: it calls a step wrong where P(negative) is "
    "above a threshold (0.2 in the paper), and labels end there. It is no larger than the models that it supervises, "
    "only better supplied, and some of the solutions it judges here it was trained on.",
)
OF_STARTS = (
    "Marks on homework cost no labels, and they are not labels: the teachers hold misconceptions of their own. Those "
    "who hold none mark by the true rule. Their pages are exact labels in any number and free of charge, so whatever "
    "exact_marks has above marks_as_writers is given away by the corpus, not earned by the method. The teachers of the "
    "others hold misconceptions as often as the profile says (verifier.homework.marker_scale).",
)


def make_result(task: Task, config: VerifiersResultConfig) -> Outcome:
    """Inputs: test, ood (pools), scores_<seed>. Writes the result, and accuracy.parquet with what it rests on."""
    table = accuracies(task, config)
    table.write_parquet(task.out / "accuracy.parquet")
    seed = derive_seed(task.seed, "bootstrap")
    comparison = compare(task, list(config.compared_arms), config.seeds)
    homework = any(arms.started(name) in config.compared_arms for name in arms.STARTS)
    claimed = [*claims(table, config, seed), *compared_claims(comparison, config, seed)]
    ancestry = task.ancestry(WORKS_AGAIN)
    again = ancestry[-1][1].cost.tokens_generated / (ancestry[-1][1].rows or 1) if ancestry else None
    write_result(
        task.out,
        Result(
            name="verifiers",
            title="Process supervision, outcome supervision, majority",
            question="Which verifier finds the right one among N solutions, and what does it have to be told?",
            claims=claimed,
            tables={
                "compared": compared_table(comparison, config, again),
                **{f"best_of_n_{pool}": _curve_table(table, config, pool) for pool in POOLS},
                **{f"labels_{pool}": _label_table(table, config, pool, seed) for pool in POOLS},
                "ood_kinds": _kinds_table(
                    table, config, read_parquet(task.inputs["ood"] / "problems.parquet")
                ),
            },
            charts={
                **{f"best_of_n_{pool}": _curve_chart(table, config, pool) for pool in POOLS},
                **{f"labels_{pool}": _label_chart(table, config, pool) for pool in POOLS},
                **({"controlled": _controlled_chart(table, config)} if config.compared else {}),
                "compared": compared_chart(comparison, config),
            },
            notes=[*NOTES, *(BY_LARGE if config.compared else ()), *(OF_STARTS if homework else ())],
            panels={
                "best_of_n": ["best_of_n_test", "best_of_n_ood"],
                "labels": ["labels_test", "labels_ood"],
            },
        ),
    )
    return Outcome(
        figures={claim.name: claim.value for claim in claimed},
        rows=table.height,
        sample=[{"claim": claim.name, "value": claim.value, "target": claim.target} for claim in claimed],
    )


def _appearance(config: VerifiersResultConfig) -> dict[str, tuple[str, str]]:
    """Selector -> (its name for people, its colour), in the order of the tables."""
    prm = arms.prm(config.sizes[-1])
    return {
        prm: ("PRM", plots.BLUE),
        selector_name(prm, "minimum", "right"): ("PRM, worst step", plots.SKY),
        selector_name(prm, "product", "wrong"): ("PRM, neutral as wrong", plots.SKY),
        selector_name(prm, "minimum", "wrong"): ("PRM, worst step, neutral as wrong", plots.SKY),
        WEIGHTED + prm: ("PRM-weighted vote", plots.RED),
        arms.EVERY: ("ORM", plots.ORANGE),
        WEIGHTED + arms.EVERY: ("ORM-weighted vote", plots.ORANGE),
        MAJORITY: ("majority", plots.PURPLE),
        LEAST_LIKELY: ("least likely token", plots.GREEN),
        PASS: ("any right", plots.GREY),
    }


def _drawn(config: VerifiersResultConfig) -> tuple[str, ...]:
    prm = arms.prm(config.sizes[-1])
    return (prm, WEIGHTED + prm, arms.EVERY, MAJORITY, LEAST_LIKELY, PASS)


def _curve_table(table: pl.DataFrame, config: VerifiersResultConfig, pool: str) -> Table:
    """A row a selector, a column an N; at 1 every selector is a random choice."""
    appearance = _appearance(config)
    whole = table.filter((pl.col("pool") == pool) & (pl.col("problems") == ALL))
    rows = []
    for selector in sorted(main_selectors(config.sizes[-1]), key=list(appearance).index):
        means = (
            whole.filter(pl.col("selector") == selector)
            .group_by("n")
            .agg(pl.col("accuracy").mean())
            .sort("n")
        )
        rows.append({"choice": appearance[selector][0], **{f"N={n}": mean for n, mean in means.iter_rows()}})
    title = f"Accuracy of best of N {TITLES[pool]}, mean over trainings; at N=1 every choice is random."
    return Table(title, pl.DataFrame(rows))


def _kinds_table(table: pl.DataFrame, config: VerifiersResultConfig, problems: pl.DataFrame) -> Table:
    """A row a kind of problems/ood; accuracies are in the order of problem ids, as kinds are here."""
    kinds = problems.sort("problem_id").with_columns(kind=problems_kind(problems))["kind"].to_numpy()
    appearance = _appearance(config)
    rows = []
    for kind in sorted(set(kinds)):
        is_kind = kinds == kind
        best = {
            appearance[selector][0]: float(values(table, "ood", ALL, selector, config.n)[:, is_kind].mean())
            for selector in _drawn(config)
        }
        once = float(values(table, "ood", ALL, MAJORITY, 1)[:, is_kind].mean())
        rows.append({"kind": kind, "problems": int(is_kind.sum()), "one at random": once, **best})
    return Table(f"Best of {config.n} on each kind of problem out of distribution.", pl.DataFrame(rows))


def problems_kind(problems: pl.DataFrame) -> pl.Expr:
    """The column `kind`, or the source of problems without one."""
    return pl.col("kind" if "kind" in problems.columns else "source")


def _curve_chart(table: pl.DataFrame, config: VerifiersResultConfig, pool: str) -> Chart:
    whole = table.filter((pl.col("pool") == pool) & (pl.col("problems") == ALL))
    appearance, series = _appearance(config), []
    for selector in _drawn(config):
        means = (
            whole.filter(pl.col("selector") == selector)
            .group_by("n")
            .agg(pl.col("accuracy").mean(), spread=pl.col("accuracy").std().fill_null(0.0))
            .sort("n")
        )
        label, color = appearance[selector]
        series.append(
            Series(
                label,
                means["n"].to_list(),
                means["accuracy"].to_list(),
                color,
                means["spread"].to_list() if selector in (arms.prm(config.sizes[-1]), arms.EVERY) else None,
                style="dashed" if selector == PASS else "line",
            )
        )
    return Chart(series, Axis(f"Best of N, {TITLES[pool]}", "N solutions a problem", "accuracy", log2=True))


def _label_table(table: pl.DataFrame, config: VerifiersResultConfig, pool: str, seed: int) -> Table:
    """A row an arm, at the N of the claims, on the problems that all models scored."""
    part = table.filter((pl.col("pool") == pool) & (pl.col("problems") == PART) & (pl.col("n") == config.n))
    rows = []
    for arm in part["selector"].unique(maintain_order=True):
        measured = interval(values(table, pool, PART, arm, config.n), config.resamples, seed)
        rows.append(
            {"arm": arm, f"best of {config.n}": measured.mean, "low": measured.low, "high": measured.high}
        )
    title = (
        f"Best of {config.n} {TITLES[pool]} on {config.problems} problems: the number in an arm's name is how many "
        "solutions it learned from (prm: their ratings; orm: their outcomes; by_large: as the large PRM judges them)."
    )
    return Table(title, pl.DataFrame(rows).sort("arm"))


def _against_labels(
    table: pl.DataFrame, pool: str, name: str, sizes: tuple[int, ...], by_size: list[str], color: str, n: int
) -> Series:
    means, spreads = [], []
    for arm in by_size:
        of_seeds = values(table, pool, PART, arm, n).mean(1)
        means.append(float(of_seeds.mean()))
        spreads.append(float(of_seeds.std(ddof=1)))
    return Series(name, list(sizes), means, color, spreads)


def _flat(
    table: pl.DataFrame, pool: str, name: str, arm: str, color: str, config: VerifiersResultConfig
) -> Series:
    mean = float(values(table, pool, PART, arm, config.n).mean())
    ends = [config.sizes[0], config.sizes[-1]]
    return Series(name, ends, [mean, mean], color, style="dashed")


def _label_chart(table: pl.DataFrame, config: VerifiersResultConfig, pool: str) -> Chart:
    sizes, n = config.sizes, config.n
    return Chart(
        [
            _against_labels(table, pool, "PRM", sizes, [arms.prm(s) for s in sizes], plots.BLUE, n),
            _against_labels(table, pool, "ORM", sizes, [arms.orm(s) for s in sizes], plots.ORANGE, n),
            _flat(table, pool, "ORM, all outcomes", arms.EVERY, plots.ORANGE, config),
            _flat(table, pool, "majority", MAJORITY, plots.PURPLE, config),
        ],
        Axis(
            f"Best of {n} against labels, {TITLES[pool]}",
            "labelled solutions",
            "accuracy",
            log2=True,
            ticks=sizes,
        ),
    )


def _controlled_chart(table: pl.DataFrame, config: VerifiersResultConfig) -> Chart:
    sizes, n = config.compared, config.n
    process = [arms.large_process(s) for s in sizes]
    outcome = [arms.large_outcome(s) for s in sizes]
    answer = [arms.orm(s) for s in sizes]
    return Chart(
        [
            _against_labels(table, "test", "steps, large PRM", sizes, process, plots.BLUE, n),
            _against_labels(table, "test", "outcome, large PRM", sizes, outcome, plots.SKY, n),
            _against_labels(table, "test", "final answer", sizes, answer, plots.ORANGE, n),
        ],
        Axis(
            f"Best of {n}: three ways of supervision",
            "solutions",
            "accuracy",
            log2=True,
            ticks=sizes,
        ),
    )
