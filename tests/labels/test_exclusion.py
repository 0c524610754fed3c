"""Labellers who fail quality control, through the graph: export, rate, submit, label batches, labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome, Waiting
from o1_assets.labels.annotators.annotator import annotate
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import AnnotatorName, LabelBatchesConfig, LabelsConfig, QualityConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.quality_control import check_solutions
from o1_assets.labels.round_inputs import RoundInputs, export_to_file
from o1_assets.labels.schema import Record
from o1_assets.labels.selection import Selection
from tests.labels import world
from tests.labels.world import ROUND

SOLUTIONS = {f"{name} {i}": world.SOLUTIONS[name] for i in range(30) for name in ("right", "wrong")}
QUALITY = QualityConfig(gold=6, screening=4, min_ratings=10)


@dataclass
class Lab:
    """A round of 60 solutions, its inbox, and people who rate."""

    root: Path
    folders: tuple[Path, Path]
    selection: Selection
    inbox: Inbox
    runs: int = 0

    def rate(
        self,
        who: str,
        error_rate: float,
        mine: Callable[[str], bool] = lambda solution: True,
        kind: Literal["normal", "lead", "screening"] = "normal",
    ) -> None:
        """Submits who's ratings of the exported solutions, gold and `mine` (of all if a lead rates)."""
        checks = check_solutions(self.selection, QUALITY)
        wanted = {s for s in self.selection.solution_ids if mine(s)}
        wanted |= checks.gold if kind == "normal" else set()
        wanted = set(checks.screening) if kind == "screening" else wanted
        records: list[Record] = []
        for record in annotate(self.selection, ROUND, DENSE, Oracle(error_rate, 7, who), wanted):
            assert record.o1 is not None
            record.is_quality_control_question = kind == "normal" and record.o1.solution_id in checks.gold
            record.is_initial_screening_question = kind == "screening"
            records.append(record)
        file = world.write(self.root / f"{who}.jsonl", records)
        assert not self.inbox.submit(file, ROUND, world.check(self.selection)).rejected

    def labels(
        self, quality: QualityConfig = QUALITY, annotator: AnnotatorName = "human"
    ) -> tuple[Outcome, Path, Path]:
        """What rNN/label_batches and rNN/labels come to."""
        self.runs += 1
        batches = world.task(
            {"selection": self.folders[0], "train": self.folders[1]}, self.root / f"batches {self.runs}"
        )
        label_batches(self.inbox)(
            batches, LabelBatchesConfig(round=ROUND, protocol="dense", annotator=annotator, quality=quality)
        )
        task = world.task(
            {"selection": self.folders[0], "batches": batches.out}, self.root / f"labels {self.runs}"
        )
        outcome = make_labels(task, LabelsConfig(round=ROUND, protocol="dense", quality=quality))
        return outcome, task.out, batches.out


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folders = world.write_selection(tmp_path, SOLUTIONS)
    return Lab(tmp_path, folders, Selection.load(*folders), Inbox(tmp_path / "inbox"))


def evens(solution: str) -> bool:
    return int(solution.split()[1]) % 2 == 0


def odds(solution: str) -> bool:
    return not evens(solution)


def quality_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["labeler"]: row for row in pl.read_parquet(folder / "quality.parquet").to_dicts()}


def test_who_rates_at_random_is_left_out_and_the_effect_is_shown(lab: Lab) -> None:
    lab.rate("careful", 0.0, evens)
    lab.rate("guesses", 2 / 3, odds)
    outcome, folder, _ = lab.labels()
    table, quality = pl.read_parquet(folder / "labels.parquet"), quality_of(folder)
    assert set(table["labeler"]) == {"careful"} and quality["guesses"]["reason"] == "gold"
    assert quality["careful"]["gold_agreement"] == 1.0 and quality["guesses"]["gold_agreement"] < 0.6
    figures = outcome.figures
    assert (figures["labelers"], figures["labelers_excluded"]) == (2, 1)
    assert figures["excluded_ratings"] == quality["guesses"]["ratings"]
    kept, kept_folder, _ = lab.labels(QUALITY.model_copy(update={"min_agreement": 0.0}))
    everything = pl.read_parquet(kept_folder / "labels.parquet")
    assert everything.height - table.height == figures["labels_removed_by_exclusion"]
    assert kept.figures["labelers_excluded"] == 0 and "labels_removed_by_exclusion" not in kept.figures
    assert (folder / "plots" / "labellers.png").read_bytes().startswith(b"\x89PNG")


def test_gold_is_rated_by_everybody_and_becomes_no_label_where_people_rate(lab: Lab) -> None:
    lab.rate("a", 0.0)
    gold = check_solutions(lab.selection, QUALITY).gold
    outcome, folder, batches = lab.labels()
    assert set(pl.read_parquet(folder / "labels.parquet")["solution_id"]) == set(SOLUTIONS) - gold
    assert outcome.figures["dropped_quality_control_records"] == len(gold) == 6
    assert set(pl.read_parquet(batches / "gold.parquet")["solution_id"]) == (
        check_solutions(lab.selection, QUALITY).known
    )
    # Where a machine rates the rest, gold is among it: a gold solution costs no label.
    _, folder, _ = lab.labels(annotator="human+oracle")
    table = pl.read_parquet(folder / "labels.parquet")
    assert set(table["solution_id"]) == set(SOLUTIONS)
    assert set(table.filter(pl.col("solution_id").is_in(list(gold)))["labeler"]) == {"oracle"}


def test_a_machine_is_not_judged_and_people_cannot_hide_behind_its_name(lab: Lab) -> None:
    lab.rate("oracle", 2 / 3, evens)
    _, folder, _ = lab.labels(annotator="human+oracle")
    table = pl.read_parquet(folder / "labels.parquet")
    assert quality_of(folder)["oracle"]["excluded"]
    odd = {s for s in SOLUTIONS if odds(s)} | check_solutions(lab.selection, QUALITY).gold
    assert set(table["solution_id"]) == odd, "the machine's own ratings stay"


def test_a_failed_screening_keeps_a_labeller_out(lab: Lab) -> None:
    lab.rate("new", 2 / 3, kind="screening")
    lab.rate("new", 0.0, evens)
    lab.rate("old", 0.0, odds)
    outcome, folder, _ = lab.labels()
    quality = quality_of(folder)
    assert quality["new"]["reason"] == "screening" and quality["new"]["gold_agreement"] == 1.0
    assert not quality["old"]["excluded"] and quality["old"]["screening_ratings"] == 0
    assert outcome.figures["dropped_screening_records"] == 4


def test_a_round_of_nothing_but_guesses_waits_and_says_why(lab: Lab) -> None:
    lab.rate("guesses", 2 / 3)
    with pytest.raises(
        Waiting, match=r"r03 waits for labellers who pass.*less than 75%.*\(guesses\).*quality.min_agreement"
    ):
        lab.labels()


def test_what_a_lead_rated_is_gold_marked_in_the_next_export_and_labels_too(lab: Lab) -> None:
    quality = QUALITY.model_copy(update={"leads": ("lead",), "gold": 0, "screening": 0})
    led = {s for s in SOLUTIONS if s.endswith(" 3") or s.endswith(" 4")}
    lab.rate("lead", 0.0, lambda s: s in led, kind="lead")
    with pytest.raises(Waiting, match="0 of 60 solutions rated"):
        lab.labels(quality)
    file = lab.root / "export.jsonl"
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human", quality=quality)
    assert export_to_file(RoundInputs(config, *lab.folders), lab.inbox, file) == 60
    records = [Record.from_line(line) for line in file.read_text().splitlines()]
    assert {r.o1.solution_id for r in records if r.o1 and r.is_quality_control_question} == led
    lab.rate("guesses", 2 / 3, lambda s: evens(s) or s in led, kind="lead")
    lab.rate("careful", 0.0, lambda s: odds(s) or s in led, kind="lead")
    _, folder, batches = lab.labels(quality)
    found = quality_of(folder)
    assert {who for who, row in found.items() if row["excluded"]} == {"guesses"}
    assert found["guesses"]["gold_ratings"] > 10 and not (batches / "gold.parquet").exists()
    assert led <= set(pl.read_parquet(folder / "labels.parquet")["solution_id"])


def test_without_people_there_is_nothing_to_judge(lab: Lab) -> None:
    outcome, folder, batches = lab.labels(annotator="human+oracle")
    assert quality_of(folder) == {} and not (folder / "plots").exists()
    assert not (batches / "gold.parquet").exists() and "labelers" not in outcome.figures


def test_what_is_missing_is_what_nobody_sent_back_what_was_withdrawn_and_whose_raters_are_excluded(
    lab: Lab,
) -> None:
    checks = check_solutions(lab.selection, QUALITY)
    mine = {s for s in SOLUTIONS if evens(s) and s not in checks.known}
    theirs = {s for s in SOLUTIONS if odds(s) and s not in checks.known}
    left = set(SOLUTIONS)
    assert missing(lab) == left
    lab.rate("careful", 0.0, lambda s: s in mine)
    left -= mine | checks.gold
    assert missing(lab) == left
    lab.rate("new", 0.0, kind="screening")  # to be tried is not to rate
    assert missing(lab) == left
    lab.rate("guesses", 2 / 3, lambda s: s in theirs)
    assert missing(lab) == left
    lab.rate("second", 0.0, lambda s: s in theirs)
    left -= theirs
    assert missing(lab) == left
    (batch,) = (d for d in lab.inbox.accepted(ROUND) if "careful" in lab.inbox.manifest(ROUND, d).labelers)
    lab.inbox.withdraw(ROUND, batch, "lead")
    assert missing(lab) == left | mine
    lab.inbox.restore(ROUND, batch, "lead")
    assert missing(lab) == left


def missing(lab: Lab) -> set[str]:
    """What `o1 labels export r03 --missing` writes."""
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human", quality=QUALITY)
    file = lab.root / "missing.jsonl"
    count = export_to_file(RoundInputs(config, *lab.folders), lab.inbox, file, "missing")
    records = [Record.from_line(line) for line in file.read_text().splitlines()]
    assert len(records) == count
    return {record.o1.solution_id for record in records if record.o1}
