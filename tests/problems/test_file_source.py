"""Problems of a file, good and bad: a bad row is left out and named, a bad file is refused with its remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow
import pyarrow.parquet
import pytest

from o1_assets.problems.config import FileSource, ProblemsConfig
from o1_assets.problems.file_source import FileProblems
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.sources import external_version
from o1_assets.problems.split import make_train, take
from tests.problems.conftest import Make

GOOD = b'{"question": "How many legs have two cats?", "answer": "8"}'


def row(question: object = "What is 2 + 2?", answer: object = "4", **more: object) -> bytes:
    return json.dumps({"question": question, "answer": answer, **more}).encode()


def read(file: Path) -> tuple[list[RawProblem], list[LeftOut]]:
    items = list(FileProblems(file).problems(0))
    problems = [item for item in items if isinstance(item, RawProblem)]
    return problems, [item for item in items if isinstance(item, LeftOut)]


Written = Callable[[str, bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_a_file_of_problems_is_read_whichever_its_format(
    make: Make, tmp_path: Path, written: Written
) -> None:
    rows = [
        {"question": f"How much is {i} apples and {i}?", "answer": 2 * i, "author": "me"} for i in range(50)
    ]
    jsonl = FileSource(path=str(written("p.jsonl", b"\n".join(json.dumps(r).encode() for r in rows))))
    pl.DataFrame(rows).write_parquet(tmp_path / "p.parquet")
    config = ProblemsConfig(source=jsonl, train=20, test=3)
    first = make(make_train, config)[1]
    parquet = FileSource(path=str(tmp_path / "p.parquet"))
    other = make(make_train, config.model_copy(update={"source": parquet}))[1]
    assert first.equals(other)
    assert json.loads(first["metadata"][0]) == {"author": "me"}
    before = external_version(jsonl)
    written("p.jsonl", row())
    assert external_version(jsonl) != before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON .*write one JSON object a line"),
        (b"[1]", "not an object but a list; write one object a line"),
        (b'{"question": "\xff"}', "not UTF-8; write the file in UTF-8"),
        (b"[" * 100_000, "not JSON .nested too deeply"),
        (row(x=eval("[" * 60 + "]" * 60)), "nested too deeply; use at most 50 levels"),
        (b'{"question": "q", "answer": 1, "answer": 2}', "the key 'answer' stands twice"),
        (b'{"question": "q", "target": 3}', "there is no 'answer' .there is question, target.; add it"),
        (row(answer=None), "'answer' is null; fill it in or remove the row"),
        (row(question=""), "'question' is empty; fill it in"),
        (row(question="\u200b \u3000"), "'question' is empty"),
        (row(question=5), "'question' is a number; write it as text"),
        (row(answer=["4"]), "'answer' is a list; write it as text"),
        (row(answer=True), "'answer' is true or false"),
        (row(answer=float("nan")), "'answer' is not a finite number"),
        (row(answer=float("-inf")), "'answer' is not a finite number"),
        (b'{"question": "q", "answer": 1e999}', "'answer' is a number of more than 100 digits; write it as text"),
        (b'{"question": "q", "answer": 1e99999999999999999999}', "too large an exponent"),
        (b'{"question": "q", "answer": ' + b"9" * 5_000 + b"}", "not JSON .*4300 digits"),
        (row(question="\ud800 pears"), "'question' holds half of a surrogate pair"),
        (row(answer="\udc00"), "'answer' holds half of a surrogate pair"),
        (row(question="nul \0"), r"'question' holds a control character .U\+0000"),
        (row(answer="\frac{1}{2}"), r"'answer' holds a control character .U\+000C.*two backslashes"),
        (row(answer="\u202e12"), r"'answer' holds a control character .U\+202E"),
        (row(question="long " * 30_000), "'question' is longer than 100,000 characters"),
        (row(difficulty="hard"), "'difficulty' is not an integer from 0 to 2147483647 .hard.; write one or leave"),
        (row(difficulty="3"), "'difficulty' is not an integer"),
        (row(difficulty=2.5), "'difficulty' is not an integer"),
        (row(difficulty=-1), "'difficulty' is not an integer"),
        (row(difficulty=2**31), "'difficulty' is not an integer"),
        (row(difficulty=10**30), "'difficulty' is not an integer"),
        (row(difficulty=False), "'difficulty' is not an integer"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_bad_row_is_left_out_with_its_line_and_remedy_and_the_others_go_on(
    written: Written, line: bytes, message: str
) -> None:
    file = written("p.jsonl", b"\n".join([GOOD, b"", line, row()]))
    problems, (left_out,) = read(file)
    assert {problem.answer for problem in problems} == {"8", "4"}
    with pytest.raises(ProblemError, match=rf"p\.jsonl, line 3: .*{message}"):
        raise left_out
    str(left_out).encode()  # it is written to a terminal and a file


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("1e20", "100000000000000000000"),
        ("2.0107e-06", "0.0000020107"),
        ("-0.0", "0"),
        ("51.0", "51"),
        ("2.50", "2.50"),
        ("3.14159265358979323846", "3.14159265358979323846"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0e99999", "0"),
    ],
)
def test_a_number_is_the_answer_that_it_stands_for(written: Written, number: str, answer: str) -> None:
    line = b'{"question": "q", "answer": %s}' % number.encode()
    ((problem,), _) = read(written("p.jsonl", line))
    assert problem.answer == answer


@pytest.mark.parametrize("answer", ["3,5", "0,25", "0,125", "-12,3456", "3,5 km", "$3,5", "3,5 €"])
def test_a_comma_that_may_be_a_decimal_s_or_a_list_s_is_named(written: Written, answer: str) -> None:
    """The grader reads two numbers, so that whoever means 3.5 would reward 5, 3 and nothing else."""
    problems, (left_out,) = read(written("p.jsonl", b"\n".join([GOOD, row(answer=answer)])))
    assert len(problems) == 1
    whole, part = re.findall(r"\d+", answer)
    assert f"line 2: a comma in its answer may be that of a decimal or of a list (answer {answer!r})" in str(
        left_out
    )
    assert f"write {whole}.{part} if it is one number, {whole}, {part} if it is two" in str(left_out)


@pytest.mark.parametrize(
    "answer", ["1,234", "12,345 km", "3, 5", "1,2,3", "(3,5)", "3.5", "$1,234", "x = 3, y = 5"]
)
def test_commas_that_say_what_they_are_cost_no_row(written: Written, answer: str) -> None:
    ((problem,), left_out) = read(written("p.jsonl", row(answer=answer)))
    assert problem.answer == answer and not left_out


def test_what_only_the_metadata_holds_costs_no_row(written: Written) -> None:
    line = b'{"question": "q", "answer": "1", "score": NaN, "m\\ud800": ["\\ud800", 1e3], "difficulty": NaN}'
    ((problem,), _) = read(written("p.jsonl", b"\xef\xbb\xbf" + line))
    assert json.dumps(problem.metadata, allow_nan=False).encode()
    assert list(problem.metadata.values()) == [None, ["\ufffd", 1000.0]]


def test_parquet_of_any_types_is_read(tmp_path: Path) -> None:
    columns = {
        "question": ["one", "two", "three", "four"],
        "answer": [2.0107e-06, 1e20, float("nan"), None],
        "difficulty": [1.0, float("nan"), 3.0, 4.0],
        "image": [b"\0\xff"] * 4,
        "": [{"a": [1]}] * 4,
    }
    days = pl.Series("day", [0, 10**7, None, 1], pl.Int32).cast(pl.Date)
    pl.DataFrame(columns).with_columns(days).write_parquet(tmp_path / "p.parquet")
    problems, left_out = read(tmp_path / "p.parquet")
    assert {(p.answer, p.difficulty) for p in problems} == {("0.0000020107", 1), ("100000000000000000000", 0)}
    assert {row.place.rpartition(", ")[2] for row in left_out} == {"row 3", "row 4"}
    assert {p.metadata["image"] for p in problems} == {"2 bytes"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("question", "text"), r"none of its 1 rows can be used: .*row 1: 'question' is a number"),
        (("question", "question"), "several columns named 'question'; rename all but one"),
        (("", ""), "several columns named ''"),
    ],
)
def test_parquet_without_the_right_columns_is_refused(
    tmp_path: Path, names: tuple[str, str], message: str
) -> None:
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array(["a"])], names=names)
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(ProblemError, match=message):
        read(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", b"question,answer", "neither .jsonl nor .parquet"),
        ("p.json", b"[]", "is not .jsonl; write one object a line"),
        ("p.parquet", b"nonsense", "could not be read as Parquet"),
        ("p.parquet", b"PAR1" + b"\0" * 40 + b"PAR1", "could not be read as Parquet"),
        ("p.jsonl", b"", "holds no problems; add some"),
        ("p.jsonl", b"{}\n{", "none of its 2 rows can be used: .*line 1: there is no 'question'"),
        ("p.jsonl", b"\x1f\x8b\x08" + bytes(20), "unpack it with gunzip"),
        ("p.jsonl.gz", b"\x1f\x8b\x08" + bytes(20), "unpack it with gunzip"),
        ("p.jsonl", b"PAR1" + bytes(20), "rename it to .parquet"),
        ("p.jsonl", GOOD.decode().encode("utf-16"), "UTF-16; write it in UTF-8"),
        ("p.jsonl", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("p.jsonl", b"[\n" + GOOD + b",\n" + row() + b"\n]", "a JSON array; write one object a line"),
        ("p.jsonl", json.dumps([json.loads(GOOD)], indent=1).encode(), "a JSON array; write one object a line"),
        ("p.jsonl", json.dumps(json.loads(GOOD), indent=1).encode(), "JSON over several lines"),
        ("p.jsonl", b"question,answer\nHow many?,4\n", "looks like CSV"),
        ("p.jsonl", None, "does not exist"),
        (".", None, "is a folder"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_remedy(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ProblemError, match=message):
        read(tmp_path / name)


def test_a_line_without_an_end_is_left_out(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("o1_assets.problems.rows.LONGEST_LINE", 2**10)
    problems, (left_out,) = read(written("p.jsonl", b"\n".join([GOOD, b"x" * 5_000, row()])))
    assert len(problems) == 2 and "line 2: the line is longer" in str(left_out)


def test_both_of_two_rows_that_contradict_each_other_are_left_out(make: Make, written: Written) -> None:
    lines = [
        row("How many pears?", "5"), row("how  many PEARS", "6"),
        row("How long?", "0.5"), row("how long", "1/2"), row("What is 10\u00b2?", "100"), row("What is 102?", "102"),
        b"{",
    ]  # fmt: skip
    file = written("p.jsonl", b"\n".join(lines))
    config = ProblemsConfig(source=FileSource(path=str(file)), train=3, test=1, test_fraction=1e-9)
    outcome, table, _ = make(make_train, config)
    assert set(table["answer"]) & {"100", "102"} == {"100", "102"} and len(table) == 3
    assert outcome.figures["left_out"] == 3 and outcome.figures["duplicates"] in (0, 1)
    assert "2 because the same question has another answer elsewhere" in str(
        outcome.figures["left_out_because"]
    )
    draw = take(FileProblems(file), config, "train", 3, seed=0)
    assert any("'5' here, '6' in" in row.detail and row.detail.endswith("line 2") for row in draw.left_out)


def test_what_was_left_out_lies_beside_the_problems(make: Make, written: Written, tmp_path: Path) -> None:
    config = ProblemsConfig(
        source=FileSource(path=str(written("p.jsonl", GOOD + b"\n\xff"))), train=1, test=1, test_fraction=1e-9
    )
    make(make_train, config)
    (line,) = [json.loads(line) for line in next(tmp_path.glob("out*/left_out.jsonl")).open()]
    assert line["place"].endswith("p.jsonl, line 2") and line["reason"] == "not UTF-8" and line["remedy"]


def test_an_answer_as_gsm8k_writes_it_is_a_solution_and_its_answer(written: Written) -> None:
    """Else the answer would be all of that text, which no solution equals."""
    given = [
        row(question="a", answer="48/2 = <<48/2=24>>24\n48+24 = 72\n#### 72"),
        row(question="b", answer="7", solution="3 + 4 = 7\n#### 7"),
        row(question="c", answer="7", solution="3 + 5 = 8\n#### 8"),
        row(question="d", answer="3 + 4\n####"),
    ]
    problems, left_out = read(written("p.jsonl", b"\n".join(given)))
    found = {p.question: (p.answer, p.metadata["solution"]) for p in problems}
    assert found == {"a": ("72", "48/2 = <<48/2=24>>24\n48+24 = 72"), "b": ("7", "3 + 4 = 7")}
    assert sorted(item.reason for item in left_out) == [
        "'answer' ends in #### without an answer after it", "its solution ends in another answer",
    ]  # fmt: skip
