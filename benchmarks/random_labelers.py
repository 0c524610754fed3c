"""What a labeller who rates at random costs the PRM, excluded by quality control and not.

    python -m benchmarks.random_labelers [--home FOLDER] [--seeds 5] [--raters 1]

needs a finished run of nano (`make run`). Five labellers share round 0's solutions, each solution rated by
`raters` of them, and all rate the gold solutions; their ratings go through an inbox, the label table and
`make_prm` as in the graph. Four worlds: all five careful; one of them at random and kept; one of them at
random and excluded, which with one rater a solution loses a fifth of the labels; and the same after others have
rated the solutions that lost their rater. A seed decides who rates what, their errors, and the training.
Judged by step F1 on exactly rated steps of held-out problems; the figures are means over seeds, their
standard deviation, and that of the difference to the first world, seed by seed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.artifact import Task
from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.annotator import annotate
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig, QualityConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.quality_control import check_solutions
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection

LABELERS, SOLUTIONS = 5, 400


CARELESS = 2 / 3
"""The error rate at which each of three ratings is equally likely."""


ROUND = "r00"


RATED_AGAIN = "random excluded, rated again"


WORLDS = ("careful", "random kept", "random excluded", RATED_AGAIN)


@dataclass(frozen=True)
class Home:
    """Folders of a finished run: the round's selection, train and test problems, GPT* and its judged solutions."""

    selection: Path
    train: Path
    test: Path
    generator: Path
    judged: Path

    @classmethod
    def load(cls, home: str | None, scratch: Path) -> Home:
        """The newest versions in a home; the selection cut down to SOLUTIONS. Raises SystemExit if one is missing."""
        from o1_assets.core.settings import Settings
        from o1_assets.store.store import ArtifactStore

        settings = Settings.load("nano", home)
        store = ArtifactStore(settings.store, scratch / "work")
        keys = (f"{ROUND}/selection", "problems/train", "problems/test", "generator/model", "eval/generator")
        folders = []
        for key in keys:
            head = store.head(key)
            if head is None:
                raise SystemExit(f"{settings.home} has no {key}; `make run` makes it")
            folders.append(store.path(head.digest))
        return cls(_cut(folders[0], scratch / "selection"), *folders[1:])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.random_labelers")
    parser.add_argument("--home", help="O1_HOME of a finished nano run")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--error-rate", type=float, default=0.05, help="of the careful labellers")
    parser.add_argument("--raters", type=int, default=1, help="labellers who rate a solution")
    given = parser.parse_args(arguments)
    print(
        json.dumps(
            measure(given.home, given.seeds, given.error_rate, given.raters, given.first_seed), indent=1
        )
    )


def measure(
    home: str | None = None,
    seeds: int = 5,
    error_rate: float = 0.05,
    raters: int = 1,
    first_seed: int = 0,
) -> dict[str, Any]:
    """Name -> {"mean", "std", "runs"}: step F1 of each world, and its difference to the careful one, in points."""
    import torch

    torch.set_num_threads(1)
    # Where everybody rates everything, nothing loses its rater.
    worlds = WORLDS if raters < LABELERS else WORLDS[:-1]
    f1: dict[str, list[float]] = {world: [] for world in worlds}
    labels: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="labelers-") as folder:
        root = Path(folder)
        found = Home.load(home, root)
        for seed in range(first_seed, first_seed + seeds):
            for world in worlds:
                scratch = root / f"{seed}-{world.replace(' ', '-')}"
                scratch.mkdir()
                figures = make_round_labels(found, scratch, world, seed, error_rate, raters)
                f1[world].append(100 * step_f1_of(found, scratch, seed))
                labels.append({"world": world, "seed": seed, "step_f1": f1[world][-1], **figures})
                print(json.dumps(labels[-1]), flush=True)
                shutil.rmtree(scratch)
    differences = {
        f"{world} - careful": [a - b for a, b in zip(f1[world], f1["careful"], strict=True)]
        for world in worlds[1:]
    }
    rows = {name: _row(values) for name, values in {**f1, **differences}.items()}
    return {
        "step_f1": rows,
        "labels": labels,
        "labelers": LABELERS,
        "error_rate": error_rate,
        "raters": raters,
    }


def make_round_labels(
    home: Home, scratch: Path, world: str, seed: int, error_rate: float, raters: int
) -> dict[str, Any]:
    """Rates the round in one world and makes scratch/labels; returns the label table's figures on quality."""
    kept = QualityConfig(gold=15, min_agreement=0.0)
    quality = QualityConfig(gold=15) if "excluded" in world else kept
    selection, inbox = Selection.load(home.selection, home.train), Inbox(scratch / "inbox")
    gold = check_solutions(selection, quality).gold
    for index in range(LABELERS):
        careless = world != "careful" and index == 0
        rater = Oracle(
            CARELESS if careless else error_rate, derive_seed(seed, "rates", index), f"labeler {index}"
        )
        share = {
            s
            for s in selection.solution_ids
            if s in gold or index in _raters(s, seed, raters, again=world == RATED_AGAIN)
        }
        file = scratch / "batch.jsonl"
        with file.open("w") as out:
            out.writelines(f"{r.to_line()}\n" for r in _rated(selection, rater, share, gold))
        report = inbox.submit(file, ROUND, SelectionCheck(selection, ROUND, DENSE))
        assert not report.violations, report.rejected[:3]
    batches = _task({"selection": home.selection, "train": home.train}, scratch / "batches")
    label_batches(inbox)(
        batches, LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human", quality=quality)
    )
    task = _task({"selection": home.selection, "batches": batches.out}, scratch / "labels")
    figures = make_labels(task, LabelsConfig(round=ROUND, protocol="dense", quality=quality)).figures
    wanted = ("labels", "solutions", "labelers_excluded", "alpha_before", "alpha_after")
    return {name: figures[name] for name in wanted}


def step_f1_of(home: Home, scratch: Path, seed: int) -> float:
    """Trains the profile's first PRM on scratch/labels and judges it on GPT*'s solutions of held-out problems."""
    from o1_assets.evaluation.steps import rated_steps, step_figures
    from o1_assets.problems.solutions import SCHEMA
    from o1_assets.profiles.load import load_profile
    from o1_assets.reward.aggregate import right_probabilities
    from o1_assets.reward.score import load_scorer
    from o1_assets.reward.train import make_prm

    task = _task(
        {"generator": home.generator, "init": home.generator, "labels_00": scratch / "labels"},
        scratch / "prm",
        derive_seed(seed, "prm"),
    )
    profile = load_profile("nano")
    make_prm(task, profile.first_prm)
    judged = profile.headline_eval.step_samples
    solutions = pl.read_parquet(home.judged / "solutions.parquet")
    solutions = solutions.filter((pl.col("seed") == 0) & (pl.col("sample") < judged)).select(list(SCHEMA))
    problems = pl.read_parquet(home.test / "problems.parquet")
    questions = dict(problems.select("problem_id", "question").iter_rows())
    scorer = load_scorer(task.out, home.generator)
    prompts = [profile.prompt.render(questions[p]) for p in solutions["problem_id"]]
    found = scorer.step_probabilities(
        scorer.tokenizer(prompts)["input_ids"], solutions["token_ids"].to_list()
    )
    p_right = pl.Series([right_probabilities(p).tolist() for p in found], dtype=pl.List(pl.Float64))
    figure = step_figures(rated_steps(solutions.with_columns(p_right=p_right), problems))["step_f1"]
    assert isinstance(figure, float)
    return figure


def _raters(solution: str, seed: int, raters: int, again: bool) -> set[int]:
    """Who rates a solution. again: labeller 0 was excluded, and others rate what was theirs as well."""
    first = derive_seed(seed, "whose", solution) % LABELERS
    chosen = {(first + i) % LABELERS for i in range(raters)}
    rest = sorted(set(range(LABELERS)) - chosen)
    if again and 0 in chosen and rest:
        chosen.add(rest[derive_seed(seed, "again", solution) % len(rest)])
    return chosen


def _rated(selection: Selection, rater: Oracle, share: set[str], gold: frozenset[str]) -> Iterator[Record]:
    for record in annotate(selection, ROUND, DENSE, rater, share):
        assert record.o1 is not None
        record.is_quality_control_question = record.o1.solution_id in gold
        yield record


def _cut(selection: Path, folder: Path) -> Path:
    """The first SOLUTIONS of a selection: it was drawn uniformly, so they are a uniform draw too."""
    folder.mkdir()
    solutions = pl.read_parquet(selection / "solutions.parquet").head(SOLUTIONS)
    completions = pl.read_parquet(selection / "completions.parquet")
    solutions.write_parquet(folder / "solutions.parquet")
    completions.join(solutions, on="solution_id", how="semi", maintain_order="left").write_parquet(
        folder / "completions.parquet"
    )
    return folder


def _task(inputs: dict[str, Path], out: Path, seed: int = 0) -> Task:
    def no_engine(path: Path) -> Any:
        raise AssertionError("nothing is sampled here")

    out.mkdir()
    return Task(inputs=inputs, out=out, seed=seed, open_engine=no_engine)


def _row(values: list[float]) -> dict[str, Any]:
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": spread, "runs": values}


if __name__ == "__main__":
    main()
