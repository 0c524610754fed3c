"""SFT from GPT* on a set of solutions."""

from __future__ import annotations

from dataclasses import replace

from o1_assets.ablations.chains.config import ChainSftConfig
from o1_assets.ablations.spent import read_cost, write_cost
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.generator.sft import make_generator


def chain_sft(task: Task, config: ChainSftConfig) -> Outcome:
    """Inputs: policy (to start from), sft_set (with its cost). Writes a checkpoint and what both cost."""
    inputs = {"base": task.inputs["policy"], "sft_set": task.inputs["sft_set"]}
    outcome = make_generator(replace(task, inputs=inputs), config.sft)
    before = read_cost(task.inputs["sft_set"])
    made = Cost(before["flops"], tokens_generated=round(before["tokens_generated"]))
    write_cost(task.out, outcome.cost + made, int(outcome.figures["updates"] or 0))
    return outcome
