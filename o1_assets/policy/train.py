"""rNN/policy: baby-o1, by process-supervised GRPO from the newest policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_generate, flops_train
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import separator
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.tracking import record
from o1_assets.policy.config import PolicyConfig, reserve_size
from o1_assets.policy.curve import Curve, curve_figures, curve_point, mean, save_plots
from o1_assets.policy.early_stop import EarlyStop, split_problems
from o1_assets.policy.objective import grpo_arguments, rows_per_update
from o1_assets.policy.replay import Replay, ReplayFormat, replay_table, right_shares
from o1_assets.policy.rollouts import Collector, Rollout, has_contrast, rollout_engine
from o1_assets.reward.interface import Floats
from o1_assets.reward.read import reading_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.engine.training.config import TuningConfig
    from o1_assets.reward.interface import RewardModels
    from o1_assets.reward.score import Scorer


@dataclass(frozen=True)
class PolicyModels:
    """The models of a policy's training: the policy itself, and the reward models that judge what it writes."""

    policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    rewards: Scorer
    tuning: TuningConfig

    @classmethod
    def open(cls, task: Task, tuning: TuningConfig, lora_seed: int | None = None) -> PolicyModels:
        """From the task's inputs policy, generator, prm and orm; the policy is ready to be trained.

        lora_seed: of new LoRA matrices; None: one of its own, derived from the task's seed.
        """
        from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
        from o1_assets.engine.training.tuning import prepare
        from o1_assets.reward.score import load_scorer

        policy = load_causal_lm(task.inputs["policy"], tuning.weights)
        prepare(policy, tuning, derive_seed(task.seed, "lora") if lora_seed is None else lora_seed)
        rewards = load_scorer(task.inputs["prm"], task.inputs["generator"], task.inputs["orm"])
        return cls(policy, load_tokenizer(task.inputs["policy"]), rewards, tuning)

    def save(self, folder: Path) -> None:
        """Writes the policy as a plain checkpoint."""
        from o1_assets.engine.training.tuning import finish

        finish(self.policy, self.tuning)
        self.policy.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class Safeguards:
    """What keeps a policy from losing what GPT* can do; each is None or empty where the configuration does not ask for
    it. reference: GPT*. replay: right solutions to go on writing. held_out: problems of the early stop.
    """

    reference: PreTrainedModel | None = None
    replay: Replay | None = None
    held_out: Sequence[dict[str, Any]] = ()

    @classmethod
    def open(
        cls,
        task: Task,
        config: PolicyConfig,
        tokenizer: PreTrainedTokenizerBase,
        rewards: RewardModels,
        held_out: pl.DataFrame | None = None,
    ) -> Safeguards:
        """From the task's input generator, and what the sources of the replay read."""
        from o1_assets.reward.score import open_generator

        wanted = config.kl_coefficient or config.report_kl
        reference = open_generator(task.inputs["generator"]) if wanted else None
        replay = None
        if config.replay.weight:
            table = replay_table(
                task.inputs, config.replay, ReplayFormat(config.prompt, separator(tokenizer))
            )
            if held_out is not None:
                # No update sees a problem of the early stop, replayed ones included.
                table = table.join(held_out, on="problem_id", how="anti", maintain_order="left")
            seed = derive_seed(task.seed, "replay")
            replay = Replay.of(
                table, tokenizer, config.prompt, config.replay, seed, prm=rewards, updates=config.updates
            )
        return cls(reference, replay, () if held_out is None else held_out.to_dicts())


def make_policy(task: Task, config: PolicyConfig) -> Outcome:
    """Inputs: policy (checkpoint to start from), generator, prm, orm, train (problems), and what the sources of
    `config.replay` read. Writes a checkpoint.

    No step is checked here. Final answers of train problems are known: they choose the replayed solutions, and say when
    to stop and how good an outcome is only where the configuration has it so.
    """
    models = PolicyModels.open(task, config.tuning)
    problems, held_out = split_problems(
        read_parquet(task.inputs["train"] / "problems.parquet"), config.early_stop
    )
    safeguards = Safeguards.open(task, config, models.tokenizer, models.rewards, held_out)
    curve, collector, tokens_trained = train_policy(
        models.policy,
        models.tokenizer,
        models.rewards,
        draw_problems(problems, config, task.seed, right_shares(task.inputs) if config.curriculum else None),
        config,
        task.seed,
        task.progress,
        Checkpoints.of(task),
        models.rewards.cost,
        safeguards,
    )
    models.save(task.out)
    pl.DataFrame(curve).write_parquet(task.out / "curve.parquet")
    save_plots(curve, task.out / "plots")
    cost = training_cost(collector, models.rewards.cost(), tokens_trained, config)
    replayed = safeguards.replay.of_source if safeguards.replay else {}
    figures = curve_figures(curve, config.objective.updates_per_batch) | {
        f"replay_rows_{source}": rows for source, rows in replayed.items()
    }
    return Outcome(figures=figures, cost=cost, rows=len(curve), sample=curve[-5:])


def training_cost(collector: Collector, scored: Cost, tokens_trained: int, config: PolicyConfig) -> Cost:
    """What a training cost all of its processes together. scored: by this process's reward models."""
    parameters = collector.engine.parameters
    generated, scored = _counts(collector, scored)
    return scored + Cost(
        flops=flops_generate(parameters, generated)
        + flops_train(parameters, tokens_trained, config.tuning.lora is not None),
        tokens_generated=generated,
        tokens_trained=tokens_trained,
    )


def draw_problems(
    problems: pl.DataFrame, config: PolicyConfig, seed: int, right_shares: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """The problems of all batches in order, each batch's reserve after its own; no repeats while there are enough.

    right_shares: problem_id -> share of its samples that are right, for the curriculum.
    """
    total = config.batches * (config.problems_per_update + reserve_size(config))
    rng = np.random.default_rng(derive_seed(seed, "problems"))
    passes = -(-total // problems.height)  # rounded up
    weights = _chances(problems["problem_id"], config, right_shares) if right_shares else None
    drawn = np.concatenate(
        [
            rng.permutation(problems.height)
            if weights is None
            # Ordered by exponential times of these rates: a weighted draw without replacement.
            else np.argsort(rng.exponential(size=problems.height) / weights)
            for _ in range(passes)
        ]
    )
    return problems[drawn[:total].tolist()].to_dicts()


def _chances(names: pl.Series, config: PolicyConfig, right_shares: Mapping[str, float]) -> Floats:
    """Relative, for each problem."""
    contrast = {name: 4 * share * (1 - share) for name, share in right_shares.items()}
    usual = float(np.mean(list(contrast.values())))
    return np.array([1 + config.curriculum * contrast.get(name, usual) for name in names])


def train_policy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rewards: RewardModels,
    problems: list[dict[str, Any]],
    config: PolicyConfig,
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
    checkpoints: Checkpoints | None = None,
    scored: Callable[[], Cost] = Cost,
    safeguards: Safeguards = Safeguards(),
    readers: tuple[str, ...] | None = None,
) -> tuple[list[Curve], Collector, int]:
    """Trains `model` in place, `problems_per_update` of the problems an update, from the last checkpoint on.

    problems: as `draw_problems` gives them. scored: what `rewards` has cost in this process so far. readers: as
    in `Collector`. Returns the learning curve (one row an update), the collector with its counts, and the tokens
    trained on.
    """
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback

    from o1_assets.core.parallel import workers
    from o1_assets.engine.training.processes import (
        all_gather_object,
        disable_data_parallel,
        flatten,
        processes,
        rank,
    )
    from o1_assets.engine.training.tuning import pieces
    from o1_assets.policy.grpo import AfterUpdate, KeepBatches, ProcessGRPOTrainer

    if config.kl_coefficient and safeguards.reference is None:
        raise ValueError("a policy is to be held near GPT*, but GPT* was not given")
    # In the order of the batches: the trainer takes them as they come.
    prompts = [config.prompt.render(problem["question"]) for problem in problems]
    size, per_batch = config.problems_per_update, config.objective.updates_per_batch
    starts = range(0, len(prompts), size + reserve_size(config))
    rows = [{"prompt": prompt} for start in starts for prompt in prompts[start : start + size]]
    engine, newest_weights = rollout_engine(model, tokenizer, config)
    collector = Collector(
        engine=engine,
        rewards=rewards,
        config=config,
        seed=derive_seed(seed, "rollouts"),
        answer_of=config.prompt.answer,
        grade=_grader(prompts, problems, config) if config.reward.outcome != "orm" else None,
        reference=safeguards.reference,
        reserve=[prompts[start + size : start + size + reserve_size(config)] for start in starts],
        readers=readers,
    )
    stop = _early_stop(collector, safeguards, config)
    curve: list[Curve] = []
    tokens_trained = 0
    counts = 0, Cost()

    def groups(prompts: list[str], update: int) -> list[list[Rollout]]:
        """The groups of this process's share of a batch. The curve is of all shares."""
        nonlocal tokens_trained, counts
        batch = update // per_batch
        with newest_weights():
            here = collector.groups(prompts, batch, rank() * len(prompts), processes() * len(prompts))
        everywhere = flatten(all_gather_object(here))
        if config.reads_again:
            collector.reading_cost += reading_cost(model, _tokens(collector, here))
        counts = _counts(collector, scored())
        tokens_trained += config.objective.epochs * _tokens(collector, everywhere)
        curve.append({"update": update, **curve_point(everywhere)})
        if config.resampling.reserve:
            resampled = sum(all_gather_object(collector.resampled))
            curve[-1] |= {
                "contrast_share": mean(has_contrast(group) for group in everywhere),
                "resampled_share": resampled / len(everywhere),
            }
        record(update + 1, curve[-1])
        progress(
            f"update {update + 1}/{config.updates}: PRM {curve[-1]['prm_score']:.3f}, "
            f"ORM {curve[-1]['orm_score']:.3f}, {curve[-1]['tokens']:.1f} tokens"
        )
        return here

    def after_update(done: int) -> bool:
        """What an update leaves to be said of it. Returns whether it was the last one."""
        nonlocal tokens_trained, counts
        if safeguards.replay and trainer.replay_losses:
            curve[-1]["replay_loss"] = trainer.replay_losses[-1]
            tokens_trained += sum(len(p) + len(s) for p, s in safeguards.replay.drawn(done - 1))
        if per_batch > 1:
            # Of the updates of this batch so far; the first of them clips nothing.
            curve[-1]["clip_share"] = mean(trainer.clip_shares[-((done - 1) % per_batch + 1) :])
        if trainer.mismatches:
            curve[-1] |= trainer.mismatches[-1]
        if stop is not None and stop.due(done):
            with newest_weights():
                stop.check(done, model)
            counts = _counts(collector, scored())
        return stop is not None and stop.stopped

    # TRL logs nothing here, so the curve and the counts are saved with each checkpoint.
    keep = KeepBatches(
        checkpoints or Checkpoints(),
        per_batch,
        lambda: {
            "curve": curve,
            "tokens_generated": counts[0],
            "tokens_trained": tokens_trained,
            "scored": asdict(counts[1]),
            "stop": stop.state() if stop else None,
        },
    )
    if before := keep.figures_before:
        curve, tokens_trained = before["curve"], before["tokens_trained"]
        if rank() == 0:  # the checkpoint has the sum over all processes, so only one of them goes on from it
            collector.tokens_generated = before["tokens_generated"]
            collector.scored_before = Cost(**before["scored"])
        if stop:
            stop.load_state(before["stop"])
    elif stop:
        with newest_weights():
            stop.check(0, model)
    with keep.checkpoints.scratch() as scratch, workers() as pool:
        trainer = ProcessGRPOTrainer(
            pool=pool,
            model=model,
            args=disable_data_parallel(grpo_arguments(config, seed, scratch)),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[AfterUpdate(after_update), keep],
            groups=groups,
            chunks=pieces(rows_per_update(config), config.tuning, config.chunks),
            replay=safeguards.replay,
            replay_weight=config.replay.weight,
            importance_cap=config.rollouts.importance_cap if config.rollouts.engine == "vllm" else None,
        )
        trainer.remove_callback(PrinterCallback)
        if not (stop and stop.stopped):  # a run that was killed after its last update
            trainer.train(resume_from_checkpoint=keep.resume_from(scratch))
    if config.rollouts.engine == "vllm":
        engine.close()
    if stop:
        stop.restore(model)
        for point in curve:
            point |= stop.last_before(point["update"] + 1)
    return curve, collector, tokens_trained


def _early_stop(collector: Collector, safeguards: Safeguards, config: PolicyConfig) -> EarlyStop | None:
    """None where the configuration asks for none."""
    if not config.early_stop.every:
        return None

    def by_answer(solutions: Sequence[tuple[dict[str, Any], list[int], list[int]]]) -> list[bool]:
        from o1_assets.problems.grading import grade_all

        decode = collector.engine.tokenizer.decode
        texts = [str(decode(tokens, skip_special_tokens=True)) for _, _, tokens in solutions]
        rows = [row for row, _, _ in solutions]
        return grade_all([(config.prompt.answer(text), row) for text, row in zip(texts, rows, strict=True)])

    def by_orm(solutions: Sequence[tuple[dict[str, Any], list[int], list[int]]]) -> list[bool]:
        prompts, tokens = [p for _, p, _ in solutions], [t for _, _, t in solutions]
        return [p >= 0.5 for p in collector.rewards.outcome_probabilities(prompts, tokens)]

    return EarlyStop(
        config.early_stop,
        list(safeguards.held_out),
        collector,
        by_answer if config.early_stop.judge == "answers" else by_orm,
    )


def _counts(collector: Collector, scored: Cost) -> tuple[int, Cost]:
    """Tokens generated, and what scoring cost, by all processes of the training together."""
    from o1_assets.engine.training.processes import all_gather_object

    # Each process sampled and scored its own share of every update.
    scored_here = collector.scored_before + collector.reading_cost + scored
    parts = all_gather_object((collector.tokens_generated, scored_here))
    return sum(tokens for tokens, _ in parts), sum((cost for _, cost in parts), Cost())


def _tokens(collector: Collector, groups: Sequence[Sequence[Rollout]]) -> int:
    """Of all solutions with their prompts."""
    rollouts = (rollout for group in groups for rollout in group)
    return sum(len(r.token_ids) + len(collector.prompt_ids(r.prompt)) for r in rollouts)


def _grader(
    prompts: list[str], problems: list[dict[str, Any]], config: PolicyConfig
) -> Callable[[list[tuple[str, str]]], list[bool]]:
    from o1_assets.problems.grading import grade_all
    from o1_assets.problems.worlds.registry import self_check

    of_prompt = dict(zip(prompts, problems, strict=True))

    def passes(solutions: list[tuple[str, str]]) -> list[bool]:
        return [
            self_check(of_prompt[prompt]["question"], config.prompt.answer(solution) or "") is True
            for prompt, solution in solutions
        ]

    def correct(solutions: list[tuple[str, str]]) -> list[bool]:
        return grade_all(
            [(config.prompt.answer(solution), of_prompt[prompt]) for prompt, solution in solutions]
        )

    return passes if config.reward.outcome == "self_check" else correct
