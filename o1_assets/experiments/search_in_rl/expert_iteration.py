"""Expert iteration: search, keep what the reward models believe, fine-tune on it, search again with what came out.

Anthony et al., arXiv:1705.08439, with the filter of ReST-EM (arXiv:2312.06585) read off the reward models: nothing
here sees a true answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import Field

from o1_assets.core.artifact import Cost, Outcome, StageConfig, Task
from o1_assets.core.engine import Engine
from o1_assets.core.flops import flops_generate, flops_train
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.config import TuningConfig
from o1_assets.engine.training.tuning import pieces, trainer_arguments
from o1_assets.generator.sft import encode
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import PolicyModels, draw_problems
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import RewardModels
from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget
from o1_assets.search.run import SearchModels, search

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class ExpertConfig(StageConfig):
    """The experts are beams of width 1. All updates together are split evenly among the iterations."""

    iterations: int = Field(4, gt=0)
    updates: int = Field(20, gt=0)
    problems_per_update: int = Field(
        24, gt=0, description="problems of an iteration: so many for each update"
    )
    searches: int = Field(3, gt=0, description="of each problem")
    branch: int = Field(
        4, gt=0, description="steps sampled at each node; 1: solutions are sampled, not searched"
    )
    threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="kept are solutions whose PRM score times P(right) by the ORM is at least this",
    )
    per_problem: int = Field(3, gt=0, description="most different solutions kept of one problem, best first")
    learning_rate: float = Field(2e-4, gt=0, description="AdamW's, decaying linearly in each iteration")
    max_grad_norm: float = Field(1.0, gt=0)
    temperature: float = Field(1.0, gt=0)
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(16, gt=0)
    tuning: TuningConfig = TuningConfig()


def make_expert_policy(task: Task, config: ExpertConfig) -> Outcome:
    """Inputs: policy (to start from), generator, prm, orm, train (problems). Writes a checkpoint and curve.parquet."""
    from o1_assets.engine.transformers_engine import TransformersEngine

    models = PolicyModels.open(task, config.tuning)
    model, tokenizer, scorer = models.policy, models.tokenizer, models.rewards
    problems = read_parquet(task.inputs["train"] / "problems.parquet")
    drawn = draw_problems(
        problems,
        PolicyConfig(updates=config.updates, problems_per_update=config.problems_per_update),
        task.seed,
    )
    # On the model that is trained, not on a copy: every iteration searches with what the one before made of it.
    engine = TransformersEngine(model, tokenizer)
    checkpoints = Checkpoints.of(task)
    curve: list[dict[str, Any]] = []
    before, done = Cost(), 0
    if checkpoint := checkpoints.load():
        done, saved = checkpoint
        model.load_state_dict(saved["model"])
        curve, before = saved["curve"], Cost(**saved["cost"])
        task.progress(f"continues at iteration {done} of {config.iterations}")
    updates = _split(config.updates, config.iterations)
    for iteration in range(done, config.iterations):
        start = sum(updates[:iteration]) * config.problems_per_update
        part = drawn[start : start + updates[iteration] * config.problems_per_update]
        questions = [str(problem["question"]) for problem in part]
        seed = derive_seed(task.seed, iteration)
        texts, scores, generated = solve(engine, scorer, questions, config, seed)
        accepted = choose(texts, scores, config, at_least=updates[iteration])
        rows = encode(tokenizer, *_of(questions, texts, accepted), config.prompt)
        loss = fine_tune(model, tokenizer, rows, updates[iteration], config, seed)
        # Rows that training computed on: the last batch is filled up, so this may be more than there are rows.
        trained = updates[iteration] * math.prod(_batch(rows, updates[iteration], config.tuning))
        tokens = round(trained * float(np.mean([len(row["input_ids"]) for row in rows])))
        before += Cost(
            flops_generate(engine.parameters, generated)
            + flops_train(engine.parameters, tokens, config.tuning.lora is not None),
            tokens_generated=generated,
            tokens_trained=tokens,
        )
        curve.append(
            {
                "iteration": iteration,
                "found": sum(map(len, texts)),
                "kept": len(accepted),
                "score": float(np.mean([s for of_question in scores for s in of_question])),
                "loss": loss,
            }
        )
        task.progress(f"iteration {iteration + 1} of {config.iterations}: kept {len(accepted)}")
        if checkpoints.due():
            cost = asdict(before + scorer.cost())
            checkpoints.save(iteration + 1, {"model": model.state_dict(), "curve": curve, "cost": cost})
    model.eval()
    models.save(task.out)
    pl.DataFrame(curve).write_parquet(task.out / "curve.parquet")
    cost_of_all = before + scorer.cost()
    return Outcome(
        figures={
            "updates": config.updates,
            "kept": sum(row["kept"] for row in curve),
            "score_first": curve[0]["score"],
            "score_last": curve[-1]["score"],
        },
        cost=cost_of_all,
        rows=len(curve),
        sample=curve,
    )


def solve(
    engine: Engine, rewards: RewardModels, questions: Sequence[str], config: ExpertConfig, seed: int
) -> tuple[list[list[str]], list[list[float]], int]:
    """For each question the different solutions found that ended with an answer, their scores, and tokens generated.

    A solution's score is the PRM's times the ORM's chance that its answer is right.
    """
    n = config.searches
    prompts = [config.prompt.render(question) for question in questions]
    searches = search(
        StepBeam(width=1, branch=config.branch),
        [prompt for prompt in prompts for _ in range(n)],
        SearchModels(
            engine,
            rewards,
            answer_of=config.prompt.answer,
            temperature=config.temperature,
        ),
        Budget(config.prompt.max_tokens * config.branch, config.max_steps, config.prompt.max_tokens),
        [derive_seed(seed, question, k) for question in questions for k in range(n)],
    )
    # By its text: a solution that several searches found is trained on once.
    different = [
        {
            solution.completion: solution
            for solution in searches[i * n : (i + 1) * n]
            if solution.finished and solution.answer.answer is not None
        }
        for i in range(len(questions))
    ]
    flat = [solution for solutions in different for solution in solutions.values()]
    steps, outcomes = rewards.score_both(
        [list(solution.tree.prompt_ids) for solution in flat], [solution.completion_ids for solution in flat]
    )
    scores = iter([solution_score(p) * o for p, o in zip(steps, outcomes, strict=True)])
    return (
        [list(solutions) for solutions in different],
        [[float(next(scores)) for _ in solutions] for solutions in different],
        sum(solution.tree.tokens_generated for solution in searches),
    )


def choose(
    texts: Sequence[Sequence[str]], scores: Sequence[Sequence[float]], config: ExpertConfig, at_least: int
) -> list[tuple[int, int]]:
    """(question, solution) of those that are believed, best first; of those that are not, as many as are needed for
    `at_least` in all."""
    ranked = []
    for q, of_question in enumerate(scores):
        order = sorted(range(len(of_question)), key=lambda i: (-of_question[i], texts[q][i]))
        ranked += [(of_question[i], q, i) for i in order[: config.per_problem]]
    # Ties are broken by place, so that equal scores give equal bytes.
    ranked.sort(key=lambda item: (-item[0], item[1], item[2]))
    believed = sum(score >= config.threshold for score, _, _ in ranked)
    # A trainer needs a row an update, also where the reward models believe nothing yet.
    return [(q, i) for _, q, i in ranked[: max(believed, at_least)]]


def fine_tune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    updates: int,
    config: ExpertConfig,
    seed: int,
) -> float:
    """`updates` updates in place, which together see every row about once; returns the mean loss."""
    import tempfile

    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from o1_assets.engine.training.processes import disable_data_parallel

    at_once, parts = _batch(rows, updates, config.tuning)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            args=disable_data_parallel(
                SFTConfig(
                    output_dir=str(Path(scratch)),
                    max_steps=updates,
                    per_device_train_batch_size=at_once,
                    gradient_accumulation_steps=parts,
                    learning_rate=config.learning_rate,
                    lr_scheduler_type="linear",
                    max_grad_norm=config.max_grad_norm,
                    # The question is given, not written by the policy: no loss on it.
                    completion_only_loss=True,
                    max_length=None,
                    seed=seed,
                    use_cpu=not torch.cuda.is_available(),
                    **trainer_arguments(config.tuning),
                    logging_strategy="no",
                    save_strategy="no",
                    report_to="none",
                    disable_tqdm=True,
                )
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        return float(trainer.train().training_loss)


def _batch(rows: Sequence[Any], updates: int, tuning: TuningConfig) -> tuple[int, int]:
    """(rows at once, how often an update), so that `updates` of them see every row."""
    # -(-a // b) is a / b rounded up.
    wanted = -(-len(rows) // updates)
    parts = pieces(wanted, tuning)
    return -(-wanted // parts), parts


def _split(updates: int, parts: int) -> list[int]:
    """`updates` as evenly as it goes."""
    return [updates // parts + (i < updates % parts) for i in range(parts)]


def _of(
    questions: Sequence[str], texts: Sequence[Sequence[str]], chosen: Sequence[tuple[int, int]]
) -> tuple[list[str], list[str]]:
    return [questions[q] for q, _ in chosen], [texts[q][i] for q, i in chosen]
