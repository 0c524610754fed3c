import json
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.prm_tree_tokens_ratio import distinct_prefixes
from benchmarks.registry import FILES, Benchmark, Figure, by_name, load_comparison
from benchmarks.rivals import import_rivals


def test_every_benchmark_has_a_name_of_its_own_and_is_of_one_of_both_kinds():
    assert len(by_name()) == len(FILES)
    for name, file in by_name().items():
        comparison = load_comparison(file)
        module = __import__(f"benchmarks.{file}", fromlist=["*"])
        assert comparison is not None or all(hasattr(module, part) for part in Benchmark.__annotations__), (
            name
        )


def test_without_a_finished_run_one_sentence_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit, match="not measured: search_token_saving"):
        command.main(["--home", str(tmp_path), "search_token_saving"])
    said = capfd.readouterr().err
    assert "o1 run --with thinking" in said
    assert "Traceback" not in said


def test_without_the_other_libraries_one_sentence_says_what_to_do(tmp_path: Path):
    with pytest.raises(SystemExit, match="make rivals"):
        import_rivals(tmp_path)


def test_a_figure_becomes_a_row_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(command, "by_name", lambda: {"speed": "file"})
    monkeypatch.setattr(command, "load", lambda file: object())
    monkeypatch.setattr(command, "load_comparison", lambda file: object())
    figures = {"speed": vars(Figure(3.14159, 0.5, "times", "at least 3"))}

    def child(file: str, part: str, folder: str, repetition: int) -> None:
        Path(folder, ".figures").write_text(json.dumps(figures))

    monkeypatch.setattr(command, "_child", child)
    command.main(["speed"])
    row = json.loads((tmp_path / "results.json").read_text())["speed"]
    assert row == {
        "value": 3.142,
        "spread": 0.5,
        "unit": "times",
        "command": "python -m benchmarks speed",
        "against": "at least 3",
    }


def test_a_prefix_that_sequences_share_counts_once():
    assert distinct_prefixes([(1, 2, 3), (1, 2, 4), (1, 2)]) == 4
    assert distinct_prefixes([(1, 2), (2, 1)]) == 4
