"""rNN/policy: baby-o1, by process-supervised GRPO from the newest policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_generate, flops_train
from o1_assets.core.plots import BLUE, ORANGE, Axis, Series, save_png
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import separator
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.training.tracking import record
from o1_assets.policy.config import PolicyConfig, reserve_size
from o1_assets.policy.early_stop import EarlyStop, split_problems
from o1_assets.policy.replay import Replay, ReplayFormat, replay_table, right_shares
from o1_assets.policy.rollouts import Collector, Rollout, has_contrast
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.engine.training.config import TuningConfig
    from o1_assets.reward.interface import RewardModels
    from o1_assets.reward.score import Scorer

# Means over the solutions of one update, by name.
Curve = dict[str, float]

# File name -> title, unit and columns of a plot of the learning curve.
PLOTS = {
    "reward": ("Reward models on the policy's samples", "mean score", ("prm_score", "orm_score")),
    "length": ("Length of a solution", "tokens", ("tokens",)),
    "entropy": ("Entropy of a sampled token", "nats", ("entropy",)),
    "kl": ("Distance to GPT* at a sampled token", "nats", ("kl",)),
    "groups": ("Groups of an update", "share of groups", ("contrast_share", "resampled_share")),
    "held_out": ("Train problems held out of the updates", "right", ("held_out_pass_1", "held_out_pass_k")),
    "replay": ("Cross-entropy of replayed solutions", "nats a token", ("replay_loss",)),
    "corrections": ("Steps that correct or check", "share of steps", ("wait_share", "check_share")),
}


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
    figures = _figures(curve) | {f"replay_rows_{source}": rows for source, rows in replayed.items()}
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
    """The problems of all updates in order, each update's reserve after its own; no repeats while there are enough.

    right_shares: problem_id -> share of its samples that are right, for the curriculum.
    """
    total = config.updates * (config.problems_per_update + reserve_size(config))
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
) -> tuple[list[Curve], Collector, int]:
    """Trains `model` in place, `problems_per_update` of the problems an update, from the last checkpoint on.

    problems: as `draw_problems` gives them. scored: what `rewards` has cost in this process so far. Returns the
    learning curve (one row an update), the collector with its counts, and the tokens trained on.
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
    from o1_assets.engine.training.trainer import KeepState
    from o1_assets.engine.training.tuning import pieces
    from o1_assets.engine.transformers_engine import TransformersEngine
    from o1_assets.policy.grpo import AfterUpdate, ProcessGRPOTrainer

    if config.kl_coefficient and safeguards.reference is None:
        raise ValueError("a policy is to be held near GPT*, but GPT* was not given")
    # In the order of the updates: the trainer takes them as they come.
    prompts = [config.prompt.render(problem["question"]) for problem in problems]
    size = config.problems_per_update
    starts = range(0, len(prompts), size + reserve_size(config))
    rows = [{"prompt": prompt} for start in starts for prompt in prompts[start : start + size]]
    collector = Collector(
        engine=TransformersEngine(model, tokenizer),
        rewards=rewards,
        config=config,
        seed=derive_seed(seed, "rollouts"),
        answer_of=config.prompt.answer,
        grade=_grader(prompts, problems, config) if config.reward.outcome != "orm" else None,
        reference=safeguards.reference,
        reserve=[prompts[start + size : start + size + reserve_size(config)] for start in starts],
    )
    stop = _early_stop(collector, safeguards, config)
    curve: list[Curve] = []
    tokens_trained = 0
    counts = 0, Cost()

    def groups(prompts: list[str], update: int) -> list[list[Rollout]]:
        """The groups of this process's share of an update. The curve is of all shares."""
        nonlocal tokens_trained, counts
        here = collector.groups(prompts, update, rank() * len(prompts), processes() * len(prompts))
        everywhere = flatten(all_gather_object(here))
        counts = _counts(collector, scored())
        tokens_trained += sum(
            len(rollout.token_ids) + len(collector.prompt_ids(rollout.prompt))
            for group in everywhere
            for rollout in group
        )
        curve.append({"update": update, **curve_point(everywhere)})
        if config.resampling.reserve:
            resampled = sum(all_gather_object(collector.resampled))
            curve[-1] |= {
                "contrast_share": _mean(has_contrast(group) for group in everywhere),
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
        if stop is not None and stop.due(done):
            stop.check(done, model)
            counts = _counts(collector, scored())
        return stop is not None and stop.stopped

    # TRL logs nothing here, so the curve and the counts are saved with each checkpoint.
    keep = KeepState(
        checkpoints or Checkpoints(),
        after_log=False,
        figures=lambda: {
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
        stop.check(0, model)
    with keep.checkpoints.scratch() as scratch, workers() as pool:
        trainer = ProcessGRPOTrainer(
            pool=pool,
            model=model,
            args=disable_data_parallel(_arguments(config, seed, scratch)),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[AfterUpdate(after_update), keep],
            groups=groups,
            chunks=pieces(_problems_here(config) * config.group_size, config.tuning, config.chunks),
            replay=safeguards.replay,
            replay_weight=config.replay.weight,
        )
        trainer.remove_callback(PrinterCallback)
        if not (stop and stop.stopped):  # a run that was killed after its last update
            trainer.train(resume_from_checkpoint=keep.resume_from(scratch))
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
    scored_here = collector.scored_before + collector.reference_cost + scored
    parts = all_gather_object((collector.tokens_generated, scored_here))
    return sum(tokens for tokens, _ in parts), sum((cost for _, cost in parts), Cost())


def _problems_here(config: PolicyConfig) -> int:
    """This process's share of an update."""
    from o1_assets.engine.training.processes import share

    return share(config.problems_per_update, "policy.problems_per_update")


def _arguments(config: PolicyConfig, seed: int, scratch: Path) -> Any:
    """TRL's arguments: one on-policy update a batch, and nothing logged, saved or reported by TRL."""
    import torch
    from trl import GRPOConfig

    from o1_assets.engine.training.processes import shared_arguments
    from o1_assets.engine.training.tuning import trainer_arguments

    return GRPOConfig(
        output_dir=str(scratch),
        max_steps=config.updates,
        per_device_train_batch_size=_problems_here(config) * config.group_size,
        num_generations=config.group_size,
        # One update a batch of solutions: they are on policy, the importance ratio is 1 and nothing is clipped.
        num_iterations=1,
        steps_per_generation=1,
        gradient_accumulation_steps=1,
        max_completion_length=config.prompt.max_tokens,
        temperature=config.temperature,
        beta=0.0,  # the KL term is among the advantages (`Collector`)
        loss_type="dapo",  # the mean over all tokens of the batch, so that long solutions do not weigh less a token
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": config.final_learning_rate},
        warmup_steps=config.warmup_updates,
        weight_decay=0.0,
        max_grad_norm=config.max_grad_norm,
        shuffle_dataset=False,  # `draw_problems` has drawn them in order
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        **trainer_arguments(config.tuning),
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **shared_arguments(),
    )


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


def _figures(curve: list[Curve]) -> dict[str, float | int | str | None]:
    """First and last quarter of the curve: what a person wants to see beside the plots."""
    # Means over a quarter: a single update's mean is over a few hundred solutions, and noisy.
    quarter = max(1, len(curve) // 4)
    names = ("prm_score", "orm_score", "tokens", "finished", "entropy", "wait_share")
    optional = ("kl", "contrast_share", "resampled_share", "replay_loss")
    figures: dict[str, float | int | str | None] = {"updates": len(curve)}
    for name in (*names, *(name for name in optional if name in curve[0])):
        figures[f"{name}_first"] = round(float(np.mean([point[name] for point in curve[:quarter]])), 4)
        figures[f"{name}_last"] = round(float(np.mean([point[name] for point in curve[-quarter:]])), 4)
    if "kept_update" in curve[0]:
        for name in ("kept_update", "held_out_pass_1", "held_out_pass_k"):
            figures[name] = curve[-1][name]
    return figures


# The learning curve: means over the solutions of each update. Nothing here knows a true answer.


def curve_point(groups: Sequence[Sequence[Rollout]]) -> Curve:
    """Means over the rollouts of one update."""
    rollouts = [rollout for group in groups for rollout in group]
    # Searched solutions are apart: they are better than what the policy writes by itself.
    sampled = [rollout for rollout in rollouts if rollout.logprobs is not None]
    searched = [rollout for rollout in rollouts if rollout.logprobs is None]
    steps = [step for rollout in rollouts for step in rollout.steps]
    means = {
        "prm_score": _mean(solution_score(r.probabilities) for r in sampled if len(r.probabilities)),
        "orm_score": _mean(r.outcome for r in sampled),
        "reward": _mean(float(r.rewards.sum()) for r in sampled),
        "tokens": _mean(len(r.token_ids) for r in sampled),
        "steps": _mean(len(r.steps) for r in sampled),
        "finished": _mean(r.finished for r in sampled),
        # The mean of -log p over sampled tokens is an unbiased estimate of the entropy, without any logits kept.
        "entropy": -_mean(logprob for r in sampled for logprob in r.logprobs or []),
        "wait_share": _mean(step.startswith("wait") for step in steps),
        "check_share": _mean(step.startswith("check") for step in steps),
        "advantage_size": _mean(float(np.abs(r.advantages).mean()) for r in rollouts if len(r.advantages)),
    }
    read = [r for r in sampled if r.reference is not None]
    if read:
        # The mean of log p(policy) - log p(GPT*) over sampled tokens is an unbiased estimate of KL(policy | GPT*).
        means["kl"] = _mean(d for r in read for d in np.asarray(r.logprobs) - r.reference)
    if searched:
        means["searched_prm_score"] = _mean(solution_score(r.probabilities) for r in searched)
        means["searched_orm_score"] = _mean(r.outcome for r in searched)
    return means


def _mean(values: Iterable[float]) -> float:
    numbers = [float(value) for value in values]
    return sum(numbers) / len(numbers) if numbers else 0.0


def save_plots(curve: Sequence[Curve], folder: Path) -> None:
    """One PNG for each of PLOTS."""
    updates = [point["update"] + 1 for point in curve]
    drawn = {name: plot for name, plot in PLOTS.items() if plot[2][0] in curve[0]}
    for name, (title, unit, columns) in drawn.items():
        series = [
            Series(column.replace("_", " "), updates, [point[column] for point in curve], color)
            for column, color in zip(columns, (BLUE, ORANGE), strict=False)
        ]
        shares = name in ("reward", "corrections", "groups", "held_out")
        save_png(folder / f"{name}.png", series, Axis(title, "update", unit, percent=shares))
