"""Four figures that explain o1, as its talks and papers draw them, with this run's own figures in them.

Inline SVG of the page's colours, panel by panel: side by side where there is room, else one below the other. A panel is
340 units wide and its letters are 14, so that they are 11 pixels high in a window of 320.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from o1_assets.core.formatting import count
from o1_assets.evaluation.evaluate_policy import PRM
from o1_assets.evaluation.versions import ALL

if TYPE_CHECKING:
    from o1_assets.report.render import ReportData

WIDTH, NARROW = 340, 240
LETTERS, LINE = 14, 20
ALL_STAGES = "all stages"


@dataclass
class Panel:
    """One drawing. alt: what it shows, in words. Coordinates are units; text stands on its y."""

    title: str
    alt: str
    width: int = WIDTH
    height: int = 0
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, look: str = "", anchor: str = "start") -> None:
        """look: classes of the style sheet: b (bold), q (quiet), f (a figure of this run)."""
        self._grow(y)
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" class="{look}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, look: str = "box") -> None:
        self._grow(y + height)
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" class="{look}"/>'
        )

    def dot(self, x: float, y: float, look: str = "dot", radius: float = 6) -> None:
        self._grow(y + radius)
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{look}"/>')

    def path(self, points: Sequence[tuple[float, float]], look: str = "line", head: bool = False) -> None:
        """Straight lines between points; head: an arrow at the last."""
        at = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path d="M{at}" class="{look}"/>')
        if head:
            (x0, y0), (x, y) = points[-2], points[-1]
            length = float(np.hypot(x - x0, y - y0)) or 1.0
            dx, dy = (x - x0) / length * 7, (y - y0) / length * 7
            wings = [(x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)]
            self.path([(x, y), *wings], "head")

    def _grow(self, y: float) -> None:
        self.height = max(self.height, round(y) + 8)

    def svg(self) -> str:
        head = f'<svg viewBox="0 0 {self.width} {self.height}" aria-hidden="true" focusable="false">'
        return head + "".join(self.parts) + "</svg>"


@dataclass(frozen=True)
class Picture:
    """One of the four figures. wide: its panels have the whole width, else they are small."""

    title: str
    note: str
    panels: Sequence[Panel]
    wide: bool = True


def story(data: ReportData) -> list[Picture]:
    """Empty where no headline figure was measured."""
    if (data.headline.get("baby_o1_pass@1") or {"value": None})["value"] is None:
        return []
    run = _Run(data)
    return [stages(run), ways(run), phases(run), two_curves(run)]


class _Run:
    """This run's figures, as text; a dash where one was not measured."""

    def __init__(self, data: ReportData) -> None:
        self.data = data
        self.values = {name: figure["value"] for name, figure in data.headline.items()}
        self.costs = {row["asset"]: row for row in data.costs}
        self.rounds = max((int(row["round"]) for row in data.rounds), default=0)

    def percent(self, name: str) -> str:
        return percent(self.values.get(name))

    def base(self) -> str:
        row = self.costs.get("base/model", {})
        tokens, flops = row.get("tokens"), row.get("flops")
        return (
            f"{count(tokens)} tokens, {count(flops)} FLOPs" if tokens and flops else "pre-trained elsewhere"
        )

    def round_figure(self, k: int, name: str) -> str:
        row = next((row for row in self.data.rounds if row["round"] == k), {})
        return percent(row.get(name))

    def way(self, model: str, way: str) -> str:
        rows = self.data.thinking.prompting
        return percent(next((r["accuracy"] for r in rows if (r["model"], r["way"]) == (model, way)), None))

    def labels(self, first: bool) -> str:
        numbers = self.data.labels
        known = numbers[:1] if first else numbers[1:]
        return f"{sum(known):,.0f} labels" if known else "labels not counted"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


# (a) Stages.

BOX = 104


def stages(run: _Run) -> Picture:
    """Pre-training, post-training and inference of GPT-4 and of o1."""
    at_once = f"GPT* at once, {run.way('GPT*', 'direct')}"
    thinks = f"vote {run.way('baby-o1', 'vote')}, tree {run.way('baby-o1', 'tree')}"
    if not run.data.thinking.prompting:
        best = next((name for name in run.values if name.startswith("baby_o1_prm_best_of_")), "")
        at_once = f"one chain, {run.percent('generator_pass@1')}"
        thinks = f"best of {best.rpartition('_')[2]}, {run.percent(best)}"
    gpt = [
        ("Pre-training", "next token, on text of all kinds", f"here: {run.base()}"),
        (
            "Post-training",
            "demonstrations, rankings, RLHF",
            f"here: GPT*, {run.percent('generator_pass@1')} right",
        ),
        ("Inference", "answers at once, word by word", f"here: {at_once}"),
    ]
    reached = f"{run.percent('generator_pass@1')} → {run.percent('baby_o1_pass@1')}"
    o1 = [
        ("Pre-training", "the same base", "here: the same weights"),
        ("Post-training", f"labelled steps, PRM, RL, {run.rounds} rounds", f"here: {reached}"),
        (
            "Inference",
            "thinks first: chains, votes, trees",
            f"here: {thinks}",
        ),
    ]
    note = (
        "Both have three stages. o1 spends more on the last two: reinforcement learning on its own reasoning, and time "
        "to think. What this run did in each stage stands in colour; RLHF is a stage of the "
        "profile assistant alone."
    )
    return Picture("The stages of GPT-4 and of o1", note, [_stack("GPT-4", gpt), _stack("o1", o1)])


def _stack(name: str, boxes: Sequence[tuple[str, str, str]]) -> Panel:
    panel = Panel(name, f"{name}: " + "; ".join(", ".join(box) for box in boxes))
    panel.text(WIDTH / 2, 18, name, "b", "middle")
    for i, (title, what, here) in enumerate(boxes):
        y = 32 + i * BOX
        panel.box(8, y, WIDTH - 16, BOX - 24)
        panel.text(22, y + 22, title, "b")
        panel.text(22, y + 22 + LINE, what, "q")
        panel.text(22, y + 22 + 2 * LINE, here, "f")
        if i + 1 < len(boxes):
            panel.path([(WIDTH / 2, y + BOX - 24), (WIDTH / 2, y + BOX)], head=True)
    return panel


# (b) Ways of thinking.

TOP, BOTTOM = 36, 168


def ways(run: _Run) -> Picture:
    """Yao et al. (arXiv:2305.10601), figure 1."""
    drawn = [
        ("At once", "direct", _draw_direct),
        ("Chain", "chain", _draw_chain),
        ("Vote", "vote", _draw_vote),
        ("Tree", "tree", _draw_tree),
    ]
    panels = []
    for title, way, draw in drawn:
        right = {model: run.way(model, way) for model in ("GPT*", "baby-o1")}
        if way == "chain" and "–" in right.values():
            right = {"GPT*": run.percent("generator_pass@1"), "baby-o1": run.percent("baby_o1_pass@1")}
        panel = Panel(
            title, f"{title}: " + ", ".join(f"{model} {value}" for model, value in right.items()), NARROW
        )
        panel.text(NARROW / 2, 16, title, "b", "middle")
        draw(panel)
        for i, (model, value) in enumerate(right.items()):
            panel.text(40, BOTTOM + 28 + i * LINE, model, "q")
            panel.text(NARROW - 40, BOTTOM + 28 + i * LINE, value, "f", "end")
        panels.append(panel)
    note = "The question is on top, the answer below. Votes and trees spend equal tokens; grey steps lead nowhere."
    if not run.data.thinking.prompting:
        note += " A dash: measured by o1 run --with thinking."
    return Picture("Four ways of thinking", note, panels, wide=False)


def _ends(panel: Panel) -> float:
    middle = NARROW / 2
    panel.dot(middle, TOP, "asked")
    panel.dot(middle, BOTTOM, "dot")
    return middle


def _draw_direct(panel: Panel) -> None:
    middle = _ends(panel)
    panel.path([(middle, TOP + 6), (middle, BOTTOM - 7)], head=True)


def _draw_chain(panel: Panel) -> None:
    middle = _ends(panel)
    _steps(panel, [(middle, TOP), *((middle, TOP + 33 * k) for k in (1, 2, 3)), (middle, BOTTOM)])


def _draw_vote(panel: Panel) -> None:
    middle = _ends(panel)
    for x in (-66, -22, 22, 66):
        # One chain ends elsewhere and loses the vote.
        look = "lost" if x == 66 else "step"
        _steps(
            panel,
            [(middle, TOP), (middle + x, 72), (middle + x, 102), (middle + x, 132), (middle, BOTTOM)],
            look,
        )


def _draw_tree(panel: Panel) -> None:
    middle = _ends(panel)
    for x in (-66, 0, 66):
        _steps(panel, [(middle, TOP), (middle + x, 72)], "step" if x <= 0 else "lost", last=True)
    for x in (-92, -46):
        _steps(panel, [(middle - 66, 72), (middle + x, 104)], "lost", last=True)
    for x in (-14, 30):
        _steps(panel, [(middle, 72), (middle + x, 104)], "step" if x > 0 else "lost", last=True)
    _steps(panel, [(middle + 30, 104), (middle + 30, 136), (middle, BOTTOM)])


def _steps(
    panel: Panel, points: Sequence[tuple[float, float]], look: str = "step", last: bool = False
) -> None:
    """A chain of steps from the first point to the last, which are drawn by others; last: it is a step too."""
    for (x0, y0), (x, y) in pairwise(points):
        length = float(np.hypot(x - x0, y - y0))
        dx, dy = (x - x0) / length, (y - y0) / length
        gap = 7 if (x, y) == points[-1] and not last else 6
        panel.path(
            [(x0 + dx * 6, y0 + dy * 6), (x - dx * gap, y - dy * gap)],
            "line" if look == "step" else "faint",
            True,
        )
    for x, y in points[1 : None if last else -1]:
        panel.dot(x, y, look, 5)


# (c) Phases.


def phases(run: _Run) -> Picture:
    """The two phases of Let's Verify Step by Step (arXiv:2305.20050, appendix B) with RL after each."""
    last = run.rounds
    first = [
        ("GPT* writes solutions", "a uniform choice of them", ""),
        ("People rate every step", "dense: all completions", f"here: {run.labels(first=True)}"),
        ("PRM v0, ORM, then RL", "", f"baby-o1 v0: {run.round_figure(0, 'pass@1')} right"),
    ]
    later = [
        (f"baby-o1 writes, {last} times", "wrong answers that convince the PRM", ""),
        ("People rate up to the error", "sparse: until a step is wrong", f"here: {run.labels(first=False)}"),
        ("PRM vN and RL go on", f"fooled: {run.percent('fooled_rate_first')} → {run.percent('fooled_rate_last')}",
         f"baby-o1 v{last}: {run.round_figure(last, 'pass@1')} right"),
    ]  # fmt: skip
    second = _stack("Phase 2, in a circle", later)
    # The way back, along the right edge, from the last box to the first.
    edge, top = WIDTH - 4, 72
    second.path([(WIDTH - 8, 290), (edge, 290), (edge, top), (WIDTH - 9, top)], "loop", head=True)
    note = (
        "Phase 1 makes the first process reward model. In phase 2 each policy writes solutions, those that fool the "
        "newest PRM are rated, and the next PRM and policy learn from them. The exact checker plays the people unless "
        "the profile says otherwise. Shares are of the held-out problems that every round is measured on."
    )
    return Picture("The two phases", note, [_stack("Phase 1, once", first), second])


# (d) Curves.


def two_curves(run: _Run) -> Picture:
    """The figure that OpenAI showed with o1: accuracy against the logarithm of training and of thinking."""
    rows = [r for r in run.data.training if (r["compute"], r["difficulty"]) == (ALL_STAGES, ALL)]
    training = sorted((float(row["flops"]), float(np.mean(row["right"]))) for row in rows)
    thinking, axis = _thinking_points(run.data)
    both = [y for _, y in [*training, *thinking]]
    low, high = (np.floor(10 * min(both, default=0)) / 10, np.ceil(10 * max(both, default=1)) / 10)
    if low == high:  # a model that solves nothing, say, before and after
        low, high = (low, 0.1) if low == 0 else (low - 0.1, high)
    panels = [
        _curve("Training", "FLOPs of training so far", training, (low, high)),
        _curve("Thinking", axis, thinking, (low, high)),
    ]
    note = "Both axes of compute are logarithmic; both panels share the accuracy axis, not their problems."
    return Picture("The two curves", note, [panel for panel in panels if panel is not None])


def _thinking_points(data: ReportData) -> tuple[list[tuple[float, float]], str]:
    optimal = [
        row for row in data.thinking.points
        if (row["model"], row["strategy"], row["difficulty"]) == ("baby-o1", "compute-optimal", ALL)
    ]  # fmt: skip
    if optimal:
        return sorted((float(row["flops"]), row["accuracy"]) for row in optimal), "FLOPs a problem, baby-o1"
    # Without eval/thinking: more and more chains, of which the PRM chooses one.
    chosen = [row for row in data.best_of_n if row["selector"] == PRM and row["model"] != "GPT*"]
    return sorted((float(row["n"]), row["mean"]) for row in chosen), "chains a problem, the PRM's choice"


LEFT, RIGHT, UPPER, LOWER = 52, 320, 40, 220


def _curve(
    title: str,
    axis: str,
    points: Sequence[tuple[float, float]],
    limits: tuple[float, float],
) -> Panel | None:
    """None with fewer than two points."""
    if len(points) < 2:
        return None
    low, high = limits
    first, last = points[0], points[-1]
    span = np.log2(last[0] / first[0]) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        share = float(np.log2(x / first[0]) / span)
        return LEFT + share * (RIGHT - LEFT), LOWER - (y - low) / (high - low) * (LOWER - UPPER)

    panel = Panel(
        title,
        f"{title}: from {percent(first[1])} at {count(first[0])} to {percent(last[1])} at {count(last[0])}, {axis}.",
    )
    panel.text(8, 18, title, "b")
    for tick in np.arange(round(low * 10), round(high * 10) + 1):
        y = at(first[0], tick / 10)[1]
        panel.path([(LEFT, y), (RIGHT, y)], "grid")
        panel.text(LEFT - 8, y + 5, f"{10 * tick:.0f}%", "q", "end")
    middle = min((x for x, _ in points), key=lambda x: abs(np.log2(x / first[0]) / span - 0.5))
    for x, anchor in ((first[0], "start"), (middle, "middle"), (last[0], "end")):
        panel.text(at(x, low)[0], LOWER + 22, count(x), "q", anchor)
    panel.text((LEFT + RIGHT) / 2, LOWER + 22 + LINE, f"{axis} (log)", "q", "middle")
    panel.path([at(x, y) for x, y in points], "curve")
    for x, y in points:
        panel.dot(*at(x, y), "dot", 4)
    return panel


def shown(pictures: Sequence[Picture]) -> list[Mapping[str, Any]]:
    """For the template."""
    from markupsafe import Markup

    return [
        {
            "title": picture.title,
            "note": picture.note,
            "wide": picture.wide,
            "panels": [{"alt": panel.alt, "svg": Markup(panel.svg())} for panel in picture.panels],
        }
        for picture in pictures
    ]
