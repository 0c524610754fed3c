"""What experiments judge on: problems unlike any that was learned from, and solutions scored once."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from o1_assets.base.config import BaseConfig
from o1_assets.base.pretrain import kept_out
from o1_assets.core.artifact import Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.settings import Settings
from o1_assets.evaluation.evaluate_policy import least_likely_tokens, prompts_of
from o1_assets.experiments.pools.config import OodConfig, PoolConfig
from o1_assets.experiments.pools.measure import distinct, make_ood, make_pool
from o1_assets.graph import build_graph
from o1_assets.problems.canonical import arithmetic, flat_expression, side
from o1_assets.problems.config import ArithmeticFilter
from o1_assets.problems.problem import ProblemError, RawProblem
from o1_assets.problems.split import allowed, as_table, make_test
from o1_assets.problems.worlds.arithmetic.teacher import WORDINGS, CorpusConfig, draw_corpus, draw_expression
from o1_assets.problems.worlds.arithmetic.world import expression_of
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.profiles.load import load_profile
from tests.evaluation.conftest import Pupil

NANO = load_profile("nano", "")
OOD = NANO.ablations.pools.ood


def small(count: int) -> OodConfig:
    kinds = tuple(
        kind.model_copy(update={"problems": kind.problems.model_copy(update={"test": count})})
        for kind in OOD.kinds
    )
    return OOD.model_copy(update={"kinds": kinds, "longer": count})


@pytest.fixture(scope="module")
def ood(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder, longer = tmp_path_factory.mktemp("ood"), tmp_path_factory.mktemp("longer")
    config = NANO.longer_problems
    assert config is not None
    make_test(Task({}, longer, 3, open_engine=Pupil), config.model_copy(update={"test": 20}))
    outcome = make_ood(Task({"longer": longer}, folder, 3, open_engine=Pupil), small(8))
    assert outcome.figures == {"problems": 24, "longer": 8, "larger": 8, "chain_sum": 8}
    return pl.read_parquet(folder / "problems.parquet")


def test_no_problem_out_of_distribution_is_on_the_train_side_or_in_the_corpus(ood: pl.DataFrame) -> None:
    assert ood["problem_id"].n_unique() == ood.height == 24
    for row in ood.iter_rows(named=True):
        content = arithmetic(row["question"]) or ""
        expression = flat_expression(content)
        assert expression is not None and expression == expression_of(row)
        assert side(content, 0.2) == "test"
        assert str(expression.value()) == row["answer"]
        worded = {wording.format(expression) for wording in WORDINGS}
        if row["kind"] == "chain_sum":
            assert row["question"] == f"{expression} =" and row["source"] == "reasoning_gym/chain_sum"
            assert row["question"] not in worded
        elif row["kind"] == "larger":
            assert not allowed(expression, OOD.corpus) and row["question"] in worded
        else:
            # The corpus has such lengths, and `test_no_corpus_holds_a_longer_problem` says that it has none of these.
            assert not allowed(expression, NANO.problems.arithmetic) and row["question"] in worded
    longer = ood.filter(pl.col("kind") == "longer")["difficulty"]
    assert set(longer) == {7, 8}


def entry(question: str) -> dict[str, Any]:
    return {"metadata": {"expression": question.removeprefix("What is ").removesuffix("?")}}


def test_no_corpus_holds_a_longer_problem(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("test", "longer")}
    for name, questions in (("test", ["What is 1 + 2?"]), ("longer", ["What is 3 + 4?"])):
        folders[name].mkdir()
        problems = [
            RawProblem(q, "7", arithmetic(q) or "", "math", 2, "made up", entry(q)) for q in questions
        ]
        as_table(problems).write_parquet(folders[name] / "problems.parquet")
    kept = kept_out(folders, WORLDS["arithmetic"])
    assert kept == {"1+2", "3+4"}
    corpus = CorpusConfig(solutions=3000, max_terms=2, max_number=4)
    drawn = {arithmetic(question) for question, _ in draw_corpus(corpus, 0, kept)}
    assert {"1+2", "3+4"}.isdisjoint(drawn) and len(drawn) > 30


def test_a_kind_that_the_corpus_holds_is_refused_instead_of_looked_for_for_ever(tmp_path: Path) -> None:
    (kind,) = [kind for kind in small(2).kinds if kind.name == "larger"]
    patient = kind.model_copy(update={"problems": kind.problems.model_copy(update={"patience": 30})})
    config = OodConfig(kinds=(patient,), corpus=ArithmeticFilter(max_terms=9, max_factor=10, max_value=10**6))
    with pytest.raises(ProblemError, match="'larger' in a row were within the corpus' limits"):
        make_ood(Task({}, tmp_path, 3, open_engine=Pupil), config)


@pytest.mark.parametrize("name", ["nano", "micro"])
def test_the_limits_are_those_of_the_corpus(name: str) -> None:
    profile = load_profile(name, "")
    graph = build_graph(profile, Settings("nano", Path("nowhere")))
    config: Any = graph["problems/ood"].config
    assert isinstance(profile.base, BaseConfig)
    limits, corpus = config.corpus, profile.base.corpus
    assert (limits.min_terms, limits.max_terms) == (corpus.min_terms, corpus.max_terms)
    assert (limits.max_value, limits.max_factor) == (corpus.max_value, corpus.max_factor)


def test_next_to_no_sum_of_the_other_generator_is_in_the_corpus(ood: pl.DataFrame) -> None:
    rng = Random(0)
    assert isinstance(NANO.base, BaseConfig)
    corpus = {str(draw_expression(NANO.base.corpus, rng)) for _ in range(NANO.base.corpus.solutions // 3)}
    questions = ood.filter(pl.col("kind") == "chain_sum")["question"]
    asked = {str(flat_expression(arithmetic(question) or "")) for question in questions}
    assert len(asked) == 8 and "None" not in asked and not corpus & asked
    assert any(len(expression.split()) == 9 for expression in corpus), "written in the same way"


def test_a_base_that_others_pre_trained_has_no_experiments() -> None:
    graph = build_graph(load_profile("smol", ""), Settings("smol", Path("nowhere")))
    assert not [key for key, artifact in graph.items() if artifact.part == "ablations"]


def test_every_solution_is_graded_and_has_its_own_least_likely_token(
    tmp_path: Path, checkpoints: dict[str, Path], test_problems: Path
) -> None:
    from o1_assets.reward.score import open_generator

    inputs = {"generator": checkpoints["generator"], "problems": test_problems}
    outcome = make_pool(
        Task(inputs, tmp_path, 5, open_engine=Pupil),
        PoolConfig(problems=4, samples=6, prompt=PromptFormat(max_tokens=64)),
    )
    table = pl.read_parquet(tmp_path / "solutions.parquet")
    problems = pl.read_parquet(tmp_path / "problems.parquet")
    assert table.height == 24 and problems.height == 4 and outcome.figures["solutions"] == 24
    assert table.select("problem_id", "sample").n_unique() == 24
    assert table["text"].n_unique() < 24, "equal solutions are what is looked at here"
    engine = Pupil(checkpoints["generator"])
    prompts = prompts_of(engine, problems, PromptFormat())
    minima, _ = least_likely_tokens(
        open_generator(checkpoints["generator"]),
        engine.tokenizer,
        [prompts[problem] for problem in table["problem_id"]],
        table["token_ids"].to_list(),
    )
    assert table["min_logprob"].to_list() == pytest.approx(minima, abs=1e-4)
    assert 0 < table["correct"].sum() < 24


def test_equal_tokens_of_one_problem_are_one_solution_of_two_problems_two() -> None:
    table = pl.DataFrame(
        {
            "problem_id": ["a", "a", "b", "a"],
            "token_ids": [[1, 2], [1, 2], [1, 2], [1]],
            "sample": [0, 1, 0, 2],
        }
    )
    once, index = distinct(table)
    assert once["problem_id"].to_list() == ["a", "b", "a"] and index == [0, 0, 1, 2]
