"""Steps that labellers write: out as a record, back by file or browser, into labels, trace and trainings."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.core.artifact import Artifact, Compute, Outcome, StageConfig, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.execution.materialize import materialize
from o1_assets.labels.annotators.annotator import Request, annotate
from o1_assets.labels.annotators.exact_checker import rate_steps, right_next_steps
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.inbox.inbox import Inbox, SubmitReport
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Slot, Writing, WritingPlace, WrittenSteps
from o1_assets.labels.schema import HumanCompletion, Record, Step, fill, written_in
from o1_assets.labels.selection import Selection
from o1_assets.labels.studio.annotations import rated_record
from o1_assets.labels.studio.push import label_config
from o1_assets.labels.studio.tasks import Size, size_of, task_data
from o1_assets.labels.trace import trace
from o1_assets.labels.written import read_written, written_solutions
from o1_assets.reward.dataset import IGNORED, POSITIVE, prm_examples
from o1_assets.rounds.selection import with_writing
from o1_assets.store.store import ArtifactStore
from tests.labels import world
from tests.labels.world import ROUND

# "wrong" begins with 2+3=5 for 2 + 3 * 4; its second alternative is wrong too.
WRONG = {(0, 0): -1, (0, 1): -1, (0, 2): -1}
GOOD_ALTERNATIVE = {**WRONG, (0, 1): 1}
DENSE_LABELS = LabelsConfig(round=ROUND, protocol="dense")
REST = ("3*4=12", "2+12=14", "answer 14")


def load(root: Path, writing: Writing | None = "solution") -> Selection:
    return world.load(root, writing)


def rated(selection: Selection, ratings: Any, written: WrittenSteps | None, **changes: Any) -> Record:
    """The record of "wrong" with ratings and written steps."""
    record = world.unrated(selection)["wrong"]
    slots = {Slot(*slot): rating for slot, rating in ratings.items()}
    who, when = changes.get("labeler", "ann"), changes.get("timestamp", "2026-01-01T00:00:00")
    fill(record, slots, DENSE, who, when, written)
    return record


def submit(tmp_path: Path, selection: Selection, *records: Record) -> SubmitReport:
    file = world.write(tmp_path / "sent.jsonl", list(records))
    return Inbox(tmp_path / "inbox").submit(file, ROUND, world.check(selection))


def labels_of(tmp_path: Path, selection: Selection | None = None) -> tuple[Path, dict[str, Any]]:
    """The folder of rNN/labels made of what is in the inbox, and its figures. selection: that of today, on the disk."""
    inputs = {"selection": tmp_path / "selection", "train": tmp_path / "train"}
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human", min_rated_share=0.0)
    label_batches(Inbox(tmp_path / "inbox"))(world.task(inputs, tmp_path / "batches"), config)
    task = world.task({**inputs, "batches": tmp_path / "batches"}, tmp_path / "labels")
    figures = make_labels(task, DENSE_LABELS).figures
    return tmp_path / "labels", dict(figures)


@pytest.mark.parametrize("protocol", [DENSE, SPARSE])
@pytest.mark.parametrize(
    ("ratings", "writing", "place"),
    [
        (WRONG, "step", WritingPlace(0)),
        (WRONG, "solution", WritingPlace(0)),
        (GOOD_ALTERNATIVE, "step", None),
        (GOOD_ALTERNATIVE, "solution", WritingPlace(1, (1,))),
        ({**WRONG, (0, 1): 0, (0, 2): 0}, "solution", WritingPlace(1, (1, 2))),
        ({**GOOD_ALTERNATIVE, (0, 2): 0}, "solution", WritingPlace(1, (1,))),
        ({**WRONG, (0, 2): None}, "step", WritingPlace(0)),
        ({(0, 0): -1, (0, 1): -1}, "solution", None),  # not all is rated yet
        ({(0, 0): None, (0, 1): -1, (0, 2): -1}, "solution", None),  # unsure is not wrong
        ({(0, 0): 1, (0, 1): -1, (0, 2): -1}, "solution", None),
    ],
)
def test_one_writes_where_a_step_is_wrong_and_goes_on_from_the_best_completion(
    protocol: Protocol, ratings: dict[tuple[int, int], int | None], writing: Writing, place: WritingPlace
) -> None:
    slots = {Slot(*slot): rating for slot, rating in ratings.items()}
    assert protocol.writing_place([3, 2, 1], slots, writing) == place


@pytest.mark.parametrize(
    ("ratings", "written", "steps"),
    [
        (WRONG, WrittenSteps(0, None, REST), list(REST)),
        (GOOD_ALTERNATIVE, WrittenSteps(1, 1, (*REST[1:2], "check 2+12=14", "answer 14")), None),
    ],
)
def test_a_written_solution_goes_out_comes_back_and_is_whole(
    tmp_path: Path, ratings: Any, written: WrittenSteps, steps: list[str] | None
) -> None:
    selection = load(tmp_path)
    record = rated(selection, ratings, written)
    line = json.loads(record.to_line())
    assert line["o1"]["writing"] == "solution" and line["label"]["finish_reason"] == "solution"
    assert written_in(Record.from_line(record.to_line())) == written
    report = submit(tmp_path, selection, record)
    assert (report.accepted, report.rejected) == (1, [])
    folder, figures = labels_of(tmp_path)
    (path,) = read_written(folder).to_dicts()
    assert path["steps"] == (steps or ["3*4=12", *written.texts]) and path["whole"]
    assert path["written"] == [False] * written.step + [True] * len(written.texts)
    assert (path["labeler"], path["line"]) == ("ann", 1)
    assert figures["written_steps"] == len(written.texts) and figures["written_whole"] == 1
    assert pl.read_parquet(folder / "labels.parquet")["rating"].to_list() == list(ratings.values())


def human(text: str | None) -> HumanCompletion:
    return HumanCompletion(text=text, source="human", flagged=False)


def hostile(record: Record, case: str) -> None:
    steps = record.label.steps
    if case == "chosen beside it":
        steps[0].chosen_completion = 1
    elif case == "gap":
        steps[1].human_completion = None
    elif case == "nothing":
        steps.append(Step(completions=None))
    elif case == "rated on":
        steps[1].completions[0].rating = 1  # type: ignore[index]
    elif case == "not all rated":
        steps[0].completions[1].rating, record.label.finish_reason = None, None  # type: ignore[index]
    else:
        steps[1].human_completion = human(case)


@pytest.mark.parametrize(
    ("case", "rule", "reason"),
    [
        (" \u200b", "written_blank", "is blank"),
        ("2+12=14\nanswer 14", "written_separator", "line break"),
        ("2+12=14\u2028answer 14", "written_separator", "line break"),
        ("1+" * 1001, "written_too_long", "2002 characters"),
        ("chosen beside it", "written_beside_choice", "only one of them"),
        ("gap", "written_gap", "follow on each other"),
        ("nothing", "changed_steps", "4 steps came back"),
        ("rated on", "after_first_negative", "step 1 before it is negative"),
        ("not all rated", "written_too_early", "once all that is asked for is rated"),
    ],
)
def test_a_hostile_record_is_refused_with_its_reason(
    tmp_path: Path, case: str, rule: str, reason: str
) -> None:
    selection = load(tmp_path)
    record = rated(selection, WRONG, WrittenSteps(0, None, REST))
    hostile(record, case)
    report = submit(tmp_path, selection, record)
    assert report.accepted == 0 and rule in {violation.rule for violation in report.violations}
    assert any(reason in violation.message for violation in report.violations)


@pytest.mark.parametrize(
    ("writing", "ratings", "written", "rule"),
    [
        ("solution", GOOD_ALTERNATIVE, WrittenSteps(0, None, REST), "written_elsewhere"),
        ("solution", GOOD_ALTERNATIVE, WrittenSteps(1, 2, REST[1:]), "written_elsewhere"),
        ("solution", WRONG, WrittenSteps(1, None, REST[1:]), "written_elsewhere"),
        ("solution", {(0, 0): 1, (0, 1): 1, (0, 2): 1}, WrittenSteps(1, None, REST), "written_too_early"),
        ("step", GOOD_ALTERNATIVE, WrittenSteps(0, None, REST[:1]), "written_too_early"),
        ("step", WRONG, WrittenSteps(0, None, REST), "written_too_much"),
        ("step", WRONG, WrittenSteps(0, None, REST[:1]), None),
    ],
)
def test_what_is_written_elsewhere_than_asked_is_refused(
    tmp_path: Path, writing: Writing, ratings: Any, written: WrittenSteps, rule: str | None
) -> None:
    selection = load(tmp_path, writing)
    report = submit(tmp_path, selection, rated(selection, ratings, written))
    assert {violation.rule for violation in report.violations} == ({rule} if rule else set())


def test_a_rating_of_a_written_step_is_refused_with_what_to_write(tmp_path: Path) -> None:
    selection = load(tmp_path)
    line = rated(selection, WRONG, WrittenSteps(0, None, REST)).to_line()
    (tmp_path / "x.jsonl").write_text(
        line.replace('"rating": null, "source"', '"rating": 1, "source"', 1) + "\n"
    )
    report = Inbox(tmp_path / "inbox").submit(tmp_path / "x.jsonl", ROUND, world.check(selection))
    (violation,) = report.violations
    assert violation.step == 0 and "has no rating: write null" in violation.message


@pytest.mark.parametrize("asked_later", [False, True])
def test_what_was_not_asked_for_counts_nowhere_and_leaves_no_file(tmp_path: Path, asked_later: bool) -> None:
    selection = load(tmp_path, None)
    if asked_later:  # what was accepted without a look is looked at then
        record = rated(selection, WRONG, WrittenSteps(0, None, ("2+12=14\nanswer 14",)))
        assert submit(tmp_path, selection, record).accepted == 1
        assert read_written(labels_of(tmp_path, load(tmp_path))[0]).is_empty()
        return
    assert submit(tmp_path, selection, rated(selection, WRONG, WrittenSteps(0, None, REST))).accepted == 1
    folder, figures = labels_of(tmp_path)
    assert not (folder / "written.parquet").exists() and "written_steps" not in figures
    assert figures["labels"] == len(WRONG)


def test_the_newest_record_counts_and_giving_up_takes_everything_back(tmp_path: Path) -> None:
    selection = load(tmp_path)
    first = rated(selection, WRONG, WrittenSteps(0, None, REST))
    corrected = rated(
        selection, WRONG, WrittenSteps(0, None, ("answer 14",)), timestamp="2026-01-02T00:00:00"
    )
    given_up = rated(selection, WRONG, WrittenSteps(0, None, REST), labeler="bob")
    later = rated(selection, {}, None, labeler="bob", timestamp="2026-01-02T00:00:00")
    later.label.finish_reason = "give_up"
    assert submit(tmp_path, selection, corrected, first, given_up, later).rejected == []
    assert read_written(labels_of(tmp_path)[0])["steps"].to_list() == [["answer 14"]]


def test_a_path_whose_beginning_the_majority_calls_wrong_is_left_out_and_counted(tmp_path: Path) -> None:
    selection = load(tmp_path)
    ann = rated(selection, GOOD_ALTERNATIVE, WrittenSteps(1, 1, REST[1:]))
    others = [rated(selection, WRONG, None, labeler=name) for name in ("bob", "cid")]
    submit(tmp_path, selection, ann, *others)
    folder, figures = labels_of(tmp_path)
    assert read_written(folder).is_empty() and figures["dropped_written_paths"] == 1


# In the browser.


def field(control: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": control, "to_name": "problem", "type": kind, "value": value}


def annotation(ratings: dict[tuple[int, int], str], *fields: dict[str, Any]) -> dict[str, Any]:
    names = {
        slot: f"step{slot[0]}" + (f"_alternative{slot[1]}" if slot[1] else "") for slot in [*WRONG, (1, 0)]
    }
    results = [field(names[slot], "choices", {"choices": [value]}) for slot, value in ratings.items()]
    return {
        "id": 1, "updated_at": "2026-01-01T00:00:00Z", "completed_by": 1, "updated_by": 1, "lead_time": 2.0,
        "result": [*results, *fields],
    }  # fmt: skip


CLICKS = {(0, 0): "wrong.2.write", (0, 1): "wrong", (0, 2): "unsure"}


def test_an_annotation_with_written_text_is_the_record_that_the_inbox_takes(tmp_path: Path) -> None:
    selection = load(tmp_path)
    record = world.unrated(selection)["wrong"]
    task = {"data": task_data(record, size_of([record]))}
    text = field("step0_written", "textarea", {"text": ["3*4=12\n 2+12=14 \n", "answer 14"]})
    leftover = field("step1_written", "textarea", {"text": ["5*4=20"]})
    came_back = rated_record(task, annotation(CLICKS, text, leftover), {1: "ann"})
    assert came_back is not None and written_in(came_back) == WrittenSteps(0, None, REST)
    assert came_back.label.finish_reason == "solution"
    assert submit(tmp_path, selection, came_back).rejected == []
    assert read_written(labels_of(tmp_path)[0])["steps"].to_list() == [list(REST)]


@pytest.mark.parametrize(
    ("clicks", "written"),
    [
        ({**CLICKS, (0, 2): "right"}, WrittenSteps(1, 2, REST)),  # goes on from the right alternative
        ({**CLICKS, (0, 0): "right.2"}, None),  # was written before the labeller changed the rating
        ({(0, 0): "wrong.2.write"}, None),  # its alternatives are not rated yet
    ],
)
def test_what_was_written_counts_where_the_ratings_ask_for_it(
    tmp_path: Path, clicks: dict[tuple[int, int], str], written: WrittenSteps | None
) -> None:
    record = world.unrated(load(tmp_path))["wrong"]
    task = {"data": task_data(record, size_of([record]))}
    text = field("step0_written", "textarea", {"text": list(REST)})
    came_back = rated_record(task, annotation(clicks, text), {1: "ann"})
    assert came_back is not None and written_in(came_back) == written


@pytest.mark.parametrize("writing", [None, *get_args(Writing)])
def test_the_page_has_a_field_under_each_step_that_a_task_may_open(writing: Writing | None) -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(label_config(SPARSE, Size(3, 2), writing))
    fields = {node.get("name"): node for node in root.iter("TextArea")}
    assert list(fields) == ([f"step{step}_written" for step in range(3)] if writing else [])
    values = {v for node in root.iter("View") for v in (node.get("whenChoiceValue") or "").split(",")}
    opening = {"wrong.1.write", "wrong.2.last.write"}
    assert opening <= values if writing else not any("write" in value for value in values)


# The oracle.


@pytest.mark.parametrize(
    ("expression", "prefix", "steps"),
    [
        ("2 + 3 * 4", [], ["3*4=12 left 2+12"]),
        ("9 - 4 + 3 * 2", [], ["9-4=5 left 5+3*2", "3*2=6 left 9-4+6"]),
        ("9 - 4 + 3 * 2", ["9-4=5", "3*2=6"], ["5+6=11"]),
        ("9 - 4 + 3 * 2", ["9-4=5", "wait 3*2=6"], ["9-4=5 left 5+6"]),
        ("6 - 2", ["6-2=4"], ["answer 4"]),
        ("6 - 2", ["6-2=3"], []),
        ("6 - 2", ["answer 4"], []),
    ],
)
def test_right_next_steps_are_those_of_the_state(
    expression: str, prefix: list[str], steps: list[str]
) -> None:
    assert right_next_steps(world.problem(expression), prefix) == steps


@pytest.mark.parametrize("writing", get_args(Writing))
def test_the_oracle_writes_what_it_would_rate_right_and_its_batch_is_accepted(
    tmp_path: Path, writing: Writing
) -> None:
    selection = load(tmp_path, writing)
    records = list(annotate(selection, ROUND, DENSE, Oracle(seed=3), set(selection.solution_ids)))
    assert submit(tmp_path, selection, *records).rejected == []
    folder, _ = labels_of(tmp_path)
    paths = read_written(folder)
    # "wrong" and "direct" have a right alternative, so that a single step is nowhere asked for.
    assert paths.height == (2 if writing == "solution" else 0)
    for path in paths.to_dicts():
        problem = selection.problem_of[path["solution_id"]]
        assert set(rate_steps(problem, path["steps"])) == {1} and path["steps"][-1].startswith("answer")
        assert path["steps"][0] in ("3*4=12", "6-2=4", "answer 4")


def test_the_oracle_mostly_takes_the_leftmost_step() -> None:
    problem, oracle = world.problem("9 - 4 + 3 * 2"), Oracle(seed=1)
    first = [oracle.write(Request(problem, (), "", f"s{i}", 0, 0), "step")[0] for i in range(400)]
    # A twentieth is free, half of which falls on the leftmost too.
    left, right = "9-4=5 left 5+3*2", "3*2=6 left 9-4+6"
    assert set(first) == {left, right} and 1 <= first.count(right) <= 24


# What is made of them.


def written_labels(tmp_path: Path) -> Path:
    selection = load(tmp_path)
    submit(tmp_path, selection, rated(selection, GOOD_ALTERNATIVE, WrittenSteps(1, 1, REST[1:])))
    return labels_of(tmp_path)[0]


def test_the_prm_reads_written_steps_as_positive_only_if_told(tmp_path: Path) -> None:
    folder, tokenizer = written_labels(tmp_path), make_tokenizer(256)
    labels = pl.read_parquet(folder / "labels.parquet")
    (without,) = prm_examples(labels, tokenizer, PromptFormat())
    (example,) = prm_examples(labels, tokenizer, PromptFormat(), written=read_written(folder))
    assert example.sequences[:-1] == without.sequences
    assert example.labels[-1] == (IGNORED, POSITIVE, POSITIVE)
    row, classes = example.row()
    # The alternative that it follows is the same token, and keeps the rating that it got.
    ends = example.sequences[-1].ends
    place = row.paths[len(example.sequences) - 1]
    assert [int(classes[place[end]]) for end in ends] == [POSITIVE] * 3


@pytest.mark.parametrize(
    ("solved", "last", "learned"), [(False, "answer 14", 1), (True, "answer 14", 0), (False, "answer 20", 0)]
)
def test_a_policy_learns_right_written_solutions_of_problems_that_no_sample_solved(
    tmp_path: Path, solved: bool, last: str, learned: int
) -> None:
    selection = load(tmp_path)
    submit(tmp_path, selection, rated(selection, WRONG, WrittenSteps(0, None, (*REST[:2], last))))
    solutions = tmp_path / "solutions"
    solutions.mkdir()
    rows = {"problem_id": ["2+3*4", "2+3*4", "6-2"], "correct": [False, solved, True]}
    pl.DataFrame(rows).write_parquet(solutions / "solutions.parquet")
    inputs = {"labels_03": labels_of(tmp_path)[0], "solutions_03": solutions, "train": tmp_path / "train"}
    table = written_solutions(inputs, PromptFormat())
    assert table.columns == ["problem_id", "question", "steps", "source"] and table.height == learned


def test_one_may_write_first_where_the_policy_solved_nothing_and_once_a_problem() -> None:
    chosen = pl.DataFrame(
        {"solution_id": list("abcdef"), "problem_id": list("xxyyzz"), "correct": [False] * 5 + [True]}
    )
    written = with_writing(chosen, ["x"], "step", 3)
    assert dict(written.select("solution_id", "writing").iter_rows()) == {
        "a": None, "b": None, "c": "step", "d": "step", "e": "step", "f": None,
    }  # fmt: skip
    assert with_writing(chosen, ["x"], "step", 9)["writing"].count() == 5


def test_a_written_step_is_traced_to_its_line_and_labeller(tmp_path: Path) -> None:
    selection = load(tmp_path)
    submit(tmp_path, selection, rated(selection, WRONG, WrittenSteps(0, None, REST)))
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    name, selected, train = f"{ROUND}/label_batches", f"{ROUND}/selection", "problems/train"
    batches = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human", min_rated_share=0.0)
    made = Artifact(selected, copying(tmp_path / "selection"), StageConfig(), {}, "made up", "test")
    from_batches = {"selection": selected, "batches": name}
    for artifact in (
        made,
        replace(made, key=train, compute=copying(tmp_path / "train")),
        replace(
            made, key=name, compute=label_batches(Inbox(tmp_path / "inbox")), config=batches,
            inputs={"selection": selected, "train": train},
        ),
        replace(made, key=f"{ROUND}/labels", compute=make_labels, config=DENSE_LABELS, inputs=from_batches),
    ):  # fmt: skip
        materialize(artifact, store, profile="nano", open_engine=lambda path: None, threads=1)  # type: ignore[arg-type, return-value]
    traced = trace(store, f"{ROUND}/labels", lines=True)
    (row,) = traced.counts.to_dicts()
    assert (row["labeler"], row["ratings"], row["labels"], row["written"]) == ("ann", 3, 6, 3)
    assert traced.lines is not None
    lines = traced.lines.filter(pl.col("completion").is_null()).select("step", "text", "rating", "line")
    assert lines.rows() == [(step, text, None, 1) for step, text in enumerate(REST)]


def copying(folder: Path) -> Compute:
    def copy(task: Task, config: StageConfig) -> Outcome:
        shutil.copytree(folder, task.out, dirs_exist_ok=True)
        return Outcome()

    return copy
