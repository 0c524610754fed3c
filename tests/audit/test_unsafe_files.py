"""Nothing that could run code enters the store, stays there unseen, or is opened."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

import o1_assets
from o1_assets.store.digest import folder_tree, tree_bytes, tree_digest
from o1_assets.store.kinds import refusal
from o1_assets.store.store import ArtifactStore, StoreError
from tests.audit.world import audited
from tests.execution.toy import make, make_all, toy_graph

SOURCES = Path(o1_assets.__file__).parents[1]


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def zipped(content: bytes) -> bytes:
    """As torch.save does it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return out.getvalue()


def planted(mark: Path) -> dict[str, bytes]:
    """Names under which checkpoints of others bring pickles, and innocent ones."""
    found = {}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps(Payload(mark), protocol)
        for name in (
            "pytorch_model.bin",
            "training_args.bin",
            "notes.txt",
            "README",
            "x.json",
            "model.safetensors",
        ):
            found[f"{protocol}/{name}"] = content
    content = zipped(pickle.dumps(Payload(mark)))
    for name in (
        "optimizer.pt",
        "rng_state.pth",
        "scaler.pkl",
        "model.safetensors",
        "table.parquet",
        "x.npz",
    ):
        found[f"zip/{name}"] = content
    return found


def test_the_payload_would_work(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark")))
    assert (tmp_path / "mark").is_dir()


def test_no_pickle_enters_the_store(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    for name, content in planted(tmp_path / "mark").items():
        folder = store.scratch()
        (folder / "config.json").write_text("{}")
        (folder / Path(name).name).write_bytes(content)
        with pytest.raises(StoreError, match=f"{Path(name).name} .*safetensors"):
            store.put(folder)
    assert not (tmp_path / "mark").exists() and not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "name", ["modeling_evil.py", "weights.npy", "weights.h5", "model.pt", "lib.so", "x.PKL", "a.json.gz"]
)
def test_only_kinds_that_are_expected_enter_the_store(tmp_path: Path, name: str) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    folder = store.scratch()
    (folder / name).write_bytes(b"plain text")
    with pytest.raises(StoreError, match="is a "):
        store.put(folder)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.json", b'{"a": "\xc3\xa4"}'), ("b.jsonl", b"[1]\n[2]\n"), ("c.txt", b"cats\nand dogs.\n"), ("d.md", b""),
        ("e.txt", b"I am text.\n"), ("merges.txt", "\u0120t h\u2028".encode()), ("LICENSE", b"(c) 2026"),
        ("half.txt", b"\xc3"),
    ],
)  # fmt: skip
def test_text_is_no_pickle(name: str, head: bytes) -> None:
    assert refusal(name, head) is None


def test_a_pickle_planted_in_an_object_is_found_and_refused(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    folder = store.path(make_all(store, toy_graph())["toy/letters"].manifest.digest)
    for name in ("pytorch_model.bin", "training_args.bin"):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
        assert [one.part for one in audited(store, "toy/both").broken] == ["kind", "object"]
        with pytest.raises(StoreError, match=name):
            make(ArtifactStore(store.url, store.work), toy_graph(suffix="!")["toy/upper"])
        (folder / name).unlink()
    assert not (tmp_path / "mark").exists()


def test_a_pickle_whose_digests_all_fit_is_found_and_refused(tmp_path: Path) -> None:
    """Who can write to the store can write a whole object with its tree, and a manifest of it."""
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    made = make_all(store, toy_graph())["toy/letters"].manifest
    folder = store.scratch()
    (folder / "text.txt").write_text("abc")
    (folder / "training_args.bin").write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
    tree = folder_tree(folder)
    (folder / "tree.json").write_bytes(tree_bytes(tree))
    digest = tree_digest(tree)
    place = Path(store.backend.place(f"objects/{digest[:2]}/{digest}"))
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(place)
    store.record(made.model_copy(update={"digest": digest}))
    [broken] = audited(store, "toy/letters").broken
    assert broken.part == "kind" and "training_args.bin is a pickle" in broken.message
    with pytest.raises(StoreError, match=r"training_args\.bin is a pickle"):
        make(store, toy_graph(suffix="!")["toy/upper"])
    assert not (tmp_path / "mark").exists()


def checkpoint(folder: Path) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_no_pickle_is_opened_with_a_checkpoint(tmp_path: Path) -> None:
    from o1_assets.engine.checkpoint import load_causal_lm, load_config, load_token_classifier, load_tokenizer
    from o1_assets.engine.open import open_engine

    folder = checkpoint(tmp_path / "model")
    load_causal_lm(folder)
    for name in ("pytorch_model.bin", "training_args.bin"):
        (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
        for load in (load_causal_lm, load_token_classifier, load_tokenizer, load_config, open_engine):
            with pytest.raises(StoreError, match=name):
                load(folder)
        (folder / name).unlink()
    assert not (tmp_path / "mark").exists()


def test_weights_that_lie_elsewhere_are_not_followed(tmp_path: Path) -> None:
    from o1_assets.engine.checkpoint import load_causal_lm

    folder = checkpoint(tmp_path / "model")
    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
    (folder / "model.safetensors").rename(tmp_path / "model.safetensors")
    for shard in ("../evil.bin", "../model.safetensors", str(tmp_path / "model.safetensors")):
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"lm_head.weight": shard}})
        )
        with pytest.raises(StoreError, match="beside their index only"):
            load_causal_lm(folder)
    assert not (tmp_path / "mark").exists()


FORBIDDEN = {
    "from_pretrained": ("o1_assets/engine/checkpoint.py",),
    "torch.load": (), "numpy.load": (), "np.load": (), "pd.read_pickle": (), "yaml.load": (), "eval": (),
    # Runs the snippets beside it, which we wrote, as CPython runs them.
    "exec": ("benchmarks/sandbox_snippets.py",),
}  # fmt: skip


MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_no_source_of_the_project_unpickles_or_opens_a_checkpoint_elsewhere() -> None:
    for package in ("o1_assets", "resources", "sensors", "jobs", "benchmarks"):
        for file in sorted((SOURCES / package).rglob("*.py")):
            name = file.relative_to(SOURCES).as_posix()
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    modules = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                    assert not modules & MODULES, f"{name}:{node.lineno}"
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    for forbidden, allowed in FORBIDDEN.items():
                        same = called == forbidden or (
                            forbidden == "from_pretrained" and called.endswith(f".{forbidden}")
                        )
                        assert not same or name in allowed, f"{name}:{node.lineno} calls {called}"
