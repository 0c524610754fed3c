"""Every number of ablations/kinds: which kinds of errors there are, and which each version finds."""

from __future__ import annotations

from pydantic import Field

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat


class KindsConfig(StageConfig):
    """ablations/kinds."""

    samples: int = Field(
        16, gt=0, description="solutions a problem, of GPT* and of the last policy, in the fixed pool"
    )
    corpus_solutions: int = Field(4000, gt=0, description="of the corpus, whose errors are counted")
    least: int = Field(5, gt=0, description="errors of a kind below which no share is shown")
    prompt: PromptFormat = PromptFormat()


class KindsResultConfig(KindsConfig):
    """corpus: what the base was pre-trained on."""

    corpus: CorpusConfig
