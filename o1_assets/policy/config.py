"""Every number of the policy stage, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig


class RewardConfig(StageConfig):
    """What a solution is rewarded for (`rewards.py`)."""

    form: Literal["both_sum", "both_minimum", "process", "outcome"] = "both_sum"
    """both_sum: the ORM rewards the last step and the PRM the others, summed; both_minimum: the same two, but
    of the PRM's rewards only the worst step's counts (PURE); process, outcome: one of the two alone."""
    outcome: Literal["orm", "grader", "self_check"] = "orm"
    """Who says how good the final answer is. `grader` is ground truth: only where a profile asks for it. `self_check`
    is what the question alone tells (code: the shown tests), which a policy may learn to satisfy and nothing else."""
    outcome_weight: float = Field(2.0, ge=0)
    """Of the last step's reward, which lies in [-1, 1] as every step's does."""
    prefix_guard: bool = True
    """A step counts only as far as the steps before it are right."""
    neutral_cost: float = Field(0.3, ge=-1)
    """Taken from a step that the PRM is sure is neutral: an empty verification must not pay. -1 counts it as a right
    step, as a solution's score does (Lightman et al. 2023, section 2.6): the reward that is hacked in PURE."""
    repeat_limit: int = Field(2, ge=1)
    """How often the same step may occur in a solution before each further occurrence is rewarded -1."""
    minimum_temperature: float = Field(0.1, gt=0)
    """PURE's softmin temperature: near 0 all credit goes to the worst step."""


class GroupSearchConfig(StageConfig):
    """Which of a group's solutions are found by step-level tree search instead of sampled."""

    share: float = Field(0.0, ge=0, le=1)
    """Of the problems of an update, the share whose group holds searched solutions. None by default: it gained nothing
    (docs/results.md, search_in_rl)."""
    per_group: int = Field(2, ge=0)
    """Searched solutions in such a group."""
    every: int = Field(2, ge=1)
    """Updates from one with search to the next: few large searches cost less than many small ones."""
    branch: int = Field(4, ge=1)
    """Steps sampled at each node; the PRM keeps the best (a beam of width 1)."""


ReplaySource = Literal["generator", "rounds", "written"]


class ReplayConfig(StageConfig):
    """Right solutions that the policy is taught to write beside what RL rewards, so that it does not forget them."""

    weight: float = Field(0.0, ge=0)
    """Of the mean cross-entropy of their tokens, beside the loss of RL. 0: none are read."""
    rows: int = Field(16, ge=1)
    """Solutions an update."""
    sources: tuple[ReplaySource, ...] = ("rounds",)
    """generator: what GPT* was trained on. rounds: the solutions of this round and all before whose final answer is
    right. written: what people wrote where no sample was right."""
    per_problem: int = Field(2, ge=1)
    """Different solutions of one problem and source. Without a limit most rows would be of easy problems."""
    most_right: float = Field(1.0, gt=0, le=1)
    """Of rounds: only problems of whose samples at most this share is right. The others need no reminder."""
    least_score: float = Field(0.0, ge=0, lt=1)
    """The PRM's score below which a sampled solution is left out: of nano's with a right answer only seven in ten are
    right in every step, of those of hard problems five. 0: the PRM is not asked."""


class ResamplingConfig(StageConfig):
    """Groups in which the reward models believe all solutions or none teach nothing (DAPO, arXiv:2503.14476, 3.2)."""

    reserve: float = Field(0.0, ge=0)
    """Problems that may take the place of such groups, as a share of `problems_per_update`."""


class EarlyStopConfig(StageConfig):
    """Train problems that no update sees say when RL has begun to take right answers away."""

    every: int = Field(0, ge=0)
    """Updates between two checks; 0: no early stop."""
    share: float = Field(0.1, gt=0, lt=1)
    """Of the train problems, held out by the hash of their ids."""
    problems: int = Field(60, ge=1)
    """Of these, how many a check samples."""
    samples: int = Field(16, ge=2)
    """Solutions a problem and check."""
    patience: int = Field(2, ge=1)
    """Checks without a better one before the training stops. The weights of the best check are what is kept."""
    judge: Literal["answers", "orm"] = "answers"
    """answers: the known final answers of train problems, as the choice of GPT*'s own solutions uses them."""


class PolicyConfig(StageConfig):
    """Process-supervised GRPO from the newest policy with the round's reward models."""

    reward: RewardConfig = RewardConfig()
    search: GroupSearchConfig = GroupSearchConfig()
    replay: ReplayConfig = ReplayConfig()
    resampling: ResamplingConfig = ResamplingConfig()
    early_stop: EarlyStopConfig = EarlyStopConfig()
    curriculum: float = Field(0.0, ge=0)
    """How much more often than others a problem is drawn of whose samples in `rNN/solutions` half are right; one that
    is always or never solved has no more than its usual chance, one that was never sampled a chance in between; with
    difficulty.band the chance that the base's samples give it."""
    updates: int = Field(14, ge=1)
    """Optimizer updates of a round."""
    problems_per_update: int = Field(24, ge=1)
    """Problems an update, each with a group of solutions."""
    group_size: int = Field(12, ge=2)
    """Solutions sampled a problem and update: a group, whose rewards are compared."""
    learning_rate: float = Field(2e-4, gt=0)
    """AdamW's peak learning rate."""
    warmup_updates: int = Field(2, ge=0)
    """Updates of linear warm-up."""
    final_learning_rate: float = Field(0.25, ge=0, le=1)
    """What the cosine schedule ends at, as a share of `learning_rate`. Each round starts again at the top,
    with a new optimiser."""
    max_grad_norm: float = Field(1.0, gt=0)
    """The gradient's norm is clipped to this."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature of the rollouts."""
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(16, ge=1)
    """Of a searched solution."""
    kl_coefficient: float = Field(0.0, ge=0)
    """TRL's beta, the pull towards GPT*, of which no round can then drift away. 0 needs no reference model."""
    report_kl: bool = False
    """Measures the distance to GPT* also where it has no weight: GPT* then reads what the policy writes."""
    pass_k: int = Field(1, ge=1)
    """A group's advantages are weighted with (1 - share of right solutions)^(pass_k - 1), as in the gradient of pass@k:
    where some of k samples are right anyway nothing is pushed any further (arXiv:2508.10751)."""
    positive_weight: float = Field(1.0, ge=0)
    """Of positive advantages. Below 1 mistakes are unlearned more than right solutions are sharpened
    (arXiv:2506.01347)."""
    std_floor: float = Field(0.1, gt=0)
    """Rewards of a group that differ by less than this are noise of the reward model and are not blown up to
    unit variance."""
    advantage_clip: float = Field(5.0, gt=0)
    """Advantages are cut off at this, above and below."""
    chunks: int = Field(4, ge=1)
    """The batch is sorted by length and sent through the model in so many pieces, to compute less padding."""
    tuning: TuningConfig = TuningConfig()


def reserve_size(config: PolicyConfig) -> int:
    """Problems of an update that may take the place of others."""
    return round(config.resampling.reserve * config.problems_per_update)


def round_inputs(
    config: PolicyConfig,
    labels: Mapping[str, str],
    solutions: Mapping[str, str],
    difficulty: str | None = None,
) -> dict[str, str]:
    """What replay and curriculum read, input -> key. labels, solutions: of this round and all before.

    difficulty: key of what the base solves, where the graph measures it.
    """
    of_source: dict[ReplaySource, Mapping[str, str]] = {
        "generator": {"sft_set": "generator/sft_set"},
        "rounds": solutions,
        "written": {**labels, **solutions},
    }
    read = [of_source[source] for source in config.replay.sources if config.replay.weight]
    if config.curriculum:
        read += [solutions, {"difficulty": difficulty} if difficulty else {}]
    return {name: key for inputs in read for name, key in inputs.items()}
