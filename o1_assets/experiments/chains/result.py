"""ablations/chains/result: RL on the machine's own chains against SFT on chains that were written for it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from o1_assets.core.artifact import Outcome, StageConfig, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.config import EvalConfig
from o1_assets.evaluation.statistics import bounds, interval
from o1_assets.experiments.arms import DECIDES, ArmWords, arms_result, measured
from o1_assets.experiments.measure import runs_of
from o1_assets.experiments.result import Claim, write_result
from o1_assets.experiments.rewards.result import compared

TITLE = "Machine-made chains against written ones"

QUESTION = "Does a policy learn more from chains that it finds itself than from perfect ones written for it?"

PAIRS = (("rl", "written"), ("rl", "written_few"), ("rl", "own"), ("written", "own"))

# Name of an evaluation on problems out of distribution, and how the names of its measures end.
OOD_RUN, OOD = "ood", "_ood"

LIMITS = (
    "All arms start from GPT* and make equal updates on equal numbers of solutions. RL's are of its own, rewarded by "
    "models that learnt from rated steps; SFT's are all right. `written` is of the problems that RL saw, `own` of "
    "those among them that GPT* solved, filtered by true answers, which RL never sees, `written_few` of the first.",
    "SFT's learning rate is the generator's and RL's is the experiment's: neither was tuned here.",
    "The writer is the program that wrote the corpus, without its errors: its chains have the very form of GPT*'s own "
    "and no wrong step, which people's would not have. `written_few` has as many different ones as people had rated "
    "solutions for RL's reward models.",
)


class ChainsResultConfig(StageConfig):
    """arms: GPT* as it is first."""

    arms: tuple[ArmWords, ...]
    seeds: int
    judge: EvalConfig


def make_chains_result(task: Task, config: ChainsResultConfig) -> Outcome:
    """Inputs: <arm>_<seed> and <arm>_<seed>_ood, evaluations on problems of both kinds.

    Writes runs.parquet beside what `write_result` does.
    """
    arms = [arm.name for arm in config.arms]
    unlike = runs_of(task, arms, config.seeds, OOD_RUN).with_columns(pl.col("measure") + OOD)
    runs = pl.concat([runs_of(task, arms, config.seeds), unlike])
    runs.write_parquet(task.out / "runs.parquet")
    seed, resamples = derive_seed(task.seed, "bootstrap"), config.judge.resamples
    claims: list[Claim] = []
    sentences: list[str] = []
    for measure in runs["measure"].unique(maintain_order=True):
        values = measured(runs, arms, measure)
        for arm, other in PAIRS:
            difference = interval(values[arm] - values[other], resamples, seed)
            sentences.append(compared(f"{arm} against {other}, {measure}", difference))
            if measure == DECIDES:
                says = f"{DECIDES} of {arm} minus that of {other}"
                claims.append(Claim(f"chains.{arm}_minus_{other}", says, *bounds(difference)))
    whole = arms_result("chains", TITLE, QUESTION, config.arms, runs, config.judge, seed)
    result = replace(whole, claims=[*whole.claims, *claims]).with_notes(*sentences, *LIMITS)
    write_result(task.out, result)
    decides = measured(runs, arms, DECIDES)
    figures = {f"{DECIDES} {arm}": float(decides[arm].mean()) for arm in arms}
    return Outcome({**figures}, rows=runs.height, sample=result.tables["arms"].frame.to_dicts())
