"""Chooses where steps run: the executor of a run, and the op tags and pool of a step.

Assets name a resource class (cpu, gpu1, gpu8), never an engine or an executor. The profile says what a class gets.
Executors that are packages of their own are imported where they are chosen, and nowhere else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from o1_assets.profiles.profile import CLASS_NAMES, Profile, Resources
from o1_assets.profiles.requirements import require_extra

CLASS_TAG = "o1/resource"

# Imported once, by the server that the processes of steps are forked from.
PRELOADED = ["o1_assets.orchestration.step_process"]

# Settings that steps on other machines need. No secrets: credentials belong to the workers' own environment.
FORWARDED = ("O1_HOME", "O1_PROFILE", "O1_SET", "O1_PARTS", "O1_STORE", "O1_SHARED", "O1_CHECKPOINT_SECONDS")


@dataclass(frozen=True)
class Placement:
    """Where a step runs. op_tags: for the executor. pool: limits how many steps of the class run at once."""

    op_tags: Mapping[str, Any]
    pool: str | None


def placement(name: str, profile: Profile) -> Placement:
    """The op tags and the pool of a step of the resource class."""
    # In process, steps without a GPU follow each other anyway, so they claim no pool.
    resources = profile.classes.of(name)
    tags: dict[str, Any] = {CLASS_TAG: name}
    if profile.executor == "ray":
        tags["dagster-ray/config"] = _ray_tag(resources)
    if profile.executor == "k8s":
        tags["dagster-k8s/config"] = _k8s_tag(resources)
    return Placement(tags, None if profile.executor == "local" and not resources.gpus else name)


def set_pools(instance: dg.DagsterInstance, profile: Profile) -> None:
    """Sets the limits of the instance's pools to what the profile allows, and frees slots that ended runs still hold.

    To be called under the run lock: Dagster creates a pool's slots twice if two processes set it at the same moment.
    """
    storage = instance.event_log_storage
    known = {info.name: info.limit for info in storage.get_pool_limits()}
    for name in CLASS_NAMES:
        limit = profile.classes.of(name).at_once
        if known.get(name) != limit or storage.get_concurrency_info(name).slot_count != limit:
            storage.set_concurrency_slots(name, limit)
    # A process gives its slots back when it ends; one that was killed could not.
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)


def executor(profile: Profile) -> dg.ExecutorDefinition:
    """The profile's executor: `local` (0.06 s a step), `processes` (a process for each step, 0.2 s), `ray` or `k8s`.

    Raises MissingRequirement where the executor's package is not installed.
    """
    require_extra(profile.executor)
    return _EXECUTORS[profile.executor](profile)


def _local(profile: Profile) -> dg.ExecutorDefinition:
    return dg.in_process_executor


def _processes(profile: Profile) -> dg.ExecutorDefinition:
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": sum(profile.classes.of(name).at_once for name in CLASS_NAMES),
            "start_method": {"forkserver": {"preload_modules": PRELOADED}},
            **_limits(profile),
        }
    )


def _ray(profile: Profile) -> dg.ExecutorDefinition:
    from dagster_ray import ray_executor

    # A step is the command `dagster`: on this machine that of this environment. Ray itself fills in its own PATH.
    path = f"PATH={Path(sys.executable).parent}:${{PATH}}"
    # Without an address Ray takes RAY_API_SERVER_ADDRESS, RAY_ADDRESS or a cluster on this machine.
    return ray_executor.configured({"ray": {"env_vars": [path, *_forwarded()]}, **_limits(profile)})


def _k8s(profile: Profile) -> dg.ExecutorDefinition:
    from dagster_k8s import k8s_job_executor

    return k8s_job_executor.configured(
        {
            # Environment, secrets and volumes are those of the code location (deploy/values.yaml).
            "load_incluster_config": "KUBERNETES_SERVICE_HOST" in os.environ,
            "step_k8s_config": {"job_spec_config": {"ttl_seconds_after_finished": 86400}},
            **_limits(profile),
        }
    )


_EXECUTORS = {"local": _local, "processes": _processes, "ray": _ray, "k8s": _k8s}


def _limits(profile: Profile) -> dict[str, Any]:
    """Limits of each class within one run. The pools limit the steps of all runs together."""
    limits = {name: profile.classes.of(name).at_once for name in CLASS_NAMES}
    return {"tag_concurrency_limits": [{"key": CLASS_TAG, "value": n, "limit": k} for n, k in limits.items()]}


def _forwarded() -> list[str]:
    return [f"{name}={os.environ[name]}" for name in FORWARDED if os.environ.get(name)]


def _ray_tag(resources: Resources) -> dict[str, Any]:
    tag: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus}
    if resources.memory_gib:
        tag["memory"] = int(resources.memory_gib * 2**30)
    return tag


def _k8s_tag(resources: Resources) -> dict[str, Any]:
    requests: dict[str, str] = {"cpu": f"{resources.cpus:g}"}
    limits: dict[str, str] = {}
    if resources.memory_gib:
        requests["memory"] = limits["memory"] = f"{resources.memory_gib:g}Gi"
    if resources.gpus:
        limits["nvidia.com/gpu"] = str(resources.gpus)
    return {"container_config": {"resources": {"requests": requests, "limits": limits}}}
