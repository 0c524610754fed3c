"""Labels as a data set for others: it loads with `datasets`, trains token classification, and comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from o1_assets.cli.main import app
from o1_assets.core.artifact import Artifact, StageConfig
from o1_assets.core.settings import Settings
from o1_assets.execution.materialize import materialize
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.imported.importer import import_labels
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.store.store import ArtifactStore
from tests.labels import world
from tests.labels.conftest import home
from tests.labels.world import ROUND

__all__ = ["home"]  # the fixture

PERSON = "ann@example.org"


def o1(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["labels", *arguments])


@pytest.fixture
def labelled(home: Settings, tmp_path: Path) -> Path:
    """The home with the labels of r03: ann rates one solution, the exact checker the other two. An empty folder."""
    inbox, store = Inbox(home.inbox), ArtifactStore(home.store, home.work)
    selection = world.load(tmp_path)
    record = world.rated(world.unrated(selection)["wrong"], {(0, 0): 0, (0, 1): 1, (0, 2): -1, (1, 0): -1, (1, 1): 1},
                         labeler=PERSON)  # fmt: skip
    inbox.submit(world.write(tmp_path / "ann.jsonl", [record]), ROUND, world.check(selection))
    batches = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human+oracle")
    inputs = {"selection": f"{ROUND}/selection"}
    made: list[tuple[str, Any, StageConfig, dict[str, str]]] = [
        (f"{ROUND}/label_batches", label_batches(inbox), batches, {**inputs, "train": "problems/train"}),
        (f"{ROUND}/labels", make_labels, LabelsConfig(round=ROUND, protocol="dense"),
         {**inputs, "batches": f"{ROUND}/label_batches"}),
    ]  # fmt: skip
    for key, compute, config, of in made:
        artifact = Artifact(key, compute, config, of, "made up", "test")
        materialize(artifact, store, profile="nano", open_engine=lambda path: None, threads=1)  # type: ignore[arg-type, return-value]
    return tmp_path / "data set"


def load(folder: Path, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), split="train", cache_dir=str(cache))


def test_stepwise_supervision_loads_and_trains_a_token_classifier_and_names_nobody(
    labelled: Path, tmp_path: Path
) -> None:
    done = o1("dataset", str(labelled))
    assert done.exit_code == 0, done.output
    assert "11 rows of r03 in the format trl (3 solutions, " in done.output
    dataset = load(labelled, tmp_path / "cache")
    paths = [row for row in dataset if not row["alternative"]]
    by_id = {row["solution_id"]: row for row in paths}
    assert by_id["wrong"]["completions"] == ["2+3=5", "5*4=20"] and by_id["wrong"]["ratings"] == [0, -1]
    assert by_id["wrong"]["labels"] == [True, False] and by_id["wrong"]["labelers"] == ["person-1"]
    alternatives = [
        row["completions"] for row in dataset if row["alternative"] and row["solution_id"] == "right"
    ]
    assert ["3*4=12", "12-5=6"] in alternatives and ["4-5=-1"] in alternatives
    card = (labelled / "README.md").read_text()
    assert "license: apache-2.0" in card and "| r03 | human+oracle | person-1 | 5 |" in card
    texts = [path.read_bytes() for path in labelled.rglob("*") if path.is_file()]
    assert not any(PERSON.encode() in text for text in texts)
    o1("dataset", str(tmp_path / "named"), "--names")
    assert PERSON in (tmp_path / "named" / "README.md").read_text()
    assert trained(dataset) < 0.7


def trained(dataset: Any) -> float:
    """The loss of a token classifier after a few steps on the data set, tokenized as TRL's PRM trainer did it.

    TRL 1.16 has no PRM trainer any more; docs/labels.md shows the same function for any model.
    """
    import torch
    from transformers import AutoModelForTokenClassification, Qwen2Config

    from o1_assets.base.tokenizer import make_tokenizer

    tokenizer = make_tokenizer(256)
    code = (
        (Path(__file__).parents[2] / "docs" / "labels.md").read_text().split("```python\n")[1].split("```")[0]
    )
    namespace: dict[str, Any] = {}
    exec(code.split("# The model")[0], namespace)
    rows = [namespace["tokenize"](row, tokenizer) for row in dataset]
    assert all(len(row["input_ids"]) == len(row["labels"]) for row in rows)
    assert [[x for x in row["labels"] if x != -100] for row in rows] == [
        [int(label) for label in row["labels"]] for row in dataset
    ]
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_labels=2, pad_token_id=0,
    )  # fmt: skip
    model = AutoModelForTokenClassification.from_config(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(4):
        for row in rows:
            loss = model(**{name: torch.tensor([value]) for name, value in row.items()}).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", ["trl", "prm800k", "processbench"])
def test_what_is_written_is_read_again_as_the_same_ratings(labelled: Path, tmp_path: Path, name: str) -> None:
    done = o1("dataset", str(labelled), "--format", name, "--round", ROUND, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    assert (document["solutions"], document["changed"]) == (3, True)
    assert json.loads(o1("dataset", str(labelled), "--format", name, "--json").output)["changed"] is False
    report = import_labels(labelled / "data", tmp_path / "imported")
    assert report.format == name and not report.refused
    counts = report.rounds[ROUND if name == "prm800k" else "r00"]
    # ProcessBench has no alternatives; of TRL each alternative is a path of its own, with the steps before it.
    assert counts["ratings"] == {"prm800k": 14, "processbench": 6, "trl": 17}[name]
    assert load(labelled, tmp_path / "cache").num_rows == document["rows"]


def test_what_cannot_be_written_is_one_sentence(labelled: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--format", "csv"), "choose one of: trl, prm800k, processbench"),
        (("--round", "r04"), "r04 has no labels yet"),
        (("--round", "r99"), "there is no round"),
    ):
        error = o1("dataset", str(labelled), *arguments).exception
        assert message in str(error) and not labelled.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert "no earlier export" in str(o1("dataset", str(tmp_path / "mine")).exception)
