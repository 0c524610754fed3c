"""ablations/active/<setting>_<strategy>_<seed>: PRMs on more and more labels that one strategy chose, judged.

Writes sizes.parquet, a row a size: solutions, right (share with the right answer), steps (rated), what
`HeldOut.judge` gives, and what it cost. No PRM is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.ablations.active.choose import choose
from o1_assets.ablations.active.config import ActiveArmConfig
from o1_assets.ablations.active.judge import HeldOut
from o1_assets.ablations.active.labels import examples, problems_of
from o1_assets.ablations.active.training import material, reading, together, train_prm
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.files import json_bytes, replace_file
from o1_assets.reward.dataset import prm_examples
from o1_assets.seeds import derive_seed

REPLAY, CHOSEN = 0, 1
"""Rounds, as the sampler counts them: what is newest has its own share of every batch."""


def make_arm(task: Task, config: ActiveArmConfig) -> Outcome:
    """Inputs: init (what is fine-tuned), generator, pool and held_out (solutions), train and test (problems), scores
    (but for uniform), labels (of phase 1, replayed, where they are added to).

    A size that is done is kept where a killed training continues.
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.score import open_generator

    train = problems_of(pl.read_parquet(task.inputs["train"] / "problems.parquet"))
    test = problems_of(pl.read_parquet(task.inputs["test"] / "problems.parquet"))
    samples = pl.read_parquet(task.inputs["pool"] / "solutions.parquet")
    tokenizer, generator = load_tokenizer(task.inputs["generator"]), open_generator(task.inputs["generator"])
    held_out = HeldOut.of(
        pl.read_parquet(task.inputs["held_out"] / "solutions.parquet"),
        test, tokenizer, generator, config.prm, config.step_samples,
    )  # fmt: skip
    template, replay = config.prm.prompt_template, []
    if "labels" in task.inputs:
        labels = pl.read_parquet(task.inputs["labels"] / "labels.parquet")
        replay = [material(prm_examples(labels, tokenizer, template, REPLAY), generator, config.prm)]
    scores, rows, cost = _scores(task, config), [], Cost()
    for n in config.sizes:
        kept = task.unfinished / f"size_{n}.json" if task.unfinished else None
        row = _read(kept)
        if row is None:
            chosen = choose(
                config.strategy,
                samples,
                scores,
                n,
                config.per_problem,
                config.wrong_share,
                config.choice_seed,
            )
            own = examples(chosen, train, tokenizer, template, CHOSEN)
            learnt = together([material(own, generator, config.prm), *replay])
            model, spent = train_prm(
                task.inputs["init"], learnt, config.prm, derive_seed(task.seed, "training", n),
                _prefixed(task, f"{n} solutions: "), task.unfinished / f"training_{n}" if task.unfinished else None,
            )  # fmt: skip
            spent += reading(model.backbone, held_out.packed.tokens)
            row = {
                "solutions": n,
                "right": float(chosen.select(pl.col("correct").mean()).item()),
                "steps": sum(len(e.labels[0]) for e in own),
                **held_out.judge(model),
                "cost": asdict(spent),
            }
            if kept is not None:
                replace_file(kept, json_bytes(row))
        cost += Cost(**row.pop("cost"))
        rows.append(row)
    table = pl.DataFrame(rows)
    table.select(sorted(table.columns)).write_parquet(task.out / "sizes.parquet")
    best = f"best_of_{held_out.pool.samples}"
    means = {row["solutions"]: sum(row[best]) / len(row[best]) for row in rows}
    return Outcome(
        {
            **{f"{best} {n} solutions": mean for n, mean in means.items()},
            "rated_steps": rows[-1]["steps"],
            "right": rows[-1]["right"],
        },
        cost,
        len(rows),
    )


def _scores(task: Task, config: ActiveArmConfig) -> pl.DataFrame:
    if "scores" not in task.inputs:
        return pl.DataFrame()
    table = pl.read_parquet(task.inputs["scores"] / "scores.parquet")
    return table.select(
        "solution_id", score=pl.col(f"{config.setting}_score"), doubt=pl.col(f"{config.setting}_doubt")
    )


def _prefixed(task: Task, prefix: str) -> Any:
    return lambda line: task.progress(prefix + line)


def _read(path: Path | None) -> dict[str, Any] | None:
    """What was kept of a size; it was written whole or not at all."""
    if path is None or not path.exists():
        return None
    row: dict[str, Any] = json.loads(path.read_text())
    return row
