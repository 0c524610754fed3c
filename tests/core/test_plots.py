"""Charts: the same bytes for the same data, small, and labels that can be read."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from o1_assets.core.plots import BLUE, GREY, ORANGE, Axis, Series, png, spread_apart, svg

N = [1, 2, 4, 8, 16, 32, 64]


CHART = [
    Series("PRM", N, [0.5, 0.6, 0.7, 0.8, 0.9, 0.93, 0.95], BLUE, [0.02] * 7),
    Series("ORM", N, [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94], ORANGE, [0.02] * 7),
    Series("any right", N, [0.5, 0.7, 0.8, None, 0.97, 0.98, 0.99], GREY, style="dashed"),
]


AXIS = Axis("Best of N", "samples a problem", "accuracy", log2=True)


def test_the_same_data_gives_the_same_bytes() -> None:
    assert png(CHART, AXIS) == png(CHART, AXIS)
    assert svg(CHART, AXIS) == svg(CHART, AXIS)


def test_a_png_is_small_and_carries_no_software_or_time() -> None:
    data = png(CHART, AXIS)
    assert data.startswith(b"\x89PNG") and len(data) <= 50_000
    assert b"Software" not in data and b"tIME" not in data


def test_an_svg_keeps_its_text_takes_the_page_colours_and_has_no_external_parts() -> None:
    drawn = svg(CHART, AXIS)
    assert drawn.startswith("<svg") and "Best of N" in drawn and "any right" in drawn
    assert "var(--blue)" in drawn and "#2f5fd0" not in drawn
    assert not re.search(r"<(image|metadata|script)", drawn)
    assert "2026" not in drawn and "matplotlib" not in drawn.lower()


def test_two_charts_in_one_page_share_no_ids() -> None:
    def ids(title: str) -> set[str]:
        return set(re.findall(r'id="([^"]+)"', svg(CHART, Axis(title, "x", "y"))))

    assert ids("One") and not ids("One") & ids("Two")


@pytest.mark.parametrize("heights", [[0.1, 0.5, 0.9], [0.5, 0.5, 0.5], [0.97, 0.98, 0.99, 1.0], [0.0, 0.01]])
def test_labels_are_pushed_apart_and_stay_on_the_chart(heights: list[float]) -> None:
    placed = spread_apart(heights, 0.1)
    assert len(placed) == len(heights)
    assert all(b - a >= 0.1 - 1e-6 for a, b in pairwise(placed))
    assert min(placed) >= -1e-9 and max(placed) <= 1 + 1e-9


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread_apart([0.1, 0.5, 0.9], 0.1) == pytest.approx([0.1, 0.5, 0.9])
