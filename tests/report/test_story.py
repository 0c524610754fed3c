"""The four figures: true to the run, legible in a narrow window, and never wider than their panel."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from o1_assets.report.story import LETTERS, NARROW, Panel, story
from o1_assets.report.thinking import ThinkingTables
from tests.evaluation.made_up import report

PANELS = {panel.title: panel for picture in story(report()) for panel in picture.panels}


def words(title: str) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", PANELS[title].svg()))


def test_the_figures_of_the_run_stand_in_them() -> None:
    assert "2 M tokens, 7.9 T FLOPs" in words("GPT-4") and "GPT* at once, 15.0%" in words("GPT-4")
    assert "59.2% → 84.2%" in words("o1") and "10 rounds" in words("o1") and "tree 80.0%" in words("o1")
    assert "GPT* 55.0%" not in words("Tree") and "GPT* 75.0% baby-o1 80.0%" in words("Tree")
    assert "1,833 labels" in words("Phase 1, once") and "1,750 labels" in words("Phase 2, in a circle")
    assert "31.3% → 4.2%" in words("Phase 2, in a circle")
    assert "FLOPs a problem" in words("Thinking") and "FLOPs of training" in words("Training")


def test_without_eval_thinking_they_show_what_the_loop_measured() -> None:
    less = replace(report(), thinking=ThinkingTables())
    panels = {panel.title: panel.svg() for picture in story(less) for panel in picture.panels}
    assert "one chain, 59.2%" in panels["GPT-4"] and "chains a problem" in panels["Thinking"]
    assert panels["Vote"].count(">–<") == 2 and "59.2%" in panels["Chain"]
    assert story(replace(less, headline={})) == []


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_model_that_learns_nothing_has_flat_curves_and_a_report(share: float) -> None:
    def flat(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        return [{**row, name: share if name == "accuracy" else [share]} for row in rows]

    made = report()
    thinking = replace(made.thinking, points=flat(made.thinking.points, "accuracy"))
    nothing = replace(made, training=flat(made.training, "right"), thinking=thinking)
    panels = {panel.title: panel.svg() for picture in story(nothing) for panel in picture.panels}
    assert "nan" not in panels["Training"] + panels["Thinking"]


@pytest.mark.parametrize("panel", PANELS.values(), ids=lambda panel: panel.title)
def test_nothing_stands_outside_of_its_panel(panel: Panel) -> None:
    for x, anchor, text in re.findall(r'<text x="([\d.]+)".*?text-anchor="(\w+)">([^<]*)<', panel.svg()):
        # A letter is about .58 of its height wide in the widest of the page's fonts.
        width = 0.58 * LETTERS * len(text)
        left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        assert left >= -2 and left + width <= panel.width + 2, text


def test_letters_are_eleven_pixels_high_in_a_window_of_320() -> None:
    # Margins of the page, the border and the padding of a card.
    inside = 320 - 2 * 14 - 2 - 2 * 10
    for panel in PANELS.values():
        assert LETTERS * min(1.0, inside / panel.width) >= 10.9 or panel.width == NARROW
    assert f"font: {LETTERS}px" in resources.files("o1_assets.report").joinpath("style.css").read_text()


def test_letters_stand_out_from_what_is_behind_them_in_light_and_dark() -> None:
    style = resources.files("o1_assets.report").joinpath("style.css").read_text()
    for scheme in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colors = dict(re.findall(r"--(\w+): (#\w{6})", scheme))
        for behind in ("card", "page"):
            for ink in ("ink", "quiet", "blue"):
                assert contrast(colors[ink], colors[behind]) >= 4.5, (ink, behind)


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, relative luminance."""
    low, high = sorted(map(luminance, (a, b)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
