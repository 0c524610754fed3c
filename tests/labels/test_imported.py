"""PRM800K's published files as a label source: which path was labelled, what counts, and what is left out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome, Waiting
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.imported.importer import import_labels
from o1_assets.labels.imported.source import ImportedConfig, ImportedRound, imported_selection
from o1_assets.labels.inbox.batch import DamagedBatch
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import label_batches
from o1_assets.labels.label_table import make_labels
from tests.labels import world

REAL = Path(__file__).parents[2] / "../shared/data/prm800k"


def completion(text: str, rating: int | None, flagged: bool | None = False) -> dict[str, Any]:
    return {"text": text, "rating": rating, "flagged": flagged}


def step(*completions: dict[str, Any], chosen: int | None = 0, written: str | None = None) -> dict[str, Any]:
    human = {"text": written, "rating": None, "source": "human", "flagged": False, "corrected_rating": None}
    return {
        "completions": list(completions) or None,
        "human_completion": None if written is None else human,
        "chosen_completion": chosen,
    }


def record(*steps: dict[str, Any], finish: str = "solution", **changes: Any) -> dict[str, Any]:
    question: dict[str, Any] = {"problem": "What is 3 * 4 - 5?", "ground_truth_answer": "7"}
    question |= changes.pop("question", {})
    return {
        "labeler": "ann", "timestamp": "2022-07-30T23:23:32.118856", "generation": None,
        "is_quality_control_question": False, "is_initial_screening_question": False, "question": question,
        "label": {"steps": list(steps), "total_time": 1000, "finish_reason": finish}, **changes,
    }  # fmt: skip


WRITTEN = record(
    step(completion("a", 1), completion("a2", -1)),
    step(completion("b1", -1), completion("b2", -1), chosen=None, written="mine"),
    step(completion("c1", 0), completion("c2", 1), completion("c3", None), chosen=1),
    step(completion("d", 1)),
)


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """Imports files of records; returns the report and a function from a round to its labels and figures."""

    def run(held_out: tuple[str, ...] = (), **files: list[dict[str, Any] | str]) -> Any:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        for name, records in files.items():
            lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        report = import_labels(folder, tmp_path / "imported")
        test = tmp_path / "test"
        test.mkdir(exist_ok=True)
        pl.DataFrame({"problem_id": list(held_out)}, schema={"problem_id": pl.String}).write_parquet(
            test / "problems.parquet"
        )

        def labels(round_name: str) -> tuple[pl.DataFrame, Outcome]:
            source = ImportedRound(tmp_path / "imported", "prm800k", round_name)
            out = tmp_path / report.version / round_name
            config = ImportedConfig(source="prm800k", round=round_name)
            imported_selection(source)(world.task({"test": test}, out / "selection"), config)
            inputs = {"selection": out / "selection", "train": test}
            batches = LabelBatchesConfig(
                round=round_name, protocol="dense", annotator="oracle", source="prm800k"
            )
            label_batches(Inbox(tmp_path / "inbox"), source)(world.task(inputs, out / "batches"), batches)
            task = world.task({"selection": out / "selection", "batches": out / "batches"}, out / "labels")
            outcome = make_labels(task, LabelsConfig(round=round_name, protocol="dense"))
            return pl.read_parquet(out / "labels" / "labels.parquet"), outcome

        return report, labels

    return run


def rows(labels: pl.DataFrame) -> list[tuple[Any, ...]]:
    return labels.select("step", "completion", "text", "rating").rows()


def test_the_labelled_path_is_the_chosen_one_and_a_written_step_is_on_it_without_a_rating(
    imported: Any,
) -> None:
    _, labels = imported(phase1_train=[WRITTEN])
    table, outcome = labels("r00")
    assert rows(table) == [
        (0, 0, "a", 1), (0, 1, "a2", -1),
        (1, 0, "mine", None), (1, 1, "b1", -1), (1, 2, "b2", -1),
        (2, 0, "c2", 1), (2, 1, "c1", 0),
        (3, 0, "d", 1),
    ]  # fmt: skip
    assert outcome.figures["dropped_null_ratings"] == 1
    assert set(table["question"]) == {"What is 3 * 4 - 5?"} and set(table["labeler"]) == {"ann"}


def test_no_sequence_that_the_prm_is_trained_on_leads_through_an_alternative(imported: Any) -> None:
    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.reward.dataset import IGNORED, prm_examples

    tokenizer = make_tokenizer(256)
    _, labels = imported(phase1_train=[WRITTEN])
    (example,) = prm_examples(labels("r00")[0], tokenizer, PromptFormat())
    own, *others = example.sequences
    text = [tokenizer.decode(list(one.tokens[one.prompt_length :])).split("\n") for one in (own, *others)]
    lengths = [len(steps) - 1 for steps in text]
    assert lengths == [4, 1, 2, 2, 3]
    assert example.labels == (
        (2, IGNORED, 2, 2), (0,), (IGNORED, 0), (IGNORED, 0), (IGNORED, IGNORED, 1),
    )  # fmt: skip
    for sequence, length in zip(others, lengths[1:], strict=True):
        start = own.ends[length - 2] + 1 if length > 1 else own.prompt_length
        assert sequence.tokens[:start] == own.tokens[:start]


def test_generations_are_rounds_and_labellers_of_one_solution_who_stop_at_different_steps_meet(
    imported: Any,
) -> None:
    question = {
        "pre_generated_steps": ["a", "b", "c"], "pre_generated_answer": "8", "pre_generated_verifier_score": 0.5,
    }  # fmt: skip
    early = record(
        step(completion("a", 1)),
        step(completion("b", -1), completion("x", 1), chosen=None),
        finish="found_error", generation=0, question=question,
    )  # fmt: skip
    late = [
        record(
            step(completion("a", 1)), step(completion("b", 0)), step(completion("c", -1), chosen=None),
            finish="found_error", generation=0, question=question, labeler=name,
        )
        for name in ("bob", "cid")
    ]  # fmt: skip
    ninth = record(step(completion("a", 1)), generation=9, question=question)
    report, labels = imported(phase2_train=[early, *late, ninth])
    assert {name: counts["solutions"] for name, counts in report.rounds.items()} == {"r01": 1, "r10": 1}
    table, _ = labels("r01")
    assert rows(table) == [(0, 0, "a", 1), (1, 0, "b", 0), (1, 1, "x", 1), (2, 0, "c", -1)]


def test_what_the_paper_treats_apart_is_treated_apart_and_counted(imported: Any) -> None:
    one = step(completion("a", 1), completion("f", 1, flagged=True))
    records = [
        record(one),
        record(one, is_quality_control_question=True, question={"problem": "gold"}),
        record(one, is_initial_screening_question=True, generation=-1, question={"problem": "screen"}),
        record(step(completion("z", 1)), finish="give_up", question={"problem": "hard"}),
        record(finish="bad_problem", question={"problem": "broken"}),
        record(step(completion("a", -1), chosen=None), step(completion("b", 1)), question={"problem": "odd"}),
    ]
    report, labels = imported(phase1_train=records)
    counts = report.rounds["r00"]
    assert counts["records"] == 5 and counts["solutions"] == 4 and counts["flagged_ratings"] == 2
    assert counts["quality_control_records"] == 1 and report.rounds["r01"]["screening_records"] == 1
    assert counts["give_up_records"] == 1 and counts["bad_problem_records"] == 1
    assert counts["unreachable_ratings"] == 1
    table, outcome = labels("r00")
    assert set(table["question"]) == {"What is 3 * 4 - 5?", "odd"}
    dropped = {k: v for k, v in outcome.figures.items() if k.startswith("dropped_")}
    assert dropped == {
        "dropped_quality_control_records": 1, "dropped_give_up_records": 1, "dropped_bad_problem_records": 1,
        "dropped_flagged_ratings": 1,
    }  # fmt: skip
    screening, _ = labels("r01")
    assert screening.height == 0


def test_quality_control_and_screening_are_rating_events_all_the_same(imported: Any, tmp_path: Path) -> None:
    one = step(completion("a", 1))
    gold = record(one, generation=3, is_quality_control_question=True)
    imported(phase2_train=[gold, record(one, generation=-1), record(one, generation=3, labeler="bob")])
    flags = {}
    for round_name in ("r01", "r04"):
        inbox = ImportedRound(tmp_path / "imported", "prm800k", round_name).inbox()
        (digest,) = inbox.accepted(round_name)
        events, _ = inbox.tables(round_name, digest)
        flags[round_name] = events.select("labeler", "rating", "quality_control", "screening").rows()
    assert flags == {
        "r01": [("ann", 1, False, True)],
        "r04": [("ann", 1, True, False), ("bob", 1, False, False)],
    }


def test_problems_that_are_held_out_here_bring_no_labels(imported: Any) -> None:
    from o1_assets.problems.canonical import canonical, problem_id

    other = record(step(completion("a", 1)), question={"problem": "What is 1 + 1?"})
    held_out = problem_id(canonical("Compute 1+1"))
    _, labels = imported(held_out=(held_out,), phase1_train=[record(step(completion("a", 1))), other])
    table, outcome = labels("r00")
    assert set(table["question"]) == {"What is 3 * 4 - 5?"}
    assert outcome.figures["dropped_unknown_solution_records"] == 1


def test_lines_that_cannot_be_used_are_named_and_the_others_are_taken(imported: Any) -> None:
    good = record(step(completion("a", 1)))
    report, labels = imported(
        phase1_test=["{", json.dumps(good)],
        phase1_train=[
            record(step(completion("a", 1), chosen=3)),
            record(step(completion("a", 2))),
            record(step(completion("a", 1)), generation=-4),
            record(step(completion("a", 1)), labeler=None),
        ],
    )
    assert [(v.file, v.line, v.step, v.rule) for v in report.violations] == [
        ("phase1_test.jsonl", 1, None, "not_json"),
        ("phase1_train.jsonl", 1, 0, "no_such_completion"),
        ("phase1_train.jsonl", 2, 0, "wrong_rating"),
        ("phase1_train.jsonl", 3, None, "wrong_generation"),
        ("phase1_train.jsonl", 4, None, "not_rated"),
    ]
    assert rows(labels("r00")[0]) == [(0, 0, "a", 1)]


def test_the_same_files_give_the_same_version_and_another_file_another(imported: Any, tmp_path: Path) -> None:
    first, _ = imported(phase1_train=[WRITTEN])
    again, _ = imported(phase1_train=[WRITTEN])
    more, _ = imported(phase1_test=[record(step(completion("a", 1)), labeler="bob")])
    assert first.version == again.version != more.version
    assert ImportedRound(tmp_path / "imported", "prm800k", "r00").version() == more.version
    assert not list((tmp_path / "imported" / "prm800k").glob(".staging-*"))


def test_a_source_that_was_not_imported_or_holds_nothing_for_a_round_waits_and_says_what_to_do(
    imported: Any, tmp_path: Path
) -> None:
    with pytest.raises(Waiting, match=r"not imported yet.*o1 labels import FOLDER --name prm800k"):
        ImportedRound(tmp_path / "imported", "prm800k", "r00").selection()
    imported(phase1_train=[WRITTEN])
    with pytest.raises(Waiting, match="holds nothing for it"):
        ImportedRound(tmp_path / "imported", "prm800k", "r05").selection()


def test_a_folder_without_records_is_refused_and_leaves_nothing(imported: Any, tmp_path: Path) -> None:
    for files, message in (
        ({}, "holds no .jsonl, .json, .parquet file"),
        (
            {"math_splits": ['{"problem": "x"}']},
            "in no format that is known: it holds objects with the fields problem",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            imported(**files)
    assert not list((tmp_path / "imported").glob("*/*"))


def test_imported_columns_that_were_changed_are_not_used(imported: Any, tmp_path: Path) -> None:
    _, labels = imported(phase1_train=[WRITTEN])
    (file,) = (tmp_path / "imported").rglob("ratings.parquet")
    pl.read_parquet(file).with_columns(rating=pl.lit(1, pl.Int8)).write_parquet(file)
    with pytest.raises(ValueError, match="import it again"):
        labels("r00")


@pytest.mark.skipif(not REAL.exists(), reason="real PRM800K records are not in ../shared/data/prm800k")
def test_real_records_are_imported(tmp_path: Path) -> None:
    report = import_labels(REAL, tmp_path)
    assert {name: counts["ratings"] for name, counts in report.rounds.items()} == {"r00": 25, "r07": 10}
    assert not report.violations


@pytest.mark.parametrize("name", ["manifest.json", "ratings.parquet", "batch.jsonl"])
def test_a_damaged_import_is_refused_and_importing_again_mends_it(
    imported: Any, tmp_path: Path, name: str
) -> None:
    report, labels = imported(phase1_train=[WRITTEN])
    (file,) = (tmp_path / "imported" / "prm800k" / report.version).glob(f"r00/accepted/*/{name}")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(DamagedBatch, match="import it again, as 'prm800k'"):
        labels("r00")
    shutil.rmtree(tmp_path / report.version)
    again, labels = imported(phase1_train=[WRITTEN])
    assert again.version == report.version and labels("r00")[0].height


def test_a_published_written_step_is_a_path_of_written_steps_too(imported: Any, tmp_path: Path) -> None:
    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.reward.dataset import prm_examples

    _, labels = imported(phase1_train=[WRITTEN])
    table, outcome = labels("r00")
    (written,) = (pl.read_parquet(file) for file in tmp_path.rglob("written.parquet"))
    (path,) = written.to_dicts()
    assert path["steps"] == ["a", "mine", "c2", "d"] and path["written"] == [False, True, False, False]
    assert path["whole"] and (path["labeler"], path["line"]) == ("ann", 1)
    assert (outcome.figures["labels"], outcome.figures["written_steps"]) == (7, 1)
    (example,) = prm_examples(table, make_tokenizer(256), PromptFormat(), written=written)
    row, classes = example.row()
    # The labelled path is in the tree once, and its written step now counts as positive.
    assert [int(classes[row.paths[0][end]]) for end in example.sequences[0].ends] == [2, 2, 2, 2]


def without_choices(published: dict[str, Any]) -> dict[str, Any]:
    for each in published["label"]["steps"]:
        each["chosen_completion"] = None
    return published


def test_ratings_of_a_record_that_chooses_nothing_are_kept_along_the_path_that_can_have_been_meant(
    imported: Any,
) -> None:
    own = {"round": "r00", "solution_id": "x", "selection": "y", "protocol": "dense"}
    sampled = {"pre_generated_steps": ["a", "b"], "problem": "sampled"}
    steps = (
        step(completion("a", 1), completion("a2", 1)),
        step(completion("b", 0), completion("b2", -1)),
        step(completion("c", -1), completion("c2", 1)),
        step(completion("d", 1)),
    )
    only = (step(completion("x", -1), completion("a", 1)), step(completion("b", 0)), step(completion("c", 1)))
    report, labels = imported(
        phase1_train=[
            without_choices(record(*steps, o1=own, finish="found_error")),
            without_choices(record(*steps[:2], generation=0, question=sampled)),
            without_choices(record(*only, question={"problem": "only"})),
        ]
    )
    assert report.rounds["r00"]["unreachable_ratings"] == 1, "what stands after the first wrong step"
    assert "steps_after_no_choice" not in report.rounds["r00"]
    table, _ = labels("r00")
    assert rows(table.filter(pl.col("question") != "only")) == [
        (0, 0, "a", 1), (0, 1, "a2", 1), (1, 0, "b", 0), (1, 1, "b2", -1), (2, 0, "c", -1), (2, 1, "c2", 1),
    ]  # fmt: skip
    assert rows(table.filter(pl.col("question") == "only")) == [
        (0, 0, "a", 1), (0, 1, "x", -1), (1, 0, "b", 0), (2, 0, "c", 1),
    ]  # fmt: skip
    assert rows(labels("r01")[0]) == [(0, 0, "a", 1), (0, 1, "a2", 1), (1, 0, "b", 0), (1, 1, "b2", -1)]


def test_where_it_is_unclear_what_the_next_step_goes_on_from_the_steps_left_out_are_counted(
    imported: Any,
) -> None:
    from o1_assets.cli.label_sources import import_lines

    first = step(completion("a", 1), completion("a2", 1))
    later = (step(completion("b", 1)), step(completion("c", 1)))
    report, labels = imported(phase1_train=[without_choices(record(first, *later))])
    assert rows(labels("r00")[0]) == [(0, 0, "a", 1), (0, 1, "a2", 1)]
    assert report.rounds["r00"]["steps_after_no_choice"] == 2
    told = "\n".join(import_lines({**report.to_json(), "use": ""}))
    assert (
        "2 steps of r00 are left out: chosen_completion is null" in told and "import the file again" in told
    )


def test_what_the_labeller_of_the_documentation_rates_is_imported_whole(
    imported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "your-own.md").read_text()
    (code,) = re.findall(r"```python\n(# rate\.py.*?)```", page, re.DOTALL)
    blank = world.unrated(world.load(tmp_path))
    monkeypatch.chdir(tmp_path)
    world.write(tmp_path / "to_rate.jsonl", list(blank.values()))
    answers = iter([1, -1, 1, -1, 0, 1, *(1, 1, -1, -1, 1), *(-1, 1, -1)])
    monkeypatch.setattr("builtins.input", lambda prompt: str(next(answers)))
    exec(compile(code, "rate.py", "exec"), {})
    lines = (tmp_path / "rated.jsonl").read_text().splitlines()
    report, _ = imported(phase1_train=lines)
    assert next(answers, None) is None
    assert sum(counts["ratings"] for counts in report.rounds.values()) == 14
    assert [json.loads(lines[0])["label"]["steps"][i]["chosen_completion"] for i in range(3)] == [0, 0, 0]
