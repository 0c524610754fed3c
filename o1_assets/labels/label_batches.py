"""rNN/label_batches: the accepted batches that rate the round's selection, people's first.

What people sent is the only thing here that comes from outside the graph. A machine annotator rates what
nobody has rated and files it through the same inbox; its batch follows from the selection, from people's
batches and, where it samples, from the policy, so the result never depends on what an earlier run left in the
inbox.
"""

from __future__ import annotations

from o1_assets.core.artifact import Compute, Cost, Figures, Outcome, Task, Waiting
from o1_assets.core.files import json_bytes
from o1_assets.labels.annotators.run import rate_by_machine
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.gold import GOLD_FILE, check_solutions, exact_ratings
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import people_batches, round_progress, what_to_do
from o1_assets.labels.inbox.round_tables import INDEX, write_tables
from o1_assets.labels.prm800k.source import ImportedRound
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection


def label_batches(inbox: Inbox, imported: ImportedRound | None = None) -> Compute:
    """The compute function of rNN/label_batches for this inbox, and for a round whose labels were imported.

    An imported round waits for nobody and no machine rates it; what people send corrects it.
    """

    def make_label_batches(task: Task, config: LabelBatchesConfig) -> Outcome:
        """Inputs: selection, train (problems), and policy (checkpoint) if the annotator is monte_carlo.

        Writes ratings.parquet, records.parquet and index.json; for monte_carlo also estimates.parquet; where
        people rated and the exact checker knows gold or screening solutions, gold.parquet. The lines themselves
        stay in the inbox, where a batch's name is the digest of its lines: a row names its batch and line.

        Raises Waiting if people are to rate and too little of the selection has come back.
        """
        selection = Selection.load(task.inputs["selection"], task.inputs["train"])
        wanted = set(selection.solution_ids)
        arrived = people_batches(inbox, config.round)
        rated_by = arrived.solutions
        digests = [digest for digest, solutions in rated_by.items() if solutions & wanted]
        people, published, theirs = len(digests), imported.inbox() if imported else None, set[str]()
        missing = wanted.difference(*(rated_by[d] for d in digests))
        checks = check_solutions(selection, config.quality)
        figures: Figures = {"annotator": config.annotator}
        cost = Cost()
        if published is not None:
            theirs = set(published.accepted(config.round))
            digests += theirs
            missing = set()
            figures = {"annotator": "imported"}
        elif config.annotator == "human":
            progress = round_progress(inbox, config, wanted, arrived)
            if not progress.enough:
                raise Waiting(what_to_do(config.round, progress), progress.figures())
        elif missing := missing | checks.gold:  # what people say of gold becomes no label
            task.progress(f"{config.annotator} rates {len(missing)} solutions")
            digest, figures, cost = rate_by_machine(task, config, inbox, selection, missing)
            digests.append(digest)
            missing = set()
        if people and checks.known:
            known = exact_ratings(selection, PROTOCOLS[config.protocol], checks.known)
            known.write_parquet(task.out / GOLD_FILE)
        homes = {digest: published if published and digest in theirs else inbox for digest in digests}
        batches = [(homes[digest], digest) for digest in sorted(homes)]
        write_tables(batches, config.round, selection, task.out)
        index = [_entry(home, config.round, digest) for home, digest in batches]
        (task.out / INDEX).write_bytes(
            json_bytes({"round": config.round, "selection": selection.digest, "batches": index})
        )
        return Outcome(
            figures={
                "batches": len(index),
                "batches_from_people": people,
                "solutions": len(wanted),
                "solutions_not_rated": len(missing),
                **figures,
            },
            cost=cost,
            rows=sum(int(str(entry["lines"])) for entry in index),
            sample=index[:5],
            external=batches_version(arrived.version, imported),
        )

    return make_label_batches


def batches_version(people: str, imported: ImportedRound | None) -> str:
    """What rNN/label_batches is made of besides the graph: people's batches, and an imported round's content."""
    return f"{people} {imported.version()}" if imported else people


def _entry(inbox: Inbox, round_name: str, digest: str) -> dict[str, str | int]:
    manifest = inbox.manifest(round_name, digest)
    return {
        "digest": digest,
        "lines": manifest.lines,
        "solutions": manifest.solutions,
        "source": manifest.source,
    }
