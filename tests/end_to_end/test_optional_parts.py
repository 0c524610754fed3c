"""The optional parts of the mini graph, through the command line, and the bytes of everything that it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import same_bytes
from tests.end_to_end.mini_home import copied, o1, o1_json


@pytest.fixture(scope="module")
def home(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini graph's home, which the tests go on with one after another."""
    return copied(mini_home, tmp_path_factory.mktemp("optional_parts") / "o1")


def computed_with(home: Path, part: str, timeout: float = 280) -> int:
    """Makes an optional part; how many artifacts were computed."""
    done = o1(home, "run", "--with", part, "--json", timeout=timeout)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(json.loads(done.stdout)["computed"])


def test_an_optional_part_is_made_when_it_is_asked_for(home: Path) -> None:
    assert computed_with(home, "thinking") == 5
    assert o1_json(home, "run")["computed"] == 0
    unknown = o1(home, "run", "--with", "thinkin")
    assert unknown.returncode == 1 and "'thinkin' is no optional part" in unknown.stderr


def test_o1_mini_is_made_asked_and_exported(home: Path) -> None:
    # Its problems out of distribution are of the ablations, as far as it needs them.
    assert computed_with(home, "mini") == 10
    figures = o1_json(home, "report")["ablations"]
    assert {"mini_accuracy_share", "mini.on_policy_minus_rl", "mini_seconds_share_1"} <= set(figures)
    assert all(figures[name]["target"] for name in ("mini_accuracy_share", "mini_seconds_share_64"))
    asked = o1_json(home, "ask", "--model", "mini/model", "--strategy", "chain", "What is 3 * 4 - 5?")
    assert list(asked["models"]) == ["mini/model"]
    exported = o1_json(home, "export", "mini/model", str(home / "o1-mini"))
    assert "model.safetensors" in exported["files"] and "choice.parquet" not in exported["files"]
    assert "mini_accuracy_share" in (home / "o1-mini" / "README.md").read_text()


def test_the_circle_is_made_and_stands_in_the_report(home: Path) -> None:
    assert computed_with(home, "circle") == 12
    report = o1_json(home, "report")
    figures = report["ablations"]
    assert "Accuracy without the words" in Path(report["report"]).read_text()
    assert figures["circle_direct_to_chain"]["target"] == 3 and "circle_minus_unverified" in figures


EXPERIMENTS = {
    "two_curves", "thinking", "versions", "kinds", "verifiers", "rounds", "rl", "chains", "active", "scale",
    "search_in_rl", "grpo",
}  # fmt: skip


SEARCH_IN_RL = ("some_groups", "every_group", "expert_sampled", "expert")
CLAIMS = {
    "prm_minus_orm@2", "prm_minus_majority@2_ood", "active_slope_ratio", "fooled_rate_ratio",
    "pass@1_error_ratio", "test_time_r2", "rounds_minus_fixed_selector_pass@1", "feature_gain_largest",
    "rl.process_bare_gap_growth", "chains.rl_minus_written",
}  # fmt: skip


@pytest.mark.timeout(900)
def test_ablations_are_another_optional_part_and_stand_in_the_report(home: Path) -> None:
    assert computed_with(home, "ablations", timeout=800)
    report = o1_json(home, "report")
    figures = report["ablations"]
    searches = [name for name in figures if name.startswith("search_in_rl.")]
    assert searches == [f"search_in_rl.{arm}" for arm in SEARCH_IN_RL]
    assert set(figures) >= CLAIMS
    assert all(set(figure) == {"value", "error", "target", "better"} for figure in figures.values())
    assert "Tree search in RL" in Path(report["report"]).read_text()


def test_every_experiment_that_was_made_has_its_page_of_results(home: Path) -> None:
    written = o1_json(home, "results", str(home / "docs"))
    parts = {"loop", "mini", "circle"}
    assert set(written["finished"]) == EXPERIMENTS | parts
    assert not written["stale"] and not written["missing"]
    assert "(`test_time_r2`)" in Path(written["page"]).read_text()
    assert computed_with(home, "ablations") == 0


def test_no_change_of_the_code_changed_a_result(home: Path) -> None:
    """After the tests above `home` holds the loop, thinking and the experiments."""
    if same_bytes.circumstances() != same_bytes.recorded()[0]:
        pytest.skip(f"the bytes were recorded with {same_bytes.recorded()[0]}")
    assert same_bytes.different(home) == []
