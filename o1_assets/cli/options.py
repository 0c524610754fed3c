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
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="override one number of the profile: --set prm.updates=200; a value is JSON or plain text and may "
        'hold spaces, as "TEXT" in JSON also words such as a=b',
    ),
]


def settings_of(profile: str | None, overrides: list[str] | None = None) -> Settings:
    if overrides:
        from o1_assets.profiles.load import assignments

        # Each on its own: one that is no assignment must not become part of another's value.
        for text in overrides:
            assignments(text)
        os.environ["O1_SET"] = " ".join([os.environ.get("O1_SET", ""), *overrides]).strip()
    if profile:  # whatever else reads the settings in this process has to read the same ones
        os.environ["O1_PROFILE"] = profile
    return Settings.load(profile)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=False))
