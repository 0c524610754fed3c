"""What a wrong step is called, how often each kind is made, and who finds it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import Task
from o1_assets.evaluation.config import SummaryConfig
from o1_assets.evaluation.summary import make_summary
from o1_assets.experiments.error_kinds.config import KindsResultConfig
from o1_assets.experiments.error_kinds.measure import (
    ALL,
    COPY,
    GUESS,
    NO_CORRECTION,
    ORDER_OTHER,
    OTHERS,
    RATES,
    RIGHT,
    SLIP,
    expressions_of,
    first_wrong,
    in_corpus,
    with_kinds,
)
from o1_assets.experiments.error_kinds.result import make_kinds
from o1_assets.experiments.result import read_result
from o1_assets.experiments.versions import VersionsConfig, make_versions
from o1_assets.problems.expression import Expression, apply
from o1_assets.problems.worlds.arithmetic.misconceptions import (
    ORDER,
    RESULT,
    OrderMisconception,
    ResultMisconception,
)
from tests.evaluation.conftest import Pupil
from tests.evaluation.test_round_eval import evaluate

NOISELESS: dict[str, float] = {
    "slip_rate": 0.0,
    "direct_rate": 0.0,
    "check_rate": 0.0,
    "notice_rate": 0.0,
    "free_order_rate": 0.0,
}


@pytest.mark.parametrize("one", ORDER, ids=lambda one: one.name)
def test_an_order_misconception_is_called_by_its_name(one: OrderMisconception) -> None:
    expression, step = one.example.split(": ")
    found = first_wrong(Expression.parse(expression), [step])
    assert found is not None and found[0] == 0
    assert found[1] == one.name or RATES[found[1]] > one.rate, "a commoner one writes the same"


@pytest.mark.parametrize("one", RESULT, ids=lambda one: one.name)
def test_a_false_result_is_called_by_the_commonest_misconception_that_gives_it(
    one: ResultMisconception,
) -> None:
    called = set()
    for a in range(-12, 30):
        for b in range(-12, 15):
            wrong = one.rule(a, b)
            if wrong is not None and wrong != apply(a, one.op, b):
                found = first_wrong(Expression((a, b), (one.op,)), [f"{a}{one.op}{b}={wrong}"])
                assert found is not None and RATES[found[1]] >= one.rate
                called.add(found[1])
    assert one.name in called, "somewhere it alone applies"


def test_what_people_with_all_misconceptions_write_is_nearly_always_explained() -> None:
    """Of first errors in a corpus without slips and guesses."""
    config = CorpusConfig.model_validate(NOISELESS | {"misconception_scale": 1.5})
    found = in_corpus(KindsResultConfig(corpus=config, corpus_solutions=400), 3)
    unexplained = sum(found.get(kind, 0.0) for kind in OTHERS)
    assert sum(found.values()) > 200 and unexplained == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["3*4=12", "12-5=7", "answer 7"], None),
        (["3*4=13"], (0, SLIP)),
        (["3*4=12", "12-4=8"], (1, COPY)),
        (["answer 9"], (0, GUESS)),
        (["3*4=12", "12-5=7", "answer 8"], (2, GUESS)),
        (["3*4=12", "wait 3*4=13"], (1, SLIP)),
        (["wait 3*4=12"], (0, NO_CORRECTION)),
        (["4-5=-1"], (0, "difference_before_product")),
        (["3*4=13", "wait 3*4=12", "12-5=7", "answer 7"], (0, SLIP)),
    ],
)
def test_what_no_misconception_writes_has_names_too(steps: list[str], expected: object) -> None:
    assert first_wrong(Expression.parse("3*4-5"), steps) == expected


def test_an_order_that_no_misconception_gives_is_told_from_a_slip() -> None:
    assert first_wrong(Expression.parse("1+2-3*4"), ["2-3=-1"]) == (0, ORDER_OTHER)


def test_a_thousand_solutions_of_the_corpus_hold_as_many_errors_as_its_rates_say() -> None:
    corpus = CorpusConfig.model_validate(
        NOISELESS | {"slip_rate": 0.2, "misconception_scale": 0.0, "max_terms": 2}
    )
    found = in_corpus(KindsResultConfig(corpus=corpus, corpus_solutions=600), 1)
    assert set(found) <= {SLIP, *RATES} and 120 < sum(found.values()) < 250 and found[SLIP] > 100


@pytest.fixture(scope="module")
def inputs(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> dict[str, Path]:
    """Two rounds of a run, and its summary."""
    root = tmp_path_factory.mktemp("versions")
    found = {"generator": checkpoints["generator"], "test": test_problems}
    for k in (0, 1):
        found |= {f"prm_{k:02d}": checkpoints[f"prm_{k:02d}"], f"orm_{k:02d}": checkpoints["orm"]}
        found[f"eval_{k:02d}"] = root / f"eval_{k}"
        evaluate(found[f"eval_{k:02d}"], checkpoints, test_problems, k)
    found |= {"generator_eval": found["eval_00"], "policy_eval": found["eval_01"], "pool": found["eval_00"]}
    (root / "summary").mkdir()
    make_summary(Task(found, root / "summary", 3, Pupil), SummaryConfig(pool_solutions=40))
    return {**found, "summary": root / "summary"}


def test_the_matrix_holds_every_error_of_the_pool_once(inputs: dict[str, Path], tmp_path: Path) -> None:
    config = KindsResultConfig(corpus=CorpusConfig(), corpus_solutions=50, samples=8, least=2)
    outcome = make_kinds(Task(inputs, tmp_path, 3, Pupil), config)
    found = pl.read_parquet(tmp_path / "found.parquet")
    for part in found.filter(pl.col("kind") != RIGHT).partition_by("model", "version"):
        whole = part.filter(pl.col("kind") == ALL).row(0, named=True)
        of_kinds = part.filter(pl.col("kind") != ALL)
        assert whole["errors"] == of_kinds["errors"].sum() > 0
        shares = (of_kinds["errors"] * of_kinds["found"].fill_null(0.0)).sum()
        assert whole["found"] == pytest.approx(shares / whole["errors"])
    result = read_result(tmp_path)
    kinds = result.tables["kinds"].frame
    slips = kinds.filter(pl.col("kind") == SLIP).row(0, named=True)
    assert slips["errors in the pool"] > 0 < slips["GPT*, a thousand"] and slips["held by writers"] is None
    assert {p.name for p in (tmp_path / "plots").iterdir()} >= {"found_prm.png", "found_orm.png"}
    assert result.tables["prm_found"].frame["kind"][0] == ALL and outcome.figures["solutions"]


def test_a_prm_finds_what_lies_below_its_threshold(inputs: dict[str, Path], tmp_path: Path) -> None:
    """Counted again, by another way, from the evaluation's own table of steps."""
    config = KindsResultConfig(corpus=CorpusConfig(), corpus_solutions=50, samples=8, least=1)
    same = {**inputs, "policy_eval": inputs["eval_00"]}
    make_kinds(Task(same, tmp_path, 3, Pupil), config)
    found = pl.read_parquet(tmp_path / "found.parquet")
    own = found.filter((pl.col("model") == "PRM") & (pl.col("version") == 0) & (pl.col("kind") == ALL))
    threshold = json.loads((inputs["eval_00"] / "figures.json").read_text())["step_threshold"]
    table = pl.read_parquet(inputs["eval_00"] / "solutions.parquet").filter(pl.col("seed") == 0)
    pool = with_kinds(
        table.unique(["problem_id", "text"]),
        expressions_of(pl.read_parquet(inputs["test"] / "problems.parquet")),
    ).drop_nulls("kind")
    hits = [p[w] < threshold for p, w in pool.select("p_right", "wrong_step").iter_rows()]
    assert own["errors"].item() == len(hits) and own["found"].item() == pytest.approx(np.mean(hits))


def test_the_runs_claims_are_ratios_of_its_own_figures(inputs: dict[str, Path], tmp_path: Path) -> None:
    config = VersionsConfig(best_of=4, subsets=20, resamples=100)
    make_versions(Task(inputs, tmp_path, 3, Pupil), config)
    result = read_result(tmp_path)
    claims = {claim.name: claim for claim in result.claims}
    assert set(claims) == {"fooled_rate_ratio", "pass@1_error_ratio"}
    rates = pl.read_parquet(inputs["summary"] / "rounds.parquet")["fooled_pool"].to_list()
    ratio = claims["fooled_rate_ratio"]
    assert (
        ratio.value == pytest.approx(rates[1] / rates[0]) and ratio.target == 0.2 and ratio.better == "lower"
    )
    wrong = [
        1 - float(pl.read_parquet(inputs[name] / "solutions.parquet")["correct"].to_numpy().mean())
        for name in ("policy_eval", "generator_eval")
    ]
    error = claims["pass@1_error_ratio"]
    assert error.value == pytest.approx(wrong[0] / wrong[1]) and error.low is not None
    assert error.low <= error.value <= error.high and error.target == 0.5
    table = result.tables["rounds"].frame
    assert table["fooled, fixed pool"].to_list() == pytest.approx(rates)
    assert table["round"].to_list() == [0, 1] and table["best of 4, GPT*'s samples"].is_between(0, 1).all()
