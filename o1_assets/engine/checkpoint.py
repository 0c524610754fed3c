"""Opens the checkpoint in a folder; nothing else in the project does.

Weights come from safetensors. Nothing is unpickled, no code that came with a checkpoint is run, nothing is
fetched, and a folder that holds a file of another kind than an artifact may hold is refused as a whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.store.backend import StoreError
from o1_assets.store.kinds import check_kinds

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from o1_assets.engine.plain_llama import Head

# No code of a checkpoint is run, and nothing is fetched: a folder is all there is of an artifact.
_PLAIN: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
# Tokenizers that are nothing but their tokenizer.json.
_FAST = ("TokenizersBackend", "PreTrainedTokenizerFast")
_WEIGHTS: dict[str, Any] = {**_PLAIN, "use_safetensors": True}


def load_causal_lm(path: Path, dtype: str = "float32", **options: Any) -> Any:
    """A causal language model. dtype "auto": as it was saved. Raises StoreError on a pickle in the folder."""
    from transformers import AutoModelForCausalLM

    from o1_assets.engine.fused_llama import fuse

    return fuse(AutoModelForCausalLM.from_pretrained(checked(path), dtype=dtype, **_WEIGHTS, **options))


def read_causal_lm(path: Path, dtype: str = "float32", **options: Any) -> Any:
    """The same for reading and sampling alone: a small Llama on a CPU comes without transformers' models."""
    return _plain(path, "LlamaForCausalLM", dtype) or load_causal_lm(path, dtype, **options)


def read_token_classifier(path: Path, dtype: str = "float32", **options: Any) -> Any:
    """As `read_causal_lm`, of `load_token_classifier`."""
    return _plain(path, "LlamaForTokenClassification", dtype) or load_token_classifier(path, dtype, **options)


def _plain(path: Path, head: Head, dtype: str) -> Any:
    from o1_assets.engine.plain_llama import open_plain_llama

    return open_plain_llama(checked(path), head) if dtype == "float32" else None


def load_gguf(file: Path) -> tuple[Any, Any]:
    """A causal language model in float32, and its tokenizer, from one GGUF file: numbers and text, no code."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": file.name, **_PLAIN}
    model = AutoModelForCausalLM.from_pretrained(file.parent, dtype="float32", **where)
    return model, AutoTokenizer.from_pretrained(file.parent, **where)


def load_token_classifier(path: Path, dtype: str = "float32", **options: Any) -> Any:
    """A token classifier. Raises StoreError on a pickle in the folder."""
    from transformers import AutoModelForTokenClassification

    from o1_assets.engine.fused_llama import fuse

    register_token_classifier(type(load_config(path)))
    model = AutoModelForTokenClassification.from_pretrained(checked(path), dtype=dtype, **_WEIGHTS, **options)
    return fuse(model)


def load_new_head(path: Path, config: PretrainedConfig) -> tuple[Any, list[str]]:
    """A token classifier with as many classes as `config` says, in float32, and the names of the weights that the
    folder lacks: those of a head of another shape are drawn anew. Raises StoreError on a pickle in the folder."""
    from transformers import AutoModelForTokenClassification

    register_token_classifier(type(config))
    options: dict[str, Any] = {"ignore_mismatched_sizes": True, "output_loading_info": True, **_WEIGHTS}
    model, loading = AutoModelForTokenClassification.from_pretrained(
        checked(path), config=config, dtype="float32", attn_implementation="sdpa", **options
    )
    return model, list(loading["missing_keys"])


def register_token_classifier(config: type[PretrainedConfig]) -> None:
    """Gives an architecture the token classifier that transformers lacks for it (Gemma 3's text model): its own
    decoder, and the head that transformers gives to all others."""
    from transformers import MODEL_MAPPING, AutoModelForTokenClassification
    from transformers.modeling_layers import GenericForTokenClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

    if config in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING or config not in MODEL_MAPPING:
        return
    decoder: Any = MODEL_MAPPING[config]
    name = f"{decoder.__name__.removesuffix('Model')}ForTokenClassification"
    made = type(name, (GenericForTokenClassification, decoder.__bases__[0]), {"config_class": config})
    # Of a configuration of transformers' own it ignores any other registration.
    AutoModelForTokenClassification.register(config, made, exist_ok=True)


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """Raises StoreError on a pickle in the folder."""
    saved = checked(path) / "tokenizer_config.json"
    if saved.is_file() and json.loads(saved.read_bytes()).get("tokenizer_class") in _FAST:
        # AutoTokenizer takes the same class, and imports the models of transformers on its way there.
        from transformers import PreTrainedTokenizerFast as Opener
    else:
        from transformers import AutoTokenizer as Opener  # type: ignore[assignment]
    tokenizer: PreTrainedTokenizerBase = Opener.from_pretrained(path, **_PLAIN)
    return tokenizer


def load_generation_config(path: Path) -> Any:
    """A GenerationConfig. Raises StoreError on a pickle in the folder."""
    from transformers import GenerationConfig

    return GenerationConfig.from_pretrained(checked(path), local_files_only=True)


def load_config(path: Path) -> PretrainedConfig:
    """Raises StoreError on a pickle in the folder."""
    from transformers import AutoConfig

    config: PretrainedConfig = AutoConfig.from_pretrained(checked(path), **_PLAIN)
    return config


def checked(path: Path) -> Path:
    """The folder. Raises StoreError naming a file in it that no artifact may hold, or an index that leads elsewhere."""
    check_kinds(path)
    # An index names the files that hold the weights: it could name any file of the machine.
    for index in path.glob("*.index.json"):
        for shard in set(json.loads(index.read_text()).get("weight_map", {}).values()):
            if Path(shard).name != shard or not shard.endswith(".safetensors"):
                raise StoreError(
                    f"{index} leads to {shard!r}; weights are safetensors beside their index only"
                )
    return path
