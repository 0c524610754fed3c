"""Tells people elsewhere that a run failed, a round waits for them or a check failed: one command, or one webhook.

O1_ALERT is the address of a webhook, which gets each alert as JSON by POST, or a command, which gets the same JSON on
its standard input. The field `text` is what Slack, Mattermost and Teams show.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import asdict, dataclass
from typing import Literal

from o1_assets.core.errors import O1Error
from o1_assets.core.settings import BadSetting

SECONDS = 20.0
"""How long a command or a webhook may take."""


class AlertFailed(O1Error):
    """An alert could not be delivered; the message never has the address, which may be a secret."""


@dataclass(frozen=True)
class Alert:
    """event: what happened. text: one sentence. subject: the run's id, or the artifact's key and the check."""

    event: Literal["run_failed", "round_waits", "check_failed"]
    text: str
    profile: str
    subject: str
    run: str | None = None


def alert_target() -> str | None:
    """O1_ALERT; None where nobody wants to be told. Raises BadSetting."""
    target = os.environ.get("O1_ALERT", "").strip()
    if not target:
        return None
    if not _is_address(target):
        try:
            words = shlex.split(target)
        except ValueError:
            words = []
        if not words or shutil.which(words[0]) is None:
            raise BadSetting(
                "O1_ALERT is neither the address of a webhook (https://...) nor a command that there is; write one of "
                "them, or unset it"
            )
    return target


def send(alert: Alert, target: str) -> None:
    """Delivers it. Raises AlertFailed."""
    content = json.dumps(asdict(alert), ensure_ascii=False)
    if _is_address(target):
        _post(content, target)
        return
    try:
        done = subprocess.run(
            shlex.split(target), input=content, text=True, capture_output=True, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AlertFailed(f"the command of O1_ALERT could not be run ({type(error).__name__})") from error
    if done.returncode:
        raise AlertFailed(
            f"the command of O1_ALERT ended with {done.returncode}: {done.stderr[-200:].strip()}"
        )


def _post(content: str, address: str) -> None:
    import httpx

    try:
        answer = httpx.post(
            address, content=content.encode(), headers={"content-type": "application/json"}, timeout=SECONDS
        )
    except httpx.HTTPError as error:
        # Its text has the address.
        raise AlertFailed(f"the webhook of O1_ALERT cannot be reached ({type(error).__name__})") from None
    if answer.is_error:
        raise AlertFailed(f"the webhook of O1_ALERT answered {answer.status_code}")


def _is_address(target: str) -> bool:
    return target.startswith(("http://", "https://"))
