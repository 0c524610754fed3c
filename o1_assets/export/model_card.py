"""Model cards in Hugging Face's format: what a checkpoint is, what it was trained on, and what it is good for.

A card is made from the manifest, lies beside it (store/cards.py), and is written again where it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1_assets.core.formatting import with_thousands
from o1_assets.core.tables import scan_parquet
from o1_assets.store import cards
from o1_assets.store.ancestry import ancestry, find_version
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError

TEMPLATE = Path(__file__).with_name("model_card.md.j2")
LINEAGE = "## Lineage"

# Stages whose artifacts are checkpoints. As an input of a training a checkpoint is its start, and no data.
MODELS = ("model", "prm", "orm", "policy", "q_value")

COSTS = {
    "seconds": "seconds",
    "flops": "FLOPs (2P a token read or written, 6P a token trained on)",
    "tokens_trained": "tokens trained on",
    "tokens_generated": "tokens generated",
    "tokens_scored": "tokens scored",
}


@dataclass(frozen=True)
class Words:
    """what, use, limits, load: paragraphs of the card. labels_are: the caption of the table of labels."""

    title: str
    what: str
    use: str
    limits: str
    load: str
    labels_are: str
    pipeline: str
    tags: tuple[str, ...]


def is_checkpoint(store: ArtifactStore, manifest: Manifest) -> bool:
    """Whether the version holds a model: a configuration and weights, as its object lists them."""
    names = {entry["path"] for entry in store.tree(manifest.digest)}
    return "config.json" in names and any(name.endswith(".safetensors") for name in names)


def read_card(store: ArtifactStore, key: str, version: str | None = None) -> str:
    """The card of a version (today's without one; as `find_version` takes it), made if it is missing.

    Raises StoreError if there is no such version, if it is no checkpoint, or if the card was changed.
    """
    name, unsealed = find_version(store, key, version), False
    try:
        text = cards.read_card(store.backend, key, name)
    except cards.UnsealedCard:
        text, unsealed = None, True
    if text is not None:
        return text
    manifest = store.manifest(key, name)
    if not is_checkpoint(store, manifest):
        raise StoreError(
            f"{key} is no checkpoint, so it has no model card; `o1 audit {key}` shows its lineage"
        )
    made = make_card(store, manifest)
    # What an early release wrote stays: it says how the model was loaded then.
    return made if unsealed else cards.write_card(store.backend, key, name, made)


def without_lineage(card: str) -> str:
    """The card's text without its header and its lineage: the UI shows it beside the lineage graph."""
    return card.partition("\n---\n")[2].partition(LINEAGE)[0].strip()


def make_card(store: ArtifactStore, manifest: Manifest) -> str:
    """The card of a recorded checkpoint, from its manifest and those of its ancestors. Raises StoreError."""
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, StrictUndefined

    ancestors = ancestry(store, manifest.key, manifest.version)
    words, inputs = words_of(manifest), {item.key for item in manifest.inputs.values()}
    header = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag=words.pipeline,
        tags=["o1-assets", *words.tags],
    )
    costs = [
        (title, getattr(manifest.cost, name), sum(getattr(made.cost, name) for made in ancestors))
        for name, title in COSTS.items()
    ]
    jinja = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    jinja.filters["thousands"] = with_thousands
    text = jinja.from_string(TEMPLATE.read_text()).render(
        card_data=header.to_yaml(),
        manifest=manifest,
        words=words,
        data=[made for made in ancestors if made.key in inputs and made.key.rpartition("/")[2] not in MODELS],
        labels=list(_label_rows(store, ancestors)),
        figures={name: value for name, value in manifest.figures.items() if value is not None},
        costs=costs,
        lineage=ancestors[::-1],
        config=json.dumps(manifest.config, indent=1, sort_keys=True),
    )
    # Reads the header back: what is no valid YAML fails here, and not on the Hub.
    return str(ModelCard(text))


def _label_rows(store: ArtifactStore, ancestors: Sequence[Manifest]) -> Iterator[dict[str, Any]]:
    """A row for each rNN/labels among the ancestors."""
    known = {(made.key, made.version): made for made in ancestors}
    for made in ancestors:
        if made.key.endswith("/labels") and "batches" in made.inputs:
            source = made.inputs["batches"]
            batches = known[source.key, source.version]
            # Figures of old manifests may lack some of these names.
            yield {
                "round": made.key.partition("/")[0],
                "annotator": batches.figures.get("annotator", ""),
                "protocol": made.config.get("protocol", ""),
                "batches": batches.figures.get("batches", ""),
                "people": batches.figures.get("batches_from_people", ""),
                "labelers": _labelers(store, batches),
                **{
                    name: made.figures.get(name, "") for name in ("labels", "positive", "neutral", "negative")
                },
            }


def _labelers(store: ArtifactStore, batches: Manifest) -> int | str:
    """How many labellers rated in a version of rNN/label_batches; an empty cell if its object is gone."""
    import polars as pl

    if not store.present(batches.digest):
        return ""
    # A card names no labeller, only their number.
    records = scan_parquet(store.path(batches.digest) / "records.parquet")
    return int(records.select(pl.col("labeler").n_unique()).collect().item())


# The texts of a card, by kind of checkpoint.

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
    "mini/model": (
        "o1-mini",
        "A student of a quarter of the parameters, the best of those that were distilled from the last baby-o1 or "
        "trained beside it.",
        ("policy", "distillation"),
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

CIRCLE = (
    "A base of the virtuous circle: at first it answers directly unless it is told to think, and each generation is "
    "trained on what the one before it wrote.",
    ("base", "self-training"),
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
prompt, steps = "What is 2 + 3 * 4?\\n", "3*4=12 left 2+12\\n2+12=14\\nanswer 14\\n"
scorer.score([encode(prompt, add_special_tokens=False)], [encode(steps, add_special_tokens=False)])

# transformers alone loads the classifier without that input, whose weights are in probability_feature.safetensors.
# Its numbers are then others, and worse: they are no score of this model.
"""
    + CLASSIFIER
)


def recorded_prompt(manifest: Manifest) -> dict[str, Any]:
    """The prompt format that a version was made with, as a dictionary; empty if its stage has none."""
    prompt = manifest.config.get("prompt")
    if isinstance(prompt, dict):
        return prompt
    # Versions from before PromptFormat have its fields among the stage's own.
    former = {"template": "prompt_template", "max_tokens": "max_tokens"}
    return {name: manifest.config[field] for name, field in former.items() if field in manifest.config}


def words_of(manifest: Manifest) -> Words:
    """The words for a checkpoint's manifest."""
    # The last two parts: an arm of an experiment has a round of its own behind its prefix.
    *_, group, stage = ("", *manifest.key.split("/"))
    version = f" v{int(group[1:])}" if group[1:].isdigit() else ""
    template = recorded_prompt(manifest).get("template")
    prompt = f" Prompt: `{template!r}`." if isinstance(template, str) else ""
    limits = ARITHMETIC if manifest.profile == "nano" else GENERAL
    if stage in SCORERS:
        return _scorer(manifest, stage, version, prompt, limits)
    part, _, name = manifest.key.partition("/")
    arm = f"Arm of an experiment: {name}"
    other = (arm, *ARM) if part in ("ablations", "mini") else (f"baby-o1{version}", *POLICY)
    if part == "circle":
        other = (f"The virtuous circle: {name}", *CIRCLE)
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
