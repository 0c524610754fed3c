"""rNN/label_batches: the accepted batches that rate the round's selection, people's first.

What people sent is the only thing here that comes from outside the graph. A machine annotator rates what
nobody has rated and files it through the same inbox; its batch follows from the selection and from people's
batches, so the result never depends on what an earlier run left in the inbox.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from o1_assets.artifact import Compute, Outcome, Task, Waiting
from o1_assets.labels.annotator import Annotator, annotate
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.intake import selection_check
from o1_assets.labels.oracle import Oracle
from o1_assets.labels.progress import people_batches, progress_of, what_to_do
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection


def label_batches(inbox: Inbox) -> Compute:
    """The compute function of rNN/label_batches for this inbox."""

    def make_label_batches(task: Task, config: LabelBatchesConfig) -> Outcome:
        """Inputs: selection, train (problems). Writes one <digest>.jsonl a batch, and index.json.

        Raises Waiting if people are to rate and too little of the selection has come back.
        """
        selection = Selection.load(task.inputs["selection"], task.inputs["train"])
        wanted = set(selection.solution_ids)
        arrived = people_batches(inbox, config.round)
        rated_by = arrived.solutions
        digests = [digest for digest, solutions in rated_by.items() if solutions & wanted]
        people = len(digests)
        missing = wanted.difference(*(rated_by[d] for d in digests))
        if config.annotator == "human":
            quarantined = len(inbox.quarantined(config.round))
            progress = progress_of(arrived, wanted, config.min_rated_share or 0.0, quarantined)
            if not progress.enough:
                raise Waiting(what_to_do(config.round, progress), progress.figures())
        elif missing:
            task.progress(f"{config.annotator} rates {len(missing)} solutions")
            digests.append(file_annotations(inbox, selection, config, Oracle(), missing))
            missing = set()
        index = [_copy(inbox, config.round, digest, task.out) for digest in sorted(digests)]
        (task.out / "index.json").write_text(
            json.dumps({"round": config.round, "selection": selection.digest, "batches": index}, indent=1)
            + "\n"
        )
        return Outcome(
            figures={
                "batches": len(index),
                "batches_from_people": people,
                "solutions": len(wanted),
                "solutions_not_rated": len(missing),
                "annotator": config.annotator,
            },
            rows=sum(int(str(entry["lines"])) for entry in index),
            sample=index[:5],
            external=arrived.version,
        )

    return make_label_batches


def file_annotations(
    inbox: Inbox, selection: Selection, config: LabelBatchesConfig, annotator: Annotator, solutions: set[str]
) -> str:
    """Rates `solutions` and submits them as anyone would; returns the batch's digest."""
    protocol = PROTOCOLS[config.protocol]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{annotator.labeler}.jsonl"
        with file.open("w") as out:
            out.writelines(
                record.to_line() + "\n"
                for record in annotate(selection, config.round, protocol, annotator, solutions)
            )
        check = selection_check(selection, config.round, protocol)
        report = inbox.submit(file, config.round, check, source=annotator.labeler)
    if report.digest is None or report.violations:
        raise RuntimeError(f"{annotator.labeler} broke the protocol: {report.rejected[:3]}")
    return report.digest


def _copy(inbox: Inbox, round_name: str, digest: str, out: Path) -> dict[str, str | int]:
    shutil.copyfile(inbox.batch(round_name, digest), out / f"{digest}.jsonl")
    manifest = inbox.manifest(round_name, digest)
    return {
        "digest": digest,
        "lines": manifest.lines,
        "solutions": manifest.solutions,
        "source": manifest.source,
    }
