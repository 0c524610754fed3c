"""tic-tac-toe and letters: nano's loop in other worlds, on two CPU cores (docs/decisions/games.md)."""

from __future__ import annotations

from typing import Any

from o1_assets.base.config import WorldBase
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.generator.config import SftSetConfig
from o1_assets.problems.config import ProblemsConfig, WorldSource
from o1_assets.problems.worlds.letters import LettersCorpus
from o1_assets.problems.worlds.tic_tac_toe import TicTacToeCorpus
from o1_assets.problems.worlds.world import Corpus
from o1_assets.profiles.nano import NANO
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig


def _without_prompts(config: StageConfig) -> dict[str, Any]:
    """The fields of a profile or stage, without its copies of nano's prompt."""
    return {
        name: _without_prompts(value) if isinstance(value, StageConfig) else value
        for name, value in config
        if name != "prompt"
    }


def _of_world(world: str, corpus: Corpus, max_tokens: int, train: int) -> Profile:
    """What is not named here is nano's: selection, RL, evaluation."""
    return Profile.model_validate(
        {
            **_without_prompts(NANO),
            "name": world,
            "rounds": 4,
            "prompt": PromptFormat(max_tokens=max_tokens),
            "problems": ProblemsConfig(
                source=WorldSource(world=world, corpus=corpus), train=train, test=300, shares=None
            ),
            # The rates of countdown.
            "base": WorldBase(world=world, corpus=corpus, muon_lr=0.02, adamw_lr=4e-3),
            "sft_set": SftSetConfig(min_steps=2),
            # Graded homework is drawn of arithmetic alone.
            "verifier": None,
            "first_prm": PRMConfig(updates=150),
            "later_prm": PRMConfig(updates=80, newest_share=0.3),
            "first_orm": ORMConfig(updates=300, solutions=2000),
            "later_orm": ORMConfig(updates=80, solutions=300, newest_share=0.3),
        }
    )


# There are 4,520 boards.
TIC_TAC_TOE = _of_world("tic-tac-toe", TicTacToeCorpus(misconception_scale=1.5), max_tokens=144, train=2500)
LETTERS = _of_world("letters", LettersCorpus(misconception_scale=1.5), max_tokens=96, train=4000)
