"""Written chains are perfect and as many as RL made; GPT*'s own are the right ones."""

from __future__ import annotations

from pathlib import Path
from random import Random

import polars as pl
import pytest

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.prompt_format import PromptFormat, extract_answer
from o1_assets.core.settings import Settings
from o1_assets.experiments.chains.assets import make_chain_set, repeated_to
from o1_assets.experiments.chains.config import ChainSetConfig
from o1_assets.generator.config import SftConfig
from o1_assets.graph import build_graph
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import draw_problems
from o1_assets.problems.expression import OPERATION, apply
from o1_assets.problems.worlds.arithmetic.world import expression_of
from o1_assets.profiles.load import load_profile
from tests.evaluation.conftest import Pupil

POLICY = PolicyConfig(updates=3, problems_per_update=2, group_size=4, prompt=PromptFormat(max_tokens=64))


BAD_TEACHER = CorpusConfig(misconception_scale=2.0, slip_rate=0.5, direct_rate=0.5, check_rate=0.3)


def config(source: str, **changes: object) -> ChainSetConfig:
    return ChainSetConfig.model_validate(
        {"source": source, "policy": POLICY, "teacher": BAD_TEACHER, "few": 2, **changes}
    )


def made(source: str, checkpoints: dict[str, Path], train: Path, out: Path) -> pl.DataFrame:
    return computed(source, checkpoints, train, out)[0]


def computed(
    source: str, checkpoints: dict[str, Path], train: Path, out: Path
) -> tuple[pl.DataFrame, Outcome]:
    out.mkdir()
    inputs = {"policy": checkpoints["generator"], "train": train}
    outcome = make_chain_set(Task(inputs, out, 5, open_engine=Pupil), config(source))
    return pl.read_parquet(out / "sft_set.parquet"), outcome


def test_written_solutions_are_perfect_and_of_the_problems_that_rl_drew(
    checkpoints: dict[str, Path], test_problems: Path, tmp_path: Path
) -> None:
    table, outcome = computed("written", checkpoints, test_problems, tmp_path / "a")
    drawn = draw_problems(pl.read_parquet(test_problems / "problems.parquet"), POLICY, 5)
    by_id = {problem["problem_id"]: problem for problem in drawn}
    assert table.height == 3 * 2 * 4 and set(table["problem_id"]) == set(by_id)
    for row in table.iter_rows(named=True):
        *steps, last = row["text"].removesuffix("\n").split("\n")
        for step in steps:
            match = OPERATION.fullmatch(step.removeprefix("check "))
            assert match and apply(int(match[1]), match[2], int(match[3])) == int(match[4]), step
        expression = expression_of(by_id[row["problem_id"]])
        assert expression and last == f"answer {expression.value()}"
        assert len(steps) >= len(expression.ops)
    assert table.equals(made("written", checkpoints, test_problems, tmp_path / "b"))
    assert outcome.cost.flops == 0


def test_few_written_solutions_are_read_more_often(
    checkpoints: dict[str, Path], test_problems: Path, tmp_path: Path
) -> None:
    table = made("written_few", checkpoints, test_problems, tmp_path / "few")
    assert table.height == 24 and table.n_unique(["problem_id", "text"]) == 2


def test_gpt_star_s_own_are_right_and_cost_what_was_sampled(
    checkpoints: dict[str, Path], test_problems: Path, tmp_path: Path
) -> None:
    table, outcome = computed("own", checkpoints, test_problems, tmp_path / "own")
    answers = dict(
        pl.read_parquet(test_problems / "problems.parquet").select("problem_id", "answer").iter_rows()
    )
    assert table.height == 24
    assert all(
        extract_answer(text, "answer") == answers[key]
        for key, text in table.select("problem_id", "text").rows()
    )
    assert outcome.cost.tokens_generated > 0


def test_a_problem_that_is_no_expression_is_named(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    rows = [{"problem_id": "x", "question": "Why?", "answer": "1", "grader": "math", "metadata": "{}"}]
    pl.DataFrame(rows).write_parquet(tmp_path / "problems.parquet")
    with pytest.raises(ValueError, match=r"not 'Why\?'"):
        made("written", checkpoints, tmp_path, tmp_path / "out")


def test_what_is_too_little_is_repeated_evenly() -> None:
    rows = [(str(i), "", "") for i in range(4)]
    counts = [repeated_to(rows, 10, Random(0)).count(row) for row in rows]
    assert sum(counts) == 10 and set(counts) == {2, 3}
    few = repeated_to(rows, 3, Random(0))
    assert len(few) == 3 == len(set(few)) and set(few) < set(rows)


def test_every_arm_makes_equal_updates_on_equal_numbers_of_solutions_of_equal_problems() -> None:
    profile = load_profile("nano", "")
    graph = build_graph(profile, Settings("nano", Path("nowhere")))
    rl = graph["ablations/rl/both_sum_1"]
    policy = rl.config
    assert isinstance(policy, PolicyConfig)
    for source in ("own", "written_few", "written"):
        chains, sft = (graph[f"ablations/chains/{source}{kind}_1"] for kind in ("_set", ""))
        assert isinstance(chains.config, ChainSetConfig) and isinstance(sft.config, SftConfig)
        assert chains.seed == rl.seed and chains.config.policy == policy
        assert "problems/test" not in {*chains.inputs.values(), *sft.inputs.values()}
        solutions = policy.updates * policy.problems_per_update * policy.group_size
        assert solutions / sft.config.batch_size == policy.updates
    without = load_profile("nano", 'ablations.rl.arms=["outcome"]')
    assert not any(
        k.startswith("ablations/chains/") for k in build_graph(without, Settings("nano", Path("x")))
    )
