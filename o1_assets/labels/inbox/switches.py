"""Rounds that were switched to another annotator, by whom and when: `annotators.json` in the inbox.

A switch is a part of the configuration of rNN/label_batches, so the manifest of every version records the one that it
was made under. This file says which is today's, and keeps the earlier ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.labels.config import Switch

FILE = "annotators.json"


class DamagedSwitches(O1Error):
    """It cannot be read who rates the rounds, and guessing could train on the wrong labels."""


@dataclass(frozen=True)
class Switches:
    """root: of the inbox."""

    root: Path

    def history(self) -> dict[str, list[Switch]]:
        """Round -> its switches, the oldest first. Raises DamagedSwitches."""
        file = self.root / FILE
        try:
            content = json.loads(file.read_bytes())
            return {
                str(name): [Switch.model_validate(each) for each in switches]
                for name, switches in content.items()
            }
        # Where there is no inbox, nobody has switched anything; what is wrong with its path is said elsewhere.
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            why = "another shape" if isinstance(error, ValidationError) else str(error)[:80]
            raise DamagedSwitches(
                f"{file} says which rounds were switched to another annotator, and cannot be read ({why}): bring it "
                "back from a backup, or switch each of those rounds again with `o1 labels switch`"
            ) from error

    def today(self) -> dict[str, Switch]:
        """Round -> its last switch; rounds that were switched back to what the profile says are left out."""
        return {
            name: switches[-1]
            for name, switches in self.history().items()
            if switches and switches[-1].annotator != "profile"
        }

    def add(self, round_name: str, switch: Switch) -> None:
        """Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / ".lock"):
            try:
                history = self.history()
            except DamagedSwitches:
                file = self.root / FILE
                file.rename(
                    next(p for n in count(1) if not (p := self.root / f"{FILE}.damaged.{n}").exists())
                )
                history = {}
            history.setdefault(round_name, []).append(switch)
            content = {
                name: [each.model_dump(mode="json") for each in switches]
                for name, switches in history.items()
            }
            replace_file(self.root / FILE, json_bytes(content))
