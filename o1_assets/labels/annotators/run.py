"""A round rated by its machine annotator, whose batch goes through the same inbox as anybody's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from o1_assets.core.artifact import Cost, Figures, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.annotator import Annotator, annotate
from o1_assets.labels.annotators.monte_carlo import MonteCarlo
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import LabelBatchesConfig, MonteCarloConfig, OracleConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection


def rate_by_machine(
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
