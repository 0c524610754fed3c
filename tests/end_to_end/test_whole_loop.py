"""The whole graph at a size that takes a minute, through the command line, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from o1_assets.core.settings import PROJECT, Settings
from o1_assets.core.tables import duckdb_pattern
from o1_assets.export.model_card import read_card
from o1_assets.graph import build_graph, descendants
from o1_assets.profiles.load import load_profile
from o1_assets.store.ancestry import ancestry
from o1_assets.store.store import ArtifactStore
from tests.end_to_end.mini_home import O1, copied, graph_keys, o1, o1_json
from tests.mini import MINI


def stale(home: Path, overrides: str) -> set[str]:
    rows = o1_json(home, "status", overrides=overrides)["artifacts"]
    loop = graph_keys(home, overrides)
    return {row["key"] for row in rows if row["key"] in loop and row["state"] != "fresh"}


@pytest.fixture(scope="module")
def home(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini graph's home, which the tests go on with one after another.

    To polars, DuckDB and fsspec its name is a pattern that matches the homes beside it.
    """
    folder = tmp_path_factory.mktemp("whole_loop")
    for decoy in ("weird home a=1 'q'", "weird 2home a=1 'q'"):
        shutil.copytree(mini_home / "nano" / "store", folder / decoy / "nano" / "store")
    return copied(mini_home, folder / "we[i]rd *home a=1 'q'")


@pytest.fixture
def store(home: Path) -> ArtifactStore:
    settings = Settings.load("nano", home)
    return ArtifactStore(settings.store, settings.work)


def test_a_second_run_computes_nothing_and_is_quick(home: Path, store: ArtifactStore) -> None:
    result = o1_json(home, "run")
    assert result["computed"] == 0 and result["cached"] == len(graph_keys(home))
    assert result["seconds"] < 20
    # It is a copy: that run also rebuilt the catalogue, whose views read the home that it was copied from.
    with duckdb.connect(str(home / "nano" / "catalogue.duckdb"), read_only=True) as connection:
        views = connection.execute("select sql from duckdb_views() where not internal").fetchall()
        rows = connection.execute('select count(*) from "r01/labels.labels"').fetchone()
    place = duckdb_pattern(home / "nano").replace("'", "''")
    assert views and all(f"'{place}/store/objects/" in sql for (sql,) in views)
    head = store.head("r01/labels")
    assert head is not None and rows == (head.rows,), "the homes beside it are not read"
    assert (home / "nano").stat().st_mode & 0o777 == 0o700


def test_damage_is_named_by_status_and_mended_by_a_run(home: Path, store: ArtifactStore) -> None:
    head = store.head("r01/labels")
    assert head is not None
    file = store.path(head.digest) / "labels.parquet"
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[:-9] + b"x" + content[-8:])
    for options in ((), ("--verify",)):
        status = o1(home, "status", *options)
        assert status.returncode == 1 and "o1: damaged: r01/labels; `o1 run`" in status.stderr
    result = o1_json(home, "run")
    assert result["computed"] == 1 and file.read_bytes() == content
    assert o1(home, "status", "--verify").returncode == 0


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("later_prm.updates=5", {"r01/prm"}),
        ("sft.learning_rate=0.002", {"generator/model"}),
        ("policy.updates=3", {"r00/policy", "r01/policy"}),
        ("summary.pool_solutions=10", {"eval/summary"}),
        ("problems.test=13", {"problems/test", "problems/train"}),
    ],
)
def test_one_changed_number_makes_exactly_what_depends_on_it_stale(
    home: Path, change: str, first: set[str]
) -> None:
    assert stale(home, change) == descendants(graph_keys(home, change), first)


def test_a_refresh_makes_what_is_stale_and_going_back_computes_nothing(home: Path) -> None:
    assert o1_json(home, "refresh", overrides="summary.pool_solutions=10")["computed"] == 1
    assert o1_json(home, "run")["computed"] == 0
    assert stale(home, "") == set()


def test_the_headline_has_every_name_and_the_page_shows_it(home: Path) -> None:
    result = o1_json(home, "report")
    names = {
        "wall_seconds", "overhead_share", "peak_rss_gib", "generator_pass@1", "baby_o1_pass@1",
        "generator_greedy", "baby_o1_greedy", "fooled_rate_first", "fooled_rate_last",
    }  # fmt: skip
    assert names <= set(result["headline"])
    assert all(set(row) == {"value", "error", "target", "better"} for row in result["headline"].values())
    page = Path(result["report"]).read_text()
    assert "<svg" in page and "src=" not in page.replace('src="data:', "")


def test_every_checkpoint_loads_with_plain_transformers(store: ArtifactStore) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for key in ("base/model", "generator/model", "r01/policy"):
        head = store.head(key)
        assert head is not None
        folder = store.path(head.digest)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
        ids = tokenizer("What is 1 + 2?\n", return_tensors="pt")["input_ids"]
        assert model.generate(ids, max_new_tokens=4, do_sample=False).shape[1] > ids.shape[1]


def test_no_test_problem_is_in_train_and_none_was_sampled_for_training(store: ArtifactStore) -> None:
    import polars as pl

    def ids(key: str, table: str) -> set[str]:
        head = store.head(key)
        assert head is not None
        return set(pl.read_parquet(store.path(head.digest) / table)["problem_id"])

    test = ids("problems/test", "problems.parquet")
    assert test and not test & ids("problems/train", "problems.parquet")
    for key in ("generator/samples", "r00/solutions", "r01/solutions"):
        assert not test & ids(key, "solutions.parquet")


def test_bad_input_is_one_sentence_and_an_exit_code(home: Path, tmp_path: Path) -> None:
    for arguments in (
        ["run", "--set", "prm.upates=3"],
        ["status", "--profile", "huge"],
        ["labels", "export", "r99"],
        ["labels", "submit", str(tmp_path / "absent.jsonl"), "--round", "r00"],
    ):
        done = o1(home, *arguments)
        assert done.returncode == 1 and done.stderr.startswith("o1: "), done.stderr
        assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_before_any_round_is_rated_a_run_ends_well_without_a_report(home: Path, tmp_path: Path) -> None:
    """As on a clone whose annotators are people: what was made stops before r00's labels."""
    human, fresh = 'annotator="human"', copied(home, tmp_path / "o1")
    settings = Settings.load("nano", fresh)
    settings.report.unlink()
    for key in descendants(graph_keys(fresh), {"r00/label_batches"}):
        (Path(settings.store) / "heads" / f"{key}.json").unlink()
    result = o1(fresh, "run", "--json", overrides=human)
    assert result.returncode == 0, result.stderr[-2000:]
    printed = json.loads(result.stdout)
    assert printed["computed"] == 0 and list(printed["waiting"]) == ["r00/label_batches"]
    assert "o1 labels export r00" in printed["waiting"]["r00/label_batches"]
    assert not settings.report.exists()
    status = o1_json(fresh, "status", overrides=human)
    assert (
        status["rounds"]["r00"]["labels"]["rated"] == 0
        and status["rounds"]["r00"]["labels"]["not_rated"] == 12
    )
    assert status["waits"]["r01"] == "r00"
    plain = o1(fresh, "run", overrides=human)
    assert plain.returncode == 0 and "no report yet" in plain.stdout


def test_without_labels_a_run_stops_there_says_what_to_do_and_people_can_go_on(
    home: Path, tmp_path: Path
) -> None:
    """The rounds' labels come from people: export, rate, submit, run; only what follows is computed."""
    human = 'annotator="human"'
    result = o1(home, "run", "--json", overrides=human)
    assert result.returncode == 0, result.stderr[-2000:]
    assert json.loads(result.stdout)["computed"] == 0
    assert "o1 labels export r00" in result.stderr
    assert "labels from people" in o1_json(home, "status", overrides=human)["waits"]["r00"]

    file = tmp_path / "r00.jsonl"
    assert o1(home, "labels", "export", "r00", "-o", str(file), overrides=human).returncode == 0
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        record["labeler"], record["timestamp"] = "somebody", "2026-01-01T00:00:00"
        record["label"]["finish_reason"] = "found_error"
        for step in record["label"]["steps"][:1]:
            for completion in step["completions"]:
                completion["rating"] = -1
            step["chosen_completion"] = None
        for step in record["label"]["steps"][1:]:
            step["chosen_completion"] = None
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    submitted = o1_json(home, "labels", "submit", str(file), "--round", "r00", overrides=human)
    assert submitted["accepted"] == len(records), submitted["rejected"][:3]

    result = o1(home, "run", "--json", overrides=human)
    assert result.returncode == 0, result.stderr[-2000:]
    # r00's batches, labels, PRM, policy and eval, and r01's solutions, selection, ORM: then r01 waits.
    assert json.loads(result.stdout)["computed"] == 8
    assert "o1 labels export r01" in result.stderr


def test_training_made_again_elsewhere_gives_the_same_bytes(home: Path, tmp_path: Path) -> None:
    """Another folder, another hash seed, another number of threads asked for: six trainings, to the byte."""
    environment = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI, "PYTHONHASHSEED": "5"}
    environment |= {"OMP_NUM_THREADS": "3", "POLARS_MAX_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [*O1, "audit", "r01/policy", "--replay", "--depth", "2", "--json"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["verdict"] == "equal bytes"
    keys = {"generator/model", "r00/policy", "r01/prm", "r01/orm", "problems/train", "r01/policy"}
    assert {row["key"] for row in result["artifacts"]} == keys
    assert all(row["digest"] == row["digest_replayed"] for row in result["artifacts"])


@pytest.mark.skipif(
    "O1_TEST_REPLAY_ALL" not in os.environ, reason="as long as a run; set O1_TEST_REPLAY_ALL=1"
)
def test_every_artifact_made_again_gives_the_same_bytes(home: Path) -> None:
    result = o1_json(home, "audit", "eval/summary", "--replay", "--depth", "all")
    assert result["verdict"] == "equal bytes" and len(result["artifacts"]) == len(graph_keys(home))


def test_every_checkpoint_has_a_model_card(home: Path, store: ArtifactStore) -> None:
    from huggingface_hub import ModelCard

    for key in ("base/model", "generator/model", "r00/orm", "r01/prm", "r01/policy"):
        head = store.head(key)
        assert head is not None
        assert (Path(Settings.load("nano", home).store) / "cards" / key / f"{head.version}.md").is_file()
        text = o1_json(home, "card", key)["card"] if key == "r01/prm" else read_card(store, key)
        card = ModelCard(text)
        assert card.data.license == "apache-2.0" and card.data.library_name == "transformers"
        assert head.digest in card.text and f"`{key}`" in card.text
    labels = store.head("r01/labels")
    assert labels is not None
    assert f"| r01 | oracle | sparse | 1 | 0 | 1 | {labels.figures['labels']} |" in read_card(
        store, "r01/prm"
    )
    refused = o1(home, "card", "r00/labels")
    assert refused.returncode == 1 and "is no checkpoint" in refused.stderr


def test_dagster_says_of_every_artifact_what_the_store_does(home: Path, store: ArtifactStore) -> None:
    """After all of the above: cached runs, a refresh, going back, labels from people."""
    import dagster as dg

    from o1_assets.orchestration.keys import asset_key
    from o1_assets.orchestration.records import disagreement
    from o1_assets.orchestration.story import page_of

    graph = build_graph(load_profile("nano", MINI), Settings.load("nano", home))
    with dg.DagsterInstance.from_config(str(Settings.load("nano", home).dagster_home())) as instance:
        # Only a run of the UI's own code location is on its timeline and in the history of its job.
        runs = [run for run in instance.get_runs() if run.job_name == "everything"]
        assert runs and {run.remote_job_origin and run.remote_job_origin.location_name for run in runs} == {
            "o1_assets"
        }
        for key in graph_keys(home):
            head, event = store.head(key), instance.get_latest_materialization_event(asset_key(key))
            assert head is not None and event is not None and event.asset_materialization is not None, key
            materialization = event.asset_materialization
            assert disagreement(head, materialization.tags or {}) == ""
            assert materialization.metadata["manifest"].value == head.version
            # What the page in the UI tells people to look at is there.
            page = page_of(graph[key])
            assert page is not None and set(page.look_at) <= head.figures.keys(), key
            plots = store.path(head.digest) / "plots"
            assert not page.picture or (plots / f"{page.picture}.png").is_file(), key
            audited = {m.key: m.digest for m in ancestry(store, key)}
            for row in materialization.metadata["inputs"].records if head.inputs else []:
                assert (
                    audited[row.data["key"]].startswith(row.data["digest"]) and len(row.data["digest"]) >= 12
                )
