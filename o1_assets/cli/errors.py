"""Errors whose message is meant for the person at the terminal."""

from __future__ import annotations

from o1_assets.cli.ask import AskError
from o1_assets.cli.audit import AuditFailed
from o1_assets.cli.depth import BadDepth
from o1_assets.cli.labels import LabelsError
from o1_assets.cli.page import PageError
from o1_assets.cli.results import ResultsError
from o1_assets.cli.run import RunFailed
from o1_assets.dagster_instance import InstanceLost
from o1_assets.devices import DevicesMissing
from o1_assets.engine.available import EngineMissing
from o1_assets.export.errors import ExportError
from o1_assets.extras import MissingExtra
from o1_assets.labels.studio.errors import LabelStudioError
from o1_assets.materialize import MissingInput
from o1_assets.plan.gpus import PlanError
from o1_assets.profiles.load import ProfileError
from o1_assets.profiles.needs import Unmet
from o1_assets.run_lock import Busy
from o1_assets.scratch import ScratchLost
from o1_assets.search.models import UnknownModel
from o1_assets.search.question import UnreadableQuestion
from o1_assets.settings import BadSetting
from o1_assets.store.store import StoreError
from o1_assets.trouble import DiskFull

EXPECTED: tuple[type[Exception], ...] = (
    RunFailed,
    ResultsError,
    AskError,
    UnknownModel,
    UnreadableQuestion,
    AuditFailed,
    PageError,
    Busy,
    MissingInput,
    ProfileError,
    Unmet,
    StoreError,
    ScratchLost,
    InstanceLost,
    DiskFull,
    EngineMissing,
    BadDepth,
    MissingExtra,
    BadSetting,
    DevicesMissing,
    LabelStudioError,
    LabelsError,
    PlanError,
    ExportError,
    FileNotFoundError,
)
