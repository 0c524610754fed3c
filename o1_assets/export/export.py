"""`o1 export`: one version of a checkpoint as a folder ready for the Hugging Face Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1_assets.core.files import json_bytes
from o1_assets.core.formatting import figure_text
from o1_assets.export.folder import ExportError, check_target, write_folder
from o1_assets.export.model_card import is_checkpoint, make_card, recorded_prompt
from o1_assets.store.ancestry import ancestry
from o1_assets.store.kinds import check_kinds
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError

# Folder, inside of a reward model's export, of the generator whose log-probabilities it reads.
GENERATOR = "generator"

# The lines for our kinds of file in the .gitattributes that the Hub writes into a new repository.
ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.png filter=lfs diff=lfs merge=lfs -text\n"

# The section of the card before which the evaluations are put.
_AFTER = "## Training compute"
WHAT = {
    "eval/generator": "GPT*'s solutions",
    "eval/baby_o1": "the last baby-o1's solutions",
    "mini/eval": "its solutions, and those of baby-o1 (`policy`) as its measure",
}
PLACEHOLDER = "FOLDER"

# Role of the checkpoint in an evaluation -> the evaluation's figures that are about it.
SHOWN = {
    "policy": (
        "problems",
        "samples",
        "pass@1",
        "greedy",
        "majority_at_n",
        "prm_best_of_n",
        "prm_best_of_n_error",
    ),
    "prm": ("problems", "samples", "prm_best_of_n", "majority_at_n", "pass@1", "step_f1", "fooled_fresh"),
    "orm": ("problems", "samples", "orm_best_of_n", "majority_at_n", "pass@1"),
    "mini": ("pass@1 mini", "pass@1 policy", "mini_accuracy_share", "mini_flops_share", "mini_ood_share"),
}


@dataclass(frozen=True)
class EvaluationFigures:
    """An evaluation of the checkpoint. figures: those of SHOWN that it has, in that order."""

    key: str
    version: str
    figures: dict[str, float | int | str]


@dataclass(frozen=True)
class Exported:
    """A finished export. changed: False if the folder held the same one already. megabytes: 10^6 bytes, all files."""

    key: str
    version: str
    digest: str
    folder: Path
    files: list[str]
    megabytes: float
    changed: bool


def export(
    store: ArtifactStore,
    key: str,
    folder: Path,
    version: str | None = None,
    measured: Callable[[str], str] = lambda digest: "",
) -> Exported:
    """Writes a version of a checkpoint (today's without one; as `find_version` takes it) into `folder`.

    The folder has weights, configuration, tokenizer, generation config and the model card as README.md. A reward model
    that reads the generator's log-probabilities comes with that generator. Every byte of the object is compared with
    its digest first. The bytes depend on the version, its evaluations in the store and `measured` alone, which gives
    the card's section with the measures of a digest that others know. Raises StoreError, ExportError.
    """
    check_target(folder)
    manifest = ancestry(store, key, version)[-1]
    if not is_checkpoint(store, manifest):
        raise StoreError(f"{key} is no checkpoint, so there is nothing to load; `o1 status` lists all keys")
    # What is published is what the lineage names: a damaged object is refused before anything is written.
    source = store.verified(manifest.digest)
    generator = _generator(store, manifest, source)

    def fill(stage: Path) -> None:
        copy_checkpoint(source, stage)
        complete_config(stage)
        if not is_reward_model(stage):
            complete_generation_config(stage, _longest(manifest))
        if generator is not None:
            (stage / GENERATOR).mkdir()
            copy_checkpoint(generator, stage / GENERATOR, plots=False)
        evaluations, known = evaluations_of(store, manifest), measured(manifest.digest)
        card = export_card(make_card(store, manifest), evaluations, plots(stage), known)
        (stage / "README.md").write_text(card)
        (stage / ".gitattributes").write_text(ATTRIBUTES)

    about = {
        "key": manifest.key,
        "version": manifest.version,
        "digest": manifest.digest,
        "profile": manifest.profile,
    }
    try:
        changed = write_folder(folder, fill, about)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise ExportError(f"{folder} cannot be written: {error.strerror}; name another folder") from None
    # Of the folder and not of what was written: an equal export that was there already is listed too.
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Exported(
        key=manifest.key,
        version=manifest.version,
        digest=manifest.digest,
        folder=folder,
        files=[path.relative_to(folder).as_posix() for path in files],
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        changed=changed,
    )


def _generator(store: ArtifactStore, manifest: Manifest, source: Path) -> Path | None:
    """The object of the generator that a reward model reads; None for all other models."""
    if not is_reward_model(source) or not reads_generator(source):
        return None
    if "generator" not in manifest.inputs:
        raise ExportError(
            f"{manifest.key} reads a generator's log-probabilities, but its manifest names no generator"
        )
    return store.verified(manifest.inputs["generator"].digest)


def _longest(manifest: Manifest) -> int | None:
    """The length in tokens of the longest solution that the model was trained on; None if its stage has no limit."""
    longest = recorded_prompt(manifest).get("max_tokens")
    return longest if isinstance(longest, int) else None


def copy_checkpoint(source: Path, target: Path, plots: bool = True) -> None:
    """The files of a checkpoint's object: weights, configuration, tokenizer and, if wanted, its plots.

    Tables stay out: they are no part of a model. Raises StoreError on a file that no artifact may hold.
    """
    check_kinds(source)
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        wanted = len(name.parts) == 1 or (plots and name.parts[0] == "plots")
        if path.is_file() and wanted and path.suffix != ".parquet" and name.as_posix() != "tree.json":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            # Without its mode: the store's files are read-only, and these belong to the user.
            shutil.copyfile(path, target / name)


def is_reward_model(folder: Path) -> bool:
    return any(
        "TokenClassification" in name for name in _json(folder / "config.json").get("architectures") or ()
    )


def reads_generator(folder: Path) -> bool:
    """Whether a reward model reads the generator's log-probabilities of each step."""
    return bool(_json(folder / "config.json").get("probability_feature"))


def complete_config(folder: Path) -> None:
    """Switches the KV cache on again."""
    # Training switches it off, and transformers saves that: whoever generates would compute each prefix anew.
    path = folder / "config.json"
    path.write_bytes(json_bytes({**_json(path), "use_cache": True}))


def complete_generation_config(folder: Path, max_tokens: int | None) -> None:
    """Adds the longest solution, in tokens, that the model was trained to write; transformers stops at 20 without."""
    path = folder / "generation_config.json"
    if path.exists():
        known = _json(path)
    else:
        config = _json(folder / "config.json")
        keys = [f"{name}_token_id" for name in ("bos", "eos", "pad")]
        known = {key: config[key] for key in keys if config.get(key) is not None}
    path.write_bytes(json_bytes({**known, **({"max_new_tokens": max_tokens} if max_tokens else {})}))


def plots(folder: Path) -> list[str]:
    """Names of the plots, relative to the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("plots/*.png"))


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def evaluations_of(store: ArtifactStore, manifest: Manifest) -> list[EvaluationFigures]:
    """The newest evaluation of these very bytes under each key that evaluates such a checkpoint.

    Versions are read from the newest on, and no further than needed.
    """
    round_name, _, stage = manifest.key.partition("/")
    keys = [f"{round_name}/eval"] if stage in SHOWN else []
    keys += ["eval/generator", "eval/baby_o1", "mini/eval"]
    evaluations = []
    for key in keys:
        for version in reversed(store.versions(key)):
            evaluation = store.manifest(key, version)
            # By digest and not by version: a checkpoint that was made again to the same bytes is the same one.
            roles = [
                r for r in SHOWN if r in evaluation.inputs and evaluation.inputs[r].digest == manifest.digest
            ]
            if roles:
                figures = {
                    name: value
                    for name in SHOWN[roles[0]]
                    if (value := evaluation.figures.get(name)) is not None
                }
                evaluations.append(EvaluationFigures(key, evaluation.version, figures))
                break
    return evaluations


def export_card(
    card: str, evaluations: Sequence[EvaluationFigures], plots: Sequence[str], measured: str = ""
) -> str:
    """The card with what was measured on held-out problems before its section on compute.

    In its examples FOLDER becomes ".", the folder that the README lies in.
    """
    head, heading, rest = card.partition(_AFTER)
    quoted = head.replace(f"({PLACEHOLDER}", '("."').replace(f"Path({PLACEHOLDER})", 'Path(".")')
    return quoted + _evaluation_section(evaluations) + measured + _plot_section(plots) + heading + rest


def _evaluation_section(evaluations: Sequence[EvaluationFigures]) -> str:
    if not evaluations:
        return "## Evaluation\n\nNo evaluation of it was in the store when it was exported.\n\n"
    lines = [
        "## Evaluation",
        "",
        "On held-out problems, none of which it or its ancestors were trained on.",
        "",
    ]
    for evaluation in evaluations:
        what = WHAT.get(evaluation.key, "the round's own policy's solutions")
        lines += [f"`{evaluation.key}`, {what}:", "", "| figure | value |", "|---|---:|"]
        lines += [f"| {name} | {figure_text(value, '.3f')} |" for name, value in evaluation.figures.items()]
        lines += [""]
    return "\n".join([*lines, ""])


def _plot_section(plots: Sequence[str]) -> str:
    if not plots:
        return ""
    names = [name.rpartition("/")[2].removesuffix(".png").replace("_", " ") for name in plots]
    shown = [f"![{name}]({path})" for name, path in zip(names, plots, strict=True)]
    return "\n".join(["## Training curves", "", *shown, "", ""])
