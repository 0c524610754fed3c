"""eval/summary: every round side by side, every PRM on one fixed pool, and the headline figures.

Writes rounds.parquet (one row a round), pool.parquet (solutions of all rounds with every PRM's score),
curves.parquet (chart, selector, n, mean, std), solved.parquet (what each version solves of each problem),
pass_at_k.parquet (of each version), best_of_n.parquet (of GPT* and the last version, by the newest PRM, up to all
samples), corrections.parquet (how each doubts), examples.json, headline.json and plots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation import charts
from o1_assets.evaluation.best_of_n import fooled_on_pool
from o1_assets.evaluation.config import SummaryConfig
from o1_assets.evaluation.headline import PASS_KS, Headline, headline, result_headlines
from o1_assets.evaluation.round_eval import mean_curves
from o1_assets.evaluation.versions import best_of_n, corrections, pass_at_k, solved
from o1_assets.reward.aggregate import right_probabilities, solution_score


def make_summary(task: Task, config: SummaryConfig) -> Outcome:
    """Inputs: eval_00, eval_01, ... and prm_00, ..., one each a round; generator_eval, policy_eval,
    generator, test."""
    rounds = sorted(int(name.removeprefix("eval_")) for name in task.inputs if name.startswith("eval_"))
    problems = read_parquet(task.inputs["test"] / "problems.parquet")
    evals = {k: task.inputs[f"eval_{k:02d}"] for k in rounds}
    pool = fixed_pool(evals, config, task.seed)
    # Every PRM reads every round's solutions, its own round's and those it never saw.
    pool, cost = _score_with_every_prm(task, pool, problems, rounds, config.prompt)
    fooled = {k: _fooled(pool, k) for k in rounds}
    table = round_table(evals, fooled)
    first, last = rounds[0], rounds[-1]
    # Figures that were measured once are read, never measured again.
    generator = _read(task.inputs["generator_eval"] / "figures.json")
    policy = _read(task.inputs["policy_eval"] / "figures.json")
    figures = result_headlines(generator, policy, fooled[first], fooled[last])
    chosen = best_of_n(
        {"GPT*": task.inputs["generator_eval"], f"baby-o1 v{last}": task.inputs["policy_eval"]}
    )
    curves = _curves(task.inputs, evals[first], first, last)
    examples = choose_examples(pool, problems, first, last, config.correction_word, config.example_steps)
    pool.write_parquet(task.out / "pool.parquet")
    table.write_parquet(task.out / "rounds.parquet")
    curves.write_parquet(task.out / "curves.parquet")
    solved(evals, task.inputs["generator_eval"]).write_parquet(task.out / "solved.parquet")
    pass_at_k(evals, task.inputs["generator_eval"], PASS_KS).write_parquet(task.out / "pass_at_k.parquet")
    chosen.write_parquet(task.out / "best_of_n.parquet")
    doubts = corrections(evals, task.inputs["generator_eval"], config.correction_word)
    doubts.write_parquet(task.out / "corrections.parquet")
    _write(task.out / "examples.json", examples)
    _write(task.out / "headline.json", figures)
    # Numbered, because a title is no file name and a chart may be left out.
    for number, (series, axis) in enumerate(charts.learning(table.to_dicts())):
        plots.save_png(task.out / "plots" / f"learning_{number}.png", series, axis)
    return Outcome(
        {**{name: figure["value"] for name, figure in figures.items()}, **advantage(generator, "generator")},
        cost,
        table.height,
        table.select("round", "pass@1", "greedy", "prm_best_of_n", "fooled_pool").to_dicts(),
    )


def fixed_pool(evals: dict[int, Path], config: SummaryConfig, seed: int) -> pl.DataFrame:
    """Different rated solutions of all rounds, equally many right and wrong ones of each round where there are enough.

    Columns of solutions.parquet that PRMs read, with round and ratings (list, one a step). Every PRM is measured on
    the same pool: the fresh samples of two rounds are of two policies, and no PRM could be compared on them.
    """
    rated, parts = [], []
    for k, folder in evals.items():
        ratings = (
            read_parquet(folder / "steps.parquet")
            .sort("solution_id", "step")
            .group_by("solution_id", maintain_order=True)
            .agg(ratings=pl.col("rating"))
        )
        solutions = (
            read_parquet(folder / "solutions.parquet")
            .join(ratings, on="solution_id", how="inner", maintain_order="left")
            # Cut off within a step: the PRM did not read it, so that not every step has a rating.
            .filter(pl.col("ratings").list.len() == pl.col("steps").list.len())
            .with_columns(round=pl.lit(k, pl.Int32))
        )
        rated.append(solutions)
    # The same solution twice, in one round or in two, would count twice for every PRM.
    different = pl.concat(rated).unique(["problem_id", "text"], keep="first", maintain_order=True)
    for k, correct in product(evals, (True, False)):
        of_round = different.filter((pl.col("round") == k) & (pl.col("correct") == correct))
        wanted = min(config.pool_solutions // 2, of_round.height)
        drawn_by = derive_seed(seed, "pool", k, correct)
        parts.append(of_round.sort("solution_id").sample(wanted, seed=drawn_by, shuffle=True))
    return pl.concat(parts).select(
        "round", "solution_id", "problem_id", "steps", "token_ids", "answer", "correct", "ratings"
    )


def round_table(evals: dict[int, Path], fooled: dict[int, float | None]) -> pl.DataFrame:
    """One row a round: the round, its evaluation's figures, and fooled_pool of its PRM."""
    rows = [
        {"round": k, **_read(folder / "figures.json"), "fooled_pool": fooled[k]}
        for k, folder in evals.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def headline_of(summary: Path) -> dict[str, Headline]:
    """The headline figures in a summary's folder.

    Until 2026-12-01 a summary held the spread over sampling seeds in the place of an error, which is none: of such a
    one there are no errors.
    """
    rows: dict[str, dict[str, Any]] = _read(summary / "headline.json")
    return {
        name: headline(row["value"], row.get("error"), row["target"], row["better"])
        for name, row in rows.items()
    }


def advantage(figures: dict[str, Any], policy: str) -> dict[str, float | int | str | None]:
    """The PRM's lead over its rivals in standard errors, on the same solutions; names begin with `policy`."""
    lead: dict[str, float | int | str | None] = {}
    for rival in ("majority", "orm", "min_logprob"):
        lead[f"{policy}_prm_over_{rival}"] = figures[f"prm_over_{rival}"]
        lead[f"{policy}_prm_over_{rival}_se"] = figures[f"prm_over_{rival}_se"]
    return lead


def _score_with_every_prm(
    task: Task, pool: pl.DataFrame, problems: pl.DataFrame, rounds: list[int], prompt: PromptFormat
) -> tuple[pl.DataFrame, Cost]:
    """With score_k and p_right_k of every PRM v{k}."""
    from o1_assets.reward.score import load_scorer

    questions = dict(problems.select("problem_id", "question").iter_rows())
    completions, cost = pool["token_ids"].to_list(), Cost()
    prompts: list[list[int]] | None = None
    for k in rounds:
        task.progress(f"PRM v{k} scores the fixed pool of {pool.height} solutions")
        scorer = load_scorer(task.inputs[f"prm_{k:02d}"], task.inputs["generator"])
        # All PRMs share GPT*'s tokenizer, so the prompts are encoded once.
        if prompts is None:
            asked = [questions[problem] for problem in pool["problem_id"]]
            prompts = prompt.encode(scorer.tokenizer, asked)
        steps = scorer.step_probabilities(prompts, completions)
        cost += scorer.cost()
        pool = pool.with_columns(
            pl.Series(f"score_{k}", [solution_score(s) for s in steps], dtype=pl.Float64),
            pl.Series(
                f"p_right_{k}", [right_probabilities(s).tolist() for s in steps], dtype=pl.List(pl.Float64)
            ),
        )
    return pool, cost


def _fooled(pool: pl.DataFrame, k: int) -> float | None:
    return fooled_on_pool(pool[f"score_{k}"].to_numpy(), pool["correct"].to_numpy())


def _curves(inputs: Mapping[str, Path], first_eval: Path, first: int, last: int) -> pl.DataFrame:
    """The best-of-N charts of the report: GPT* with the newest PRM, the first round and the last."""
    # The same selectors before and after: what RL gains, and what choosing still adds on top of it.
    wanted = {
        f"GPT*, judged by PRM v{last}": inputs["generator_eval"],
        f"baby-o1 v{first}, judged by PRM v{first}": first_eval,
        f"baby-o1 v{last}, judged by PRM v{last}": inputs["policy_eval"],
    }
    rows = [
        {"chart": chart, **row}
        for chart, folder in wanted.items()
        for row in mean_curves(read_parquet(folder / "curves.parquet"))
    ]
    return pl.DataFrame(rows)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


# Three solutions a newcomer can read: one right, one that fooled the first PRM, one that corrects itself.

TITLES = {
    "right": "Right from start to end",
    "caught": "A convincing wrong answer, caught: PRM v{first} believes it, PRM v{newest} does not",
    "convincing": "A convincing wrong answer: it fools PRM v{newest}",
    "corrected": "It notices its own mistake",
}


def choose_examples(
    pool: pl.DataFrame, problems: pl.DataFrame, first: int, newest: int, word: str, longest: int
) -> list[dict[str, Any]]:
    """As the report shows them; kinds that do not occur are left out.

    pool: one row a solution, with solution_id, problem_id, steps, ratings (list, null where not rated),
    answer, correct, and for PRM v{k}: score_k and p_right_k (list). Ties are broken by solution_id.
    """
    old, new = f"score_{first}", f"score_{newest}"
    readable = pool.filter(pl.col("steps").list.len().is_between(3, longest)).sort("solution_id")
    has_wait = pl.col("steps").list.eval(pl.element().str.starts_with(word + " ")).list.any()
    positive = pl.col("ratings").list.eval(pl.element() >= 0).list.all()
    fixed = [_is_fixed(row, word) for row in readable.iter_rows(named=True)]
    readable = readable.with_columns(pl.Series("fixed", fixed, dtype=pl.Boolean))
    right = readable.filter(pl.col("correct") & positive & ~has_wait)
    wrong = readable.filter(~pl.col("correct") & ~has_wait)
    corrected = readable.filter(pl.col("correct") & pl.col("fixed"))
    # Convincing means what it does in the fooled rate: above the median right answer.
    # Where no answer is right there is no median, and nothing is above or below it.
    over, under = (pl.lit(pool.filter("correct")[name].median(), dtype=pl.Float64) for name in (old, new))
    caught = wrong.filter((pl.col(old) > over) & (pl.col(new) < under))
    chosen = [("right", right.sort(pl.col("steps").list.len() * -1, new, descending=[False, True]))]
    if caught.height and first != newest:
        chosen.append(("caught", caught.sort(pl.col(old) - pl.col(new), descending=True)))
    else:
        chosen.append(("convincing", wrong.sort(new, descending=True)))
    chosen.append(("corrected", corrected.sort(new, descending=True)))
    by_id = {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    return [
        _shown(kind, row, by_id[row["problem_id"]], first, newest)
        for kind, candidates in chosen
        for row in candidates.head(1).iter_rows(named=True)
    ]


def _is_fixed(row: dict[str, Any], word: str) -> bool:
    """Whether some wrong step is repaired by the correction right after it."""
    ratings = row["ratings"]
    return any(
        text.startswith(word + " ") and ratings[i] == 1 and i > 0 and ratings[i - 1] == -1
        for i, text in enumerate(row["steps"])
    )


def _shown(
    kind: str, row: dict[str, Any], problem: dict[str, Any], first: int, newest: int
) -> dict[str, Any]:
    # Two PRMs side by side, so that a reader sees what later labels taught the newest.
    steps = zip(row["steps"], row["ratings"], row[f"p_right_{newest}"], row[f"p_right_{first}"], strict=True)
    return {
        "kind": kind,
        "title": TITLES[kind].format(first=first, newest=newest),
        "question": problem["question"],
        "truth": problem["answer"],
        "answer": row["answer"],
        "correct": row["correct"],
        "first": first,
        "newest": newest,
        "first_score": row[f"score_{first}"],
        "newest_score": row[f"score_{newest}"],
        "steps": [
            {"text": text, "rating": rating, "newest": new, "first": old} for text, rating, new, old in steps
        ],
    }
