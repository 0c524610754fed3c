"""What a model card says in words, by kind of checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from o1_assets.store.manifest import Manifest


@dataclass(frozen=True)
class Words:
    """what, use, limits, load: paragraphs of the card. labels_are: what the table of labels is a table of."""

    title: str
    what: str
    use: str
    limits: str
    load: str
    labels_are: str
    pipeline: str
    tags: tuple[str, ...]


_RESEARCH = (
    "Made to study how models learn to reason from ratings of single steps. It is no assistant, follows no "
    "instructions and was not tested for anything else."
)


_ARITHMETIC = (
    "The nano profile knows step-by-step arithmetic on small whole numbers and nothing else; other questions get "
    "meaningless text. It is wrong often, and confidently."
)


_GENERAL = "Knows the problems that it was trained on; elsewhere it is unreliable. It is wrong often, and confidently."


_THROUGH_REWARD = (
    "It saw no rating itself: these trained the reward models that rewarded it and its predecessors."
)


def words_of(manifest: Manifest) -> Words:
    """The words for a checkpoint's manifest."""
    round_name, _, stage = manifest.key.partition("/")
    limits = _ARITHMETIC if manifest.profile == "nano" else _GENERAL
    version = f"v{int(round_name[1:])}" if round_name[1:].isdigit() else ""
    if stage in _JUDGES:
        return _reward_model(manifest, stage, version, limits)
    kinds = {
        "base/model": ("Base", "The pre-trained model from which all others come.", ("base",)),
        "generator/model": (
            "GPT\\*, the generator",
            "The base after one epoch on its own solutions with the correct final answer.",
            ("generator", "sft"),
        ),
    }
    arm = (
        f"Arm of an experiment: {stage}",
        "A policy trained to be compared with others of the same experiment; no part of the loop.",
        ("policy", "ablation"),
    )
    title, what, tags = kinds.get(
        manifest.key,
        arm
        if round_name == "ablations"
        else (
            f"baby-o1 {version}".strip(),
            "A policy that reasons step by step: process-supervised GRPO (DeepSeekMath, 4.1.3) from the newest "
            "policy, rewarded by the round's PRM at each step and by its ORM at the last.",
            ("policy", "grpo", "reinforcement-learning"),
        ),
    )
    return Words(
        title=title,
        what=what,
        use=f"{_RESEARCH} It writes a solution one step a line, ending in its answer. {_prompt(manifest)}".strip(),
        limits=limits,
        load="from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n"
        "model = AutoModelForCausalLM.from_pretrained(FOLDER, use_safetensors=True)",
        labels_are=_THROUGH_REWARD,
        pipeline="text-generation",
        tags=tags,
    )


_JUDGES = {
    "prm": "A process reward model: a token classifier that says negative, neutral or positive at each step's last "
    "token (Lightman et al. 2023).",
    "orm": "An outcome reward model: a token classifier that says whether the final answer is wrong or right, trained "
    "on uniform samples and their final answers.",
    "q_value": "A Q-value model: a token classifier that says, at each step's last token, how likely the round's "
    "policy is to end right from there on; trained on that policy's own solutions and search trees.",
}


_REWARD_TITLES = {"prm": "PRM", "orm": "ORM", "q_value": "Q-value model"}


_REWARD_TAGS = {"prm": "process-reward-model", "orm": "outcome-reward-model", "q_value": "q-value-model"}


_READS_GENERATOR = (
    " It also reads how unlikely the generator found each step's least likely token, so it is scored together with "
    "that generator."
)


_SCORER = """from pathlib import Path

from o1_assets.reward.score import load_scorer

# The generator that it reads: generator/model of the same run. An export holds it in this folder.
scorer = load_scorer(Path(FOLDER), Path(FOLDER) / "generator")
encode = scorer.tokenizer.encode
prompt, steps = "What is 2 + 3 * 4?\\n", "3*4=12\\n2+12=14\\nanswer 14\\n"
scorer.score([encode(prompt, add_special_tokens=False)], [encode(steps, add_special_tokens=False)])"""


_CLASSIFIER = """from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForTokenClassification.from_pretrained(FOLDER, use_safetensors=True)"""


_PART_ONLY = """

# transformers alone loads the classifier without that input, whose weights are in probability_feature.safetensors.
# Its numbers are then others, and worse: they are no score of this model.
"""


def _reward_model(manifest: Manifest, stage: str, version: str, limits: str) -> Words:
    feature = bool(manifest.config.get("probability_feature"))
    return Words(
        title=f"{_REWARD_TITLES[stage]} {version}",
        what=_JUDGES[stage] + (_READS_GENERATOR if feature else ""),
        use=f"{_RESEARCH} It scores solutions of the policies of its round, for selection, search and reward. "
        f"{_prompt(manifest)}".strip(),
        limits=f"{limits} Policies trained against it learn to please it: a high score is no proof.",
        load=_SCORER + _PART_ONLY + _CLASSIFIER if feature else _CLASSIFIER,
        labels_are="The ratings of steps that it was trained on."
        if stage == "prm"
        else "It was trained on final answers, not on these: they trained the PRMs that rewarded the policies it "
        "saw samples of.",
        pipeline="token-classification",
        tags=("reward-model", _REWARD_TAGS[stage]),
    )


def _prompt(manifest: Manifest) -> str:
    template = manifest.config.get("prompt", {}).get("template")
    return f"Prompt: `{template!r}`." if isinstance(template, str) else ""
