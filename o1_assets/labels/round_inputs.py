"""What labelling a round needs: how it is labelled, its selection and its problems, from the store."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from o1_assets.core.settings import Settings
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.store.store import ArtifactStore, MissingInput


class RoundInputs(NamedTuple):
    """selection, train: folders of rNN/selection and problems/train."""

    config: LabelBatchesConfig
    selection: Path
    train: Path

    def load(self) -> Selection:
        """The selection with its problems."""
        return Selection.load(self.selection, self.train)

    def check(self) -> SelectionCheck:
        """What the inbox compares the round's batches with."""
        return SelectionCheck(self.load(), self.config.round, PROTOCOLS[self.config.protocol])


def round_names(settings: Settings) -> list[str]:
    return [f"r{k:02d}" for k in range(load_profile(settings.profile).rounds + 1)]


def known_round(settings: Settings, name: str) -> str:
    """The round's name. Raises ProfileError if the profile has no such round."""
    rounds = round_names(settings)
    if name not in rounds:
        profile = load_profile(settings.profile).name
        raise ProfileError(
            f"there is no round {name!r} in profile {profile}; it has {rounds[0]} to {rounds[-1]}"
        )
    return name


def round_inputs(settings: Settings, name: str) -> RoundInputs:
    """Raises ProfileError if the profile has no such round, MissingInput if its selection was not made yet."""
    profile = load_profile(settings.profile)
    known_round(settings, name)
    store = ArtifactStore(settings.store, settings.work)
    folders = []
    for key in (f"{name}/selection", "problems/train"):
        head = store.head(key)
        if head is None:
            raise MissingInput(f"{key} has not been made yet; `o1 run` makes it, then {name} can be labelled")
        folders.append(store.verified(head.digest))
    return RoundInputs(profile.batches(int(name[1:])), folders[0], folders[1])


def selected_rounds(settings: Settings) -> set[str]:
    """The profile's rounds whose selection was made: those that can be labelled."""
    store = ArtifactStore(settings.store, settings.work)
    return {name for name in round_names(settings) if store.head(f"{name}/selection") is not None}
