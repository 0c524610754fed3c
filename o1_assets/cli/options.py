"""What several commands take, and how they read their settings and print."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from o1_assets.settings import Settings

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="nano, micro, smol or qwen; else O1_PROFILE, else nano")
]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="digest or name of a version; today's without it")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override one number of the profile: --set prm.updates=200")
]


def settings_of(profile: str | None, overrides: list[str] | None = None) -> Settings:
    if overrides:
        os.environ["O1_SET"] = " ".join([os.environ.get("O1_SET", ""), *overrides]).strip()
    if profile:  # whatever else reads the settings in this process has to read the same ones
        os.environ["O1_PROFILE"] = profile
    return Settings.load(profile)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=False))
