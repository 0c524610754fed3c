"""The report: whole, self-contained, readable, and true to the numbers it was given."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from o1_assets.core.formatting import count, figure_name, figure_value, seconds
from o1_assets.evaluation.headline import headline, met, result_headlines
from o1_assets.report import ReportData, render
from o1_assets.report.thinking import ThinkingTables
from o1_assets.report.versions import ALL_STAGES, RL, training_fit, training_flops, training_points
from tests.evaluation.made_up import report, solved


@pytest.fixture(scope="module")
def page() -> str:
    return render(report())


def test_every_headline_number_stands_in_the_page_at_full_precision(page: str) -> None:
    for name, figure in report().headline.items():
        assert name in page
        for number in (figure["value"], figure["error"], figure["target"]):
            if number is not None:
                assert f'<data value="{number}">' in page, name


def test_met_and_missed_are_said_in_words(page: str) -> None:
    rows = dict(re.findall(r"<code>([^<]+)</code></th>(.*?)</tr>", page, re.DOTALL))
    rows = {name: re.sub(r"<[^>]+>", "", row) for name, row in rows.items()}
    assert "✓ met" in rows["baby_o1_pass@1"]
    assert "✗ missed" in rows["baby_o1_greedy"]
    assert "met" not in rows["generator_greedy"] and "missed" not in rows["generator_greedy"]


def test_nothing_is_loaded_from_anywhere_and_nothing_runs(page: str) -> None:
    assert not re.search(r"<(script|link|iframe|img|object)\b", page)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page)
    assert "@import" not in page
    assert all("w3.org" in url for url in re.findall(r"https?://[^\s\"'<)]+", page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]+)\)", page))


def test_the_contents_name_every_section_that_is_there(page: str) -> None:
    [contents] = re.findall(r'<nav aria-label="Contents">(.*?)</nav>', page, re.DOTALL)
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', contents)
    assert links == re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', page) and len(links) > 7
    # What Chromium obeys even if markup of a model or a labeller got into the page one day.
    assert "default-src 'none'" in page.partition("<style>")[0] and "script-src" not in page


def test_every_chart_says_in_words_what_it_shows(page: str) -> None:
    charts = re.findall(r'<figure[^>]*aria-label="([^"]+)"', page)
    assert len(charts) == page.count("<svg") == 10 + 5 + 2 + 2 + 3 + 9
    assert any("pass@1 from 59.0% to 84.0%" in alt for alt in charts)
    assert any("of all solutions from 21.0% to 10.0%" in alt for alt in charts)
    assert any("right but unlikely, wrong but likely from 0.62 to 0.92" in alt for alt in charts)
    assert any("GPT*, the PRM's choice from 40.0% to 68.0%" in html.unescape(alt) for alt in charts)


def test_ids_are_unique_and_tags_are_balanced(page: str) -> None:
    class Balanced(HTMLParser):
        open: list[str]

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    parser = Balanced()
    parser.open = []
    parser.feed(page)
    assert parser.open == []
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_what_models_wrote_is_text_and_never_markup() -> None:
    data = report()
    evil = "<img src=x onerror=alert(1)>"
    example = {**data.examples[0], "question": evil, "answer": evil}
    page = render(ReportData("nano", {}, examples=[example], facts={"commit": evil}))
    assert evil not in page and "&lt;img" in page


def test_a_report_of_nothing_is_still_a_page() -> None:
    assert "From GPT*" in render(ReportData("nano", {}))


def test_the_same_data_gives_the_same_page() -> None:
    less = {"rounds": [], "curves": {}, "thinking": ThinkingTables()}
    assert render(replace(report(), **less)) == render(replace(report(), **less))


def test_a_figure_without_a_value_is_said_to_be_not_measured() -> None:
    assert "not measured" in render(ReportData("nano", {"fooled_rate_last": headline(None, target=0.3)}))


def test_targets_are_met_in_the_direction_that_is_better() -> None:
    assert met(headline(0.9, target=0.9)) is True
    assert met(headline(0.9, target=0.8, better="lower")) is False
    assert met(headline(0.9)) is None


def test_the_headlines_carry_the_targets_that_follow_from_the_generator() -> None:
    generator = {
        "n": 64, "pass@1": 0.4, "pass@1_error": 0.01, "greedy": 0.8, "orm_best_of_n": 0.85,
        "majority_at_n": 0.9,
        "prm_best_of_n": 0.95, "prm_over_orm_se": 0.01, "prm_over_majority_se": 0.02,
        "pass@64": 0.95, "pass@128": 0.98, "pooled_n": 128, "prm_best_of_pooled_n": 0.7,
        "prm_best_of_n_fall": 0.01, "prm_best_of_n_fall_se": 0.02, "hard_step_auc": 0.9,
    }  # fmt: skip
    policy = {**generator, "pass@1": 0.7, "greedy": 0.81, "pass@64": 0.9, "hard_step_auc": 0.98}
    made = result_headlines(generator, policy, 0.3, 0.05)
    assert [met(made[f"baby_o1_{name}"]) for name in ("pass@64", "best_of_n_fall", "hard_step_auc")] == [
        False, True, True,
    ]  # fmt: skip
    assert made["generator_prm_best_of_128"]["target"] == 0.9 and made["generator_pass@64"]["target"] is None
    assert made["baby_o1_pass@1"]["target"] == pytest.approx(0.6), "error .6 down by a third is .4"
    assert made["baby_o1_greedy"]["target"] == 0.8
    assert made["prm_best_of_64"]["target"] == pytest.approx(0.94)
    assert made["fooled_rate_last"] == {"value": 0.05, "error": None, "target": 0.3, "better": "lower"}
    assert made["generator_pass@1"]["error"] == 0.01
    assert {"majority@64", "orm_best_of_64", "generator_greedy", "fooled_rate_first"} <= set(made)


def test_numbers_are_written_for_people() -> None:
    assert (seconds(4.23), seconds(185), seconds(3725)) == ("4.2 s", "3 min 05 s", "1 h 02 min")
    assert seconds(119.7) == "2 min 00 s"
    assert (count(950), count(12_345), count(7.89e12)) == ("950", "12.3 k", "7.89 T")
    assert figure_value("overhead_share", 0.0821) == "8.2%"
    assert figure_name("prm_best_of_32") == "PRM, best of 32"
    assert figure_name("generator_pass@1") == "GPT*, one sample"
    assert figure_value("baby_o1_hard_step_auc", 0.8781) == "0.878"


def test_the_sections_that_were_measured_have_their_tables(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "vote 50.0 ± 4.0 55.0 ± 4.0 60.0 ± 4.0 480 / 480 / 480 160 M / 160 M / 160 M" in text
    assert "baby-o1, compute-optimal 6.0 (5.0 to 7.0) 0.987 2.1 0.950 2.4" in text
    assert "0.5 s 55.0 ± 4.0 55.0 ± 4.0" in text and "2 s 65.0 ± 4.0" in text
    assert "64 tokens" in text and "baby-o1, forced" in text
    assert "GPT*, 4 54.0 ± 2.0 65.6 ± 2.0 8.0 ± 2.0 4.0 ± 2.0 66.0" in text
    assert "v10 10.0 ± 2.0" in text and "50 in 960" in text
    assert "RL alone, hard" in text


def test_training_compute_is_cumulative_and_leaves_evaluation_and_what_is_optional_out() -> None:
    costs = [
        {"asset": "base/model", "flops": 1.0}, {"asset": "r00/policy", "flops": 2.0},
        {"asset": "r00/eval", "flops": 100.0}, {"asset": "r01/prm", "flops": 4.0},
        {"asset": "r01/policy", "flops": 8.0}, {"asset": "r01/q_value", "flops": 50.0, "optional": True},
        {"asset": "eval/summary", "flops": 70.0},
    ]  # fmt: skip
    assert training_flops(costs) == {ALL_STAGES: {-1: 1.0, 0: 3.0, 1: 15.0}, RL: {0: 2.0, 1: 10.0}}


def test_the_line_through_training_compute_is_fitted_to_all_versions() -> None:
    flops = [{"asset": "base/model", "flops": 0.5}] + [
        {"asset": f"r{k:02d}/policy", "flops": 2.0 ** (k - 1)} for k in range(11)
    ]
    points = training_points(solved(), flops)
    line = training_fit(points, ALL_STAGES, "all")
    assert line is not None and line.points == 12 and line.r2 == pytest.approx(1.0)
    assert line.gain == pytest.approx(0.015)
    assert [row["round"] for row in points if row["compute"] == RL and row["difficulty"] == "hard"] == [
        *range(11)
    ]
    assert training_fit(points[:2], ALL_STAGES, "all") is None


def test_what_labellers_wrote_is_shown_beside_what_they_rated_if_any_round_asked_for_it() -> None:
    from types import SimpleNamespace

    from o1_assets.report.write import written_headlines

    rated = SimpleNamespace(figures={"labels": 9})
    wrote = SimpleNamespace(
        figures={"labels": 7, "written_steps": 4, "written_solutions": 2, "written_whole": 1}
    )
    figures = written_headlines({"r00/labels": rated, "r01/labels": wrote, "r01/prm": rated})  # type: ignore[dict-item]
    assert {name: figure["value"] for name, figure in figures.items()} == {
        "labels_rated": 16, "steps_written": 4, "solutions_written": 1,
    }  # fmt: skip
    assert {name: figure_value(name, 9831.0) for name in figures} == dict.fromkeys(figures, "9,831")
    assert written_headlines({"r00/labels": rated}) == {}  # type: ignore[dict-item]
