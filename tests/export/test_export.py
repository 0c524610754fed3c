"""An exported checkpoint is what the store holds, and others load it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from o1_assets.core.engine import SamplingParams
from o1_assets.core.settings import Settings
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.export.export import export
from o1_assets.store.store import ArtifactStore, StoreError
from tests.engine.models import PROMPTS
from tests.execution.toy import make
from tests.export import world

STEPS = "3*4=12\n12-5=7\nanswer 7\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArtifactStore]:
    yield world.make_store(tmp_path_factory.mktemp("export"))


def object_of(store: ArtifactStore, key: str) -> Path:
    head = store.head(key)
    assert head is not None
    return store.path(head.digest)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_transformers_loads_it_and_gives_the_engine_s_greedy_text(
    store: ArtifactStore, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    export(store, "r00/policy", tmp_path / "policy")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "policy")
    assert model.generation_config.max_new_tokens == 24 and model.config.use_cache
    ours = TransformersEngine.open(object_of(store, "r00/policy")).sample(
        PROMPTS, SamplingParams(24, temperature=0), range(len(PROMPTS))
    )
    for prompt, sample in zip(PROMPTS, ours, strict=True):
        ids = torch.tensor([prompt])
        found = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False)[0, len(prompt) :]
        assert tokenizer.decode(found) == tokenizer.decode(sample.token_ids)
    assert len({tuple(sample.token_ids) for sample in ours}) > 1


def test_a_plain_reward_model_scores_alike_under_transformers(store: ArtifactStore, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    from o1_assets.engine.steps import step_ends
    from o1_assets.reward.score import load_scorer

    export(store, "r00/orm", tmp_path / "orm")
    assert not (tmp_path / "orm" / "generator").exists()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "orm")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "orm")
    steps = tokenizer.encode(STEPS, add_special_tokens=False)
    (ours,) = load_scorer(object_of(store, "r00/orm"), Path("not needed")).score([PROMPTS[0]], [steps])
    with torch.no_grad():
        found = model(torch.tensor([[*PROMPTS[0], *steps]])).logits[0].softmax(-1).numpy()
    ends = [len(PROMPTS[0]) + end for end in step_ends(steps, tokenizer)]
    assert ours.shape == (3, 3)
    np.testing.assert_allclose(found[ends], ours, atol=1e-5)


def test_one_that_reads_the_generator_comes_with_it_and_says_that_it_is_less_without(
    store: ArtifactStore, tmp_path: Path
) -> None:
    from o1_assets.reward.score import load_scorer

    folder = tmp_path / "prm"
    export(store, "r00/prm", folder)
    stored = load_scorer(object_of(store, "r00/prm"), object_of(store, "generator/model"))
    exported = load_scorer(folder, folder / "generator")
    steps = stored.tokenizer.encode(STEPS, add_special_tokens=False)
    np.testing.assert_array_equal(
        exported.score([PROMPTS[0]], [steps])[0], stored.score([PROMPTS[0]], [steps])[0]
    )
    assert (folder / "generator" / "model.safetensors").read_bytes() == (
        object_of(store, "generator/model") / "model.safetensors"
    ).read_bytes()
    assert "they are no score of this model" in (folder / "README.md").read_text()


@pytest.mark.parametrize("key", ["r00/policy", "r00/prm", "r00/orm"])
def test_the_card_s_example_runs_as_it_stands(store: ArtifactStore, tmp_path: Path, key: str) -> None:
    export(store, key, tmp_path / "it")
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "it" / "README.md").read_text(), re.DOTALL)
    before = Path.cwd()
    os.chdir(tmp_path / "it")
    try:
        found: dict[str, object] = {}
        exec(code, found)
    finally:
        os.chdir(before)
    assert "model" in found and "tokenizer" in found


def test_the_card_holds_lineage_evaluation_and_plots(store: ArtifactStore, tmp_path: Path) -> None:
    exported = export(store, "r00/policy", tmp_path / "policy")
    card = ModelCard.load(tmp_path / "policy" / "README.md")
    assert card.data.library_name == "transformers" and card.data.pipeline_tag == "text-generation"
    assert exported.digest in card.text and "`generator/model`" in card.text
    assert "`r00/eval`" in card.text and "| pass@1 | 0.625 |" in card.text and "secret" not in card.text
    assert "![reward](plots/reward.png)" in card.text
    assert "FOLDER" not in card.text
    export(store, "generator/model", tmp_path / "generator")
    assert "No evaluation of it" in (tmp_path / "generator" / "README.md").read_text()


def test_same_version_same_bytes_and_an_older_one_by_its_digest(tmp_path: Path) -> None:
    store = world.make_store(tmp_path / "home")
    first = export(store, "r00/policy", tmp_path / "a")
    make(store, world.graph(seed=2)["r00/policy"])
    second = export(store, "r00/policy", tmp_path / "b")
    assert second.digest != first.digest
    again = export(store, "r00/policy", tmp_path / "c", version=first.digest[:12])
    assert again.version == first.version
    assert content(tmp_path / "a") == content(tmp_path / "c") != content(tmp_path / "b")
    assert "r00/eval" not in (tmp_path / "b" / "README.md").read_text()


def test_what_was_damaged_in_the_store_is_not_handed_on(tmp_path: Path) -> None:
    store = world.make_store(tmp_path / "home")
    file = object_of(store, "generator/model") / "model.safetensors"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    fresh = ArtifactStore(store.url, store.work)
    with pytest.raises(StoreError, match=r"model\.safetensors of object .* is not what was stored"):
        export(fresh, "r00/prm", tmp_path / "prm")
    assert not (tmp_path / "prm").exists()


def test_the_command_needs_no_torch_and_says_in_a_sentence_what_is_wrong(tmp_path: Path) -> None:
    settings = Settings.load("nano", tmp_path)
    world.make_store(settings.home)
    code = (
        "import sys\nfrom o1_assets.cli import main\ntry:\n    main()\nfinally:\n"
        "    assert not {'torch', 'transformers', 'dagster'} & set(sys.modules)"
    )

    def o1(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            env={**os.environ, "O1_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    done = o1("export", "r00/policy", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["key"] == "r00/policy" and "model.safetensors" in said["files"]
    failed = o1("export", "r07/policy", str(tmp_path / "new"))
    assert (
        failed.returncode == 1
        and failed.stderr.count("\n") == 1
        and "r07/policy has no version" in failed.stderr
    )


@pytest.mark.parametrize(("key", "why"), [("r00/eval", "is no checkpoint"), ("r00/none", "has no version")])
def test_what_is_no_checkpoint_is_refused_before_anything_is_written(
    store: ArtifactStore, tmp_path: Path, key: str, why: str
) -> None:
    with pytest.raises(StoreError, match=why):
        export(store, key, tmp_path / "new")
    assert not list(tmp_path.iterdir())
