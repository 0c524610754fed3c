"""code: short functions from three of their values, graded by hidden tests (docs/decisions/code.md)."""

from __future__ import annotations

from typing import Any

from o1_assets.base.config import WorldBase
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.generator.config import SftSetConfig
from o1_assets.problems.config import ProblemsConfig, WorldSource
from o1_assets.problems.worlds.code.teacher import CodeCorpus
from o1_assets.profiles.nano import NANO
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig

CORPUS = CodeCorpus(solutions=40_000)


def _without_prompt(values: dict[str, Any]) -> dict[str, Any]:
    """nano's stages carry nano's prompt, which has another limit."""
    return {
        name: _without_prompt(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if name != "prompt"
    }


# What is not named here is nano's: RL, evaluation.
CODE = Profile.model_validate(
    {
        **_without_prompt(NANO.model_dump()),
        "name": "code",
        # A solution is twice as long as nano's.
        "rounds": 3,
        "prompt": PromptFormat(max_tokens=160),
        "problems": ProblemsConfig(
            source=WorldSource(world="code", corpus=CORPUS), train=3000, test=300, shares=None
        ),
        "base": WorldBase(world="code", corpus=CORPUS, muon_lr=0.015, adamw_lr=4e-3),
        "sft_set": SftSetConfig(min_steps=3),
        # Graded homework is drawn of arithmetic alone, so the reward models start from GPT* and read how unlikely it
        # found a step.
        "verifier": None,
        "first_prm": PRMConfig(updates=150),
        "later_prm": PRMConfig(updates=80, newest_share=0.3),
        "first_orm": ORMConfig(updates=300, solutions=2000),
        "later_orm": ORMConfig(updates=80, solutions=300, newest_share=0.3),
        "first_selection": {**_without_prompt(NANO.first_selection.model_dump()), "max_step_tokens": 20},
        "later_selection": {**_without_prompt(NANO.later_selection.model_dump()), "max_step_tokens": 20},
        "thinking": ThinkingConfig(self_check=True),
    }
)
