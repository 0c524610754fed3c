"""Errors whose message is meant for the person at the terminal."""

from __future__ import annotations

from o1_assets.cli.ask import AskError
from o1_assets.cli.labels import LabelsError
from o1_assets.cli.run import RunFailed
from o1_assets.labels.studio.errors import LabelStudioError
from o1_assets.materialize import MissingInput
from o1_assets.profiles.load import ProfileError
from o1_assets.search.models import UnknownModel
from o1_assets.search.question import UnreadableQuestion
from o1_assets.store.store import StoreError

EXPECTED: tuple[type[Exception], ...] = (
    RunFailed,
    AskError,
    UnknownModel,
    UnreadableQuestion,
    MissingInput,
    ProfileError,
    StoreError,
    LabelStudioError,
    LabelsError,
    FileNotFoundError,
)
