"""What holds, what does not, and what is only worth knowing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from o1_assets.audit.audit import Today, audit
from o1_assets.audit.result import document
from o1_assets.audit.text import console, render
from o1_assets.execution.environment import environment
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, manifest_cache_key
from tests.audit.world import audited
from tests.execution.toy import make, make_all, toy_graph, upper


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    url = str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}-{id(tmp_path)}"
    return ArtifactStore(url, tmp_path / "work")


def forge(store: ArtifactStore, key: str, **changes: object) -> Manifest:
    """Writes a manifest by the rules of the store that does not say the truth."""
    head = store.head(key)
    assert head is not None
    forged = head.model_copy(update=changes)
    if "cache_key" not in changes:
        forged = forged.model_copy(update={"cache_key": manifest_cache_key(forged)})
    return store.record(forged)


def test_what_was_never_touched_holds(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    result = audited(store, "toy/both")
    assert not result.broken and [one.key for one in result.versions] == [
        "toy/letters",
        "toy/upper",
        "toy/both",
    ]
    assert result.summary["files"] == 3 and result.summary["bytes"] == 3 + 3 + 7


def test_a_version_of_long_ago_is_audited_after_many_others(store: ArtifactStore) -> None:
    old = make_all(store, toy_graph(count=2))["toy/both"].manifest
    for count in (3, 4, 5):
        make_all(store, toy_graph(count=count))
    result = audit(store, "toy/both", old.digest[:12])
    assert result.version == old.version and not result.broken


def test_an_object_that_is_gone_is_named_with_its_artifact(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    digest = made["toy/letters"].manifest.digest
    store.backend.fs.rm(store.backend.place(f"objects/{digest[:2]}/{digest}"), recursive=True)
    [broken] = audited(store, "toy/both").broken
    assert (broken.key, broken.part) == ("toy/letters", "object") and digest in str(broken)


def test_a_file_more_in_an_object_is_found(store: ArtifactStore) -> None:
    digest = make_all(store, toy_graph())["toy/letters"].manifest.digest
    store.backend.fs.pipe_file(store.backend.place(f"objects/{digest[:2]}/{digest}/more.txt"), b"more")
    [broken] = audited(store, "toy/both").broken
    assert "more.txt, which was never stored" in broken.message


def test_an_input_that_holds_something_else_is_found(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    item = made["toy/upper"].manifest.inputs["letters"]
    lie = item.model_copy(update={"digest": made["toy/upper"].manifest.digest})
    forge(store, "toy/upper", inputs={"letters": lie})
    [broken] = audited(store, "toy/upper").broken
    assert broken.part == "input" and item.digest in broken.message


def test_an_input_that_was_finished_later_is_found(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    forge(store, "toy/upper", finished="2020-01-01T00:00:00+00:00")
    [broken] = audited(store, "toy/upper").broken
    assert broken.part == "input" and "not before 2020" in broken.message


def test_an_input_that_was_never_recorded_is_found(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    item = made["toy/upper"].manifest.inputs["letters"]
    for version in (item.version.replace("2", "1", 1), "../../heads/toy/letters", ""):
        forge(store, "toy/upper", inputs={"letters": item.model_copy(update={"version": version})})
        [broken] = audited(store, "toy/upper").broken
        assert (broken.key, broken.part) == ("toy/letters", "manifest")


def test_a_cache_key_that_its_content_does_not_lead_to_is_found_and_not_used(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())["toy/upper"].manifest
    forge(store, "toy/upper", config={"suffix": "!"}, cache_key=made.cache_key)
    assert [broken.part for broken in audited(store, "toy/upper").broken] == ["cache key", "cache"]
    again = make(store, toy_graph()["toy/upper"])
    assert not again.cached and again.manifest.digest == made.digest
    assert not audited(store, "toy/upper").broken


def test_an_index_entry_need_not_be_there_and_a_head_has_to(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())["toy/letters"].manifest
    store.backend.fs.rm(store.backend.place(f"cache/{made.cache_key[:2]}/{made.cache_key}.json"))
    assert not audited(store, "toy/both").broken
    store.backend.fs.rm(store.backend.place("heads/toy/letters.json"))
    for key in ("toy/both", "toy/letters"):
        [broken] = audited(store, key).broken
        assert (broken.key, broken.part) == ("toy/letters", "head") and "`o1 run` writes it" in broken.message
    assert make(store, toy_graph()["toy/letters"]).cached
    assert not audited(store, "toy/both").broken


def test_other_bytes_of_the_same_computation_are_worth_knowing(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    forge(store, "toy/letters", digest=made["toy/upper"].manifest.digest)
    result = audited(store, "toy/both")
    assert not result.broken and "the same computation gave other bytes" in next(iter(result.remarks))


def test_what_differs_from_today_is_said_and_is_not_broken(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    now = environment(2).model_copy(update={"libraries": {"torch": "9.9"}, "python": "4.0"})
    graph = toy_graph(count=4, suffix="!", seed=7)
    graph["toy/both"] = dataclasses.replace(graph["toy/both"], compute=upper)
    del graph["toy/upper"]
    result = audit(store, "toy/both", today=Today(graph, now))
    remarks = result.remarks
    assert not result.broken
    assert remarks["numbers of the profile differ from today's: count"] == ["toy/letters"]
    assert remarks["the seed was 0, today it is 7"] == ["toy/letters"]
    assert remarks["no artifact of today's graph"] == ["toy/upper"]
    assert remarks["the number of threads was 1, today 2"] == [one.key for one in result.versions]
    assert any(remark.startswith("torch was") for remark in remarks)
    assert any(remark.startswith("Python was") for remark in remarks)


def test_a_library_that_a_version_asked_for_is_compared_with_todays(store: ArtifactStore) -> None:
    pytest.importorskip("peft")
    make_all(store, toy_graph())
    lora = {"count": 4, "tuning": {"lora": {"rank": 2}}}
    there = environment(1, config=lora)
    assert "peft" in there.libraries
    forge(store, "toy/letters", config=lora, environment=there)
    today = Today(toy_graph(), environment(1))
    assert not any(remark.startswith("peft") for remark in audit(store, "toy/letters", today=today).remarks)
    older = there.model_copy(update={"libraries": {**there.libraries, "peft": "0.1"}})
    forge(store, "toy/letters", config=lora, environment=older)
    remarks = audit(store, "toy/letters", today=today).remarks
    assert [r for r in remarks if r.startswith("peft")] == [f"peft was 0.1, today {there.libraries['peft']}"]


def test_other_code_is_named_by_its_commit(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    there = environment(1).model_copy(update={"git_commit": "c0ffee" * 7, "git_dirty": True})
    forge(store, "toy/letters", code_version="0" * 16, environment=there)
    result = audit(store, "toy/letters", today=Today(toy_graph(), environment(1)))
    assert "made by other code than today's: commit c0ffeec0ffee with local changes" in result.remarks


def test_everything_is_in_the_document_and_what_is_broken_stands_first_on_the_terminal(
    store: ArtifactStore,
) -> None:
    made = make_all(store, toy_graph())
    digest = made["toy/letters"].manifest.digest
    store.backend.fs.rm(store.backend.place(f"objects/{digest[:2]}/{digest}"), recursive=True)
    result = audited(store, "toy/both")
    said = document(result)
    assert said["ok"] is False and said["broken"][0]["key"] == "toy/letters"
    assert [one["key"] for one in said["versions"]] == ["toy/letters", "toy/upper", "toy/both"]
    both = said["versions"][-1]
    assert both["config"] == {"suffix": ""} and both["environment"]["libraries"]["torch"]
    assert {item["name"] for item in both["inputs"]} == {"letters", "upper"}
    with (shown := console()).capture() as text:
        shown.print(render(result))
    lines = text.get().splitlines()
    assert "1 link broken" in lines[1] and "toy/letters (object)" in lines[2]
    assert sum("upper  " in line for line in lines) == 1, "a version is shown once"
