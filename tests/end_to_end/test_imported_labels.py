"""Labels that others published drive round 0: imported, selected without held-out problems, trained on, corrected."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.settings import Settings
from o1_assets.engine.open import open_engine
from o1_assets.execution.materialize import materialize
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore
from tests import forked
from tests.mini import MINI

OVERRIDES = f'{MINI}\nrounds=0\nlabel_source={{"name":"prm800k","last":0}}'


def o1(home: Path, *arguments: str) -> Any:
    done = forked.o1(*arguments, "--json", environment={"O1_HOME": str(home), "O1_SET": OVERRIDES})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def published(rng: random.Random) -> dict[str, Any]:
    """A phase 1 record: two sums, one after another; the labeller chose the right completion of each step."""
    a, b, c = (rng.randint(0, 9) for _ in range(3))
    right = [f"{a}+{b}={a + b}", f"{a + b}+{c}={a + b + c}", f"answer {a + b + c}"]
    steps = []
    for text in right:
        completions = [(text, 1), (f"{text}1", -1)]
        rng.shuffle(completions)
        steps.append(
            {
                "completions": [{"text": t, "rating": r, "flagged": False} for t, r in completions],
                "human_completion": None,
                "chosen_completion": completions.index((text, 1)),
            }
        )
    return {
        "labeler": "340d89bc", "timestamp": f"2022-07-{rng.randint(10, 30)}T10:00:00.118856", "generation": None,
        "is_quality_control_question": False, "is_initial_screening_question": False,
        "question": {"problem": f"Calculate {a} + {b} + {c}.", "ground_truth_answer": str(a + b + c)},
        "label": {"steps": steps, "total_time": 92405, "finish_reason": "solution"},
    }  # fmt: skip


def make(home: Path, last: str) -> dict[str, Manifest]:
    """Makes everything up to `last` that it is made from, as a run does."""
    settings = Settings.load("nano", home)
    graph = build_graph(load_profile("nano", OVERRIDES), settings)
    wanted = {last}
    for key in reversed(graph):
        if key in wanted:
            wanted.update(graph[key].inputs.values())
    store = ArtifactStore(settings.store, settings.work)
    return {
        key: materialize(
            artifact,
            store,
            profile="nano",
            open_engine=open_engine,
            threads=1,
        ).manifest
        for key, artifact in graph.items()
        if key in wanted
    }


@pytest.fixture(scope="module")
def home(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the published labels the mini graph's store, in which base and generator are found made."""
    folder, data = tmp_path_factory.mktemp("o1"), tmp_path_factory.mktemp("data")
    shutil.copytree(mini_home / "nano" / "store", folder / "nano" / "store")
    rng = random.Random(0)
    lines = [json.dumps(published(rng)) for _ in range(60)]
    (data / "phase1_train.jsonl").write_text("\n".join(lines) + "\n")
    report = o1(folder, "labels", "import", str(data))
    assert report["rounds"]["r00"]["records"] == 60 and not report["refused"]
    return folder


def test_published_labels_train_the_prm_and_people_can_correct_them(home: Path, tmp_path: Path) -> None:
    made = make(home, "r00/prm")
    assert "r00/solutions" not in made, "no policy samples what is labelled"
    batches = made["r00/label_batches"].figures
    assert (batches["batches"], batches["batches_from_people"]) == (1, 0)
    settings = Settings.load("nano", home)
    store = ArtifactStore(settings.store, settings.work)
    test = set(pl.read_parquet(store.path(made["problems/test"].digest) / "problems.parquet")["problem_id"])
    labels = pl.read_parquet(store.path(made["r00/labels"].digest) / "labels.parquet")
    assert labels.height > 200 and not test & set(labels["problem_id"])
    own = labels.filter(pl.col("completion") == 0)
    assert set(own["rating"]) == {1} and set(labels.filter(pl.col("completion") > 0)["rating"]) == {-1}
    assert made["r00/prm"].inputs["labels_00"].digest == made["r00/labels"].digest

    file = tmp_path / "r00.jsonl"
    o1(home, "labels", "export", "r00", "-o", str(file))
    record = json.loads(file.read_text().splitlines()[0])
    record.update(labeler="340d89bc", timestamp="2026-01-01T00:00:00")
    first = record["label"]["steps"][0]["completions"]
    for completion in first:
        completion["rating"] = -1
    (tmp_path / "correction.jsonl").write_text(json.dumps(record))
    assert o1(home, "labels", "submit", str(tmp_path / "correction.jsonl"), "--round", "r00")["accepted"] == 1
    again = make(home, "r00/labels")
    assert again["r00/selection"].digest == made["r00/selection"].digest
    assert again["r00/labels"].figures["solutions_with_error"] == 1
    assert again["r00/label_batches"].figures["batches_from_people"] == 1
