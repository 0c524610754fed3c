"""The solutions of one update: sampled or searched with the current policy, scored, given advantages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from o1_assets.core.artifact import Cost
from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.open import require_engine
from o1_assets.engine.steps import find_steps
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.rewards import (
    Floats,
    minimum_advantages,
    outcome_advantages,
    outcome_reward,
    pass_k_advantages,
    process_advantages,
    process_rewards,
    step_rewards,
)
from o1_assets.reward.aggregate import solution_score
from o1_assets.reward.interface import RewardModels
from o1_assets.reward.read import reading_cost, sequence_logprobs
from o1_assets.reward.tree import StepSequence
from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget
from o1_assets.search.run import SearchModels, search

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Of p(GPT*) / p(policy), in the KL term: a ratio of 20.
LARGEST_LOG_RATIO = 3.0


@dataclass
class Rollout:
    """One solution of a group: its tokens, and from `ends` on what was read off it afterwards.

    token_ids has the end token if `finished`. logprobs: of each token; None for a searched solution.
    steps, ends: text and last token of each step. probabilities: (steps, 3) by the PRM. outcome: P(correct) by the ORM.
    rewards: (steps,), or (1,) where only the outcome counts. advantages: (tokens,). belief: the chance that all is
    right by the reward models, or the verdict where the reward's outcome is checked.
    reference: the tokens' log-probabilities under GPT*. ignored: nothing is learned from it.
    """

    prompt: str
    token_ids: list[int]
    finished: bool
    logprobs: list[float] | None
    steps: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    outcome: float = 0.0
    rewards: Floats = field(default_factory=lambda: np.zeros(0))
    advantages: Floats = field(default_factory=lambda: np.zeros(0))
    belief: float = 0.0
    reference: Floats | None = None
    ignored: bool = False


def right_share(group: Sequence[Rollout]) -> float:
    """Of a group, the share of solutions that are believed (`Rollout.belief`)."""
    return float(np.mean([rollout.belief >= 0.5 for rollout in group]))


def has_contrast(group: Sequence[Rollout]) -> bool:
    """Whether some of a group's solutions are believed and some are not."""
    return 0 < right_share(group) < 1


def rollout_engine(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: PolicyConfig
) -> tuple[Engine, Callable[[], AbstractContextManager[None]]]:
    """What samples a policy in training, and the context in which it may be asked: it then has the newest weights.

    Raises EngineMissing, and ValueError where vLLM is to sample for several processes.
    """
    from o1_assets.engine.training.processes import processes

    if config.rollouts.engine == "transformers":
        from o1_assets.engine.transformers_engine import TransformersEngine

        return TransformersEngine(model, tokenizer), nullcontext
    require_engine("vllm", "policy.rollouts.engine")
    if processes() > 1:
        raise ValueError(
            f"policy.rollouts.engine vllm samples in one process, and this training has {processes()}: launch one, or "
            "set it to transformers"
        )
    from o1_assets.engine.vllm_policy import VllmPolicyEngine

    engine = VllmPolicyEngine(model, tokenizer)
    return engine, engine.newest_weights


@dataclass
class Collector:
    """Makes the groups of one update after the other, from the prompts of its problems.

    grade: [(prompt, solution)] -> is the answer of each correct; called only where the reward's outcome is not the
    ORM's.
    reference: GPT*, read for the KL term; None: not needed.
    reserve: for each update the prompts of the problems that may take the place of groups without contrast.
    readers: the reward models that read every group, of "prm" and "orm"; None: those that the reward is made of.
    resampled: how many groups of the last update did. reading_cost: of what GPT*, and the policy for the ratio to what
    it was, have read in this process.
    scored_before: what the reward models cost before this process went on with a killed training.
    """

    engine: Engine
    rewards: RewardModels
    config: PolicyConfig
    seed: int
    answer_of: Callable[[str], str | None] = lambda step: None
    grade: Callable[[list[tuple[str, str]]], list[bool]] | None = None
    tokens_generated: int = 0
    scored_before: Cost = field(default_factory=Cost)
    reference: PreTrainedModel | None = None
    reserve: Sequence[Sequence[str]] = ()
    readers: tuple[str, ...] | None = None
    resampled: int = 0
    reading_cost: Cost = field(default_factory=Cost)
    _encoded: dict[str, list[int]] = field(default_factory=dict)

    def prompt_ids(self, prompt: str) -> list[int]:
        """Tokens of a prompt; not to be changed."""
        if prompt not in self._encoded:
            self._encoded[prompt] = list(self.engine.tokenizer.encode(prompt, add_special_tokens=False))
        return self._encoded[prompt]

    def groups(
        self, prompts: Sequence[str], update: int, first: int = 0, total: int | None = None
    ) -> list[list[Rollout]]:
        """For each prompt `group_size` scored rollouts with their advantages.

        The prompts are number `first` and following of the update's `total` prompts; other processes have the others.
        What is drawn for a prompt depends on its number among all of them, so that it is the same with any number of
        processes.
        """
        everywhere = self._searched(len(prompts) if total is None else total, update)
        searched = [i - first for i in everywhere if first <= i < first + len(prompts)]
        groups = self._sample(prompts, searched, update, first)
        before = sum(i < first for i in everywhere)
        # Searched solutions come last in their group and take the place of sampled ones: groups have equal sizes.
        solutions_found = self._search([prompts[i] for i in searched], update, before)
        for i, solutions in zip(searched, solutions_found, strict=True):
            groups[i] += solutions
        self._score([rollout for group in groups for rollout in group])
        groups = self._resample(groups, update, first, total)
        for group in groups:
            self._advantages(group)
        if self.reference is not None:
            self._pull(self.reference, [rollout for group in groups for rollout in group])
        for rollout in (rollout for group in groups for rollout in group):
            rollout.ignored = self.config.overlong.filter and not rollout.finished
        return groups

    def _resample(
        self, groups: list[list[Rollout]], update: int, first: int, total: int | None
    ) -> list[list[Rollout]]:
        """Groups of the reserve in the place of those without contrast, as far as it goes."""
        reserve = self.reserve[update] if self.reserve else ()
        count, total = len(groups), total or len(groups)
        # This process's share of the reserve. Its problems have the numbers after those of the update.
        here = range(len(reserve) * first // total, len(reserve) * (first + count) // total)
        replaced = [i for i, group in enumerate(groups) if not has_contrast(group)]
        new: list[list[Rollout]] = []
        tried = 0
        while tried < len(here) and len(new) < len(replaced):
            # As many as are expected to be needed, by the share of groups with contrast so far.
            with_contrast = max(1, count - len(replaced) + len(new))
            part = here[tried : tried + ceil((len(replaced) - len(new)) * (count + tried) / with_contrast)]
            more = self._sample([reserve[i] for i in part], [], update, total + part.start)
            self._score([rollout for group in more for rollout in group])
            new += [group for group in more if has_contrast(group)]
            tried += len(part)
        new = new[: len(replaced)]
        self.resampled = len(new)
        for i, group in zip(replaced, new, strict=False):
            groups[i] = group
        return groups

    def _pull(self, reference: PreTrainedModel, rollouts: Sequence[Rollout]) -> None:
        """Adds the KL term to the advantages.

        On policy the gradient of TRL's term, beta * (r - log r - 1) with r = p(GPT*) / p(policy), is that of an
        advantage of beta * (r - 1). As an advantage it can be merged over equal solutions.
        """
        prompts = [self.prompt_ids(rollout.prompt) for rollout in rollouts]
        sequences = [
            StepSequence((*prompt, *rollout.token_ids), len(prompt), ())
            for prompt, rollout in zip(prompts, rollouts, strict=True)
        ]
        of_reference, tokens = sequence_logprobs(reference, sequences)
        self.reading_cost += reading_cost(reference, tokens)
        searched = [i for i, rollout in enumerate(rollouts) if rollout.logprobs is None]
        of_searched = self.engine.logprobs(
            [sequences[i].tokens for i in searched], [sequences[i].prompt_length for i in searched]
        )
        of_policy = {i: rollout.logprobs for i, rollout in enumerate(rollouts)}
        of_policy |= dict(zip(searched, of_searched, strict=True))
        for i, rollout in enumerate(rollouts):
            rollout.reference = of_reference[i]
            # Bounded: one rare token that GPT* is sure of would outweigh all others of the update.
            log_ratio = np.minimum(of_reference[i] - np.asarray(of_policy[i]), LARGEST_LOG_RATIO)
            rollout.advantages = rollout.advantages + self.config.kl_coefficient * (np.exp(log_ratio) - 1)

    def _searched(self, problems: int, update: int) -> list[int]:
        """Which problems of this update have searched solutions among their group."""
        search_config = self.config.search
        if update % search_config.every or not search_config.per_group:
            return []
        count = round(search_config.share * problems)
        # From all problems of the update, on every process alike: each then takes those of its own share.
        order = np.random.default_rng([self.seed, update]).permutation(problems)
        return sorted(int(i) for i in order[:count])

    def _sample(
        self, prompts: Sequence[str], searched: Sequence[int], update: int, first: int
    ) -> list[list[Rollout]]:
        """The sampled part of each group, in one call of the engine."""
        size = self.config.group_size
        counts = [
            size - self.config.search.per_group if i in set(searched) else size for i in range(len(prompts))
        ]
        encoded = [self.prompt_ids(prompt) for prompt in prompts]
        pairs = [(i, k) for i, n in enumerate(counts) for k in range(n)]  # problem-major
        params = SamplingParams(self.config.prompt.max_tokens, self.config.temperature, shared=True)
        seeds = [derive_seed(self.seed, update, first + i, k) for i, k in pairs]
        samples = iter(self.engine.sample([encoded[i] for i, _ in pairs], params, seeds))
        groups = []
        for prompt, n in zip(prompts, counts, strict=True):
            group = []
            for sample in (next(samples) for _ in range(n)):
                group.append(Rollout(prompt, list(sample.token_ids), sample.finished, list(sample.logprobs)))
                self.tokens_generated += len(sample.token_ids)
            groups.append(group)
        return groups

    def _search(self, prompts: Sequence[str], update: int, before: int) -> list[list[Rollout]]:
        """`per_group` solutions of each prompt, each by a greedy step search of its own."""
        if not prompts:
            return []
        config, n = self.config, self.config.search.per_group
        results = search(
            StepBeam(width=1, branch=config.search.branch),
            [prompt for prompt in prompts for _ in range(n)],
            SearchModels(self.engine, self.rewards, answer_of=self.answer_of, temperature=config.temperature),
            Budget(
                tokens=config.prompt.max_tokens * config.search.branch,
                steps=config.max_steps,
                step_tokens=config.prompt.max_tokens,
            ),
            [
                derive_seed(self.seed, update, "search", before + i, k)
                for i in range(len(prompts))
                for k in range(n)
            ],
        )
        self.tokens_generated += sum(result.tree.tokens_generated for result in results)
        rollouts = [Rollout(r.tree.prompt, r.completion_ids, r.finished, None) for r in results]
        return [rollouts[i * n : (i + 1) * n] for i in range(len(prompts))]

    def _score(self, rollouts: Sequence[Rollout]) -> None:
        """Fills in steps, ends, probabilities and outcome."""
        tokenizer, form = self.engine.tokenizer, self.config.reward.form
        for rollout in rollouts:
            steps = find_steps(rollout.token_ids, tokenizer)
            rollout.steps, rollout.ends = [step.text.strip() for step in steps], [step.end for step in steps]
        prompts = [self.prompt_ids(rollout.prompt) for rollout in rollouts]
        completions = [rollout.token_ids for rollout in rollouts]
        graded = self._graded(rollouts)
        # A reward model that nothing is rewarded by is not asked, unless somebody watches it.
        readers = self.config.reward.readers if self.readers is None else self.readers
        probabilities, outcomes = [np.zeros((0, 3))] * len(rollouts), [0.0] * len(rollouts)
        if readers == ("prm", "orm"):
            probabilities, outcomes = self.rewards.score_both(prompts, completions)
        elif readers == ("prm",):
            probabilities = self.rewards.step_probabilities(prompts, completions)
        elif readers == ("orm",):
            outcomes = self.rewards.outcome_probabilities(prompts, completions)
        if graded is not None:
            outcomes = [float(right) for right in graded()]
        by_grader = graded is not None and form != "process"
        for rollout, p, outcome in zip(rollouts, probabilities, outcomes, strict=True):
            rollout.probabilities, rollout.outcome = p, float(outcome)
            rollout.belief = (1.0 if form == "outcome" or by_grader else solution_score(p)) * (
                1.0 if form == "process" else float(outcome) * rollout.finished
            )

    def _graded(self, rollouts: Sequence[Rollout]) -> Callable[[], list[bool]] | None:
        """Begins to grade, where the outcome is not the ORM's; a call waits for the verdicts."""
        if self.config.reward.outcome == "orm":
            return None
        if self.grade is None:
            raise ValueError("the outcome is to be rewarded by a grader, but no grader was given")
        texts = [(r.prompt, "\n".join(r.steps)) for r in rollouts]
        workers, size = self.config.reward.workers, self.config.group_size
        if not workers:
            verdicts = self.grade(texts)
            return lambda: verdicts
        pool = ThreadPoolExecutor(workers)
        groups = [pool.submit(self.grade, texts[i : i + size]) for i in range(0, len(texts), size)]
        pool.shutdown(wait=False)  # it ends by itself, with its last group
        return lambda: [right for group in groups for right in group.result()]

    def _advantages(self, group: Sequence[Rollout]) -> None:
        """Fills in rewards and advantages from what `_score` has read: the four forms of `RewardConfig`."""
        reward, clip = self.config.reward, self.config.advantage_clip
        floor = self.config.std_floor if self.config.objective.scale_rewards == "group" else None
        for rollout in group:
            # Nothing but an end token, or cut off before the first step ended. It gets one step that is surely wrong:
            # without any it would have no reward, which is more than the negative one of a bad solution.
            if not rollout.steps:
                rollout.ends, rollout.steps = [len(rollout.token_ids) - 1], [""]
                rollout.probabilities = np.array([[1.0, 0.0, 0.0]])
        outcomes = [outcome_reward(r.outcome, r.finished) for r in group]
        if self.config.overlong.soft_tokens:
            outcomes = [o + cost for o, cost in zip(outcomes, self._overlong(group), strict=True)]
        lengths, ends = [len(r.token_ids) for r in group], [r.ends for r in group]
        process = [np.zeros(0)] * len(group)
        if reward.form != "outcome":
            process = [process_rewards(r.probabilities, r.steps, reward) for r in group]
        if reward.form in ("both_sum", "process"):
            rewards = [step_rewards(p, o, reward) for p, o in zip(process, outcomes, strict=True)]
            advantages = process_advantages(rewards, ends, lengths, floor)
        else:
            rewards = [np.array([o]) for o in outcomes]
            k = self.config.pass_k if reward.form == "outcome" else 1
            right = [r.belief >= 0.5 for r in group]
            # (group,)
            of_solutions = pass_k_advantages(right, k) if k > 1 else outcome_advantages(outcomes, floor)
            advantages = [np.full(n, a) for n, a in zip(lengths, of_solutions, strict=True)]
            if reward.form == "both_minimum":
                # Normalised apart: outcomes and minima have different spreads, and the weight is to mean something.
                worst = minimum_advantages(process, ends, lengths, reward.minimum_temperature, floor)
                advantages = [reward.outcome_weight * a + w for a, w in zip(advantages, worst, strict=True)]
        of_pass_k = self.config.pass_k if reward.form != "outcome" else 1
        weight = (1 - right_share(group)) ** (of_pass_k - 1)
        for rollout, r, a in zip(group, rewards, advantages, strict=True):
            signed = np.where(a > 0, self.config.positive_weight * a, a)
            rollout.rewards, rollout.advantages = r, np.clip(weight * signed, -clip, clip)

    def _overlong(self, group: Sequence[Rollout]) -> list[float]:
        """The soft punishment of long solutions, (group,) in [-1, 0]: TRL's."""
        from trl.rewards import get_soft_overlong_punishment

        punish = get_soft_overlong_punishment(self.config.prompt.max_tokens, self.config.overlong.soft_tokens)
        punishments: list[float] = punish([r.token_ids for r in group])
        return punishments
