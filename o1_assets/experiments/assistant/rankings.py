"""The inbox of rankings: answers out to be ranked, batches of rankings in, each line checked.

    comparisons/accepted/<digest>/     rankings.jsonl (the good lines, as sent), source.json
    comparisons/quarantine/<digest>/   sent.jsonl (a file of which a line was refused), reason.json

A line is what was exported, with `ranks` and `labeler` filled in:

    {"comparison": "3f..-17", "question": "Step by step: What is 3 * 4 - 5?", "answers": ["answer 7\n", ...],
     "ranks": [1, 0, ...], "labeler": "anna"}

Ranks are whole numbers, 0 for the best; equal ones are a draw. As in the inbox of ratings a batch is named by the
digest of its lines, appears by one rename and is never changed, and a machine files through the same door.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, publish, replace_file
from o1_assets.labels.inbox.lines import raw_lines
from o1_assets.labels.inbox.reader import PEOPLE

Asked = Mapping[str, tuple[str, Sequence[str]]]
"""Comparison -> its question and answers, as people are sent them."""

FOLDER, LINES, SOURCE = "comparisons", "rankings.jsonl", "source.json"


class RankingsError(O1Error):
    """Rankings that cannot be exported or taken; the message says why."""


class Ranking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line. ranks: of each answer; None in what is exported."""

    comparison: str
    question: str
    answers: list[str]
    ranks: list[int] | None = None
    labeler: str = ""

    def to_line(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"

    def fault(self, asked: Asked) -> str | None:
        """Why the line cannot be used."""
        if self.comparison not in asked:
            return (
                f"comparison {self.comparison!r} was not asked for; export again and rank what is there now"
            )
        question, answers = asked[self.comparison]
        if (self.question, self.answers) != (question, list(answers)):
            return "its question and answers are not those that were sent out; leave them as they were"
        if self.ranks is None:
            return "it has no ranks; fill in one for each answer, 0 for the best"
        if len(self.ranks) != len(self.answers) or min(self.ranks, default=0) < 0:
            return f"it has {len(self.ranks)} ranks for {len(self.answers)} answers; give each one, from 0 on"
        return None if self.labeler.strip() else "it does not say whose it is; fill in labeler"


@dataclass(frozen=True)
class Submitted:
    """accepted: lines. refused: (line, why). digest: of the batch; None where nothing was accepted."""

    accepted: int
    refused: list[tuple[int, str]]
    digest: str | None


class Rankings:
    """The batches under one folder."""

    def __init__(self, inbox: Path) -> None:
        self.root = inbox / FOLDER

    def submit(self, file: Path, asked: Asked, source: str = PEOPLE) -> Submitted:
        """Takes the good lines; a file with any other line is also quarantined as it is. Raises OSError."""
        good, refused = list[bytes](), list[tuple[int, str]]()
        for line in raw_lines(file):
            try:
                ranking = msgspec.json.decode(line.raw, type=Ranking)
                why = line.violation.message if line.violation else ranking.fault(asked)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                why = f"it is no ranking ({error})"
            if why:
                refused.append((line.number, why))
            else:
                good.append(line.raw + b"\n")
        if refused:
            self._publish("quarantine", {"sent.jsonl": file.read_bytes(), "reason.json": json_bytes(refused)})
        if not good:
            return Submitted(0, refused, None)
        digest = self._publish("accepted", {LINES: b"".join(good), SOURCE: json_bytes({"source": source})})
        return Submitted(len(good), refused, digest)

    def accepted(self, source: str) -> list[str]:
        """Digests of the batches of one source, sorted."""
        batches = sorted(self.root.glob(f"accepted/*/{SOURCE}"))
        return [f.parent.name for f in batches if json.loads(f.read_bytes())["source"] == source]

    def version(self) -> str:
        """Of what people sent; a machine's rankings follow from the graph."""
        return hashlib.sha256("\n".join(self.accepted(PEOPLE)).encode()).hexdigest()

    def read(self, digests: Sequence[str], asked: Asked) -> list[Ranking]:
        """Those of today's comparisons, in the order of the digests. Raises RankingsError on a changed batch."""
        rankings = []
        for digest in digests:
            lines = (self.root / "accepted" / digest / LINES).read_bytes()
            if hashlib.sha256(lines).hexdigest() != digest:
                raise RankingsError(
                    f"batch {digest[:12]} of rankings was changed after it was taken; send it again"
                )
            decoded = (msgspec.json.decode(line, type=Ranking) for line in lines.splitlines())
            rankings += [ranking for ranking in decoded if ranking.fault(asked) is None]
        return rankings

    def _publish(self, state: str, files: Mapping[str, bytes]) -> str:
        """The batch's digest: that of the first of its files."""
        digest = hashlib.sha256(next(iter(files.values()))).hexdigest()
        with self._staging() as folder:
            for name, content in files.items():
                (folder / name).write_bytes(content)
            publish(folder, self.root / state / digest)
        return digest

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        # In the inbox itself, because a rename is atomic within one file system only.
        (self.root / ".staging").mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.root / ".staging"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def export(asked: Asked, file: Path) -> int:
    """Writes what people are to rank, a line each; returns their number."""
    lines = [Ranking(name, question, list(answers)).to_line() for name, (question, answers) in asked.items()]
    replace_file(file, b"".join(lines))
    return len(lines)


def filed_by_machine(rankings: Rankings, made: Sequence[Ranking], asked: Asked, source: str) -> str:
    """Submits the rankings of a machine annotator; the digest of its batch. Raises RankingsError on a faulty one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{source}.jsonl"
        file.write_bytes(b"".join(ranking.to_line() for ranking in made))
        report = rankings.submit(file, asked, source)
    if report.refused or report.digest is None:
        raise RankingsError(f"{source} broke the rules of a ranking: {report.refused[:3]}")
    return report.digest
