"""Rankings of answers: out to people, and in by the same door that the machine uses."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from o1_assets.cli.label_rankings import requests_to_rank
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.core.artifact import Outcome, Task, Waiting
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.experiments.assistant.comparisons import answers_to_rank, comparisons
from o1_assets.experiments.assistant.config import ComparisonsConfig
from o1_assets.experiments.assistant.rankings import LINES, Ranking, Rankings, RankingsError, export
from o1_assets.labels.inbox.reader import PEOPLE

ANSWERS = (["3*4=12", "12-5=7", "answer 7"], ["answer 8"], ["cannot answer"])


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """Three requests, of the last of which both answers are equally good."""
    row = {
        "answer": "7",
        "metadata": '{"metadata": {"expression": "3 * 4 - 5"}}',
        "question": "Calculate 3 * 4 - 5.",
    }
    requests = [{**row, "problem_id": name} for name in "abc"]
    answers = [
        {
            "problem_id": name, "text": "".join(step + "\n" for step in steps), "steps": steps,
            "correct": steps[-1] == "answer 7", "finished": True,
        }
        for name in "abc"
        for steps in (ANSWERS if name != "c" else [["answer 8"], ["answer 9"]])
    ]  # fmt: skip
    for name, rows, file in (("requests", requests, "problems"), ("answers", answers, "solutions")):
        (tmp_path / name).mkdir()
        pl.DataFrame(rows).write_parquet(tmp_path / name / f"{file}.parquet")
    return {"requests": tmp_path / "requests", "answers": tmp_path / "answers"}


def asked_in(inputs: dict[str, Path]):
    tables = [pl.read_parquet(next(inputs[name].iterdir())) for name in ("requests", "answers")]
    return answers_to_rank(*tables)


def test_only_lines_that_rank_what_was_sent_are_taken(inputs: dict[str, Path], tmp_path: Path) -> None:
    (asked, exact), rankings = asked_in(inputs), Rankings(tmp_path / "inbox")
    assert list(asked) == ["a", "b"] and exact["a"] == [0, 1, 2]
    file, before = tmp_path / "out.jsonl", rankings.version()
    assert export(asked, file) == 2
    unranked = [json.loads(line) for line in file.read_text().splitlines()]
    good = {**unranked[0], "ranks": [0, 1, 2], "labeler": "anna"}
    bad = [
        unranked[1],
        {**good, "comparison": "z"},
        {**good, "answers": good["answers"][::-1]},
        {**good, "ranks": [0, 1]},
        {**good, "ranks": [0, 1, "2"]},
        {**good, "labeler": " "},
        {**good, "mood": 1},
    ]
    file.write_text("\n".join([json.dumps(good), "", *map(json.dumps, bad), "{"]))
    report = rankings.submit(file, asked)
    assert report.accepted == 1 and [number for number, _ in report.refused] == list(range(3, 11))
    for (_, why), says in zip(
        report.refused,
        (
            "no ranks",
            "'z' was not",
            "leave them",
            "2 ranks for 3",
            "no ranking",
            "labeler",
            "no ranking",
            "no ranking",
        ),
        strict=True,
    ):
        assert says in why
    (quarantined,) = (rankings.root / "quarantine").iterdir()
    assert (quarantined / "sent.jsonl").read_text() == file.read_text()
    assert rankings.accepted(PEOPLE) == [report.digest] and rankings.version() != before
    assert rankings.submit(file, asked).digest == report.digest and len(rankings.accepted(PEOPLE)) == 1
    batch = rankings.root / "accepted" / str(report.digest) / LINES
    batch.write_bytes(batch.read_bytes().replace(b"anna", b"otto"))
    with pytest.raises(RankingsError, match="was changed"):
        rankings.read([str(report.digest)], asked)


def test_people_are_waited_for_or_the_machine_ranks_the_rest(inputs: dict[str, Path], tmp_path: Path) -> None:
    asked, _ = asked_in(inputs)
    rankings, out = Rankings(tmp_path / "inbox"), tmp_path / "out"
    out.mkdir()

    def made(annotator: str, **fields: float) -> tuple[Outcome, list[dict]]:
        task = Task(inputs, out, 1, open_engine=None)  # type: ignore[arg-type]
        config = ComparisonsConfig(annotator=annotator, **fields)  # type: ignore[arg-type]
        outcome = comparisons(rankings)(task, config)
        return outcome, pl.read_parquet(out / "comparisons.parquet").to_dicts()

    outcome, rows = made("oracle", swap_rate=0)
    assert [(row["labeler"], row["ranks"]) for row in rows] == [("oracle", [0, 1, 2])] * 2
    assert outcome.figures["flipped_share"] == 0 and outcome.figures["without_difference"] == 1
    assert (
        outcome.external is None and not rankings.accepted(PEOPLE) and len(rankings.accepted("oracle")) == 1
    )
    with pytest.raises(Waiting, match="0 of 2 requests are ranked"):
        made("human")
    question, answers = asked["b"]
    file = tmp_path / "anna.jsonl"
    file.write_bytes(Ranking("b", question, list(answers), [2, 1, 0], "anna").to_line())
    rankings.submit(file, asked)
    assert [row["labeler"] for row in made("oracle", swap_rate=0)[1]] == ["oracle", "oracle"]
    outcome, rows = made("human+oracle", swap_rate=0)
    assert [(row["labeler"], row["ranks"]) for row in rows] == [("oracle", [0, 1, 2]), ("anna", [2, 1, 0])]
    assert outcome.external == rankings.version() and outcome.figures["by_people"] == 1
    assert outcome.figures["flipped_share"] == 0.5, "all three pairs of one request of two"
    assert [row["labeler"] for row in made("human", min_ranked_share=0.5)[1]] == ["anna"]


def test_where_there_is_nothing_to_rank_the_command_says_what_to_do(tmp_path: Path) -> None:
    for profile, says in (
        ("nano", "nano has no assistant"),
        ("assistant", "assistant/requests is not made yet"),
    ):
        with pytest.raises(LabelsError, match=says):
            requests_to_rank(Project(Settings(profile, tmp_path), ""))
