"""Assets name a resource class; the profile says what that is, and on which executor."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.cli.run import RunFailed, run
from o1_assets.core.settings import DAGSTER_YAML, BadSetting, Settings
from o1_assets.execution.project import Project
from o1_assets.execution.run_lock import RunLock
from o1_assets.graph import build_graph
from o1_assets.profiles import requirements
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.profiles.requirements import MissingRequirement, require_extra
from resources.compute import executor, placement, set_pools


def test_each_executor_is_told_of_a_class_in_its_own_words() -> None:
    def tags(executor: str) -> Any:
        settings = "classes.gpu1.memory_gib=24\nclasses.gpu1.cpus=6"
        return placement("gpu1", load_profile("nano", f"executor={executor}\n{settings}")).op_tags

    assert tags("local") == tags("processes") == {"o1/resource": "gpu1"}
    assert tags("ray")["dagster-ray/config"] == {"num_cpus": 6, "num_gpus": 1, "memory": 24 * 2**30}
    assert tags("k8s")["dagster-k8s/config"]["container_config"]["resources"] == {
        "requests": {"cpu": "6", "memory": "24Gi"},
        "limits": {"memory": "24Gi", "nvidia.com/gpu": "1"},
    }


def test_a_profile_may_train_on_another_class_than_it_samples_on(tmp_path: Path) -> None:
    settings = Settings.load("nano", tmp_path)
    graph = build_graph(load_profile("nano", "model_class=gpu1\ntraining_class=gpu8"), settings)
    of = {key: artifact.resource_class for key, artifact in graph.items()}
    trainings = {
        "generator/model",
        *(f"r{k:02d}/{name}" for k in range(11) for name in ("prm", "orm", "policy")),
    }
    launched = {key for key, artifact in graph.items() if artifact.launches}
    assert {key for key, name in of.items() if name == "gpu8"} == launched, (
        "the arms of experiments are stages too"
    )
    assert {key for key in launched if not key.startswith("ablations/")} == trainings
    assert of["r03/solutions"] == of["r03/eval"] == "gpu1" and of["r03/labels"] == "cpu"
    same = build_graph(load_profile("nano", "model_class=gpu1"), settings)
    assert {a.resource_class for a in same.values() if a.launches} == {"gpu1"}


def test_where_and_on_what_a_step_ran_is_no_part_of_what_it_makes(tmp_path: Path) -> None:
    settings = Settings.load("nano", tmp_path)
    one = build_graph(load_profile("nano", ""), settings)
    other = build_graph(
        load_profile("nano", "executor=processes\nmodel_class=gpu1\nclasses.gpu1.gpus=2"), settings
    )
    assert {k: (a.config, a.seed) for k, a in one.items()} == {
        k: (a.config, a.seed) for k, a in other.items()
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("executor=slurm", "executor is 'slurm'; it should be 'local', 'processes', 'ray' or 'k8s'"),
        ("model_class=gpu2", "model_class is 'gpu2'; it should be 'cpu', 'gpu1' or 'gpu8'"),
        ("classes.gpu1.at_once=0", "classes.gpu1.at_once is 0; it should be greater than 0"),
        ("classes.gpu2.gpus=1", "there is no field classes.gpu2; the nearest is classes.gpu8"),
        (
            "training_class=gpu8\npolicy.problems_per_update=12",
            "12, which the 8 processes of class gpu8 cannot share",
        ),
        ("training_class=gpu8\nclasses.gpu8.launch=3", "first_prm.batch_size is 16, which the 3 processes"),
        (
            "sft.tuning.micro_batch=12",
            "sft.batch_size is 32, which cannot be cut into 3 equal pieces; change it",
        ),
        (
            "training_class=gpu8\nsft.tuning.micro_batch=4",
            "sft.batch_size is 32, which cannot be cut into 8 equal pieces for 8 processes of class gpu8",
        ),
    ],
)
def test_a_class_or_executor_that_is_none_is_refused(change: str, says: str) -> None:
    with pytest.raises(ProfileError) as error:
        load_profile("nano", change)
    assert says in str(error.value)


@pytest.mark.parametrize("name", ["ray", "k8s"])
def test_a_missing_package_is_one_sentence_before_any_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda module: None)
    monkeypatch.setenv("O1_SET", f"executor={name}")
    monkeypatch.delenv("O1_DAGSTER_POSTGRES", raising=False)
    with pytest.raises(MissingRequirement, match=rf"executor={name} needs the package .*o1-assets\[{name}\]"):
        run(Project(Settings.load("nano", tmp_path)))
    with pytest.raises(MissingRequirement, match=name):
        executor(load_profile("nano"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("O1_SET", "")
    monkeypatch.setenv("O1_DAGSTER_POSTGRES", "postgresql://nowhere/o1")
    with pytest.raises(MissingRequirement, match=r"O1_DAGSTER_POSTGRES needs the package dagster-postgres"):
        run(Project(Settings.load("nano", tmp_path)))


def test_steps_on_a_cluster_are_not_handed_out_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda module: ModuleSpec(module, None))
    monkeypatch.setenv("O1_SET", "executor=k8s")
    with pytest.raises(RunFailed, match="inside the cluster"):
        run(Project(Settings.load("nano", tmp_path)))
    require_extra("local")


def test_pools_are_limited_to_what_the_profile_allows_at_once() -> None:
    with dg.instance_for_test() as instance:
        for limit in (3, 2):
            set_pools(instance, load_profile("nano", f"classes.gpu1.at_once={limit}"))
            limits = {info.name: info.limit for info in instance.event_log_storage.get_pool_limits()}
            assert limits == {"cpu": 2, "gpu1": limit, "gpu8": 1}


def test_what_an_ended_run_holds_of_a_pool_is_freed_and_what_a_living_one_holds_is_not() -> None:
    with dg.instance_for_test() as instance:
        profile, storage = load_profile("nano", "classes.gpu1.at_once=2"), instance.event_log_storage
        job = dg.GraphDefinition(name="steps").to_job()
        killed, alive, waits = (instance.create_run_for_job(job) for _ in range(3))

        def claims(run: dg.DagsterRun) -> bool:
            return storage.claim_concurrency_slot("gpu1", run.run_id, "step").is_claimed

        set_pools(instance, profile)
        assert claims(killed) and claims(alive) and not claims(waits)
        set_pools(instance, profile)
        assert not claims(waits)
        instance.report_run_failed(killed)
        assert not claims(waits)  # Dagster leaves it to the daemon
        set_pools(instance, profile)
        assert claims(waits)
        assert storage.get_concurrency_run_ids() == {alive.run_id, waits.run_id}


def test_postgres_is_one_setting_and_a_file_that_somebody_changed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load("nano", tmp_path)
    monkeypatch.delenv("O1_DAGSTER_POSTGRES", raising=False)
    file = settings.dagster_home() / "dagster.yaml"
    assert file.read_text() == DAGSTER_YAML
    monkeypatch.setenv("O1_DAGSTER_POSTGRES", "postgresql://o1@db/o1")
    settings.dagster_home()
    assert "env: O1_DAGSTER_POSTGRES" in file.read_text() and "o1@db" not in file.read_text()
    monkeypatch.delenv("O1_DAGSTER_POSTGRES")
    assert settings.dagster_home() and file.read_text() == DAGSTER_YAML
    head, _, rest = DAGSTER_YAML.partition("; what an ended one still holds of a pool is freed")
    former = (head + rest.partition("# A pool limits")[0]).replace(
        "  free_slots_after_run_end_seconds: 60\n", ""
    )
    file.write_text(former)
    assert settings.dagster_home() and file.read_text() == DAGSTER_YAML, "an earlier version of ours wrote it"
    file.write_text("telemetry: {enabled: false}\n")
    assert settings.dagster_home() and file.read_text() == "telemetry: {enabled: false}\n"
    monkeypatch.setenv("O1_DAGSTER_POSTGRES", "postgresql://o1@db/o1")
    with pytest.raises(BadSetting, match="was changed by hand"):
        settings.dagster_home()
    monkeypatch.setenv("O1_DAGSTER_POSTGRES", "db:5432")
    with pytest.raises(BadSetting, match="no address of a Postgres database"):
        settings.dagster_home()


def test_a_command_that_holds_the_run_lock_lends_it_to_its_run(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    with lock.hold("command"):
        with lock.lend(), RunLock(tmp_path / "run.lock").hold("its run"):
            assert lock.busy() and len(list(lock.alive.iterdir())) == 2
        assert lock.busy()
    assert not lock.busy()
