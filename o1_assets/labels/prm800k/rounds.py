"""One round of PRM800K on its way in: lines and parts of columns go to disk as they are read, counts stay."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import polars as pl

from o1_assets.core.files import json_bytes, sha256
from o1_assets.labels.export import SCREENING
from o1_assets.labels.inbox.reader import ACCEPTED, IMPORTED, BatchManifest
from o1_assets.labels.inbox.tables import RATINGS, RECORD, RECORDS
from o1_assets.labels.prm800k.records import Labelled
from o1_assets.labels.prm800k.tables import (
    SHOWN,
    SOLUTION,
    batch_ratings,
    batch_records,
    completions_of,
    problems_of,
    solutions_of,
)
from o1_assets.labels.schema import WITHDRAWN, Record

_PART = 50_000


class PublishedRound:
    """Records in with `add`; `finish` writes the round's selection and its one accepted batch under `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.good, self.selection = folder / "good", folder / "selection"
        for path in (self.good, self.selection, folder / "parts"):
            path.mkdir(parents=True)
        self.lines, self.digest = (self.good / "batch.jsonl").open("wb"), hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[tuple[Any, ...]]] = {"shown": [], "records": [], "solutions": []}
        self.parts = 0

    def add(self, record: Record, labelled: Labelled, raw: bytes) -> None:
        """raw: the line as published."""
        self.lines.write(raw + b"\n")
        self.digest.update(raw + b"\n")
        self.counts["records"] += 1
        line, who, moment = self.counts["records"], record.labeler, record.moment
        screening = record.is_initial_screening_question or record.generation == SCREENING
        gold = record.is_quality_control_question
        solution, label, question = labelled.solution_id, record.label, record.question
        for number, step in enumerate(labelled.path):
            if step.written:
                self.rows["shown"].append(
                    (solution, number, who, moment, line, None, False, step.own, True, True, gold, screening)
                )
            for item in step.shown:
                own = not step.written and item.text == step.own
                self.rows["shown"].append(
                    (solution, number, who, moment, line, item.rating, bool(item.flagged), item.text, own, False,
                     gold, screening)
                )  # fmt: skip
        self.rows["records"].append(
            (solution, who, moment, None, line, None, question.problem, label.finish_reason, 0, label.total_time,
             gold, screening)
        )  # fmt: skip
        truth, answer = question.ground_truth_answer, question.pre_generated_answer
        right = label.finish_reason == "solution" or (answer is not None and answer == truth)
        self.rows["solutions"].append(
            (solution, labelled.problem_id, list(labelled.steps), answer, right,
             question.pre_generated_verifier_score, question.problem, truth, not gold and not screening)
        )  # fmt: skip
        self._count(record, labelled, gold, screening)
        if len(self.rows["shown"]) > _PART:
            self._flush()

    def finish(self) -> dict[str, int]:
        """Writes the round's selection and batch; returns what was counted."""
        self._flush()
        self.lines.close()
        solutions = self._read("solutions").sort("solution_id", "score", "answer", nulls_last=True)
        usable = solutions.group_by("solution_id").agg(pl.col("usable").any())
        first = solutions.unique("solution_id", keep="first", maintain_order=True).drop("usable")
        shown = self._read("shown")
        completions = completions_of(shown, first)
        chosen = first.join(usable.filter("usable"), on="solution_id", how="semi", maintain_order="left")
        labelled = completions.join(chosen, on="solution_id", how="semi", maintain_order="left")
        solutions_of(chosen).write_parquet(self.selection / "solutions.parquet")
        problems_of(chosen).write_parquet(self.selection / "problems.parquet")
        labelled.write_parquet(self.selection / "completions.parquet")
        digest = self.digest.hexdigest()
        records = batch_records(self._read("records"), completions, digest)
        batch_ratings(shown, completions, digest).write_parquet(self.good / RATINGS, compression="zstd")
        records.write_parquet(self.good / RECORDS, compression="zstd")
        self._accept(digest, chosen["solution_id"].to_list(), records["labeler"].unique().sort().to_list())
        shutil.rmtree(self.folder / "parts")
        return {"solutions": chosen.height, "problems": chosen["problem_id"].n_unique(), **self.counts}

    def _accept(self, digest: str, solutions: list[str], labelers: list[str]) -> None:
        """Makes of the lines and tables in `good` a batch like any in an inbox."""
        (self.good / "solutions.json").write_bytes(json_bytes(solutions))
        manifest = BatchManifest(
            digest=digest,
            round=self.name,
            source=IMPORTED,
            lines=self.counts["records"],
            solutions=len(solutions),
            labelers=labelers,
            original=digest,
            name=IMPORTED,
            received="",
            protocol="dense" if self.name == "r00" else "sparse",
            selection=sha256(self.selection / "completions.parquet")[:16],
            tables={name: sha256(self.good / name) for name in (RATINGS, RECORDS)},
        )
        (self.good / "manifest.json").write_bytes(json_bytes(asdict(manifest)))
        (self.folder / ACCEPTED).mkdir()
        os.rename(self.good, self.folder / ACCEPTED / digest)

    def _count(self, record: Record, labelled: Labelled, gold: bool, screening: bool) -> None:
        """What the paper treats apart is counted apart."""
        items = [item for step in labelled.path for item in step.shown]
        self.counts.update(
            ratings=sum(item.rating is not None for item in items),
            null_ratings=sum(item.rating is None for item in items),
            flagged_ratings=sum(bool(item.flagged) for item in items),
            written_steps=sum(step.written for step in labelled.path),
            unreachable_ratings=labelled.unreachable,
            quality_control_records=gold and not screening,
            screening_records=screening,
            **{f"{reason}_records": record.label.finish_reason == reason for reason in WITHDRAWN},
        )

    def _flush(self) -> None:
        for (name, rows), schema in zip(self.rows.items(), (SHOWN, RECORD, SOLUTION), strict=True):
            part = pl.DataFrame(rows, schema=cast(Any, schema), orient="row")
            part.write_parquet(self.folder / "parts" / f"{name}-{self.parts:05}.parquet")
            rows.clear()
        self.parts += 1

    def _read(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "parts" / f"{name}-*.parquet")
