"""What Dagster's own tools load (workspace.yaml): the definitions of the project that the environment names."""

from __future__ import annotations

import os

from o1_assets.execution.project import Project
from o1_assets.orchestration.definitions import build_definitions
from o1_assets.orchestration.instance import wait_for_writers
from o1_assets.orchestration.internals import lock_pools

wait_for_writers()
lock_pools()

project = Project.of_environment()

# The tools may be started in any folder; their instance lies in the profile's home all the same.
os.environ.setdefault("DAGSTER_HOME", str(project.settings.dagster_home()))

defs = build_definitions(project, pictures=bool(os.environ.get("O1_PICTURES")))
