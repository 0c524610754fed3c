"""The searched share of a round's solutions: what is kept of a tree, what it is called, and who must not read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.settings import Settings
from o1_assets.problems.solutions import SAMPLED, SOURCE
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.reward import train
from o1_assets.reward.config import ORMConfig
from o1_assets.rounds.config import SearchConfig, SelectionConfig, SolutionsConfig
from o1_assets.rounds.factory import build_round
from o1_assets.rounds.search import mistakes, search_problems
from o1_assets.rounds.selection import make_selection
from o1_assets.rounds.solutions import make_solutions
from tests.evaluation.conftest import Pupil, checkpoints, test_problems
from tests.search.toy import PathScorer, TablePolicy

__all__ = ["checkpoints", "test_problems"]  # fixtures of another folder

SEARCHES = [
    {"name": "chains", "strategy": "best-of-n", "problems": 4, "tokens": 200},
    {"name": "by_gpt", "strategy": "best-of-n", "proposer": "generator", "problems": 9, "tokens": 100},
]  # fmt: skip


@pytest.fixture(scope="module")
def rounds(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> dict[str, tuple[pl.DataFrame, Outcome, Path]]:
    """The same round without searches and with them."""
    made = {}
    inputs = {"policy": checkpoints["generator"], "generator": checkpoints["generator"]}
    inputs |= {"prm": checkpoints["prm_00"], "train": test_problems}
    for name, searches in (("plain", []), ("searched", SEARCHES)):
        out = tmp_path_factory.mktemp(name)
        config = SolutionsConfig.model_validate({"problems": 6, "samples": 2, "searches": searches})
        outcome = make_solutions(Task(inputs, out, 3, open_engine=Pupil), config)
        made[name] = (pl.read_parquet(out / "solutions.parquet"), outcome, out)
    return made


def test_searched_solutions_stand_beside_the_sampled_ones_and_change_none_of_their_figures(
    rounds: Any,
) -> None:
    (plain, without, _), (table, outcome, _) = rounds["plain"], rounds["searched"]
    assert SOURCE not in plain.columns, "without searches a table keeps its bytes"
    assert table.filter(pl.col(SOURCE) == SAMPLED).drop(SOURCE).equals(plain)
    searched = table.filter(pl.col(SOURCE) != SAMPLED)
    assert set(searched[SOURCE]) == {"chains", "by_gpt"} and searched["solution_id"].is_unique().all()
    assert searched.join(plain, on=["problem_id", "text"], how="semi").is_empty(), "nothing is listed twice"
    # Where all samples are right nothing is searched, however many problems were asked for.
    wrong = plain.filter(~pl.col("correct"))["problem_id"]
    assert set(searched["problem_id"]) <= set(wrong) < set(plain["problem_id"])
    figures = {name: value for name, value in outcome.figures.items() if name in without.figures}
    assert figures == without.figures and outcome.rows == table.height
    spent = outcome.cost.tokens_generated - without.cost.tokens_generated
    assert spent == outcome.figures["chains_tokens"] + outcome.figures["by_gpt_tokens"] > 0
    assert outcome.cost.tokens_scored > 0


def test_an_orm_and_a_uniform_selection_read_the_sampled_solutions_alone(
    rounds: Any, checkpoints: dict[str, Path], test_problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    table, _, folder = rounds["searched"]
    sampled = set(table.filter(pl.col(SOURCE) == SAMPLED)["text"])
    inputs = {"init": checkpoints["generator"], "policy": checkpoints["generator"], "train": test_problems}
    trained: list[Any] = []
    monkeypatch.setattr(train, "_make", lambda task, config, examples, *rest: trained.extend(examples))
    train.make_orm(Task({**inputs, "solutions_00": folder}, tmp_path, 1, Pupil), ORMConfig(updates=1))
    assert len(trained) == table.filter(pl.col(SOURCE) == SAMPLED).height < table.height
    config = SelectionConfig(
        strategy="uniform", solutions=99, per_problem=99, completions=1, max_step_tokens=8
    )
    make_selection(Task({**inputs, "solutions": folder}, tmp_path, 1, Pupil), config)
    assert set(pl.read_parquet(tmp_path / "solutions.parquet")["text"]) == sampled


def test_what_is_chosen_is_counted_by_its_reason_and_its_source(
    rounds: Any, checkpoints: dict[str, Path], test_problems: Path, tmp_path: Path
) -> None:
    inputs = {"policy": checkpoints["generator"], "generator": checkpoints["generator"]}
    inputs |= {"prm": checkpoints["prm_00"], "train": test_problems, "solutions": rounds["searched"][2]}
    config = SelectionConfig(
        strategy="convincing_wrong", solutions=20, per_problem=9, completions=1, max_step_tokens=8,
        condemned_share=0.3, condemned_floor=0,
    )  # fmt: skip
    figures = make_selection(Task(inputs, tmp_path, 1, Pupil), config).figures
    chosen = pl.read_parquet(tmp_path / "solutions.parquet")
    for column in ("reason", SOURCE):
        counts = {f"{column}_{value}": n for value, n in chosen[column].value_counts().iter_rows()}
        assert {name: n for name, n in figures.items() if name.startswith(f"{column}_")} == counts
    assert figures["reason_condemned_right"] == 6
    assert chosen.filter(reason="condemned_right")["correct"].all()


def test_every_solution_that_a_tree_ended_with_is_a_row_also_those_that_the_beam_dropped() -> None:
    lines = ["1+1=2\n", "1+1=3\n"]
    table = {"1 + 1\n": dict.fromkeys(lines, 0.5)}
    for line, value in zip(lines, "23", strict=True):
        table["1 + 1\n" + line] = {f"answer {value}\n": 0.5, "answer 9\n": 0.5}
    metadata = json.dumps({"question": "1 + 1", "answer": "2", "metadata": {}})
    problem = pl.DataFrame([{"problem_id": "p", "question": "1 + 1", "answer": "2", "metadata": metadata,
                             "grader": "reasoning_gym:basic_arithmetic"}])  # fmt: skip
    policy: Any = TablePolicy(table)
    prm: Any = PathScorer("1+1=2\nanswer 9\n")
    config = SearchConfig(name="beam", problems=1, tokens=400)
    found = search_problems(config, problem, policy, prm, PromptFormat(), seed=1)
    rows = {text: (correct, round(score, 3)) for text, correct, score in
            found.solutions.select("text", "correct", "score").iter_rows()}  # fmt: skip
    assert rows["1+1=2\nanswer 2\n"] == (True, 0.09) and rows["1+1=2\nanswer 9\n"] == (False, 0.81)
    assert found.solutions.filter("winner")["text"].to_list() == ["1+1=2\nanswer 9\n"]
    # GPT* in turn with the policy, which would never have written this.
    wide: Any = TablePolicy({**table, "1 + 1\n": {"1+1=1\n": 1.0}, "1 + 1\n1+1=1\n": {"answer 1\n": 1.0}})
    table["1 + 1\n1+1=1\n"] = {"answer 1\n": 1.0}
    mixed = search_problems(config, problem, policy, prm, PromptFormat(), 1, generator=wide)
    assert "1+1=1\nanswer 1\n" not in rows and "1+1=1\nanswer 1\n" in mixed.solutions["text"].to_list()
    assert set(found.solutions[SOURCE]) == {"beam"} and found.tokens >= 400
    figures = mistakes(found.solutions, 2000)
    assert figures["solutions"] == len(rows) and figures["condemned_per_1000"] == 0.5
    luck = found.solutions.with_columns(sound=False)
    assert mistakes(luck, 2000)["condemned_per_1000"] == 0, (
        "a right answer with a wrong step is condemned rightly"
    )
    assert figures["convincing"] == 1 / sum(not correct for correct, _ in rows.values())


def test_a_round_reads_the_prm_before_it_only_where_it_searches() -> None:
    searches = json.dumps(SEARCHES).replace(" ", "")
    settings = Settings("nano", Path("nowhere"))
    sampled = "later_solutions.searches=[]"
    for text, expected in ((sampled, {"policy", "train"}), (f"later_solutions.searches={searches}", None)):
        profile = load_profile("nano", text)
        made = {artifact.key: artifact for k in (0, 2) for artifact in build_round(k, profile, settings)}
        inputs = made["r02/solutions"].inputs
        assert set(inputs) == (expected or {"policy", "train", "prm", "generator"})
        assert inputs.get("prm", "r01/prm") == "r01/prm"
        assert set(made["r00/solutions"].inputs) == {"policy", "train"}
    with pytest.raises(ProfileError, match=r"round 0 comes before the first PRM"):
        load_profile("nano", f"first_solutions.searches={searches}")
    with pytest.raises(ProfileError, match="chains twice"):
        load_profile(
            "nano", f"later_solutions.searches=[{','.join([json.dumps(SEARCHES[0]).replace(' ', '')] * 2)}]"
        )
