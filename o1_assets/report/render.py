"""From ReportData to one HTML page that runs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from o1_assets.core import plots
from o1_assets.core.formatting import count, figure_name, figure_value, seconds
from o1_assets.core.plots import Axis, Series
from o1_assets.evaluation import charts
from o1_assets.evaluation.charts import Plot, limits_chart, thinking_charts, waits_chart
from o1_assets.evaluation.headline import Headline, met
from o1_assets.report.experiments import Ablation, section
from o1_assets.report.story import shown, story
from o1_assets.report.table import TextTable
from o1_assets.report.thinking import ThinkingTables, seconds_chart, thinking_tables
from o1_assets.report.versions import doubt_charts, doubt_table, in_round, training_charts, training_table

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ReportData:
    """profile: its name. headline: figures by name, in the order to show them.

    rounds: one row a round, "round" and the columns of `charts.LEARNING`.
    curves: title -> rows (selector, n, mean, std) of one best-of-N chart.
    pass_at_k: of each version, as `versions.pass_at_k` gives it; empty in stores of earlier versions.
    best_of_n: of GPT* and the last version, as `versions.best_of_n` gives it; empty in the same stores.
    examples: solutions to read, as `summary.choose_examples` gives them.
    costs: one row an asset, in graph order: asset, seconds, flops, tokens (and cached: bool, if known).
    training: what each version of baby-o1 cost and solves, as `versions.training_points` gives it.
    corrections: how each version doubts, one row each, as `versions.corrections` gives it.
    thinking: the tables of eval/thinking; empty if that optional part was not made.
    ablations: the experiments' results; empty if that optional part was not made.
    labels: of each round, how many were rated; empty where that is not known.
    facts: small print, name -> text (seeds, problems, commit).
    """

    profile: str
    headline: Mapping[str, Headline]
    rounds: Sequence[Mapping[str, Any]] = ()
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    examples: Sequence[Mapping[str, Any]] = ()
    pass_at_k: Sequence[Mapping[str, Any]] = ()
    best_of_n: Sequence[Mapping[str, Any]] = ()
    costs: Sequence[Mapping[str, Any]] = ()
    training: Sequence[Mapping[str, Any]] = ()
    corrections: Sequence[Mapping[str, Any]] = ()
    thinking: ThinkingTables = field(default_factory=ThinkingTables)
    ablations: Sequence[Ablation] = ()
    labels: Sequence[float] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


# Charts of the rounds' table that the report has a section of its own about.
DRAWN_ELSEWHERE = ("Catching its own mistakes",)


def render(data: ReportData) -> str:
    """The page. Same data, same text; headline numbers stand in <data value="..."> at full precision.

    The template is beside this file. StrictUndefined: a name that is missing there fails instead of being left out.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    # Escaped, because models wrote some of what stands in the page.
    environment = Environment(
        loader=PackageLoader("o1_assets.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=seconds, count=count)

    def chart(series: Sequence[Series], axis: Axis) -> dict[str, Any]:
        return {"title": axis.title, "alt": _alt(series, axis), "svg": Markup(plots.svg(series, axis))}

    def drawn(plots: Iterable[Plot]) -> list[dict[str, Any]]:
        return [chart(series, axis) for series, axis in plots]

    return environment.get_template("page.html.j2").render(
        profile=data.profile,
        figures=_figures(data),
        claims=_claims(data),
        story=shown(story(data)),
        problems=data.rounds[0].get("problems") if data.rounds else None,
        # Each list is empty where nothing was measured, and then its section is left out.
        learning=[
            chart(series, axis)
            for series, axis in charts.learning(data.rounds)
            if axis.title not in DRAWN_ELSEWHERE
        ]
        + drawn(charts.pass_at_k(rows) for rows in [data.pass_at_k] if rows),
        training=drawn(training_charts(data.training)),
        training_tables=_with_rows([training_table(data.training)]),
        doubts=drawn(doubt_charts(data.corrections)),
        doubt_tables=_with_rows([doubt_table(data.corrections)]),
        chosen=drawn(charts.best_against_any(rows) for rows in [data.best_of_n] if rows),
        curves=drawn(charts.best_of_n(rows, title) for title, rows in data.curves.items()),
        thinking=drawn(_thinking_charts(data.thinking)),
        thinking_tables=_with_rows(thinking_tables(data.thinking)),
        ablations=section(data.ablations, chart),
        examples=data.examples,
        stages=_stages(data.costs),
        costs=data.costs,
        total=_total(data.costs),
        facts=data.facts,
    )


def _with_rows(tables: Sequence[TextTable]) -> list[TextTable]:
    return [table for table in tables if table.rows]


def _thinking_charts(thinking: ThinkingTables) -> list[Plot]:
    made = [*thinking_charts(thinking.points, thinking.fits)]
    made += [seconds_chart(thinking), limits_chart(thinking.points), waits_chart(thinking.waits)]
    return [(series, axis) for series, axis in made if series]


def _figures(data: ReportData) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "words": figure_name(name),
            "value": figure["value"],
            "text": figure_value(name, figure["value"]),
            "error": figure["error"],
            "error_text": figure_value(name, figure["error"]) if figure["error"] is not None else "",
            "target": figure["target"],
            "target_text": figure_value(name, figure["target"]) if figure["target"] is not None else "",
            # A target is a bound: the direction says on which side of it a figure has to lie.
            "bound": "at least" if figure["better"] == "higher" else "at most",
            "met": met(figure),
        }
        for name, figure in data.headline.items()
    ]


def _claims(data: ReportData) -> list[dict[str, str]]:
    """The three results in one line each, as far as they were measured."""
    majority = next((name for name in data.headline if name.startswith("majority@")), "")
    best = next((name for name in data.headline if name.startswith("prm_best_of_")), "")
    choosing = f"{figure_name(majority)}, then the newest PRM's choice"
    candidates = (
        ("generator_pass@1", "baby_o1_pass@1", "Right in one sample", "GPT*, then baby-o1 after all rounds"),
        (majority, best, "Choosing among samples", choosing),
        (
            "fooled_rate_first",
            "fooled_rate_last",
            "Fooled by wrong answers",
            "first PRM, then the newest one",
        ),
    )
    value = {name: figure["value"] for name, figure in data.headline.items()}
    return [
        {
            "label": label,
            "before": figure_value(before, value[before]),
            "after": figure_value(after, value[after]),
            "note": note,
        }
        for before, after, label, note in candidates
        if value.get(before) is not None and value.get(after) is not None
    ]


def _alt(series: Sequence[Series], axis: Axis) -> str:
    """The chart in words: where every line starts and ends."""

    def say(y: float | None) -> str:
        return "none" if y is None else f"{100 * y:.1f}%" if axis.percent else f"{y:g}"

    drawn = [line for line in series if len(line.y)]
    # Lines without a label are intervals of a labelled one; where there are no labels at all they are the chart.
    drawn = [line for line in drawn if line.label] or drawn
    lines = "; ".join(f"{line.label} from {say(line.y[0])} to {say(line.y[-1])}".strip() for line in drawn)
    return f"{axis.title}, against {axis.x}: {lines}."


def _stages(costs: Sequence[Row]) -> list[dict[str, Any]]:
    """The costs by stage (the key's last part in rounds, its first elsewhere), dearest first."""
    stages: dict[str, dict[str, Any]] = {}
    for row in costs:
        first, _, last = str(row["asset"]).partition("/")
        # An experiment has dozens of artifacts, which would bury the stages of the loop.
        name = "ablations" if first == "ablations" else row["asset"]
        if in_round(first) is not None:
            name = f"{last}, every round"
        stage = stages.setdefault(
            name, {"name": name, "assets": 0, "seconds": 0.0, "flops": 0.0, "tokens": 0}
        )
        stage["assets"] += 1
        for column in ("seconds", "flops", "tokens"):
            stage[column] += row[column] or 0
    # Bars relative to the dearest stage.
    longest = max((stage["seconds"] for stage in stages.values()), default=0.0)
    for stage in stages.values():
        stage["bar"] = round(100 * stage["seconds"] / longest, 1) if longest else 0
    return sorted(stages.values(), key=lambda stage: (-stage["seconds"], stage["name"]))


def _total(costs: Sequence[Row]) -> dict[str, float]:
    return {column: sum(row[column] or 0 for row in costs) for column in ("seconds", "flops", "tokens")}
