"""docs/results.md and its pages: every claim as it was found, nothing left out, each figure with what it rests on."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from o1_assets.cli.report import ResultsError, write_results
from o1_assets.core.settings import Settings
from o1_assets.evaluation.headline import headline
from o1_assets.execution.project import Project
from o1_assets.experiments.document import experiment_page, page
from o1_assets.experiments.record import Finished, file_name, picture_files
from o1_assets.experiments.record import record as record_of
from o1_assets.experiments.result import Claim, claim_value, column, is_result, read_result
from o1_assets.report import render
from o1_assets.report.experiments import Ablation
from o1_assets.store.manifest import Environment, Manifest, ManifestCost, ManifestInput
from o1_assets.store.store import ArtifactStore
from tests.evaluation.made_up import report
from tests.experiments.made_up import PIXEL, write


def record(
    store: ArtifactStore, key: str, folder: Path, inputs: dict[str, Manifest], seconds: float = 60.0
) -> Manifest:
    """One version of `key`, as a run would record it. The store takes what it is given, so this is a copy."""
    given = folder.with_name(f"{folder.name} given")
    shutil.copytree(folder, given)
    named = {
        name: ManifestInput(key=one.key, digest=one.digest, version=one.version)
        for name, one in inputs.items()
    }
    return store.record(
        Manifest(
            key=key, digest=store.put(given), cache_key=key.replace("/", "_"), inputs=named, external=None,
            code_version="0" * 16, config={}, seed=17, profile="nano", finished="2026-01-01T00:00:00+00:00",
            cost=ManifestCost(
                seconds=seconds, peak_rss_gib=1, flops=1, tokens_generated=0, tokens_scored=0, tokens_trained=0
            ),
            figures={}, rows=None, sample=[],
            environment=Environment(
                git_commit="abcdef0123456789", git_dirty=False, python="3.11", libraries={},
                hardware="a small machine", threads=2,
            ),
        )
    )  # fmt: skip


def holding(folder: Path) -> Path:
    """A folder with something in it."""
    folder.mkdir()
    (folder / "file").write_text(folder.name)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load("nano", tmp_path / "home")


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.store, settings.work)


@pytest.fixture
def result(store: ArtifactStore, tmp_path: Path) -> Manifest:
    """ablations/search_in_rl/result with one training of an arm and GPT*, in the store."""
    generator = record(store, "generator/model", holding(tmp_path / "generator"), {}, 1000)
    arm = record(
        store, "ablations/search_in_rl/none_0", holding(tmp_path / "arm"), {"generator": generator}, 120
    )
    folder = write(tmp_path / "made", "search_in_rl", "Tree search in RL")
    return record(store, "ablations/search_in_rl/result", folder, {"none_0": arm, "generator": generator})


def row(text: str, name: str) -> list[str]:
    """The cells of the first row that names a claim."""
    return next(re.split(r"(?<!\\)\|", line) for line in text.splitlines() if f"(`{name}`)" in line)[1:-1]


def test_the_page_says_of_every_claim_what_was_found_and_whether_that_is_enough(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    top = write_results(Project(settings), tmp_path / "docs").page.read_text()
    body = (tmp_path / "docs" / "results" / "search_in_rl.md").read_text()
    made = "`o1 run --with ablations/search_in_rl`"
    assert [c.strip() for c in row(top, "prm_minus_orm@64")][1:] == [
        "+6.1 points (+2.1 to +10.1 points)", "at least 5.0 points", "met", made,
    ]  # fmt: skip
    assert [c.strip() for c in row(body, "active_slope_ratio")][1:5] == [
        "1.21", "0.90 to 1.60", "at least 1.50", "**missed**",
    ]  # fmt: skip
    assert row(top, "fooled_rate_ratio")[3].strip() == "met"  # lower is better
    assert [c.strip() for c in row(top, "never_measured")][1:4] == [
        "not measured", "at least 50.0%", "not measured",
    ]  # fmt: skip
    assert "toy.fancy" not in top and row(body, "toy.fancy")[1].strip() == "-1.2 points"
    assert "Is a made-up thing better than <nothing>?" in body and "made-up problems" in body
    assert "| a\\|b | 64 | 0.500 | 1.5 T |" in body and "| c | 256 | – | 2 G |" in body


def test_every_number_is_traced_to_versions_and_seeds_and_the_time_is_that_of_the_experiments(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    top = write_results(Project(settings), tmp_path / "docs").page.read_text()
    text = (tmp_path / "docs" / "results" / "search_in_rl.md").read_text()
    assert f"o1 audit {result.key} --version {result.digest[:12]}" in text
    assert "`ablations/search_in_rl/none_0`" in text and f"`{result.digest[:12]}` | 17 |" in text
    assert "Made from: `generator/model`" in text and "2 artifacts, 3 min 00 s" in text
    assert "a small machine, 2 threads" in text and "`abcdef012345`" in text
    line = next(
        line for line in top.splitlines() if line.startswith("| [Tree search in RL](results/search_in_rl.md)")
    )
    assert "| `nano` | 2026-01-01 | `abcdef012345` | 3 min 00 s |" in line


def test_every_picture_named_is_written_and_those_side_by_side_stand_in_one(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    (docs / "results").mkdir(parents=True)
    old, other = docs / "results" / "search_in_rl-gone.png", docs / "results" / "mine.png"
    old.write_bytes(PIXEL), other.write_bytes(PIXEL)
    written = write_results(Project(settings), docs)
    named = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (docs / "results" / "search_in_rl.md").read_text())
    assert named == [f"search_in_rl-{name}.png" for name in ("both", "alone_64", "heat_map")]
    assert {path.name for path in written.pictures} == set(named)
    assert all((docs / "results" / name).read_bytes()[:4] == PIXEL[:4] for name in named)
    assert other.exists() and not old.exists()


def test_what_an_arm_that_is_no_longer_trained_has_answered_stays_beside_the_new_record(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    write_results(Project(settings), docs)
    (first,) = json.loads((docs / "results.json").read_text())
    old = {**first["claims"][0], "name": "arm_of_before", "says": "What an arm of before gains."}
    replaced = {**first, "digest": "0" * 12, "day": "2020-01-02", "claims": [old, *first["claims"]]}
    (docs / "results.json").write_text(json.dumps([replaced]))
    for _ in range(2):  # a third record keeps what the second one kept
        write_results(Project(settings), docs)
        (after,) = json.loads((docs / "results.json").read_text())
        assert {**after, "earlier": None} == {**first, "earlier": None}
        assert after["earlier"] == [
            {"day": "2020-01-02", "commits": first["commits"], "digest": "0" * 12, "claims": [old]}
        ]
    page = (docs / "results" / "search_in_rl.md").read_text()
    assert "Answered on 2020-01-02" in page and page.count("What an arm of before gains.") == 1


def test_results_of_another_home_stay_and_those_of_this_one_are_replaced(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    write_results(Project(settings), docs)
    (first,) = json.loads((docs / "results.json").read_text())
    moved = [
        {**first, "key": "ablations/rounds/result", "title": "Elsewhere", "commits": ["123456789abc+"]},
        {**first, "profile": "countdown", "title": "Of another profile"},
        {**first, "key": "ablations/dropped/result", "title": "No longer an experiment"},
        {**first, "title": "Replaced", "claims": []},
    ]
    (docs / "results.json").write_text(json.dumps(moved))
    written = write_results(Project(settings), docs)
    after = json.loads((docs / "results.json").read_text())
    assert [each["title"] for each in after] == ["Elsewhere", "Tree search in RL", "Of another profile"]
    text = written.page.read_text()
    assert "`123456789abc+`" in text and "- `ablations/rounds/result`" not in text
    assert {path.name for path in (docs / "results").glob("*.md")} == {
        "rounds.md", "search_in_rl.md", "countdown-search_in_rl.md",
    }  # fmt: skip
    (docs / "results.json").write_text("[{")
    with pytest.raises(ResultsError, match="bring it back"):
        write_results(Project(settings), docs)
    assert written.page.read_text() == text


def test_the_loop_s_headline_stands_among_the_claims(
    settings: Settings, store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "summary").mkdir()
    rows = {"baby_o1_pass@1": headline(0.8, 0.01, 0.6), "baby_o1_hard_step_auc": headline(0.9, 0.1, 0.97)}
    (tmp_path / "summary" / "headline.json").write_text(json.dumps(rows))
    record(store, "eval/summary", tmp_path / "summary", {})
    text = write_results(Project(settings), tmp_path / "docs").page.read_text()
    assert [c.strip() for c in row(text, "baby_o1_pass@1")] == [
        "[baby-o1, pass@1 (`baby_o1_pass@1`)](results/loop.md)", "80.0% (78.0 to 82.0%)", "at least 60.0%", "met",
        "`o1 run`",
    ]  # fmt: skip
    auc = row(text, "baby_o1_hard_step_auc")
    assert auc[3].strip() == "**missed**" and auc[1].strip() == "90.0% (70.4 to 100.0%)", (
        "no share is above 1"
    )
    assert (tmp_path / "docs" / "results" / "loop.md").exists()


def test_the_page_stays_short_however_much_was_measured(result: Manifest, tmp_path: Path) -> None:
    one = record_of(Finished(read_result(tmp_path / "made"), result, [result]))
    missing = {f"ablations/{n}/result": "What it would answer." for n in range(5)}
    assert len(page([one] * 15, missing).splitlines()) < 130


def test_what_is_stale_or_not_made_is_named_and_the_same_store_gives_the_same_text(
    settings: Settings, result: Manifest, tmp_path: Path
) -> None:
    first, second = (write_results(Project(settings), tmp_path / name) for name in ("a", "b"))
    assert first.page.read_text() == second.page.read_text()
    assert str(tmp_path) not in first.page.read_text()
    body = (tmp_path / "a" / "results" / "search_in_rl.md").read_text()
    assert list(first.stale) == ["search_in_rl"] and "**Stale**: " in body and str(tmp_path) not in body
    assert "search_in_rl.md) (stale)" in first.page.read_text()
    assert "ablations/two_curves/result" in first.missing
    assert (
        "- `ablations/two_curves/result`, by `o1 run --with ablations/two_curves`: " in first.page.read_text()
    )


def test_with_nothing_made_or_nowhere_to_write_it_refuses_and_writes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ResultsError, match="o1 run --with ablations"):
        write_results(Project(settings), tmp_path / "docs")
    assert not (tmp_path / "docs").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="is a file"):
        write_results(Project(settings), tmp_path / "file")


def test_a_result_in_an_earlier_form_is_named_and_left_out(
    settings: Settings, store: ArtifactStore, result: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "result.json").write_text(json.dumps({"name": "two_curves"}))
    record(store, "ablations/two_curves/result", tmp_path / "early", {})
    assert not is_result(tmp_path / "early") and Ablation.read(tmp_path / "early") is None
    assert (
        "another form"
        in write_results(Project(settings), tmp_path / "docs").missing["ablations/two_curves/result"]
    )


def test_a_fresh_result_is_not_called_stale(result: Manifest, tmp_path: Path) -> None:
    one = Finished(read_result(tmp_path / "made"), result, [result], "", {"both": PIXEL})
    assert "Stale*" not in experiment_page(record_of(one)) and "Not made" not in page([record_of(one)], {})
    stale = record_of(replace(one, stale="its code changed"))
    assert "Stale**: its code changed" in experiment_page(stale)
    assert list(picture_files([one])) == [file_name(one, "both")]


def test_units_follow_the_name_unless_the_claim_says_one() -> None:
    assert claim_value(Claim("a_minus_b", "", 0.058), 0.058) == "+5.8 points"
    assert claim_value(Claim("pass@1", "", 0.72), 0.72) == "72.0%"
    assert claim_value(Claim("test_time_r2", "", 0.9512), 0.9512) == "0.951"
    assert claim_value(Claim("updates", "", 140.0), 140.0) == "140"
    assert claim_value(Claim("a_minus_b", "", 0.058, unit="number"), 0.058) == "0.058"


def test_numbers_of_a_column_have_equal_digits_unless_they_are_orders_apart() -> None:
    assert column(pl.Series([0.5, 0.25, None])) == ["0.500", "0.250", "–"]
    assert column(pl.Series([0.0005, 3e12])) == ["0.0005", "3 T"]
    assert column(pl.Series([12, 250_000])) == ["12", "250 k"]
    assert column(pl.Series([True, False])) == ["yes", "no"]


def test_the_report_shows_claims_pictures_and_notes_of_each_experiment(tmp_path: Path) -> None:
    one, two = (Ablation.read(write(tmp_path / name, name, name.title())) for name in ("first", "second"))
    assert one is not None and two is not None and list(one.pictures) == ["heat_map"]
    page = render(replace(report(), ablations=[one, two]))
    section = page[page.index('<section class="ablations">') :]
    section = section[: section.index("</section>")]
    assert section.count("<details") == 2 and section.count("<svg") == 6 and section.count("<img") == 2
    assert section.count('<span class="chip bad">missed') == 2 * 2  # on top and in its experiment
    assert section.count('href="#first"') == 4 and section.count('id="first"') == 1
    assert '<data value="0.0612">+6.1 points</data>' in section
    assert "&lt;nothing&gt;" in section and section.count("made-up problems") == 2
