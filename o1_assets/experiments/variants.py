"""An arm: some rounds of solutions, selection, labels, PRM and RL from the finished run's round 0 on, in one artifact.

Every stage is the round's own compute function on a sub-folder. The ORM stays that of round 0 in all arms: outcomes
cost no labels, so training it on would add to every arm alike what is not the question.

Writes rNN/prm of every round and the last rNN/policy (checkpoints, where the arm trains them), rounds.parquet (round,
stage, figure, value) and cost.json.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl

from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrain import make_base
from o1_assets.core.artifact import Compute, Cost, Figures, Outcome, StageConfig, Task
from o1_assets.core.files import publish
from o1_assets.core.seeds import derive_seed
from o1_assets.experiments.active_learning.measure import draw
from o1_assets.experiments.chains.config import ChainSftConfig
from o1_assets.experiments.model_size.config import Shape
from o1_assets.experiments.rounds.config import ArmConfig
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.generator.samples import make_samples, make_sft_set
from o1_assets.generator.sft import make_generator
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import make_policy
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.reward.train import make_orm, make_prm
from o1_assets.rounds.config import SelectionConfig
from o1_assets.rounds.selection import make_selection
from o1_assets.rounds.solutions import make_solutions

# The stages of an artifact that is many computations in turn: each is kept, and a killed one goes on at its stage.
#
# unfinished/done/<stage>/out, outcome.json     whole: it got its name by one rename, after everything was on the disk
# unfinished/begun/<stage>                      a killed one's; begun anew
# unfinished/training/<stage>                   the last state of a stage's training
#

OUTCOME = "outcome.json"


class Stages:
    """cost: of all stages so far, those of a killed process too. figures: stage -> what it reported."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder = task, folder
        self.cost = Cost()
        self.figures: dict[str, Figures] = {}

    @classmethod
    @contextmanager
    def of(cls, task: Task) -> Iterator[Stages]:
        """In the task's unfinished folder; where nothing is to be kept, in one that goes at the end."""
        if task.unfinished is not None:
            yield cls(task, task.unfinished)
            return
        with tempfile.TemporaryDirectory() as folder:
            yield cls(task, Path(folder))

    def make(self, name: str, compute: Compute, config: StageConfig, inputs: Mapping[str, Path]) -> Path:
        """The folder of the stage `name` ("r01/prm"), made unless an earlier process finished it. Its seed follows from
        the task's and its name."""
        done, training = self.folder / "done" / name, self.folder / "training" / name
        if not done.is_dir():
            begun = self.folder / "begun" / name
            shutil.rmtree(begun, ignore_errors=True)
            (begun / "out").mkdir(parents=True)
            outcome = compute(
                Task(
                    inputs=inputs,
                    out=begun / "out",
                    seed=derive_seed(self.task.seed, name),
                    open_engine=self.task.open_engine,
                    progress=lambda line: self.task.progress(f"{name}: {line}"),
                    unfinished=training,
                ),
                config,
            )
            said = {"figures": outcome.figures, "cost": asdict(outcome.cost)}
            (begun / OUTCOME).write_text(json.dumps(said) + "\n")
            publish(begun, done)
        shutil.rmtree(training, ignore_errors=True)
        kept = json.loads((done / OUTCOME).read_text())
        self.cost += Cost(**kept["cost"])
        self.figures[name] = kept["figures"]
        return done / "out"


# What a training cost, kept in its artifact: arms are compared at equal cost, so the result has to know it.

FILE = "cost.json"


def write_cost(folder: Path, cost: Cost, updates: int) -> None:
    (folder / FILE).write_text(json.dumps({**asdict(cost), "updates": updates}, indent=1) + "\n")


def read_cost(folder: Path) -> dict[str, float]:
    """updates, flops, tokens_generated, tokens_scored, tokens_trained."""
    found: dict[str, float] = json.loads((folder / FILE).read_text())
    return found


RECORDS = "rounds.parquet"


def make_arm(task: Task, config: ArmConfig) -> Outcome:
    """Inputs: policy, prm, orm and labels of round 0, generator, train (problems)."""
    with Stages.of(task) as stages:
        arm = _Arm(task, config, stages)
        if config.at_once:
            for k in range(1, config.rounds + 1):
                if k == 1:
                    arm.label(k)
                arm.teach(k)
            for k in range(1, config.rounds + 1):
                arm.reinforce(k)
        else:
            for k in range(1, config.rounds + 1):
                if config.label:
                    arm.label(k)
                    arm.teach(k)
                if config.reinforce:
                    arm.reinforce(k)
        for stage in stages.figures:
            if stage.endswith("/prm") or stage == f"r{config.rounds:02d}/policy":
                ignored = shutil.ignore_patterns("plots", "curve.parquet")
                shutil.copytree(stages.folder / "done" / stage / "out", task.out / stage, ignore=ignored)
        records = records_of(stages.figures)
        cost = stages.cost
    records.write_parquet(task.out / RECORDS)
    updates = int(records.filter(pl.col("figure") == "updates")["value"].sum())
    write_cost(task.out, cost, updates)
    return Outcome(_figures(records), cost, records.height)


def draw_uniformly(task: Task, config: SelectionConfig) -> Outcome:
    """Input: solutions. As many as are selected, drawn from all samples: what the policy writes often is drawn often.

    The selection leaves equal texts out before it draws, so that of the whole pool it would take the rare ones, which
    are wrong more often: no fair rival of a choice.
    """
    pool = pl.read_parquet(task.inputs["solutions"] / "solutions.parquet")
    drawn = draw(pool, config.per_problem, task.seed).head(config.solutions)
    drawn.write_parquet(task.out / "solutions.parquet")
    return Outcome({"solutions": drawn.height}, rows=drawn.height)


class _Arm:
    """What is newest so far."""

    def __init__(self, task: Task, config: ArmConfig, stages: Stages) -> None:
        self.config, self.stages, self.given = config, stages, task.inputs
        self.policy, self.prm = task.inputs["policy"], task.inputs["prm"]
        self.labels = [task.inputs["labels"]]

    def label(self, k: int) -> None:
        """Round k's solutions by the newest policy, what is chosen of them, and its ratings."""
        name, config, given = f"r{k:02d}", self.config, self.given
        solutions = self.stages.make(
            f"{name}/solutions",
            make_solutions,
            config.solutions,
            {"policy": self.policy, "train": given["train"]},
        )
        if config.selection.strategy == "uniform":
            inputs = {"solutions": solutions}
            solutions = self.stages.make(f"{name}/drawn", draw_uniformly, config.selection, inputs)
        selection = self.stages.make(
            f"{name}/selection",
            make_selection,
            config.selection,
            {
                "solutions": solutions,
                "policy": self.policy,
                "train": given["train"],
                "prm": self.prm if config.newest_selects else given["prm"],
                "generator": given["generator"],
            },
        )
        inbox = Inbox(self.stages.folder / "inbox")  # the arm's own: what it has rated is nobody else's
        batches = self.stages.make(
            f"{name}/label_batches",
            label_batches(inbox),
            config.batches.model_copy(update={"round": name}),
            {"selection": selection, "train": given["train"], "policy": self.policy},
        )
        labels = self.stages.make(
            f"{name}/labels",
            make_labels,
            config.labels.model_copy(update={"round": name}),
            {"selection": selection, "batches": batches},
        )
        self.labels.append(labels)

    def teach(self, k: int) -> None:
        """PRM v<k>, from the one before, on all labels so far."""
        earlier = {f"labels_{i:02d}": folder for i, folder in enumerate(self.labels)}
        prm = self._share_of_new() if self.config.at_once else self.config.prm
        inputs = {"generator": self.given["generator"], "init": self.prm, **earlier}
        self.prm = self.stages.make(f"r{k:02d}/prm", make_prm, prm, inputs)

    def reinforce(self, k: int) -> None:
        """Policy v<k>, from the one before, by the newest PRM."""
        inputs = {
            **{name: self.given[name] for name in ("generator", "orm", "train")},
            "policy": self.policy,
            "prm": self.prm,
        }
        self.policy = self.stages.make(f"r{k:02d}/policy", make_policy, self.config.policy, inputs)

    def _share_of_new(self) -> PRMConfig:
        """For labels at once: new ones are trained on as often as the rounds train on theirs, all rounds together."""
        first, new = (_solutions(folder) for folder in self.labels)
        share = share_of_new(
            self.config.prm.newest_share, first, new / self.config.rounds, self.config.rounds
        )
        return self.config.prm.model_copy(update={"newest_share": share})


def share_of_new(newest_share: float, first: float, a_round: float, rounds: int) -> float:
    """Of all examples trained on in `rounds` rounds, the share that is not of round 0.

    Round k's batches hold `newest_share` of the newest round and fill up uniformly from `first` solutions of round 0
    and `a_round` of each round between.
    """
    shares = []
    for k in range(1, rounds + 1):
        between = (k - 1) * a_round
        shares.append(newest_share + (1 - newest_share) * between / (first + between))
    return sum(shares) / rounds


def records_of(figures: dict[str, Figures]) -> pl.DataFrame:
    """round, stage, figure, value: every number that a stage reported."""
    rows = [
        (int(stage[1:3]), stage.partition("/")[2], name, float(value))
        for stage, found in figures.items()
        for name, value in found.items()
        if isinstance(value, int | float)
    ]
    schema = {"round": pl.Int32, "stage": pl.String, "figure": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def newest(folder: Path, stage: str, k: int, first: Path) -> Path:
    """The checkpoint of a stage after round k of the arm in `folder`; `first`, round 0's, where it trained none."""
    made = [folder / f"r{i:02d}" / stage for i in range(k, 0, -1)]
    return next((path for path in made if path.is_dir()), first)


def _figures(records: pl.DataFrame) -> Figures:
    """What a person wants to see: what was labelled, and the rewards at the end."""
    labelled = records.filter(pl.col("stage") == "labels")
    last = records.filter(pl.col("round") == pl.col("round").max())
    figures: Figures = {
        "labelled_solutions": float(labelled.filter(pl.col("figure") == "solutions")["value"].sum()),
        "labels": float(labelled.filter(pl.col("figure") == "labels")["value"].sum()),
    }
    for stage, name in (("prm", "held_out_auc"), ("policy", "prm_score_last"), ("policy", "orm_score_last")):
        value = last.filter((pl.col("stage") == stage) & (pl.col("figure") == name))["value"]
        figures[f"{stage}_{name}"] = value.item() if len(value) else None
    return figures


def _solutions(labels: Path) -> int:
    return int(
        pl.scan_parquet(labels / "labels.parquet").select(pl.col("solution_id").n_unique()).collect().item()
    )


# SFT from GPT* on a set of solutions.


def chain_sft(task: Task, config: ChainSftConfig) -> Outcome:
    """Inputs: policy (to start from), sft_set (with its cost). Writes a checkpoint and what both cost."""
    inputs = {"base": task.inputs["policy"], "sft_set": task.inputs["sft_set"]}
    outcome = make_generator(replace(task, inputs=inputs), config.sft)
    before = read_cost(task.inputs["sft_set"])
    made = Cost(before["flops"], tokens_generated=round(before["tokens_generated"]))
    write_cost(task.out, outcome.cost + made, int(outcome.figures["updates"] or 0))
    return outcome


# An arm trained as every round's policy is.


def grpo_arm(task: Task, config: PolicyConfig) -> Outcome:
    """`make_policy`, and what it cost."""
    outcome = make_policy(task, config)
    write_cost(task.out, outcome.cost, config.updates)
    return outcome


# Tables that a long computation keeps while it goes on: a killed one does not make them again.

TABLE, COST = "table.parquet", "cost.json"


def kept(task: Task, name: str, make: Callable[[], tuple[pl.DataFrame, Cost]]) -> tuple[pl.DataFrame, Cost]:
    """What `make` gives, read again where an earlier, killed process of the same computation has made it."""
    if task.unfinished is None:
        return make()
    done = task.unfinished / "done" / name
    if not done.is_dir():
        table, cost = make()
        begun = task.unfinished / "begun" / name
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        table.write_parquet(begun / TABLE)
        (begun / COST).write_text(json.dumps(asdict(cost)) + "\n")
        publish(begun, done)
    return pl.read_parquet(done / TABLE), Cost(**json.loads((done / COST).read_text()))


# A model of one size from nothing to its reward models: the graph's own functions, and what each cost.
#
# Deliberately nothing else: what differs between sizes is their configuration alone.
#


class SizedBaseConfig(StageConfig):
    shape: Shape
    base: BaseConfig


class SizedGeneratorConfig(StageConfig):
    shape: Shape
    samples: SamplesConfig
    sft_set: SftSetConfig
    sft: SftConfig


class SizedPRMConfig(StageConfig):
    shape: Shape
    prm: PRMConfig


class SizedORMConfig(StageConfig):
    shape: Shape
    orm: ORMConfig


def sized_base(task: Task, config: SizedBaseConfig) -> Outcome:
    """Input "test", as `make_base`."""
    return _with_cost(task, make_base(task, config.base))


def sized_generator(task: Task, config: SizedGeneratorConfig) -> Outcome:
    """Inputs "base" and "train": samples and the SFT set stand in folders of the checkpoint.

    Raises ValueError where the base solves no train problem.
    """
    samples, sft_set = task.out / "samples", task.out / "sft_set"
    samples.mkdir()
    sft_set.mkdir()
    sampled = make_samples(
        replace(task, out=samples, seed=derive_seed(task.seed, "samples"), unfinished=None), config.samples
    )
    make_sft_set(
        replace(task, inputs={"samples": samples, "train": task.inputs["train"]}, out=sft_set), config.sft_set
    )
    inputs = {"base": task.inputs["base"], "sft_set": sft_set}
    tuned = make_generator(replace(task, inputs=inputs, seed=derive_seed(task.seed, "sft")), config.sft)
    figures = {"train_pass@1": sampled.figures["correct_share"], **tuned.figures}
    return _with_cost(task, Outcome(figures, sampled.cost + tuned.cost, tuned.rows))


def sized_prm(task: Task, config: SizedPRMConfig) -> Outcome:
    """As `make_prm`."""
    return _with_cost(task, make_prm(task, config.prm))


def sized_orm(task: Task, config: SizedORMConfig) -> Outcome:
    """As `make_orm`."""
    return _with_cost(task, make_orm(task, config.orm))


def _with_cost(task: Task, outcome: Outcome) -> Outcome:
    write_cost(task.out, outcome.cost, int(outcome.figures.get("updates") or 0))
    return outcome
