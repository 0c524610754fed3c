"""rNN/label_batches: the accepted batches that rate the round's selection, people's first.

What people sent is the only thing here that comes from outside the graph. A machine annotator rates what
nobody has rated and files it through the same inbox; its batch follows from the selection, from people's
batches and, where it samples, from the policy, so the result never depends on what an earlier run left in the
inbox.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from o1_assets.artifact import Compute, Cost, Outcome, Task, Waiting
from o1_assets.labels.annotator import Annotator, annotate
from o1_assets.labels.batch import RATINGS, RECORDS
from o1_assets.labels.config import LabelBatchesConfig, MonteCarloConfig, OracleConfig
from o1_assets.labels.events import EVENT, RECORD
from o1_assets.labels.gold import (
    GOLD_FILE,
    check_solutions,
    exact_ratings,
    lead_batches,
)
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.intake import SelectionCheck
from o1_assets.labels.monte_carlo import MonteCarlo
from o1_assets.labels.oracle import Oracle
from o1_assets.labels.progress import people_batches, progress_of, what_to_do
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection
from o1_assets.labels.source import ImportedRound
from o1_assets.seeds import derive_seed

Figures = dict[str, float | int | str | None]

MISFIT = {**RECORD, "misfit": pl.String}


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
        people, published = len(digests), imported.inbox() if imported else None
        missing = wanted.difference(*(rated_by[d] for d in digests))
        checks = check_solutions(selection, config.quality)
        figures: Figures = {"annotator": config.annotator}
        cost = Cost()
        if published is not None:
            digests += published.accepted(config.round)
            missing = set()
            figures = {"annotator": "imported"}
        elif config.annotator == "human":
            quarantined = len(inbox.quarantined(config.round))
            raters = arrived.without(lead_batches(inbox, config.round, config.quality))
            progress = progress_of(raters, wanted, config.min_rated_share or 0.0, quarantined)
            if not progress.enough:
                raise Waiting(what_to_do(config.round, progress), progress.figures())
        elif missing := missing | checks.gold:  # what people say of gold becomes no label
            task.progress(f"{config.annotator} rates {len(missing)} solutions")
            digest, figures, cost = _by_machine(task, config, inbox, selection, missing)
            digests.append(digest)
            missing = set()
        if people and checks.known:
            known = exact_ratings(selection, PROTOCOLS[config.protocol], checks.known)
            known.write_parquet(task.out / GOLD_FILE)
        batches = [_home(inbox, published, config.round, digest) for digest in sorted(set(digests))]
        write_tables(batches, config.round, selection, task.out)
        index = [_entry(home, config.round, digest) for home, digest in batches]
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
                **figures,
            },
            cost=cost,
            rows=sum(int(str(entry["lines"])) for entry in index),
            sample=index[:5],
            external=batches_version(arrived.version, imported),
        )

    return make_label_batches


def _by_machine(
    task: Task, config: LabelBatchesConfig, inbox: Inbox, selection: Selection, solutions: set[str]
) -> tuple[str, Figures, Cost]:
    """Rates `solutions` by the round's annotator: the digest of its batch, its figures, what it cost."""
    seed = derive_seed(task.seed, config.annotator)
    if config.annotator == "oracle":
        error_rate = (config.oracle or OracleConfig()).error_rate
        digest = file_annotations(inbox, selection, config, Oracle(error_rate, seed), solutions)
        return digest, {"annotator": "oracle", "error_rate": error_rate}, Cost()
    settings = config.monte_carlo or MonteCarloConfig()
    engine = task.open_engine(task.inputs["policy"])
    try:
        annotator = MonteCarlo.open(engine, settings, seed)
        digest = file_annotations(inbox, selection, config, annotator, solutions)
    finally:
        engine.close()
    estimates = annotator.estimates(selection)
    estimates.write_parquet(task.out / "estimates.parquet")
    figures: Figures = {
        "annotator": "monte_carlo",
        "estimate": settings.estimate,
        "rollouts": annotator.rollouts.rollouts,
        "rollout_tokens": annotator.rollouts.tokens,
        "estimates": len(annotator.rollouts.known),
        "mean_share": estimates.select(pl.col("share").mean()).item(),
    }
    return digest, figures, annotator.rollouts.cost()


def batches_version(people: str, imported: ImportedRound | None) -> str:
    """What rNN/label_batches is made of besides the graph: people's batches, and an imported round's content."""
    return f"{people} {imported.version()}" if imported else people


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
        check = SelectionCheck(selection, config.round, protocol)
        report = inbox.submit(file, config.round, check, source=annotator.labeler)
    if report.digest is None or report.violations:
        raise RuntimeError(f"{annotator.labeler} broke the protocol: {report.rejected[:3]}")
    return report.digest


def _home(inbox: Inbox, published: Inbox | None, round_name: str, digest: str) -> tuple[Inbox, str]:
    """Where a batch lies, and its digest."""
    there = published is not None and digest in published.accepted(round_name)
    return (published if there and published else inbox), digest


def _entry(inbox: Inbox, round_name: str, digest: str) -> dict[str, str | int]:
    manifest = inbox.manifest(round_name, digest)
    return {
        "digest": digest,
        "lines": manifest.lines,
        "solutions": manifest.solutions,
        "source": manifest.source,
    }


def write_tables(
    batches: Sequence[tuple[Inbox, str]], round_name: str, selection: Selection, out: Path
) -> None:
    """All batches' ratings and records as one table each, in the order of digest, line, step and completion.

    records.parquet also says of each record why it does not fit this selection (`misfit`, empty: it does):
    the selection may have changed since the batch was accepted.
    """
    ratings, records = [pl.DataFrame(schema=EVENT)], [pl.DataFrame(schema=MISFIT)]
    for inbox, digest in batches:
        events, lines = inbox.tables(round_name, digest)
        checked_against = inbox.manifest(round_name, digest).selection
        ratings.append(events)
        records.append(_with_misfit(lines, None if checked_against == selection.digest else selection))
    pl.concat(ratings).write_parquet(out / RATINGS, compression="zstd")
    pl.concat(records).write_parquet(out / RECORDS, compression="zstd")


def _with_misfit(records: pl.DataFrame, selection: Selection | None) -> pl.DataFrame:
    """selection: None when the records were accepted for this very selection."""
    if selection is None:
        return records.with_columns(misfit=pl.lit(""))
    contents = {"solution_id": list(selection.contents), "now": list(selection.contents.values())}
    now = pl.DataFrame(contents, schema={"solution_id": pl.String, "now": pl.String})
    misfit = (
        pl.when(pl.col("quality_control") | pl.col("screening"))
        .then(pl.lit(""))
        .when(pl.col("now").is_null())
        .then(pl.lit("unknown_solution"))
        .when(pl.col("now") != pl.col("content"))
        .then(pl.lit("changed_solution"))
        .otherwise(pl.lit(""))
    )
    joined = records.join(now, on="solution_id", how="left", maintain_order="left")
    return joined.with_columns(misfit=misfit).drop("now")
