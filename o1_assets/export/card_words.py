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


RESEARCH = (
    "Made to study how models learn to reason from ratings of single steps. It is no assistant, follows no "
    "instructions and was not tested for anything else."
)
ARITHMETIC = (
    "The nano profile knows step-by-step arithmetic on small whole numbers and nothing else; other questions get "
    "meaningless text. It is wrong often, and confidently."
)
GENERAL = "Knows the problems that it was trained on; elsewhere it is unreliable. It is wrong often, and confidently."

# Title, description and tags of the models that write, by key.
WRITERS = {
    "base/model": ("Base", "The pre-trained model from which all others come.", ("base",)),
    "generator/model": (
        "GPT\\*, the generator",
        "The base after one epoch on its own solutions with the correct final answer.",
        ("generator", "sft"),
    ),
}
POLICY = (
    "A policy that reasons step by step: process-supervised GRPO (DeepSeekMath, 4.1.3) from the newest "
    "policy, rewarded by the round's PRM at each step and by its ORM at the last.",
    ("policy", "grpo", "reinforcement-learning"),
)
ARM = (
    "A policy trained to be compared with others of the same experiment; no part of the loop.",
    ("policy", "ablation"),
)

# The same of the models that score, by the last part of the key.
SCORERS = {
    "prm": (
        "PRM",
        "A process reward model: a token classifier that says negative, neutral or positive at each step's last "
        "token (Lightman et al. 2023).",
        "process-reward-model",
    ),
    "orm": (
        "ORM",
        "An outcome reward model: a token classifier that says whether the final answer is wrong or right, trained "
        "on uniform samples and their final answers.",
        "outcome-reward-model",
    ),
    "q_value": (
        "Q-value model",
        "A Q-value model: a token classifier that says, at each step's last token, how likely the round's "
        "policy is to end right from there on; trained on that policy's own solutions and search trees.",
        "q-value-model",
    ),
}
READS_GENERATOR = (
    " It also reads how unlikely the generator found each step's least likely token, so it is scored together with "
    "that generator."
)

WRITER = """from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForCausalLM.from_pretrained(FOLDER, use_safetensors=True)"""
CLASSIFIER = """from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForTokenClassification.from_pretrained(FOLDER, use_safetensors=True)"""

# Where the model reads the generator, our own scorer comes first: who loads the classifier alone gets numbers without
# an error, and they are wrong.
SCORER = (
    """from pathlib import Path

from o1_assets.reward.score import load_scorer

# The generator that it reads: generator/model of the same run. An export holds it in this folder.
scorer = load_scorer(Path(FOLDER), Path(FOLDER) / "generator")
encode = scorer.tokenizer.encode
prompt, steps = "What is 2 + 3 * 4?\\n", "3*4=12\\n2+12=14\\nanswer 14\\n"
scorer.score([encode(prompt, add_special_tokens=False)], [encode(steps, add_special_tokens=False)])

# transformers alone loads the classifier without that input, whose weights are in probability_feature.safetensors.
# Its numbers are then others, and worse: they are no score of this model.
"""
    + CLASSIFIER
)


def words_of(manifest: Manifest) -> Words:
    """The words for a checkpoint's manifest."""
    *_, group, stage = ("", *manifest.key.split("/"))
    version = f" v{int(group[1:])}" if group[1:].isdigit() else ""
    template = manifest.config.get("prompt", {}).get("template")
    prompt = f" Prompt: `{template!r}`." if isinstance(template, str) else ""
    limits = ARITHMETIC if manifest.profile == "nano" else GENERAL
    if stage in SCORERS:
        return _scorer(manifest, stage, version, prompt, limits)
    part, _, name = manifest.key.partition("/")
    arm = f"Arm of an experiment: {name}"
    other = (arm, *ARM) if part == "ablations" else (f"baby-o1{version}", *POLICY)
    title, what, tags = WRITERS.get(manifest.key, other)
    return Words(
        title=title,
        what=what,
        use=f"{RESEARCH} It writes a solution one step a line, ending in its answer.{prompt}",
        limits=limits,
        load=WRITER,
        labels_are="It saw no rating itself: these trained the reward models that rewarded it and its predecessors.",
        pipeline="text-generation",
        tags=tags,
    )


def _scorer(manifest: Manifest, stage: str, version: str, prompt: str, limits: str) -> Words:
    title, what, tag = SCORERS[stage]
    feature = bool(manifest.config.get("probability_feature"))
    return Words(
        title=title + version,
        what=what + READS_GENERATOR * feature,
        use=f"{RESEARCH} It scores solutions of the policies of its round, for selection, search and reward.{prompt}",
        limits=f"{limits} Policies trained against it learn to please it: a high score is no proof.",
        load=SCORER if feature else CLASSIFIER,
        labels_are="The ratings of steps that it was trained on."
        if stage == "prm"
        else "It was trained on final answers, not on these: they trained the PRMs that rewarded the policies it "
        "saw samples of.",
        pipeline="token-classification",
        tags=("reward-model", tag),
    )
