"""A card calls a checkpoint what it is."""

from __future__ import annotations

import pytest

from o1_assets.export.model_card import recorded_prompt, words_of
from o1_assets.store.manifest import Manifest


@pytest.mark.parametrize(
    ("key", "title", "pipeline", "tag"),
    [
        ("r03/policy", "baby-o1 v3", "text-generation", "policy"),
        ("r03/prm", "PRM v3", "token-classification", "process-reward-model"),
        ("r03/orm", "ORM v3", "token-classification", "outcome-reward-model"),
        ("r03/q_value", "Q-value model v3", "token-classification", "q-value-model"),
        ("base/model", "Base", "text-generation", "base"),
        ("mini/model", "o1-mini", "text-generation", "distillation"),
        ("mini/arms/rl", "Arm of an experiment: arms/rl", "text-generation", "ablation"),
        ("circle/g1/base", "The virtuous circle: g1/base", "text-generation", "self-training"),
    ],
)
def test_title_and_kind(key: str, title: str, pipeline: str, tag: str) -> None:
    words = words_of(Manifest.model_construct(key=key, profile="nano", config={}))
    assert (words.title, words.pipeline) == (title, pipeline) and tag in words.tags
    assert ("AutoModelForTokenClassification" in words.load) == (pipeline == "token-classification")


def test_what_reads_the_generator_is_loaded_with_it_first() -> None:
    manifest = Manifest.model_construct(key="r03/orm", profile="nano", config={"probability_feature": True})
    words = words_of(manifest)
    assert words.load.index("load_scorer") < words.load.index("AutoModelForTokenClassification")
    assert "scored together with that generator" in words.what


def test_a_version_of_before_the_prompt_format_says_its_prompt_too() -> None:
    former = {"prompt_template": "{question} =\n", "answer_prefix": "answer ", "max_tokens": 60}
    old, new = (
        Manifest.model_construct(key="r03/policy", profile="nano", config=config)
        for config in (former, {"prompt": {"template": "{question} =\n", "max_tokens": 60}})
    )
    assert recorded_prompt(old) == recorded_prompt(new) == {"template": "{question} =\n", "max_tokens": 60}
    assert words_of(old).use == words_of(new).use and "{question}" in words_of(old).use
