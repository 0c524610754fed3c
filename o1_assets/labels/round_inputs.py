"""What labelling a round needs: how it is labelled, its selection and its problems, from the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from o1_assets.core.errors import O1Error
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection
from o1_assets.store.store import ArtifactStore, MissingInput

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


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


class UnknownRound(O1Error):
    """The profile has no such round; the message names those it has."""


def round_names(profile: Profile) -> list[str]:
    return [f"r{k:02d}" for k in range(profile.rounds + 1)]


def known_round(profile: Profile, name: str) -> str:
    """The round's name. Raises UnknownRound if the profile has no such round."""
    rounds = round_names(profile)
    if name not in rounds:
        raise UnknownRound(
            f"there is no round {name!r} in profile {profile.name}; it has {rounds[0]} to {rounds[-1]}"
        )
    return name


def round_inputs(profile: Profile, store: ArtifactStore, name: str) -> RoundInputs:
    """Raises UnknownRound if the profile has no such round, MissingInput if its selection was not made yet."""
    known_round(profile, name)
    folders = []
    for key in (f"{name}/selection", "problems/train"):
        head = store.head(key)
        if head is None:
            raise MissingInput(f"{key} has not been made yet; `o1 run` makes it, then {name} can be labelled")
        folders.append(store.verified(head.digest))
    return RoundInputs(profile.batches(int(name[1:])), folders[0], folders[1])


def selected_rounds(profile: Profile, store: ArtifactStore) -> set[str]:
    """The profile's rounds whose selection was made: those that can be labelled."""
    return {name for name in round_names(profile) if store.head(f"{name}/selection") is not None}
