"""A home that an early commit made (home_of_november_22.md), opened, audited and gone on with by today's code."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from o1_assets.audit.replay import replay
from o1_assets.cli.made_before import notes
from o1_assets.core.files import json_bytes
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import head_commit
from o1_assets.execution.materialize import materialize
from o1_assets.execution.outline import Outline
from o1_assets.execution.project import Project
from o1_assets.execution.status import outline_status
from o1_assets.store.cards import card_name
from o1_assets.store.gc import find_garbage, remove_garbage
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, manifest_cache_key
from tests.end_to_end import mini_home as homes
from tests.execution.toy import no_engine
from tests.mini import MINI

ARCHIVE = Path(__file__).with_name("home_of_november_22.tar.xz")
COMMIT = "1569b0f3833a"
SETTINGS = """
base.hidden_size=16
base.heads=1
base.intermediate_size=16
base.layers=1
annotators={"r00":"human","r01":"human"}
"""
DAY_AFTER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
A_YEAR_AFTER = datetime(2027, 12, 1, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("november")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(home, filter="data")
    return home


@pytest.fixture
def home(unpacked: Path, tmp_path: Path) -> Path:
    return homes.copied(unpacked, tmp_path / "home")


@pytest.fixture
def project(home: Path) -> Project:
    return Project(Settings.load("nano", home), f"{MINI}\n{SETTINGS}")


def files(home: Path) -> dict[str, str]:
    """What nobody may change: path -> digest of every manifest, object, card and file of the inbox."""
    kept = [home / "nano" / folder for folder in ("store/manifests", "store/objects", "store/cards", "inbox")]
    every = [file for folder in kept for file in folder.rglob("*") if file.is_file()]
    return {str(f.relative_to(home)): hashlib.sha256(f.read_bytes()).hexdigest() for f in every}


def versions(store: ArtifactStore) -> list[Manifest]:
    root = Path(store.url) / "manifests"
    keys = {file.parent.relative_to(root).as_posix() for file in root.rglob("*.json")}
    return [manifest for key in sorted(keys) for manifest in store.history(key)]


def test_status_says_what_is_stale_and_why_and_which_ratings_are_at_stake(home: Path) -> None:
    before = files(home)
    status = homes.o1_json(home, "status", overrides=SETTINGS)
    rows = {row["key"]: row for row in status["artifacts"] if row["digest"]}
    assert len(rows) == 22 and {row["state"] for row in rows.values()} == {"stale"}
    assert re.match("it was made with|its code changed", rows["problems/test"]["reason"])
    assert rows["r01/prm"]["reason"].endswith("is stale")
    assert (
        status["rounds"]["r00"]["labels"]["rated"] == 12 and status["rounds"]["r01"]["labels"]["rated"] == 8
    )
    [other_code, selections] = status["notes"]
    assert f"problems/train, problems/test (commit {COMMIT})" in other_code and "stay" in other_code
    assert "what r00, r01 have people rate is selected again" in selections
    assert "--round r00@e4dc4d861ac7 --round r01@76e8514c6d9e" in selections
    assert files(home) == before


def test_ratings_that_no_labels_were_made_of_are_named_with_the_commit_that_would(project: Project) -> None:
    store = Path(project.store.url)
    (store / "heads" / "r01" / "labels.json").unlink()
    shutil.rmtree(store / "manifests" / "r01" / "labels")
    states = outline_status(project.outlines, project.store)
    due = {key for key, state in states.items() if state.state != "fresh" and not project.outlines[key].part}
    [_, used, unused] = notes(project, states, due)
    assert "what r00 have people rate" in used and "r01" not in used
    assert "what r01 have people rate is selected again before labels were made" in unused
    assert f"git checkout {COMMIT}" in unused


def test_where_late_ratings_and_no_code_make_a_selection_stale_it_is_the_ratings_that_are_named(
    project: Project,
) -> None:
    store = Path(project.store.url)
    (store / "heads" / "r01" / "labels.json").unlink()
    shutil.rmtree(store / "manifests" / "r01" / "labels")
    states = outline_status(project.outlines, project.store)
    due = {key for key, state in states.items() if state.state != "fresh" and not project.outlines[key].part}
    late = list(states).index("r00/label_batches")
    for number, (key, state) in enumerate(states.items()):
        if state.manifest is not None:
            outline = project.outlines[key]
            of_today = {"code_version": outline.code(), "config": outline.config(), "seed": outline.seed}
            environment = state.manifest.environment.model_copy(update={"git_commit": head_commit()})
            manifest = state.manifest.model_copy(update={**of_today, "environment": environment})
            states[key] = replace(state, manifest=manifest, state="fresh" if number < late else state.state)
    states["r00/label_batches"] = replace(states["r00/label_batches"], reason="new label batches")
    unused = next(note for note in notes(project, states, due) if "before labels were made" in note)
    assert "git checkout" not in unused
    assert "(r00/label_batches: new label batches): take that back, batches by `o1 labels withdraw" in unused


@pytest.mark.parametrize(
    ("key", "version"), [("r01/prm", None), ("r01/prm", "cbc45556825f"), ("r00/prm", "cb96aef84349")]
)
def test_every_version_of_then_is_as_it_was_recorded(home: Path, key: str, version: str | None) -> None:
    result = homes.o1(
        home, "audit", key, "--json", *(["--version", version] if version else []), overrides=SETTINGS
    )
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert not document["broken"]
    remarks = " ".join(remark["message"] for remark in document["remarks"])
    assert (
        "its model card ends without a digest" in remarks
        and f"other code than today's: commit {COMMIT}" in remarks
    )


def test_labels_of_then_are_still_known_by_who_gave_them_and_make_the_same_table(
    home: Path, project: Project
) -> None:
    rounds = homes.o1_json(home, "labels", "status", overrides=SETTINGS)
    assert [batch["labelers"] for batch in rounds["r00"]["batches"]] == [["ann"], ["bob"]]
    assert all(batch["current"] for each in rounds.values() for batch in each["batches"])
    assert len(rounds["r01"]["withdrawn"]) == 1 and rounds["r01"]["labels"]["quarantined"] == 1
    trace = homes.o1(home, "labels", "trace", "r01/prm", overrides=SETTINGS)
    assert "74 labels by 2 labellers, of r00, r01" in trace.stdout
    # Today's code, from the inbox of then.
    [batches, labels] = replay(project.store, project.settings, project.profile, "r00/labels", depth=2)[-2:]
    for again in (batches, labels):
        assert again.digest is not None, again.because
        changed = {figure.name for figure in again.figures if figure.recorded is not None}
        assert not changed & {"labels", "positive", "negative", "batches_from_people", "solutions"}


def test_an_earlier_version_of_the_labels_becomes_a_source_of_todays(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rated"
    command = ["labels", "dataset", str(folder), "--format", "prm800k", "--names", "--round"]
    written = homes.o1(home, *command, "r00@4ab7c43f333e", overrides=SETTINGS)
    assert written.returncode == 0, written.stderr
    assert "ann" in (folder / "data" / "train.jsonl").read_text()
    imported = homes.o1_json(
        home, "labels", "import", str(folder / "data" / "train.jsonl"), overrides=SETTINGS
    )
    assert imported["rounds"]["r00"]["ratings"] == 43


def test_what_is_as_it_was_is_reused_and_what_is_not_is_stale_with_a_reason(project: Project) -> None:
    heads = {m.key: m for m in versions(project.store) if project.store.head(m.key) == m}
    same = {key: as_recorded(manifest) for key, manifest in heads.items()}
    ordered = {key: same[key] for key in project.outlines if key in same}
    assert {s.state for s in outline_status(ordered, project.store).values()} == {"fresh"}
    for manifest in versions(project.store):
        assert manifest_cache_key(manifest) == manifest.cache_key
        assert project.store.cached(manifest.cache_key) is not None
    rewritten = Outline(**{**vars(ordered["r01/prm"]), "code": lambda: "another"})
    status = outline_status({**ordered, "r01/prm": rewritten}, project.store)
    stale = {key: s.reason for key, s in status.items() if s.state != "fresh"}
    assert stale.pop("r01/prm") == "its code changed"
    assert set(stale) == {"r01/policy", "r01/eval"}, "those made from it, and nothing else"


def as_recorded(m: Manifest) -> Outline:
    inputs = {name: item.key for name, item in m.inputs.items()}
    external = None if m.external is None else lambda: m.external or ""
    return Outline(m.key, "", inputs, m.seed, lambda: m.code_version, lambda: m.config, external)


def test_a_new_version_lies_beside_the_old_ones_and_a_collection_keeps_what_is_needed(
    project: Project,
) -> None:
    store, before = project.store, files(project.settings.home.parent)
    [old] = store.versions("problems/test")
    made = materialize(
        project.graph["problems/test"], store, profile="nano", open_engine=no_engine, threads=1
    )
    assert not made.cached and store.versions("problems/test") == [old, made.manifest.version]
    assert before.items() <= files(project.settings.home.parent).items()
    # All of them are young the day after. Later those go that no version of today was made from.
    assert not find_garbage(store, 30, DAY_AFTER).manifests
    gone = find_garbage(store, 30, A_YEAR_AFTER)
    assert {key for key, _ in gone.manifests} == {"r00/label_batches", "r00/labels", "r00/prm", "r01/prm"}
    remove_garbage(store, gone)
    assert store.manifest("problems/test", old).environment.git_commit is not None
    assert store.contents(store.manifest("problems/test", old).digest).faults == ()


def test_todays_card_is_shown_and_the_one_of_then_stays(home: Path, project: Project) -> None:
    head = project.store.head("r00/prm")
    assert head is not None
    file = Path(project.store.url) / card_name(head.key, head.version)
    before = file.read_bytes()
    card = homes.o1_json(home, "card", "r00/prm", overrides=SETTINGS)["card"]
    assert head.digest in card and file.read_bytes() == before


def newer(home: Path, key: str) -> None:
    """Today's version of a key as a release to come may write it."""
    store = home / "nano" / "store"
    pointer = store / f"heads/{key}.json"
    version = json.loads(pointer.read_bytes())["version"]
    manifest = json.loads((store / f"manifests/{key}/{version}.json").read_bytes())
    content = json_bytes({**manifest, "format": 3, "signature": "x"})
    name = f"20270101T000000.000000Z-{hashlib.sha256(content).hexdigest()}"
    (store / f"manifests/{key}/{name}.json").write_bytes(content)
    pointer.write_bytes(json_bytes({"key": key, "version": name}))


def early(home: Path, key: str) -> None:
    """A head as the first commits wrote it."""
    (home / "nano" / "store" / f"heads/{key}.json").write_bytes(
        json_bytes({"manifest": f"manifests/{key}/x.json"})
    )


@pytest.mark.parametrize(
    ("release", "words"),
    [(newer, "a newer version of o1-assets (format 3"), (early, "an early version of o1-assets")],
)
def test_a_store_of_another_format_is_refused_in_a_sentence_and_stays_as_it_is(
    home: Path, release: Any, words: str
) -> None:
    release(home, "r01/policy")
    before = files(home)
    for command in ("status", "run", "audit r01/policy", "ask 1+1", "gc --yes", "card r01/policy"):
        result = homes.o1(home, *command.split(), overrides=SETTINGS)
        last = result.stderr.splitlines()[-1]
        assert result.returncode == 1 and words in last and "Traceback" not in result.stderr, (command, last)
    assert files(home) == before
