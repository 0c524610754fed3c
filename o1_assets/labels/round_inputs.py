"""A round that is being labelled: its inputs from the store, and its solutions out to a file that can be rated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from o1_assets.core.errors import O1Error
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import lead_solutions
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.opinions import Opinions
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.quality_control import check_solutions
from o1_assets.labels.selection import Selection
from o1_assets.store.store import ArtifactStore, MissingInput

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

Which = Literal["all", "screening", "missing"]
"""What of a round is exported: everything, the screening solutions, or the solutions without a rating that counts."""


class RoundInputs(NamedTuple):
    """selection, train: folders of rNN/selection and problems/train."""

    config: LabelBatchesConfig
    selection: Path
    train: Path

    def load(self) -> Selection:
        """The selection with its problems."""
        return Selection.load(self.selection, self.train)

    def check(self) -> SelectionCheck:
        """The inbox's check of the round's batches."""
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


def missing_solutions(config: LabelBatchesConfig, selection: Selection, inbox: Inbox) -> frozenset[str]:
    """Solutions that never came back, whose batches were withdrawn, or whose raters are all excluded."""
    if config.source is not None:  # others have published the labels of all solutions
        return frozenset()
    return Opinions.read(config, selection, inbox).missing


def export_to_file(inputs: RoundInputs, inbox: Inbox, file: Path, which: Which = "all") -> int:
    """Writes solutions of the round as unrated records; returns their number. Raises OSError, ValueError.

    The gold solutions are marked among them, also those that the leads have rated in the inbox.
    """
    # Gold and screening follow from the selection, so they are the same at every export.
    selection, config = inputs.load(), inputs.config
    protocol, checks = PROTOCOLS[config.protocol], check_solutions(selection, config.quality)
    if which == "screening":
        records = export_screening(selection, config.round, protocol, checks.screening)
    else:
        gold = checks.gold | lead_solutions(inbox, config.round, config.quality)
        only = missing_solutions(config, selection, inbox) if which == "missing" else None
        records = export_selection(selection, config.round, protocol, gold, only)
    # Renamed at the end, so that nobody sends out half of a round.
    partial = file.with_name(f".{file.name}.partial")
    count = 0
    with partial.open("w") as lines:
        for record in records:
            lines.write(record.to_line() + "\n")
            count += 1
    partial.replace(file)
    return count
