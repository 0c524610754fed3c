"""rNN/label_batches: the accepted batches that rate the round's selection.

Who rates a round is a decision, not a question of who came first: where a machine rates, what people send is kept and
becomes labels once the round is switched to people (`o1 labels switch`). In a mixed round (human+oracle) the machine
rates the solutions that nobody has rated. It files its batch through the same inbox; the batch follows from the
selection, from people's batches and, where it samples, from the policy, so the result never depends on what an earlier
run left in the inbox.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from o1_assets.core.artifact import (
    Check,
    CheckContext,
    Compute,
    Cost,
    Figures,
    Finding,
    Outcome,
    Task,
    Waiting,
)
from o1_assets.core.files import json_bytes
from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.annotator import Annotator, annotate
from o1_assets.labels.annotators.judge_prompt import JudgeError
from o1_assets.labels.annotators.monte_carlo import MonteCarlo
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import (
    JudgeConfig,
    JudgeLimits,
    LabelBatchesConfig,
    MonteCarloConfig,
    OracleConfig,
    machine_of,
)
from o1_assets.labels.imported.source import ImportedRound
from o1_assets.labels.inbox.batch import INDEX, DamagedBatch
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import NOBODY, inbox_notices, people_batches, round_progress, what_to_do
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.round_tables import write_tables
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.quality_control import GOLD_FILE, check_solutions, exact_ratings
from o1_assets.labels.selection import Selection


@dataclass(frozen=True)
class JudgeAccess:
    """file: where the judge's answers are kept; None keeps them until the artifact is made."""

    limits: JudgeLimits
    file: Path | None = None


ANSWERS_FILE = "judge.sqlite"


def label_batches(
    inbox: Inbox, imported: ImportedRound | None = None, access: JudgeAccess | None = None
) -> Compute:
    """The compute function of rNN/label_batches for this inbox, and for a round whose labels were imported.

    An imported round waits for nobody and no machine rates it; what people send corrects it. access: to the judge.
    """

    def make_label_batches(task: Task, config: LabelBatchesConfig) -> Outcome:
        """Inputs: selection, train (problems), and policy (checkpoint) if the annotator is monte_carlo.

        Writes ratings.parquet, records.parquet and index.json; for monte_carlo also estimates.parquet, for a judge
        judge.parquet and judge_prompt.txt; where people or a judge rated and the exact checker knows gold or screening
        solutions, gold.parquet. The lines themselves stay in the
        inbox, where a batch's name is the digest of its lines: a row names its batch and line.

        Raises Waiting if people are to rate and too little of the selection has come back.
        """
        selection = Selection.load(task.inputs["selection"], task.inputs["train"])
        wanted = set(selection.solution_ids)
        listing = people_batches(inbox, config.round) if config.uses_people else NOBODY
        people = [digest for digest, solutions in listing.solutions.items() if solutions & wanted]
        missing = wanted.difference(*(listing.solutions[digest] for digest in people))
        checks = check_solutions(selection, config.quality)
        homes, cost = dict.fromkeys(people, inbox), Cost()
        figures: Figures = {"annotator": config.annotator}
        # Published labels are complete: nobody is waited for.
        if imported is not None:
            published = imported.inbox()
            # Published labels without one of their batches are others, and nobody would notice.
            for damage in published.damages(config.round):
                raise DamagedBatch(f"{damage.place}: {damage.why}; import it again, as {imported.source!r}")
            homes |= dict.fromkeys(published.accepted(config.round), published)
            missing = set()
            figures = {"annotator": "imported"}
        elif config.waits_for_people:
            progress = round_progress(inbox, config, wanted, listing)
            if not progress.enough:
                raise Waiting(what_to_do(config.round, progress), progress.figures())
        elif missing := missing | checks.gold:  # people's ratings of gold become no labels
            task.progress(f"{machine_of(config.annotator)} rates {len(missing)} solutions")
            digest, figures, cost = rate_by_machine(task, config, inbox, selection, missing, access)
            homes[digest] = inbox
            missing = set()
        # The exact ratings are stored, so that labels are made, and audited, without the checker.
        is_assessed = people or machine_of(config.annotator) == "judge"
        if is_assessed and checks.known:
            gold = exact_ratings(selection, PROTOCOLS[config.protocol], checks.known)
            gold.write_parquet(task.out / GOLD_FILE)
        # Sorted by digest, so the order of arrival changes no byte.
        batches = [(homes[digest], digest) for digest in sorted(homes)]
        write_tables(batches, config.round, selection, task.out)
        index = [_entry(home, config.round, digest) for home, digest in batches]
        (task.out / INDEX).write_bytes(
            json_bytes({"round": config.round, "selection": selection.digest, "batches": index})
        )
        return Outcome(
            figures={
                "batches": len(index),
                "batches_from_people": len(people),
                "solutions": len(wanted),
                "solutions_not_rated": len(missing),
                **figures,
            },
            cost=cost,
            rows=sum(int(str(entry["lines"])) for entry in index),
            sample=index[:5],
            external=batches_version(listing.version, imported),
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


def rate_by_machine(
    task: Task,
    config: LabelBatchesConfig,
    inbox: Inbox,
    selection: Selection,
    solutions: set[str],
    access: JudgeAccess | None = None,
) -> tuple[str, Figures, Cost]:
    """Rates `solutions` by the round's annotator: the digest of its batch, its figures, its cost."""
    machine = machine_of(config.annotator)
    assert machine is not None
    seed = derive_seed(task.seed, machine)
    if machine == "oracle":
        error_rate = (config.oracle or OracleConfig()).error_rate
        digest = file_annotations(inbox, selection, config, Oracle(error_rate, seed), solutions)
        return digest, {"annotator": config.annotator, "error_rate": error_rate}, Cost()
    if machine == "judge":
        return *_rate_by_judge(
            task, config, inbox, selection, solutions, access or JudgeAccess(JudgeLimits())
        ), Cost()
    settings = config.monte_carlo or MonteCarloConfig()
    engine = task.open_engine(task.inputs["policy"])
    try:
        annotator = MonteCarlo.open(engine, settings, seed)
        digest = file_annotations(inbox, selection, config, annotator, solutions)
    finally:
        engine.close()
    # The shares behind the ratings are kept: other thresholds can then be tried without new rollouts.
    estimates = annotator.estimates(selection)
    estimates.write_parquet(task.out / "estimates.parquet")
    figures: Figures = {
        "annotator": config.annotator,
        "estimate": settings.estimate,
        "rollouts": annotator.rollouts.rollouts,
        "rollout_tokens": annotator.rollouts.tokens,
        "estimates": len(annotator.rollouts.known),
        "mean_share": estimates.select(pl.col("share").mean()).item(),
    }
    if too_long := annotator.rollouts.too_long:
        figures["too_long"] = too_long
        task.progress(_too_long(too_long, len(annotator.rollouts.known)))
    return digest, figures, annotator.rollouts.cost()


def _rate_by_judge(
    task: Task,
    config: LabelBatchesConfig,
    inbox: Inbox,
    selection: Selection,
    solutions: set[str],
    access: JudgeAccess,
) -> tuple[str, Figures]:
    """Rates `solutions` by the judge: the digest of its batch, its figures. Raises JudgeError."""
    from o1_assets.labels.annotators.judge import open_judge

    settings = config.judge or JudgeConfig()
    file = access.file or (task.unfinished or task.out.parent) / ANSWERS_FILE
    with open_judge(settings, access.limits, file, derive_seed(task.seed, "judge"), task.progress) as judge:
        if config.judge_prompt not in (None, judge.prompt_digest):
            raise JudgeError(
                "the judge's prompt (judge.template) was changed while the run was on its way; run again"
            )
        digest = file_annotations(inbox, selection, config, judge, solutions)
        # The votes and their reasons are kept: they explain a rating, and show whether several votes are worth it.
        votes = judge.table(selection)
        votes.write_parquet(task.out / "judge.parquet")
        (task.out / "judge_prompt.txt").write_text(judge.template, encoding="utf-8")
    return digest, {
        "annotator": config.annotator,
        "judge": settings.model,
        "judge_prompt": judge.prompt_digest,
        "votes": votes.select("solution_id", "step", "completion", "vote").height,
        "votes_not_usable": votes["fault"].count(),
    }


def file_annotations(
    inbox: Inbox, selection: Selection, config: LabelBatchesConfig, annotator: Annotator, solutions: set[str]
) -> str:
    """Rates `solutions` and submits them through the inbox, as people do; returns the batch's digest."""
    protocol = PROTOCOLS[config.protocol]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{annotator.labeler}.jsonl"
        with file.open("w") as lines:
            records = annotate(selection, config.round, protocol, annotator, solutions)
            lines.writelines(record.to_line() + "\n" for record in records)
        check = SelectionCheck(selection, config.round, protocol)
        report = inbox.submit(file, config.round, check, source=annotator.labeler)
    # The batch went through the same checks as people's; a violation here is a defect of the annotator.
    if report.digest is None or report.violations:
        raise RuntimeError(f"{annotator.labeler} broke the protocol: {report.rejected[:3]}")
    return report.digest


def _enough_rated(context: CheckContext) -> Finding:
    # A round of people that waits makes no table; its check fails with the reason, without coming here.
    total, missing = (int(context.figures[name] or 0) for name in ("solutions", "solutions_not_rated"))
    message = f"{total - missing} of {total} solutions rated, in {context.figures['batches']} batches"
    return Finding(total > missing, message, {"solutions": total, "rated": total - missing})


def _too_long(steps: int, of: int | str | float) -> str:
    return (
        f"{steps} of {of} steps are not rated, because the model has no room for a rollout after them: raise "
        "base.max_positions, or leave out problems and steps that are as long (selection.max_step_tokens)"
    )


def _every_step_rolled_out(context: CheckContext) -> Finding:
    steps = int(context.figures.get("too_long") or 0)
    words = "no step was too long to be rated"
    if steps:
        words = _too_long(steps, context.figures["estimates"] or 0)
    return Finding(not steps, words, {"too_long": steps})


CHECKS = (
    Check("enough_rated", "Enough of the selection has come back rated to go on.", _enough_rated),
    Check(
        "every_step_rolled_out",
        "No step was left unrated because the model has no room for a rollout after it.",
        _every_step_rolled_out,
        serious=False,
    ),
)

INBOX_CHECK = "inbox"


def inbox_check(inbox: Inbox, config: LabelBatchesConfig) -> Check:
    """Shows in the UI what of the round's part of the inbox is damaged, or was sent by people and is not used."""

    def run(context: CheckContext) -> Finding:
        return inbox_finding(inbox, config)

    description = "Every batch in the inbox is whole, and what people sent is used."
    return Check(INBOX_CHECK, description, run, serious=False)


def inbox_finding(inbox: Inbox, config: LabelBatchesConfig) -> Finding:
    """The finding of `inbox_check`, as of now."""
    notices, unused = (
        inbox_notices(inbox, config),
        0 if config.uses_people else len(inbox.accepted(config.round, PEOPLE)),
    )
    figures = {"damaged": len(inbox.damages(config.round)), "batches_from_people_not_used": unused}
    return Finding(not notices, "\n".join(notices) or "every batch is whole and used", figures)
