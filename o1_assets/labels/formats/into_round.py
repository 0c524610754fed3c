"""Ratings of a round's solutions in another format than PRM800K's, as the lines that the inbox takes.

A record that says which solution it is about is taken as it is. Any other one is matched by its texts: the question,
and the steps, which may end where the rating did.

Such formats have no times. Ratings that their labeller never sent before are as old as the file; those that they did
send are as old as they were then, so that a copy of an old file corrects nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from o1_assets.core.errors import O1Error
from o1_assets.core.files import sha256
from o1_assets.core.formatting import printable
from o1_assets.labels.export import export_selection
from o1_assets.labels.formats.known import read_records
from o1_assets.labels.formats.label_format import LabelFormat
from o1_assets.labels.inbox.earlier import Earlier, EarlierRecord, at
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import Slot, Violation
from o1_assets.labels.schema import Record, fill


class NoLabeler(O1Error):
    """The format does not say who rated, and nobody else did."""


def write_lines(
    file: Path,
    label_format: LabelFormat,
    check: SelectionCheck,
    labeler: str | None,
    target: Path,
    earlier: Earlier,
) -> dict[int, Violation]:
    """Writes one line for each record of `file` to `target`; returns what is wrong with lines that became none.

    labeler: who rated, for formats that do not say it. earlier: what was sent of the round. Raises NoLabeler, OSError,
    NotAFile.
    """
    if labeler is None and not label_format.states_round:
        raise NoLabeler(
            f"{file} is in the format {label_format.name}, which does not say who rated; say it with --labeler NAME"
        )
    refused, corrected = dict[int, Violation](), dict[int, Violation]()
    places = None if label_format.states_round else Places(check, labeler or "", _changed(file), earlier)
    with target.open("wb") as out:
        for number, line in enumerate(read_records(file, label_format), 1):
            record, violation, raw = line.record, line.violation, line.raw
            if record is not None and places is not None:
                record, violation = places.placed(record)
                if record is not None and violation is not None:
                    corrected[number] = violation
            if record is not None:
                raw = record.to_line().encode()
            else:
                assert violation is not None
                refused[number] = violation
            # An empty line would be no line at all, and the numbers of all others would shift.
            out.write((raw or b"{}") + b"\n")
    # Of a file that was sent before, as a whole, nothing is new.
    return refused if earlier.holds(sha256(target)) else {**corrected, **refused}


class Places:
    """The solutions of a round by their texts."""

    def __init__(self, check: SelectionCheck, labeler: str, moment: str, earlier: Earlier) -> None:
        self.check, self.labeler, self.moment = check, labeler, moment
        self.earlier: dict[str, list[EarlierRecord]] = {}
        for each in earlier.records(check.selection.problem_of, labeler=labeler):
            self.earlier.setdefault(each.signed.solution, []).append(each)
        self.by_question: dict[str, list[str]] = {}
        for solution, problem in check.selection.problem_of.items():
            self.by_question.setdefault(problem["question"], []).append(solution)

    def placed(self, record: Record) -> tuple[Record | None, Violation | None]:
        """The round's record of the solution with these ratings, or why there is none.

        Both, if its labeller has sent these ratings before and others since.
        """
        selection = self.check.selection
        steps = record.question.pre_generated_steps or []
        candidates = {
            solution: own
            for solution in self.by_question.get(record.question.problem, ())
            if (own := [texts[0] for texts in selection.steps.get(solution, [])])[: len(steps)] == steps
        }
        whole = [solution for solution, own in candidates.items() if len(own) == len(steps)] or list(
            candidates
        )
        if len(whole) != 1:
            why = (
                f"{len(whole)} solutions of {self.check.round} begin with these steps; give all steps"
                if whole
                else f"no solution of {self.check.round} has this question and these steps"
            )
            return None, Violation("unknown_solution", why)
        (blank,) = export_selection(selection, self.check.round, self.check.protocol, only=whole)
        ratings: dict[Slot, int | None] = {}
        for number, step in enumerate(record.label.steps):
            rating = step.completions[0].rating if step.completions else None
            if rating is None:
                break
            ratings[Slot(number, 0)] = rating
            # These formats may rate on after an error, on a path that nobody would follow.
            if rating < 0:
                break
        known = self.earlier.get(whole[0], [])
        same = [each.signed.moment for each in known if each.rated == ratings and not each.given_up]
        moment = at(max(same)) if same else self.moment
        fill(blank, ratings, self.check.protocol, self.labeler, moment)
        later = [each for each in known if each.counts and same and each.signed.moment > max(same)]
        return blank, _corrected(
            max(later, key=lambda each: each.signed.moment), max(same)
        ) if later else None


def _corrected(later: EarlierRecord, moment: int) -> Violation:
    message = (
        f"{printable(later.signed.labeler)} sent these ratings before ({at(moment)}) and others since, in batch "
        f"{later.batch[:12]}, which stay; to go back to these, send PRM800K's record with the time of today"
    )
    return Violation("corrected_since", message, solution=printable(later.signed.solution))


def _changed(file: Path) -> str:
    """When the file was last written: the same file sent twice is then one batch."""
    return datetime.fromtimestamp(int(file.stat().st_mtime), UTC).isoformat()
