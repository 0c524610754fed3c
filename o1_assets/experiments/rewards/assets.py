"""ablations/rl: what should the policy be rewarded for, and what keeps the reward from being hacked?

Every arm is GRPO from GPT* with the reward models of one round. The arms differ in the reward alone; one adds the
KL term to it, another searched solutions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.estimate import Estimate, EstimateContext
from o1_assets.core.tables import read_parquet
from o1_assets.engine.steps import find_steps
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.experiment import Arm, Experiment, ablation, experiment_artifacts
from o1_assets.experiments.measure import Made, policy_arm
from o1_assets.experiments.rewards.config import RLConfig
from o1_assets.experiments.rewards.result import START, RLResultConfig, make_rl_result
from o1_assets.experiments.variants import PART
from o1_assets.policy.config import (
    EarlyStopConfig,
    GroupSearchConfig,
    PolicyConfig,
    ReplayConfig,
    ResamplingConfig,
)
from o1_assets.policy.estimate import estimate_grpo
from o1_assets.policy.rewards import Floats, repeated, step_values
from o1_assets.policy.train import PolicyModels, Safeguards, draw_problems, train_policy, training_cost
from o1_assets.problems.grading import grade
from o1_assets.reward.aggregate import NEUTRAL, right_probabilities, solution_score
from o1_assets.reward.interface import PrefixScorer, RewardModels, Tokens

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

GROUP = f"{PART}/rl"
NO_SEARCH = GroupSearchConfig(share=0.0)
SEARCH = GroupSearchConfig(share=0.25, per_group=2, every=2, branch=4)

SAYS = {
    START: "GPT* as it is",
    "outcome": "the ORM alone",
    "process": "the PRM alone, with its guards",
    "both_sum": "PRM and ORM, summed",
    "both_minimum": "PRM and ORM, of the PRM's steps only the worst",
    "both_kl": "PRM and ORM, summed, held near GPT* by KL",
    "both_search": "PRM and ORM, summed; a quarter of every second update's groups hold searched solutions",
    "process_bare": "the PRM alone, its three guards off",
    "process_prefix": "the PRM alone, the only guard: a step counts as far as those before it are right",
    "process_neutral": "the PRM alone, the only guard: a neutral step costs",
    "process_repeats": "the PRM alone, the only guard: repeated steps count as wrong",
    "grader": "the true answer, which nobody has: an upper bound",
}

# Fields of RewardConfig that switch off one guard each. No solution has as many equal steps as that limit.
GUARDS_OFF: dict[str, Any] = {"prefix_guard": False, "neutral_cost": -1.0, "repeat_limit": 1_000_000}

# Arm -> the one field that stays as the profile has it.
ONLY_GUARD = {
    "process_bare": "",
    "process_prefix": "prefix_guard",
    "process_neutral": "neutral_cost",
    "process_repeats": "repeat_limit",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """Equal seeds of different arms draw the same problems in the same order."""
    config = profile.ablations.rl
    models = {
        "policy": "generator/model",
        "generator": "generator/model",
        "prm": f"r{config.round:02d}/prm",
        "orm": f"r{config.round:02d}/orm",
        "train": "problems/train",
    }
    seeds = profile.ablations.seeds

    def arm(name: str) -> Arm:
        def make(seed: int) -> Made:
            policy = ablation(
                profile,
                f"{GROUP}/{name}_{seed}",
                make_watched_policy,
                arm_policy(name, profile.policy, config),
                models,
                f"RL rewarded by: {SAYS[name]}. Training {seed + 1} of {seeds}.",
                seed_of=f"{GROUP}/{seed}",
                trains=True,
                estimate=estimate_watched,
            )
            return [policy], policy.key

        return policy_arm(profile, GROUP, name, SAYS[name], models, make, reads_policy=True)

    def untrained(seed: int) -> Made:
        return [], "generator/model"

    arms = (
        # GPT* is evaluated once for each seed, as its samples differ by seed like those of what it became.
        policy_arm(profile, GROUP, START, SAYS[START], models, untrained),
        *(arm(name) for name in config.chosen),
    )
    experiment = Experiment(
        name="rl",
        question="What the policy should be rewarded for, and what keeps the reward from being hacked.",
        arms=arms,
        compute=make_rl_result,
        config=RLResultConfig(
            arms=tuple(ArmWords(name=shown.name, says=shown.says) for shown in arms),
            seeds=seeds,
            windows=config.windows,
            judge=profile.ablations.judge,
        ),
        inputs={},
    )
    return experiment_artifacts(experiment, profile)


def arm_policy(arm: str, policy: PolicyConfig, config: RLConfig) -> PolicyConfig:
    """The profile's policy with this form of reward, and without the search that the profile may have."""
    forms = {"both_kl": "both_sum", "both_search": "both_sum", "grader": "outcome"}
    reward: dict[str, Any] = {
        "form": "process" if arm.startswith("process") else forms.get(arm, arm),
        "outcome": "grader" if arm == "grader" else "orm",
    }
    if arm in ONLY_GUARD:
        reward |= {field: off for field, off in GUARDS_OFF.items() if field != ONLY_GUARD[arm]}
    return policy.model_copy(
        update={
            "reward": policy.reward.model_copy(update=reward),
            # A profile may search in its groups; here only one arm does, so that the others differ in the reward alone.
            "search": SEARCH if arm == "both_search" else NO_SEARCH,
            "replay": ReplayConfig(),
            "resampling": ResamplingConfig(),
            "early_stop": EarlyStopConfig(),
            "chunks": chunks_of(policy, config),
            "kl_coefficient": config.kl_coefficient if arm == "both_kl" else 0.0,
            "updates": config.updates,
            "problems_per_update": config.problems_per_update,
            "group_size": config.group_size,
            "learning_rate": config.learning_rate or policy.learning_rate,
        }
    )


def chunks_of(policy: PolicyConfig, config: RLConfig) -> int:
    """Pieces of about the profile's size, at least two for two cores: more would cost more than they save."""
    share = config.problems_per_update * config.group_size / (policy.problems_per_update * policy.group_size)
    return max(2, ceil(policy.chunks * share))


def estimate_watched(context: EstimateContext, config: PolicyConfig) -> Estimate:
    """As a policy that both reward models read, whatever it is rewarded for: the other one watches."""
    return estimate_grpo(context, config, "prm", "orm")


# One training: GRPO with reward models that are monitored.
#
# After every update the monitor writes down what they believe of the samples of the policy and what is true. The true
# answers are looked at for that curve alone: what the training is given never depends on them.

Point = dict[str, float]


@dataclass
class RewardMonitor:
    """RewardModels that keep a curve. One call scores the solutions of one update, group after group.

    right: (prompt's token ids, the solution's text) -> is its answer the right one. points: a row of means an update
    over the sampled solutions; those found by search are left out.
    """

    models: RewardModels
    tokenizer: Any
    config: PolicyConfig
    right: Callable[[tuple[int, ...], str], bool]
    points: list[Point] = field(default_factory=list)
    _searched: set[tuple[int, ...]] = field(default_factory=set)

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        return self.score_both(prompts, completions)[0]

    def outcome_probabilities(self, prompts: Tokens, completions: Tokens) -> list[float]:
        return self.score_both(prompts, completions)[1]

    def score_both(self, prompts: Tokens, completions: Tokens) -> tuple[list[Floats], list[float]]:
        """Always both, so that the curves of all arms show the same."""
        steps, outcomes = self.models.score_both(prompts, completions)
        # Searched solutions are chosen by the PRM: in the curve they would look as if the policy had become better.
        sampled = self._sampled(prompts)
        self.points.append(
            self._point(
                [prompts[i] for i in sampled],
                [completions[i] for i in sampled],
                [steps[i] for i in sampled],
                [outcomes[i] for i in sampled],
            )
        )
        self._searched.clear()  # a problem may come again, in another update without a search
        return steps, outcomes

    def with_kv_cache(self) -> PrefixScorer:
        """For a search; the problems that it is asked about are remembered for this update."""
        return RecordingScorer(self.models.with_kv_cache(), self._searched)

    def _sampled(self, prompts: Tokens) -> list[int]:
        """Places of the sampled solutions: a group's last `per_group` are searched where its problem was."""
        # The collector appends searched solutions to a group, so they stand last.
        size, searched = self.config.group_size, self.config.search.per_group
        return [
            i
            for i, prompt in enumerate(prompts)
            if i % size < size - searched or tuple(prompt) not in self._searched
        ]

    def _point(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        ratings: Sequence[Floats],
        outcomes: Sequence[float],
    ) -> Point:
        end = self.tokenizer.eos_token_id
        finished = [bool(ids) and ids[-1] == end for ids in completions]
        steps = [[step.text.strip() for step in find_steps(ids, self.tokenizer)] for ids in completions]
        right = [
            done and self.right(tuple(prompt), "\n".join(texts))
            for prompt, done, texts in zip(prompts, finished, steps, strict=True)
        ]
        of_steps = [step for texts in steps for step in texts]
        # 1: a curve shows the first repetition, which the guard of the reward still allows.
        again = [flag for texts in steps for flag in repeated(texts, 1)]
        # (steps of all solutions, 3); the empty array is for an update in which no solution has a whole step.
        p = np.concatenate([np.zeros((0, 3)), *ratings])
        values = [step_values(r, self.config.reward).sum() for r in ratings]
        return {
            "update": float(len(self.points)),
            "true": _mean(right),
            "prm": _mean([solution_score(r) if len(r) else 0.0 for r in ratings]),
            "orm": _mean(outcomes),
            "step": _mean(right_probabilities(p)),
            "neutral": _mean(p[:, NEUTRAL]),
            "reward": _mean(values),
            "tokens": _mean([len(ids) for ids in completions]),
            "steps": _mean([len(texts) for texts in steps]),
            "finished": _mean(finished),
            "check": _mean([step.startswith("check") for step in of_steps]),
            "wait": _mean([step.startswith("wait") for step in of_steps]),
            "repeated": _mean(again),
        }


@dataclass
class RecordingScorer:
    """A PrefixScorer that keeps the prompts that it was asked about."""

    scorer: PrefixScorer
    asked: set[tuple[int, ...]]

    def step_probabilities(self, prompts: Tokens, completions: Tokens) -> list[Floats]:
        self.asked.update(tuple(prompt) for prompt in prompts)
        return self.scorer.step_probabilities(prompts, completions)


class MonitorCheckpoints(Checkpoints):
    """Checkpoints of a training that hold the monitor's curve too, so that a training that goes on loses no point."""

    def __init__(self, monitor: RewardMonitor, folder: Path | None, progress: Callable[[str], None]) -> None:
        super().__init__(folder, progress)
        self.monitor = monitor

    def save(self, update: int, state: Mapping[str, Any]) -> None:
        super().save(update, {**state, "watched": self.monitor.points})

    def load(self) -> tuple[int, dict[str, Any]] | None:
        state = super().load()
        if state is not None:
            self.monitor.points = state[1]["watched"]
        return state


def _mean(values: Sequence[Any] | Floats) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def make_watched_policy(task: Task, config: PolicyConfig) -> Outcome:
    """Inputs: policy (to start from), generator, prm, orm, train (problems). Writes a checkpoint and watched.parquet, a
    row of means an update.

    The curve needs both reward models everywhere: an arm that is trained with one of them scores a few tokens more
    than its training needs, and its cost counts them.
    """
    models = PolicyModels.open(task, config.tuning, lora_seed=task.seed)
    tokenizer, scorer = models.tokenizer, models.rewards
    problems = draw_problems(read_parquet(task.inputs["train"] / "problems.parquet"), config, task.seed)
    monitor = RewardMonitor(scorer, tokenizer, config, checker(problems, tokenizer, config))
    checkpoints = MonitorCheckpoints(monitor, task.unfinished, task.progress)

    def progress(line: str) -> None:
        """In place of the policy's own line, one that says what is right too: that is the question here."""
        newest = monitor.points[-1]
        task.progress(
            f"update {len(monitor.points)}/{config.updates}: right {newest['true']:.2f}, PRM {newest['prm']:.2f}, "
            f"ORM {newest['orm']:.2f}, {newest['tokens']:.1f} tokens"
        )

    # The monitor takes the place of the reward models, so that the training needs to know nothing of it. It is asked
    # where a grader alone rewards, too.
    _, collector, tokens_trained = train_policy(
        models.policy, tokenizer, monitor, problems, config, task.seed, progress, checkpoints, scorer.cost,
        Safeguards.open(task, config, tokenizer, scorer), config.reward.readers or ("orm",),
    )  # fmt: skip
    models.save(task.out)
    curve = pl.DataFrame(monitor.points)
    curve.write_parquet(task.out / "watched.parquet")
    cost = training_cost(collector, scorer.cost(), tokens_trained, config)
    # The ends of the curve are means over a quarter: one update is a few dozen solutions, and noise.
    quarter = max(1, curve.height // 4)
    figures = {
        f"{name}_{when}": float(part[name].to_numpy().mean())
        for name in ("true", "prm", "orm", "tokens")
        for when, part in (("first", curve.head(quarter)), ("last", curve.tail(quarter)))
    }
    return Outcome({"updates": curve.height, **figures}, cost, curve.height, curve.tail(5).to_dicts())


def checker(
    problems: list[dict[str, Any]], tokenizer: Any, config: PolicyConfig
) -> Callable[[tuple[int, ...], str], bool]:
    """(prompt's token ids, solution) -> is its final answer right."""
    prompts = (config.prompt.render(problem["question"]) for problem in problems)
    of_prompt = {
        tuple(tokenizer.encode(prompt, add_special_tokens=False)): problem
        for prompt, problem in zip(prompts, problems, strict=True)
    }

    def right(prompt: tuple[int, ...], solution: str) -> bool:
        problem = of_prompt[prompt]
        return grade(problem["grader"], config.prompt.answer(solution), problem)

    return right
