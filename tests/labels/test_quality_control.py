"""Agreement with gold, with screening and among labellers, and the effect of excluding labellers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.plots import png
from o1_assets.labels import quality_control as quality
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import lead_solutions
from o1_assets.labels.inbox.tables import EVENT
from o1_assets.labels.label_table import quality_chart
from o1_assets.labels.protocol import DENSE, SPARSE
from o1_assets.labels.quality_control import (
    GOLD,
    QUALITY,
    agreement_figures,
    check_solutions,
    counts_of,
    exact_ratings,
    exclusion_figures,
    lead_gold,
    percent,
    ratings_in,
    with_peers,
    without_excluded,
)
from o1_assets.labels.selection import Selection, with_completion_id
from tests.labels import world

CONFIG = QualityConfig(gold=10, min_agreement=0.75, min_ratings=4)


def ratings_by(
    who: str, ratings: dict[str, int | None], moment: int = 0, kind: str = "", flagged: bool = False
) -> list[dict[str, Any]]:
    """One event for each solution: its first step's own completion."""
    return [
        {
            "solution_id": solution, "step": 0, "completion": 0, "labeler": who, "moment": moment, "batch": "b",
            "line": line, "rating": rating, "flagged": flagged, "quality_control": kind == "gold",
            "screening": kind == "screening",
        }
        for line, (solution, rating) in enumerate(ratings.items(), 1)
    ]  # fmt: skip


def frame(*parts: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([row for part in parts for row in part], schema=EVENT)


def latest_ratings(events: pl.DataFrame) -> pl.DataFrame:
    return quality.latest_ratings(slotted(events))


def slotted(rows: pl.DataFrame) -> pl.DataFrame:
    ids = sorted({"a", "b", "c", "d", *rows["solution_id"]})
    return with_completion_id(rows, pl.DataFrame({"solution_id": ids, "solution": range(len(ids))}))


def standing(events: pl.DataFrame) -> pl.DataFrame:
    return ratings_in(latest_ratings(events))


def alpha(ratings: pl.DataFrame) -> float | None:
    return quality.alpha(counts_of(ratings))


def assess_labelers(events: pl.DataFrame, gold: pl.DataFrame, config: QualityConfig) -> pl.DataFrame:
    return quality.assess_labelers(latest_ratings(events), gold, config)


def known(ratings: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [(solution, 0, 0, rating) for solution, rating in ratings.items()], schema=GOLD, orient="row"
    )


TRUTH = {f"g{i}": (-1, 0, 1, 1)[i % 4] for i in range(8)}
GOLD_TABLE = known(TRUTH)


def wrong_on(count: int) -> dict[str, int | None]:
    return {s: (1 if r < 1 else -1) if i < count else r for i, (s, r) in enumerate(TRUTH.items())}


def row_of(assessed: pl.DataFrame, who: str) -> dict[str, Any]:
    return assessed.row(by_predicate=pl.col("labeler") == who, named=True)


def test_who_agrees_with_too_little_gold_is_excluded_and_who_agrees_with_enough_is_not() -> None:
    events = frame(
        ratings_by("exact", dict(TRUTH), kind="gold"),
        ratings_by("just", wrong_on(2), kind="gold"),
        ratings_by("below", wrong_on(3), kind="gold"),
    )
    assessed = assess_labelers(events, GOLD_TABLE, CONFIG)
    assert assessed.schema == QUALITY and assessed["labeler"].to_list() == ["below", "exact", "just"]
    assert [row_of(assessed, who)["gold_agreement"] for who in ("exact", "just", "below")] == [
        1.0,
        0.75,
        0.625,
    ]
    assert assessed.filter("excluded")["labeler"].to_list() == ["below"]
    assert row_of(assessed, "below")["reason"] == "gold" and row_of(assessed, "exact")["gold_alpha"] == 1.0
    assert row_of(assessed, "exact")["ratings"] == 0 and row_of(assessed, "exact")["gold_ratings"] == 8


def test_nobody_is_judged_on_too_few_ratings() -> None:
    events = frame(ratings_by("new", dict(list(wrong_on(8).items())[:3]), kind="gold"))
    (row,) = assess_labelers(events, GOLD_TABLE, CONFIG).to_dicts()
    assert row["gold_agreement"] == 0.0 and not row["excluded"] and row["reason"] is None
    (row,) = assess_labelers(events, GOLD_TABLE, CONFIG.model_copy(update={"min_ratings": 3})).to_dicts()
    assert row["excluded"]


def test_screening_is_judged_apart_from_gold() -> None:
    events = frame(
        ratings_by("failed", wrong_on(4), kind="screening"),
        ratings_by("failed", dict(TRUTH), moment=5, kind="gold"),
        ratings_by("drifted", dict(TRUTH), kind="screening"),
        ratings_by("drifted", wrong_on(4), moment=5, kind="gold"),
    )
    assessed = assess_labelers(events, GOLD_TABLE, CONFIG)
    assert (
        row_of(assessed, "failed")["screening_agreement"],
        row_of(assessed, "failed")["gold_agreement"],
    ) == (
        0.5,
        1.0,
    )
    assert (
        row_of(assessed, "drifted")["screening_agreement"],
        row_of(assessed, "drifted")["gold_agreement"],
    ) == (
        1.0,
        0.5,
    )
    assert (row_of(assessed, "failed")["reason"], row_of(assessed, "drifted")["reason"]) == (
        "screening",
        "gold",
    )


def test_only_the_last_word_counts_and_unsure_or_flagged_says_nothing() -> None:
    events = frame(
        ratings_by("a", wrong_on(8), moment=1, kind="gold"),
        ratings_by("a", dict(TRUTH), moment=2, kind="gold"),
        ratings_by("b", dict.fromkeys(TRUTH), kind="gold"),
        ratings_by("c", wrong_on(8), kind="gold", flagged=True),
    )
    for order in (events, events.reverse(), events.sample(fraction=1.0, shuffle=True, seed=1)):
        assessed = assess_labelers(order, GOLD_TABLE, CONFIG)
        assert row_of(assessed, "a")["gold_agreement"] == 1.0
        assert row_of(assessed, "b")["gold_ratings"] == row_of(assessed, "c")["gold_ratings"] == 0
        assert row_of(assessed, "b")["gold_agreement"] is None and not assessed["excluded"].any()


def test_the_leads_are_the_gold_and_are_never_excluded() -> None:
    config = CONFIG.model_copy(update={"leads": ("lead",)})
    events = frame(ratings_by("lead", dict(TRUTH)), ratings_by("ann", wrong_on(5), kind="gold"))
    gold = lead_gold(latest_ratings(events), config.leads)
    assert gold.sort("solution_id").equals(GOLD_TABLE.sort("solution_id")) and gold.schema == GOLD
    assessed = assess_labelers(events, known({s: -r for s, r in TRUTH.items()}), config)
    assert not row_of(assessed, "lead")["excluded"], "even where another source of gold says otherwise"
    assert row_of(assess_labelers(events, gold, config), "ann")["reason"] == "gold"


def test_what_two_leads_contradict_each_other_in_is_not_known() -> None:
    events = frame(ratings_by("x", {"g0": 1, "g1": 0}), ratings_by("y", {"g0": -1, "g1": 0}))
    assert lead_gold(latest_ratings(events), ("x", "y")).rows() == [("g1", 0, 0, 0)]


def test_percent_and_peers_count_pairs_of_one_completion() -> None:
    ratings = standing(
        frame(
            ratings_by("a", {"s": 1, "t": 0}),
            ratings_by("b", {"s": 1, "t": -1}),
            ratings_by("c", {"s": -1, "u": 1}),
        )
    )
    # s: pairs ab equal, ac, bc not; t: ab not. u: nobody to agree with.
    assert percent(counts_of(ratings)) == pytest.approx(1 / 4)
    peers = {row["labeler"]: row for row in with_peers(ratings).to_dicts()}
    assert {who: row["peer_agreement"] for who, row in peers.items()} == pytest.approx(
        {"a": 1 / 3, "b": 1 / 3, "c": 0.0}
    )
    assert [peers[who]["shared_ratings"] for who in "abc"] == [2, 2, 1]
    assert percent(counts_of(ratings.filter(pl.col("labeler") == "a"))) is None


def test_alpha_is_ordinal_one_for_agreement_and_nothing_where_nothing_can_be_said() -> None:
    same = {"s": 1, "t": 0, "u": -1, "v": 1}
    assert alpha(standing(frame(ratings_by("a", dict(same)), ratings_by("b", dict(same))))) == pytest.approx(
        1.0
    )
    near = standing(frame(ratings_by("a", dict(same)), ratings_by("b", {**same, "v": 0})))
    far = standing(frame(ratings_by("a", dict(same)), ratings_by("b", {**same, "v": -1})))
    near_alpha, far_alpha = alpha(near), alpha(far)
    assert near_alpha is not None and far_alpha is not None and 1 > near_alpha > far_alpha
    assert alpha(standing(frame(ratings_by("a", {"s": 1}), ratings_by("b", {"s": 1})))) is None, (
        "one value: no chance level"
    )
    assert alpha(standing(frame(ratings_by("a", dict(same))))) is None, "nobody to agree with"


def test_alpha_equals_that_of_the_whole_reliability_matrix() -> None:
    import krippendorff
    import numpy as np

    rng = random.Random(4)
    people = {
        who: {f"s{i}": rng.choice((-1, 0, 1)) for i in range(30) if rng.random() < 0.7} for who in "abcd"
    }
    matrix = [[ratings.get(f"s{i}", np.nan) for i in range(30)] for ratings in people.values()]
    expected = krippendorff.alpha(
        reliability_data=matrix, level_of_measurement="ordinal", value_domain=[-1, 0, 1]
    )
    ours = alpha(standing(frame(*(ratings_by(who, dict(ratings)) for who, ratings in people.items()))))
    assert ours == pytest.approx(expected)


def test_random_labellers_are_found_and_leaving_them_out_raises_agreement() -> None:
    rng = random.Random(0)
    truth = {f"s{i}": rng.choice((-1, 0, 1)) for i in range(200)}
    careful = {who: {s: r if rng.random() < 0.93 else -r for s, r in truth.items()} for who in "abcd"}
    guessing = {s: rng.choice((-1, 0, 1)) for s in truth}
    events = frame(
        *(ratings_by(who, dict(ratings)) for who, ratings in careful.items()), ratings_by("e", dict(guessing))
    )
    gold = known(dict(list(truth.items())[:40]))
    assessed = assess_labelers(events, gold, QualityConfig())
    assert assessed.filter("excluded")["labeler"].to_list() == ["e"]
    figures = agreement_figures(latest_ratings(events), assessed)
    assert (figures["labelers"], figures["labelers_excluded"]) == (5, 1)
    before, after = figures["agreement_before"], figures["agreement_after"]
    assert isinstance(before, float) and isinstance(after, float) and after > before + 0.1
    before, after = figures["alpha_before"], figures["alpha_after"]
    assert isinstance(before, float) and isinstance(after, float) and after > before + 0.1
    assert set(without_excluded(events, assessed)["labeler"]) == set("abcd")


def test_the_effect_on_the_label_table_is_counted() -> None:
    before, after = (slotted(known(r)) for r in ({"a": 1, "b": 1, "c": 0}, {"b": -1, "c": 0, "d": 1}))
    assert exclusion_figures(before, after) == {
        "labels_removed_by_exclusion": 1,
        "labels_added_by_exclusion": 1,
        "labels_changed_by_exclusion": 1,
    }


def test_no_ratings_give_an_empty_table_and_no_chart() -> None:
    assessed = assess_labelers(frame(), GOLD_TABLE, CONFIG)
    assert assessed.schema == QUALITY and assessed.is_empty() and quality_chart(assessed, 0.75) is None
    alone = assess_labelers(frame(ratings_by("a", {"x": 1})), GOLD_TABLE, CONFIG)
    assert row_of(alone, "a")["ratings"] == 1 and quality_chart(alone, 0.75) is None


def test_the_chart_shows_who_is_out_and_survives_many_labellers() -> None:
    parts = [ratings_by(f"labeller {i:02d}", wrong_on(i % 5), kind="gold") for i in range(30)]
    for count in (3, 5, 30):
        assessed = assess_labelers(frame(*parts[:count]), GOLD_TABLE, CONFIG)
        drawn = quality_chart(assessed, CONFIG.min_agreement)
        assert drawn is not None
        series, axis = drawn
        out = [s for s in series if s.label == "excluded"]
        assert sum(y is not None for s in out for y in s.y) == assessed["excluded"].sum()
        assert axis.title == f"{assessed['excluded'].sum()} of {count} labellers excluded"
        assert png(series, axis).startswith(b"\x89PNG")


MANY = {f"solution {i}": world.SOLUTIONS["right"] for i in range(40)} | {"wrong": world.SOLUTIONS["wrong"]}


@pytest.fixture
def many(tmp_path: Path) -> Selection:
    return Selection.load(*world.write_selection(tmp_path, MANY))


def test_gold_and_screening_follow_from_the_selection_and_do_not_overlap(many: Selection) -> None:
    config = QualityConfig(gold=3, screening=5)
    gold, screening = check_solutions(many, config)
    assert (len(gold), len(screening)) == (3, 5) and not gold & screening
    assert check_solutions(many, config).gold == gold and gold <= set(many.solution_ids)
    assert len(check_solutions(many, QualityConfig(gold=30)).gold) == 4, "at most a tenth of the round"
    assert check_solutions(many, QualityConfig(gold=0, screening=0)).known == frozenset()


def test_only_solutions_that_the_checker_covers_are_gold(tmp_path: Path) -> None:
    selection, train = world.write_selection(tmp_path, MANY)
    problems = pl.read_parquet(train / "problems.parquet")
    covered = pl.col("problem_id") == "2+3*4"
    problems.with_columns(metadata=pl.when(covered).then("metadata").otherwise(pl.lit("{}"))).write_parquet(
        train / "problems.parquet"
    )
    assert check_solutions(Selection.load(selection, train), QualityConfig(gold=3)) == ({"wrong"}, set())


def test_gold_is_marked_in_the_export_and_differs_in_nothing_else(many: Selection) -> None:
    gold = check_solutions(many, QualityConfig(gold=3)).gold
    plain = [record.to_line() for record in export_selection(many, world.ROUND, DENSE)]
    records = list(export_selection(many, world.ROUND, DENSE, gold))
    assert {r.o1.solution_id for r in records if r.o1 and r.is_quality_control_question} == gold
    for record in records:
        record.is_quality_control_question = False
    assert [record.to_line() for record in records] == plain


def test_screening_problems_are_of_generation_minus_one(many: Selection) -> None:
    chosen = check_solutions(many, QualityConfig(gold=3, screening=5)).screening
    records = list(export_screening(many, world.ROUND, DENSE, chosen))
    assert {r.o1.solution_id for r in records if r.o1} == chosen
    assert all(r.generation == -1 and r.is_initial_screening_question for r in records)


def test_the_known_ratings_are_the_checkers_as_far_as_the_protocol_asks(tmp_path: Path) -> None:
    selection = world.load(tmp_path)
    dense = exact_ratings(selection, DENSE, frozenset({"right", "wrong"}))
    assert dense.filter(pl.col("solution_id") == "wrong").rows() == [
        ("wrong", 0, 0, -1), ("wrong", 0, 1, 1), ("wrong", 0, 2, -1)
    ]  # fmt: skip
    sparse = exact_ratings(selection, SPARSE, frozenset({"right"}))
    assert sparse.rows() == [("right", 0, 0, 1), ("right", 1, 0, 1), ("right", 2, 0, 1)]


def test_what_only_a_lead_rated_is_gold_too(tmp_path: Path) -> None:
    selection, inbox = world.load(tmp_path), Inbox(tmp_path / "inbox")
    blank = world.unrated(selection)
    for who, solution in (("lead", "right"), ("ann", "wrong")):
        record = world.rated(blank[solution], {(0, 0): 1, (0, 1): -1}, labeler=who)
        file = world.write(tmp_path / f"{who}.jsonl", [record])
        inbox.submit(file, world.ROUND, world.check(selection))
    assert lead_solutions(inbox, world.ROUND, QualityConfig(leads=("lead",))) == {"right"}
    assert lead_solutions(inbox, world.ROUND, QualityConfig()) == frozenset()
