"""Formats of rated solutions: recognised by content, every good item taken, every other one kept beside its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from o1_assets.cli.main import app
from o1_assets.core.artifact import Outcome
from o1_assets.core.settings import Settings
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.formats.into_round import NoLabeler
from o1_assets.labels.formats.known import FORMATS, UnknownFormat, format_of
from o1_assets.labels.imported.importer import ImportReport, import_labels
from o1_assets.labels.imported.source import ImportedConfig, ImportedRound, imported_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.labels.protocol import SPARSE
from o1_assets.labels.studio.tasks import size_of, task_data
from tests.labels import world

PROBLEM = "What is 3 * 4 - 5?"
TEXT = f"{PROBLEM} Step 1: 3*4=12. ки\nStep 2: 12-5=6. ки\nStep 3: The answer is: 6 ки"
SHEPHERD = {"input": TEXT, "label": TEXT.replace("12. ки", "12. +").replace("ки", "-"), "task": "GSM8K"}
BENCH = {
    "id": "gsm8k-0", "generator": "Qwen2-7B-Instruct", "problem": PROBLEM, "steps": ["3*4=12", "12-5=6", "6"],
    "final_answer_correct": False, "label": 1,
}  # fmt: skip
STEPWISE = {"prompt": PROBLEM, "completions": ["3*4=12", "12-5=6"], "labels": [True, False]}


def write(path: Path, items: list[Any], kind: str = "lines") -> Path:
    if kind == "parquet":
        pl.DataFrame(items).write_parquet(path)
    elif kind == "array":
        path.write_text(json.dumps(items, indent=1, ensure_ascii=False))
    else:
        lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
        path.write_text("\n".join(lines) + "\n")
    return path


def labels_of(root: Path, report: ImportReport, round_name: str = "r00") -> list[tuple[Any, ...]]:
    """(step, text, rating, labeler) of the round, by the graph's own functions."""
    source = ImportedRound(root / "imported", report.name, round_name)
    test = root / "test"
    test.mkdir(exist_ok=True)
    pl.DataFrame(schema={"problem_id": pl.String}).write_parquet(test / "problems.parquet")
    out = root / "made" / report.version
    config = ImportedConfig(source=report.name, round=round_name)
    imported_selection(source)(world.task({"test": test}, out / "selection"), config)
    batches = LabelBatchesConfig(round=round_name, protocol="dense", annotator="oracle", source=report.name)
    task = world.task({"selection": out / "selection", "train": test}, out / "batches")
    label_batches(Inbox(root / "inbox"), source)(task, batches)
    task = world.task({"selection": out / "selection", "batches": out / "batches"}, out / "labels")
    outcome: Outcome = make_labels(task, LabelsConfig(round=round_name, protocol="dense"))
    assert outcome.rows
    table = pl.read_parquet(out / "labels" / "labels.parquet")
    assert set(table["question"]) == {PROBLEM}
    return table.select("step", "text", "rating", "labeler").rows()


@pytest.mark.parametrize(
    ("name", "item", "kind", "texts"),
    [
        ("math-shepherd", SHEPHERD, "lines", ["Step 1: 3*4=12.", "Step 2: 12-5=6."]),
        ("processbench", BENCH, "array", ["3*4=12", "12-5=6"]),
        ("trl", STEPWISE, "parquet", ["3*4=12", "12-5=6"]),
    ],
)
def test_what_others_publish_becomes_labels_up_to_the_first_error(
    tmp_path: Path, name: str, item: dict[str, Any], kind: str, texts: list[str]
) -> None:
    report = import_labels(write(tmp_path / "data", [item], kind), tmp_path / "imported", round_name="r03")
    assert (report.name, report.format, list(report.rounds)) == (name, name, ["r03"])
    rated = [(0, texts[0], 1, name), (1, texts[1], -1, name)]
    assert labels_of(tmp_path, report, "r03") == rated and not report.refused


@pytest.mark.parametrize(
    ("good", "bad", "rules"),
    [
        (
            SHEPHERD,
            [
                {**SHEPHERD, "label": SHEPHERD["label"].replace("12-5=6", "12-5=7")},
                {**SHEPHERD, "label": SHEPHERD["label"].replace("12. +", "12. ?")},
                {"input": "Prove it. ки", "label": "Prove it. +"},
                {"input": "no mark"},
            ],
            ["wrong_label", "wrong_label", "no_problem", "wrong_schema"],
        ),
        (
            BENCH,
            [
                {**BENCH, "label": 3},
                {**BENCH, "steps": []},
                {**BENCH, "label": "1"},
                {**BENCH, "problem": " "},
            ],
            ["no_such_step", "no_such_step", "wrong_schema", "no_problem"],
        ),
        (
            STEPWISE,
            [
                {**STEPWISE, "labels": [True]},
                {**STEPWISE, "labels": [2, 0]},
                {**STEPWISE, "completions": [], "labels": []},
                {**STEPWISE, "ratings": [1, 5]},
            ],
            ["wrong_count", "wrong_rating", "nothing_rated", "wrong_rating"],
        ),
    ],
)
def test_a_bad_item_never_stops_the_good_ones_and_is_kept_beside_its_reason(
    tmp_path: Path, good: dict[str, Any], bad: list[dict[str, Any]], rules: list[str]
) -> None:
    file = write(tmp_path / "x.jsonl", ["not JSON", *bad, good, "{"])
    report = import_labels(file, tmp_path / "imported", "mine")
    assert report.rounds["r00"]["records"] == 1
    assert [violation.rule for violation in report.violations] == ["not_json", *rules, "not_json"]
    refused = [json.loads(line) for line in Path(report.refused_file or "").read_text().splitlines()]
    assert [(entry["line"], json.loads(entry["item"])) for entry in refused[1:-1]] == list(enumerate(bad, 2))


def test_published_defects_and_kinds_of_labels_are_read_as_they_are_meant(tmp_path: Path) -> None:
    marked = {"input": f"{PROBLEM} ки Step 1: 7 ки", "label": f"{PROBLEM} + Step 1: 7 -", "task": "MATH"}
    report = import_labels(write(tmp_path / "a", [marked]), tmp_path / "imported")
    assert labels_of(tmp_path, report) == [(0, "Step 1: 7", -1, "math-shepherd")]
    # Shares and numbers of TRL, and the ratings that `o1 labels dataset` writes beside its labels.
    for labels, ratings, read in (
        ([0.5, 0.4], None, [1, -1]),
        ([1, 0], None, [1, -1]),
        ([True, True], [0, None], [0, 1]),
    ):
        item = {**STEPWISE, "labels": labels, **({"ratings": ratings} if ratings else {})}
        report = import_labels(write(tmp_path / "b", [item]), tmp_path / "imported")
        assert [row[2] for row in labels_of(tmp_path, report)] == read
    right = {**BENCH, "label": -1, "final_answer_correct": True}
    report = import_labels(write(tmp_path / "c", [right, BENCH], "array"), tmp_path / "imported")
    table = pl.read_parquet(
        next((tmp_path / "imported").glob("processbench/*/r00/selection/solutions.parquet"))
    )
    assert table.height == 1 and report.rounds["r00"]["records"] == 2


def test_a_damaged_array_gives_what_stands_before_the_damage(tmp_path: Path) -> None:
    file = write(tmp_path / "x.json", [BENCH, {**BENCH, "problem": "other"}], "array")
    file.write_text(file.read_text()[:-30])
    report = import_labels(file, tmp_path / "imported")
    assert report.rounds["r00"]["records"] == 1
    (violation,) = report.violations
    assert violation.rule == "not_json" and "the 1 items before it are taken" in violation.message


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ('{"question": "2+2?", "answer": "4"}\n', "objects with the fields question, answer"),
        ("a,b\n1,2\n", "lines such as 'a,b'"),
        ("[1, 2]", "lines such as '1'"),
        ("[]", "nothing"),
        ("", "what cannot be read (the file holds no records)"),
        ("\x1f\x8b", "lines such as"),
    ],
)
def test_anything_else_gets_one_sentence_with_what_was_seen_and_what_is_known(
    tmp_path: Path, content: str, seen: str
) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(UnknownFormat) as error:
        format_of(tmp_path / "x.jsonl")
    assert seen in str(error.value) and "\n" not in str(error.value)
    assert all(name in str(error.value) for name in FORMATS)


def test_of_a_folder_the_files_in_another_format_are_refused_as_wholes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "data").mkdir(parents=True)
    (folder / ".cache").mkdir()
    write(folder / "data" / "train.parquet", [STEPWISE], "parquet")
    write(folder / "bench.json", [BENCH], "array")
    write(folder / "info.json", [{"splits": 1}])
    write(folder / "dataset_info.json", [{"splits": 1}])
    write(folder / ".cache" / "x.jsonl", [BENCH])
    report = import_labels(folder, tmp_path / "imported")
    assert report.format == "processbench" and report.rounds["r00"]["records"] == 1
    assert {(v.file, v.rule) for v in report.violations} == {
        ("data/train.parquet", "other_format"), ("info.json", "unknown_format"),
    }  # fmt: skip
    named = import_labels(folder / "data", tmp_path / "imported", "mine", FORMATS["trl"])
    assert named.format == "trl" and (tmp_path / "imported" / "mine" / "current.json").exists()
    with pytest.raises(ValueError, match=r"no record of .* can be used as prm800k"):
        import_labels(folder / "data", tmp_path / "imported", label_format=FORMATS["prm800k"])


def o1(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["labels", *arguments])


def test_a_rounds_own_solutions_come_back_in_any_format_and_are_found_by_their_texts(
    home: Settings, tmp_path: Path
) -> None:
    rows = [
        {
            "prompt": "Calculate 2 + 3 * 4.",
            "completions": ["2+3=5", "5*4=20", "answer 20"],
            "labels": [0, 1, 1],
        },
        {"prompt": "Calculate 3 * 4 - 5.", "completions": ["3*4=12"], "labels": [True]},
        {"prompt": "Calculate 1 + 1.", "completions": ["answer 2"], "labels": [True]},
        {"prompt": "Calculate 6 - 2."},
    ]
    file = write(tmp_path / "rated.jsonl", rows)
    error = o1("submit", str(file), "--round", world.ROUND).exception
    assert isinstance(error, NoLabeler) and "--labeler NAME" in str(error)
    result = json.loads(o1("submit", str(file), "--round", world.ROUND, "--labeler", "ann", "--json").output)
    assert (result["accepted"], result["by_rule"]) == (2, {"unknown_solution": 1, "wrong_schema": 1})
    assert [entry["line"] for entry in result["rejected"]] == [3, 4]
    events, _ = Inbox(home.inbox).tables(world.ROUND, result["digest"])
    assert events.select("solution_id", "step", "rating", "labeler").rows() == [
        ("wrong", 0, -1, "ann"), ("right", 0, 1, "ann"),
    ]  # fmt: skip
    again = json.loads(o1("submit", str(file), "--round", world.ROUND, "--labeler", "ann", "--json").output)
    assert again["known"] and again["digest"] == result["digest"]
    foreign = write(tmp_path / "x.jsonl", [{"question": "2+2?"}])
    assert (
        "it holds objects with the fields question"
        in o1("submit", str(foreign), "--round", world.ROUND).output
    )


def test_an_export_of_label_studio_is_submitted_and_imported(home: Settings, tmp_path: Path) -> None:
    records = list(world.unrated(world.load(tmp_path), SPARSE).values())
    tasks = []
    for number, record in enumerate(records):
        by_ann = {
            "id": number, "completed_by": {"id": 7, "email": "ann@example.org"}, "updated_by": 7, "lead_time": 3.5,
            "updated_at": "2026-01-01T00:00:00Z", "was_cancelled": False,
            "result": [{"from_name": "step0", "type": "choices", "value": {"choices": ["wrong.2"]}}],
        }  # fmt: skip
        data = task_data(record, size_of(records))
        tasks.append({"id": number, "data": data, "annotations": [by_ann, {**by_ann, "was_cancelled": True}]})
    tasks[0]["annotations"][0].pop("updated_by")  # older exports do not have it
    tasks[1]["annotations"] = [{"id": 5}]
    tasks.append({"id": 9, "data": {"text": "somebody's own"}, "annotations": [{}]})
    file = write(tmp_path / "project.json", tasks, "array")
    result = json.loads(o1("submit", str(file), "--round", world.ROUND, "--json").output)
    assert (result["accepted"], result["by_rule"]) == (2, {"unusable_annotation": 1, "foreign_task": 1})
    assert Inbox(home.inbox).manifest(world.ROUND, result["digest"]).labelers == ["ann@example.org"]
    report = import_labels(file, tmp_path / "imported")
    assert report.format == "label-studio" and report.rounds[world.ROUND]["records"] == 2
    assert report.rounds[world.ROUND]["ratings"] == 2 and len(report.violations) == 2


@pytest.mark.parametrize("kind", ["lines", "array", "on one line", "pretty objects", "parquet", "as named"])
def test_records_of_prm800k_come_back_in_lines_an_array_or_a_table(
    home: Settings, tmp_path: Path, kind: str
) -> None:
    blank = world.unrated(world.load(tmp_path), SPARSE)
    records = [
        world.rated(blank["right"], {(0, 0): 1, (1, 0): -1, (1, 1): 0, (1, 2): 1}, protocol=SPARSE),
        world.rated(blank["direct"], {(0, 0): -1, (0, 1): 1, (0, 2): -1}, protocol=SPARSE),
        world.rated(blank["wrong"], {(1, 0): 1}, protocol=SPARSE),
    ]
    items = [json.loads(record.to_line()) for record in records]
    file = tmp_path / "rated.data"
    if kind == "pretty objects":
        file.write_text("\n".join(json.dumps(item, indent=2) for item in items))
    elif kind == "on one line":
        file.write_text(json.dumps(items))
    else:
        write(file, items, "array" if kind == "as named" else kind)
    named = ("--format", "prm800k") if kind == "as named" else ()
    done = o1("submit", str(file), "--round", world.ROUND, *named, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert (result["accepted"], [entry["line"] for entry in result["rejected"]]) == (2, [3])
    events, _ = Inbox(home.inbox).tables(world.ROUND, result["digest"])
    rated = events.select("solution_id", "step", "completion", "rating", "labeler").rows()
    assert rated == [
        ("right", 0, 0, 1, "ann"), ("right", 1, 0, -1, "ann"), ("right", 1, 1, 0, "ann"),
        ("right", 1, 2, 1, "ann"), ("direct", 0, 0, -1, "ann"), ("direct", 0, 1, 1, "ann"),
        ("direct", 0, 2, -1, "ann"),
    ]  # fmt: skip
    again = json.loads(o1("submit", str(file), "--round", world.ROUND, *named, "--json").output)
    assert again["known"] and again["digest"] == result["digest"]


def test_what_is_damaged_in_an_array_of_records_is_named_and_what_stands_before_it_is_taken(
    home: Settings, tmp_path: Path
) -> None:
    blank = world.unrated(world.load(tmp_path), SPARSE)
    items = [
        json.loads(world.rated(blank[name], {(0, 0): -1}, protocol=SPARSE).to_line())
        for name in ("right", "direct")
    ]
    text = json.dumps([*items, items[0]], indent=2)
    file = tmp_path / "rated.json"
    file.write_text(text.replace('"labeler": "ann"', '"labeler": "ann",\n    "labeler": "bea"', 1)[:-20])
    result = json.loads(o1("submit", str(file), "--round", world.ROUND, "--json").output)
    assert result["accepted"] == 1 and result["by_rule"] == {"repeated_field": 1, "not_json": 1}
    assert [entry["line"] for entry in result["rejected"]] == [1, 3]
    assert "mend it, and send the whole file again" in result["rejected"][1]["message"]


def test_a_folder_of_records_may_be_called_what_it_is(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    blank = world.unrated(world.load(tmp_path), SPARSE)
    world.write(tmp_path / "sent" / "a.jsonl", [world.rated(blank["right"], {(0, 0): 1}, protocol=SPARSE)])
    done = o1("submit", str(tmp_path / "sent"), "--round", world.ROUND, "--format", "prm800k", "--json")
    assert json.loads(done.output)["accepted"] == 1
