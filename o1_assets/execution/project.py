"""A project is one profile's settings, graph, store and inbox, built once by a command and handed down.

Everything is built when it is first asked for, so a command that only reads the store does not build the graph, and
`o1 --help` builds nothing at all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from o1_assets.core.settings import Settings

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.execution.outline import Outline
    from o1_assets.execution.run_lock import RunLock
    from o1_assets.labels.inbox.inbox import Inbox
    from o1_assets.profiles.profile import Profile
    from o1_assets.store.store import ArtifactStore


# What O1_PARTS is for all optional parts.
ALL_PARTS = "all"


class Project:
    """The settings of one profile and everything that follows from them, each made at most once.

    overrides: assignments as in O1_SET, one a line; None takes O1_SET itself. parts: the optional parts that Dagster is
    shown beside the loop (`graph.asked_for`), None for all of them. A caller that has a profile or a graph of its own,
    such as a test, assigns it before it is first read.
    """

    def __init__(
        self, settings: Settings, overrides: str | None = None, parts: Sequence[str] | None = None
    ) -> None:
        self.settings = settings
        self.overrides = os.environ.get("O1_SET", "") if overrides is None else overrides
        self.parts = parts

    @classmethod
    def of_environment(cls) -> Project:
        """The project that O1_HOME, O1_PROFILE, O1_SET and O1_PARTS name. Raises BadSetting."""
        parts = os.environ.get("O1_PARTS", "")
        return cls(Settings.load(), parts=None if parts == ALL_PARTS else parts.split(",") if parts else ())

    # Imported where they are built: the graph brings in every stage, the inbox polars, and `o1 --help` needs neither.

    @cached_property
    def profile(self) -> Profile:
        """With the rounds that were switched to another annotator.

        Raises ProfileError on an unknown profile, or an override that does not fit it; DamagedSwitches.
        """
        from o1_assets.labels.inbox.switches import Switches
        from o1_assets.profiles.load import load_profile

        profile = load_profile(self.settings.reference, self.overrides)
        switches = Switches(self.settings.inbox).today()
        return profile.model_copy(update={"switches": switches}) if switches else profile

    def current(self) -> Project:
        """This project, or a new one if rounds were switched since its profile was read. Raises DamagedSwitches."""
        from o1_assets.labels.inbox.switches import Switches

        unchanged = Switches(self.settings.inbox).today() == self.profile.switches
        return self if unchanged else Project(self.settings, self.overrides, self.parts)

    @cached_property
    def graph(self) -> dict[str, Artifact]:
        """Every artifact by its key, each after its inputs."""
        from o1_assets.graph import build_graph

        return build_graph(self.profile, self.settings)

    @cached_property
    def outlines(self) -> dict[str, Outline]:
        """What the store has to be compared with, of every artifact by its key; mostly without building the graph."""
        from o1_assets.execution.outline import outlines

        return outlines(self)

    def changed(self, assignments: str) -> Project:
        """This project, or one with more assignments, as in O1_SET; made once for each."""
        if not assignments.strip():
            return self
        if assignments not in self._changed:
            overrides = f"{self.overrides}\n{assignments}".strip()
            self._changed[assignments] = Project(self.settings, overrides, self.parts)
        return self._changed[assignments]

    @cached_property
    def _changed(self) -> dict[str, Project]:
        return {}

    @cached_property
    def loaded(self) -> dict[str, Artifact]:
        """Of the graph, what Dagster is shown: the loop and `parts`. Raises UnknownPart."""
        if self.parts is None:
            return self.graph
        from o1_assets.graph import asked_for

        wanted = asked_for(self.graph, self.parts)
        return {key: artifact for key, artifact in self.graph.items() if key in wanted}

    @cached_property
    def store(self) -> ArtifactStore:
        from o1_assets.store.store import ArtifactStore

        return ArtifactStore(self.settings.store, self.settings.work)

    @cached_property
    def inbox(self) -> Inbox:
        from o1_assets.labels.inbox.inbox import Inbox
        from o1_assets.labels.inbox.recorded import recorded_in

        return Inbox(self.settings.inbox, recorded_in(lambda: self.store))

    @cached_property
    def lock(self) -> RunLock:
        from o1_assets.execution.run_lock import RunLock

        return RunLock(self.settings.lock)

    def export_to_environment(self) -> None:
        """Lets the processes that this one starts find the same project: they know nothing of the command line."""
        # The parent, because a home ends with the profile's name, which is given by itself.
        os.environ["O1_HOME"] = str(self.settings.home.parent)
        os.environ["O1_PROFILE"] = self.settings.reference
        os.environ["O1_SET"] = self.overrides
        os.environ["O1_PARTS"] = ALL_PARTS if self.parts is None else ",".join(self.parts)
