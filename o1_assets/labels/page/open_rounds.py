"""The rounds that are being labelled, each with its selection of today and with what the inbox knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import lead_solutions
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.opinions import Opinions
from o1_assets.labels.page.draft import Sheet
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.quality_control import check_solutions
from o1_assets.labels.round_inputs import RoundInputs
from o1_assets.labels.selection import Selection


@dataclass(frozen=True)
class OpenRound:
    """A round as it is being labelled; of one version of its selection."""

    inputs: RoundInputs
    selection: Selection
    gold: frozenset[str]
    screening: frozenset[str]

    @classmethod
    def load(cls, inputs: RoundInputs, inbox: Inbox) -> OpenRound:
        selection, config = inputs.load(), inputs.config
        checks = check_solutions(selection, config.quality)
        leads = lead_solutions(inbox, config.round, config.quality)
        return cls(inputs, selection, checks.gold | leads, checks.screening)

    @property
    def name(self) -> str:
        return self.inputs.config.round

    @cached_property
    def _sheets(self) -> dict[tuple[str, bool], Sheet]:
        return {}

    def sheet(self, solution: str, screening: bool) -> Sheet:
        """Asked for at each act, so it is made once."""
        if (solution, screening) not in self._sheets:
            protocol = PROTOCOLS[self.inputs.config.protocol]
            only = self.selection.alone(solution)
            # The same record as `o1 labels export` writes, so that both ways to labellers are one.
            [record] = (
                export_screening(only, self.name, protocol, {solution})
                if screening
                else export_selection(only, self.name, protocol, self.gold)
            )
            self._sheets[solution, screening] = Sheet(record)
        return self._sheets[solution, screening]

    @cached_property
    def check(self) -> SelectionCheck:
        return SelectionCheck(self.selection, self.name, PROTOCOLS[self.inputs.config.protocol])


class OpenRounds:
    """names: in the order in which their solutions are given out."""

    def __init__(self, inbox: Inbox, names: Sequence[str], inputs_of: Callable[[str], RoundInputs]) -> None:
        self.inbox, self.names, self._inputs_of = inbox, tuple(names), inputs_of
        self._rounds: dict[str, OpenRound] = {}
        self._opinions: dict[str, tuple[str, Opinions]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def round(self, name: str) -> OpenRound:
        """The round with its selection of today. Raises MissingInput."""
        inputs = self._inputs_of(name)
        round_ = self._rounds.get(name)
        if round_ is None or round_.inputs.selection != inputs.selection:
            round_ = self._rounds[name] = OpenRound.load(inputs, self.inbox)
            self._opinions.pop(name, None)
        return round_

    def opinions(self, round_: OpenRound) -> Opinions:
        """What the inbox knows of the round; read again when something was filed."""
        version = self.inbox.version(round_.name)
        read = self._opinions.get(round_.name)
        if read is None or read[0] != version:
            opinions = Opinions.read(round_.inputs.config, round_.selection, self.inbox)
            read = self._opinions[round_.name] = version, opinions
        return read[1]

    def is_closed(self, name: str) -> bool:
        return self.inbox.closed(name) is not None
