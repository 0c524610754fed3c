"""countdown: a world where finding is hard and checking is easy, on two CPU cores (docs/decisions/countdown.md)."""

from __future__ import annotations

from o1_assets.base.config import WorldBase
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.generator.config import SftSetConfig
from o1_assets.policy.config import RewardConfig
from o1_assets.problems.config import CountdownFilter, Generator, ProblemsConfig, ReasoningGymSource
from o1_assets.problems.worlds.countdown.teacher import CountdownCorpus
from o1_assets.profiles.nano import NANO
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig

# nano's rates are lower; at these the base solved .24 instead of .21 with the same corpus.
CORPUS = CountdownCorpus(solutions=120_000)
BASE = WorldBase(world="countdown", corpus=CORPUS, muon_lr=0.02, adamw_lr=4e-3)

PROBLEMS = {
    "min_numbers": CORPUS.min_numbers,
    "max_numbers": CORPUS.max_numbers,
    "min_value": CORPUS.min_number,
    "max_value": CORPUS.max_number,
    "min_target": CORPUS.min_target,
    "max_target": CORPUS.max_target,
}

# What is not named here is nano's: selection, RL, evaluation.
COUNTDOWN = Profile.model_validate(
    {
        **{name: getattr(NANO, name) for name in Profile.model_fields},
        "name": "countdown",
        "rounds": 4,
        "prompt": PromptFormat(max_tokens=64),
        "problems": ProblemsConfig(
            source=ReasoningGymSource(generators=(Generator(name="countdown", parameters=PROBLEMS),)),
            train=2000,
            test=300,
            # A random player solves .06 of all problems in one attempt and .53 in 16; of these .02 and .30.
            countdown=CountdownFilter(
                min_numbers=CORPUS.min_numbers,
                max_numbers=CORPUS.max_numbers,
                max_value=CORPUS.max_value,
                max_luck=0.05,
            ),
            shares=None,
        ),
        "base": BASE,
        "sft_set": SftSetConfig(min_steps=2),
        # Graded homework is drawn of arithmetic alone, so the reward models start from GPT* and read how unlikely it
        # found a step.
        "verifier": None,
        "first_prm": PRMConfig(updates=150),
        "later_prm": PRMConfig(updates=80, newest_share=0.3),
        "first_orm": ORMConfig(updates=300, solutions=2000),
        "later_orm": ORMConfig(updates=80, solutions=300, newest_share=0.3),
        # An answer is checked against its own problem, which takes no answer key. With the learned models' rewards one
        # round took pass@1 from .15 to .09: they know a false step, but hardly a step into a dead end.
        "policy": NANO.policy.model_copy(update={"reward": RewardConfig(form="outcome", outcome="self_check")}),
        "thinking": ThinkingConfig(self_check=True),
    }
)
