"""deploy/values.yaml before a chart reads it: what it sets exists there, and Dagster takes what it adds."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from o1_assets.core.settings import PROJECT

SCHEMA = json.loads(Path(__file__).with_name("values.schema.json").read_text())


VALUES = yaml.safe_load((PROJECT / "deploy" / "values.yaml").read_text())


def test_what_the_values_set_is_of_the_chart() -> None:
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda values: values["dagster-user-deployments"]["deployments"][0].update(envSecret=[]),
        lambda values: values["dagster-user-deployments"]["deployments"][0].update(port="3030"),
        lambda values: values["dagster-user-deployments"]["deployments"][0]["image"].pop("tag"),
        lambda values: values["dagster-user-deployments"]["deployments"][0]["env"][0].update(value=8),
        lambda values: values["runLauncher"]["config"].update(k8sRunlauncher={}),
        lambda values: values.update(additionalInstanceconfig={}),
    ],
)
def test_a_mistake_in_them_is_found(mistake: Callable[[dict[str, Any]], Any]) -> None:
    values = copy.deepcopy(VALUES)
    mistake(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA)


def test_what_is_added_to_the_instance_dagster_accepts() -> None:
    from dagster._config import process_config
    from dagster._core.instance.config import dagster_instance_config_schema

    schema = dagster_instance_config_schema()
    added = VALUES["additionalInstanceConfig"]
    assert process_config(schema, added).success
    assert not process_config(schema, {"concurrency": {"pool": added["concurrency"]["pools"]}}).success
