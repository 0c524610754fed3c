"""ablations/active/scores_<seed>: what the selectors think of every different solution of the pool.

scratch: a PRM trained on one solution a problem, of a few problems (Lightman et al. 2023, section 4.2). added: the
PRM of phase 1. Writes scores.parquet: solution_id, and of both selectors score (product) and doubt.
"""

from __future__ import annotations

import polars as pl

from o1_assets.ablations.active.choose import SAME, doubt, draw
from o1_assets.ablations.active.config import SETTINGS, ActiveSelectorConfig
from o1_assets.ablations.active.labels import examples, problems_of
from o1_assets.ablations.active.packed import Packed
from o1_assets.ablations.active.training import material, reading, train_prm
from o1_assets.artifact import Cost, Figures, Outcome, Task
from o1_assets.reward.judge import area_under_curve
from o1_assets.seeds import derive_seed


def make_scores(task: Task, config: ActiveSelectorConfig) -> Outcome:
    """Inputs: pool (solutions), train (problems), generator, prm (of phase 1)."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import load_reward_model
    from o1_assets.reward.score import open_generator

    problems = problems_of(pl.read_parquet(task.inputs["train"] / "problems.parquet"))
    samples = pl.read_parquet(task.inputs["pool"] / "solutions.parquet")
    tokenizer, generator = load_tokenizer(task.inputs["generator"]), open_generator(task.inputs["generator"])
    template = config.prm.prompt_template
    first = draw(samples, 1, derive_seed(task.seed, "first")).head(config.solutions)
    learnt = material(examples(first, problems, tokenizer, template, 0), generator, config.prm)
    selector, cost = train_prm(
        task.inputs["generator"], learnt, config.prm, task.seed, task.progress, task.unfinished
    )
    different = samples.sort("problem_id", "sample").unique(SAME, keep="first", maintain_order=True)
    questions = {name: str(problem["question"]) for name, problem in problems.items()}
    task.progress(f"scores {different.height} different solutions of {samples.height}")
    packed = Packed.of(different, questions, tokenizer, generator, config.prm)
    cost += reading(generator, packed.tokens) if config.prm.probability_feature else Cost()
    models = {"scratch": selector, "added": load_reward_model(task.inputs["prm"]).to(generator.device)}
    figures: Figures = {
        "pool": samples.height,
        "different": different.height,
        "correct": samples.select(pl.col("correct").mean()).item(),
        "selector_solutions": first.height,
    }
    table, right = different.select("solution_id"), different["correct"].to_numpy()
    for setting in SETTINGS:
        found = packed.p_right(models[setting])
        cost += reading(models[setting].backbone, packed.tokens)
        score = pl.Series(f"{setting}_score", [float(p.prod()) if len(p) else 0.0 for p in found], pl.Float64)
        table = table.with_columns(
            score, pl.Series(f"{setting}_doubt", [doubt(p) for p in found], pl.Float64)
        )
        figures[f"{setting}_auc"] = area_under_curve(score.to_numpy(), right)
    table.write_parquet(task.out / "scores.parquet")
    return Outcome(figures, cost, table.height)
