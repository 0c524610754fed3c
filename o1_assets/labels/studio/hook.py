"""What the label sensor calls at the top of a tick: pull what is new, never fail, never hang."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import round_inputs, selected_rounds
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.errors import LabelStudioError
from o1_assets.labels.studio.pull import pull_labels
from o1_assets.settings import Settings

SECONDS = 20.0
"""What a tick spends on pulling at most, besides waiting for an answer; the next tick goes on."""

log = logging.getLogger(__name__)


def progress_file(settings: Settings) -> Path:
    """Remembers what was pulled; may be deleted at any time."""
    return settings.home / "label_studio.json"


def studio_pull(settings: Settings, open_studio: Callable[[], LabelStudio | None]) -> Callable[[], None]:
    """A call that pulls and says on one log line what came or why nothing could.

    open_studio: called every time; None while no server is known.
    """

    def pull() -> None:
        try:
            opened = open_studio()
            if opened is None:
                return
            with opened as studio:
                report = pull_labels(
                    studio,
                    settings.profile,
                    Inbox(settings.inbox),
                    lambda name: round_inputs(settings, name).check(),
                    progress_file(settings),
                    rounds=selected_rounds(settings),
                    seconds=SECONDS,
                )
        except LabelStudioError as error:
            log.warning("no labels pulled: %s", error)
            return
        for name, count in report.accepted.items():
            log.info("%s: %d labelled solutions pulled from Label Studio", name, count)
        for name, reasons in report.rejected.items():
            if reasons:
                log.warning("%s: %d violations quarantined, first: %s", name, len(reasons), reasons[0])

    return pull
