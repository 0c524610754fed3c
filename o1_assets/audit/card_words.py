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
    if stage in ("prm", "orm"):
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


def _reward_model(manifest: Manifest, stage: str, version: str, limits: str) -> Words:
    process = stage == "prm"
    feature = bool(manifest.config.get("probability_feature"))
    reads = (
        " It also reads how unlikely the generator found each step's least likely token, so it is scored together "
        "with that generator."
        if feature
        else ""
    )
    plain = "" if not feature else "\n# without the extra input, whose weights lie beside: a weaker model\n"
    loader = "from o1_assets.reward.model import load_reward_model\n\nmodel = load_reward_model(FOLDER)"
    auto = (
        "from transformers import AutoModelForTokenClassification\n\n"
        "model = AutoModelForTokenClassification.from_pretrained(FOLDER, use_safetensors=True)"
    )
    judged = "negative, neutral or positive at each step's last token" if process else "wrong or right"
    return Words(
        title=f"{stage.upper()} {version}",
        what=(
            f"A process reward model: a token classifier that says {judged} (Lightman et al. 2023)."
            if process
            else f"An outcome reward model: a token classifier that says whether the final answer is {judged}, "
            "trained on uniform samples and their final answers."
        )
        + reads,
        use=f"{_RESEARCH} It scores solutions of the policies of its round, for selection, search and reward. "
        f"{_prompt(manifest)}".strip(),
        limits=f"{limits} Policies trained against it learn to please it: a high score is no proof.",
        load=f"{loader}\n{plain}{auto}" if feature else auto,
        labels_are="The ratings of steps that it was trained on."
        if process
        else "It was trained on final answers, not on these: they trained the PRMs that rewarded the policies it "
        "saw samples of.",
        pipeline="token-classification",
        tags=("reward-model", "process-reward-model" if process else "outcome-reward-model"),
    )


def _prompt(manifest: Manifest) -> str:
    template = manifest.config.get("prompt_template")
    return f"Prompt: `{template!r}`." if isinstance(template, str) else ""
