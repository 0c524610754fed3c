"""What a cluster would be sent: rendered by dagster-k8s from our executor and values file, validated by its schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml

from o1_assets.core.settings import PROJECT
from o1_assets.profiles.load import load_profile
from resources.compute import executor, placement

pytest.importorskip("dagster_k8s", reason="needs dagster-k8s: extra k8s")


kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")


DEPLOY = PROJECT / "deploy"


VERSION = "1.33"


def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    return loaded


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def run_launcher() -> Any:
    """The launcher that the chart configures from the values file."""
    from dagster_k8s import K8sRunLauncher

    given = values()["runLauncher"]["config"]["k8sRunLauncher"]
    return K8sRunLauncher(
        service_account_name="o1-dagster",
        instance_config_map="o1-dagster-instance",
        dagster_home="/opt/dagster/dagster_home",
        postgres_password_secret="dagster-postgresql-secret",
        load_incluster_config=False,
        k8s_client_batch_api=object(),
        k8s_client_core_api=object(),
        job_namespace="o1",
        run_k8s_config={snake(name): value for name, value in given["runK8sConfig"].items()},
    )


def deployment_context() -> dict[str, Any]:
    """What includeConfigInLaunchedRuns hands on to runs and steps."""
    (deployment,) = values()["dagster-user-deployments"]["deployments"]
    names = {"env": "env", "volumes": "volumes", "volumeMounts": "volume_mounts", "envSecrets": "env_secrets"}
    context = {to: deployment[of] for of, to in names.items()}
    context["env_secrets"] = [secret["name"] for secret in context["env_secrets"]]
    return {"k8s": context}


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """class name -> the Kubernetes Job of a step of that class, as it would be sent."""
    import kubernetes.client
    import kubernetes.config
    from dagster_k8s import executor as module

    monkeypatch.setattr(kubernetes.config, "load_kube_config", lambda *a, **k: None)
    monkeypatch.setenv("O1_HOME", "/o1")
    profile = load_profile("nano", "executor=k8s\nclasses.gpu1.memory_gib=24")
    definition = executor(profile)
    config = definition.apply_config_mapping({"config": {}}).value["config"]

    instance = SimpleNamespace(run_launcher=run_launcher())
    create: Any = definition.executor_creation_fn
    handler = create(SimpleNamespace(instance=instance, executor_config=config))._step_handler
    assert isinstance(handler, module.K8sStepHandler)
    origin = SimpleNamespace(container_image="registry/o1:1", container_context=deployment_context())
    job = SimpleNamespace(repository_origin=origin)
    monkeypatch.setattr(dg.DagsterEvent, "step_worker_starting", staticmethod(lambda *a, **k: None))

    def render(name: str) -> Any:
        sent: list[Any] = []
        handler._api_client = SimpleNamespace(
            create_namespaced_job_with_retries=lambda body, namespace: sent.append((namespace, body))
        )
        tags = placement(name, profile).op_tags
        step = SimpleNamespace(step=SimpleNamespace(op_name="r00__prm"))
        context = SimpleNamespace(
            execute_step_args=SimpleNamespace(
                step_keys_to_execute=["r00__prm"],
                run_id="0" * 36,
                known_state=None,
                job_origin=job,
                get_command_args=lambda **_: ["dagster", "api", "execute_step"],
                get_command_env=lambda: [{"name": "DAGSTER_COMPRESSED_EXECUTE_STEP_ARGS", "value": "x"}],
            ),
            dagster_run=SimpleNamespace(
                job_name="everything", tags={}, job_code_origin=job, remote_job_origin=None, run_id="0" * 36
            ),
            instance=instance,
            step_tags={"r00__prm": {k: v if isinstance(v, str) else json.dumps(v) for k, v in tags.items()}},
            get_step_context=lambda key: step,
        )
        list(handler.launch_step(context))
        ((namespace, body),) = sent
        assert namespace == "o1"
        return kubernetes.client.ApiClient().sanitize_for_serialization(body)

    return render


@pytest.mark.parametrize("name", ["cpu", "gpu1", "gpu8"])
def test_the_job_of_a_step_is_what_kubernetes_accepts(rendered: Any, name: str) -> None:
    job = rendered(name)
    kubernetes_validate.validate(job, VERSION, strict=True)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert len(environment) == len(container["env"])
    assert environment["O1_HOME"] == "/o1" and environment["O1_STORE"] == "s3://BUCKET/o1"
    assert {"secretRef": {"name": "o1-secrets"}} in container["envFrom"]
    assert container["image"] == "registry/o1:1"
    assert {"o1-home", "shm"} <= {volume["name"] for volume in pod["volumes"]}
    gpus = {"cpu": None, "gpu1": "1", "gpu8": "8"}[name]
    assert container["resources"].get("limits", {}).get("nvidia.com/gpu") == gpus
    if name == "gpu1":
        assert container["resources"]["limits"]["memory"] == "24Gi"
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400


def test_the_schema_would_refuse_a_wrong_job(rendered: Any) -> None:
    job = rendered("cpu")
    job["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSION, strict=True)


def test_the_volume_of_the_home_is_what_kubernetes_accepts() -> None:
    claim = yaml.safe_load((DEPLOY / "home.yaml").read_text())
    kubernetes_validate.validate(claim, VERSION, strict=True)
    (volume, _) = values()["dagster-user-deployments"]["deployments"][0]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_profile_of_the_values_file_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (deployment,) = values()["dagster-user-deployments"]["deployments"]
    environment = {entry["name"]: entry["value"] for entry in deployment["env"]}
    profile = load_profile(environment["O1_PROFILE"], environment["O1_SET"])
    assert profile.executor == "k8s" and profile.classes.gpu1.at_once == 8


@pytest.mark.skipif(
    not os.environ.get("O1_HELM_SCHEMA"), reason="O1_HELM_SCHEMA: the chart's values.schema.json, a file"
)
def test_the_values_fit_the_charts_own_schema() -> None:
    """The chart's defaults fill in what the values leave out, so nothing is required here."""
    import jsonschema

    schema = json.loads(Path(os.environ["O1_HELM_SCHEMA"]).read_text())
    schema.pop("required")
    jsonschema.validate(values(), schema)
