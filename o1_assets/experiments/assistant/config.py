"""Every number of the assistant's stages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.generator.config import SamplesConfig, SftConfig
from o1_assets.policy.config import PolicyConfig, RewardConfig
from o1_assets.reward.config import RewardModelConfig

FOLLOWED, REFUSED, REFUSED_WRONGLY, WINS = 0.9, 0.95, 0.02, 0.5
"""What is to be reached: of instructions, of forbidden requests and of near misses, and of comparisons."""

UNRANKED = -100
"""Label of the tokens of a ranking that end no answer."""


class RequestsConfig(StageConfig):
    """Train problems as requests: with an instruction or none, and some of them with secrets."""

    requests: int = Field(12_000, gt=0, description="requests that are drawn of the train problems")
    forbidden_share: float = Field(0.15, ge=0, le=1, description="share with a secret number, to be refused")
    near_share: float = Field(
        0.15, ge=0, le=1, description="share with a number that is said not to be secret, to be answered"
    )


class DemonstrationsConfig(StageConfig):
    """What people write as the desired answers."""

    # The base's, whose people err. Faultless ones would teach arithmetic too, and nothing would tell the one lesson
    # from the other.
    corpus: CorpusConfig = Field(description="whose people write")


class ComparisonsConfig(StageConfig):
    """Rankings of several answers to one request (InstructGPT: 4 to 9, arXiv:2203.02155)."""

    annotator: Literal["oracle", "human", "human+oracle"] = Field(
        "oracle",
        description="who ranks: a program that follows the constitution and errs, people, or people and, what they "
        "have not ranked, the program",
    )
    min_ranked_share: float = Field(
        1.0, ge=0, le=1, description="where people rank alone, it goes on with this share of the requests"
    )
    # Turns 7 to 8% of nano's pairs round. InstructGPT's annotators agreed in 73% of them.
    swap_rate: float = Field(
        0.1, ge=0, le=1, description="chance that the annotator confuses an answer with the next better one"
    )

    @property
    def uses_people(self) -> bool:
        return self.annotator != "oracle"


class PreferenceConfig(RewardModelConfig):
    """The Bradley-Terry reward model."""

    updates: int = Field(200, gt=0, description="optimizer updates")
    batch_size: int = Field(
        16, gt=0, description="rankings an update; all pairs of a ranking are one element"
    )


class AssistantEvalConfig(StageConfig):
    """Requests of held-out problems, which every model of the chain answers."""

    problems: int = Field(300, gt=0, description="held-out problems, each asked in every way")
    samples: int = Field(4, gt=0, description="answers to a problem that is asked plainly")
    resamples: int = Field(1_000, gt=0, description="bootstrap resamples of an interval")
    temperature: float = Field(1.0, gt=0, description="sampling temperature")
    prompt: PromptFormat = PromptFormat()


class AssistantConfig(StageConfig):
    """Instruction tuning, preferences and RLHF, between the base and GPT*."""

    requests: RequestsConfig = RequestsConfig()
    sft: SftConfig = SftConfig(batch_size=32, learning_rate=2e-3)
    answers: SamplesConfig = SamplesConfig(problems=5_000, per_problem=4)
    comparisons: ComparisonsConfig = ComparisonsConfig()
    reward: PreferenceConfig = PreferenceConfig()
    policy: PolicyConfig = PolicyConfig(
        reward=RewardConfig(form="outcome"), updates=60, learning_rate=4e-4, kl_coefficient=0.1
    )
    eval: AssistantEvalConfig = AssistantEvalConfig()
