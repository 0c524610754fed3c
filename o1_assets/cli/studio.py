"""`o1 labels studio`: rounds into Label Studio, labels out of it."""

from __future__ import annotations

from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import round_inputs
from o1_assets.labels.studio.client import START, LabelStudio
from o1_assets.labels.studio.connection import connection
from o1_assets.labels.studio.errors import LabelStudioError
from o1_assets.labels.studio.hook import round_check, state_file
from o1_assets.labels.studio.pull import PullReport, pull_labels
from o1_assets.labels.studio.push import PushReport, push_round
from o1_assets.settings import Settings


def push(settings: Settings, round_name: str, labelers: int) -> PushReport:
    """Raises LabelStudioError, MissingInput, ProfileError."""
    inputs = round_inputs(settings, round_name)
    with _open(settings) as studio:
        return push_round(studio, settings.profile, inputs, labelers)


def pull(settings: Settings, round_name: str | None) -> PullReport:
    """Raises LabelStudioError, MissingInput, ProfileError."""
    if round_name is not None:
        round_inputs(settings, round_name)
    with _open(settings) as studio:
        return pull_labels(
            studio,
            settings.profile,
            Inbox(settings.inbox),
            lambda name: round_check(settings, name),
            state_file(settings),
            None if round_name is None else {round_name},
        )


def _open(settings: Settings) -> LabelStudio:
    known = connection(settings)
    if known is None:
        raise LabelStudioError(f"no Label Studio is known; {START} and O1_LABEL_STUDIO_TOKEN")
    return LabelStudio(known.url, known.token)
