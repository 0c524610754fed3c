import json
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.peers_page import PEERS
from benchmarks.prm_tree_tokens_ratio import distinct_prefixes
from benchmarks.registry import FILES, Benchmark, Figure, by_name, load_comparison
from benchmarks.rivals import import_rivals
from benchmarks.scale_page import exponent, page
from o1_assets.core.settings import PROJECT


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
    monkeypatch.setattr(command, "DOCS", tmp_path)
    monkeypatch.setattr(command, "by_name", lambda: {"speed": "file"})
    monkeypatch.setattr(command, "load", lambda file: object())
    monkeypatch.setattr(command, "load_comparison", lambda file: object())
    figures = {
        "speed": vars(Figure(3.14159, 0.5, "times", "at least 3")),
        "sampler_vs_vllm": vars(Figure(5.0, 0.5, "times", "at least 4", "9 tokens/s", "vLLM: 2 tokens/s")),
    }

    def child(file: str, part: str, folder: str, repetition: int) -> None:
        Path(folder, ".figures").write_text(json.dumps(figures))

    monkeypatch.setattr(command, "_child", child)
    command.main(["speed"])
    rows = json.loads((tmp_path / "results.json").read_text())
    assert rows["sampler_vs_vllm"]["ours"] == "9 tokens/s"
    page_of_peers = (tmp_path / "peers.md").read_text()
    assert (
        "| 9 tokens/s | vLLM: 2 tokens/s | 5.00 ± 0.50 | at least 4: met | `make bench NAME=sampler_vs_vllm` |"
        in page_of_peers
    )
    assert "| – | – | not measured | – | `make bench NAME=sft_vs_trl` |" in page_of_peers
    assert rows["speed"] == {
        "value": 3.142,
        "spread": 0.5,
        "unit": "times",
        "command": "python -m benchmarks speed",
        "against": "at least 3",
    }


def test_the_pages_are_what_the_recorded_results_say():
    recorded = json.loads(command.RESULTS.read_text())
    for name, write in command.PAGES.items():
        assert (PROJECT / "docs" / name).read_text() == write(recorded), f"docs/{name} was changed by hand"


def test_every_peer_is_measured_by_a_benchmark_that_there_is():
    assert {peer.benchmark for peer in PEERS} <= by_name().keys()
    assert len({peer.result for peer in PEERS}) == len(PEERS)


def test_the_page_of_growth_tells_n_from_n_squared():
    def row(value: float, against: str = "") -> dict[str, object]:
        return {"value": value, "against": against}

    text = page(
        {
            "growth: rounds, 10: status": row(0.5, "at most 2 s"),
            "growth: rounds, 100: status": row(5.0, "at most 2 s"),
            "growth: rounds, 10: graph": row(0.1),
            "growth: rounds, 100: graph": row(10.0),
            "selection_10m_seconds": row(31.5, "at most 60 s"),
            "sampler_vs_generate": row(2.5),
        }
    )
    assert "| rounds | 10 | 100 | exponent | limit |" in text
    assert "| status | 0.500 | 5.000 | 1.00 | at most 2 s |" in text
    assert "| graph | 0.100 | 10.000 | 2.00 | – |" in text
    assert "NAME=selection_10m_seconds` | 31.50 | at most 60 s |" in text and "sampler" not in text
    assert exponent({10: 1.0}) == exponent({10: 0.0, 100: 0.0}) == "–"


def test_a_prefix_that_sequences_share_counts_once():
    assert distinct_prefixes([(1, 2, 3), (1, 2, 4), (1, 2)]) == 4
    assert distinct_prefixes([(1, 2), (2, 1)]) == 4
