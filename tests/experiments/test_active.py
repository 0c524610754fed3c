"""What is chosen to be labelled, and what the choice is worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.experiments.active_learning.assets import artifacts, policy_key
from o1_assets.experiments.active_learning.measure import (
    HeldOut,
    World,
    choose,
    doubt,
    draw,
    examples,
    make_arm,
    problems_of,
    sparse,
)
from o1_assets.experiments.active_learning.result import make_result, saving, slope_weights
from o1_assets.experiments.result import read_result
from o1_assets.profiles.load import ProfileError, load_profile
from tests.evaluation.conftest import Pupil

SMALL = (
    "ablations.seeds=2\nablations.active.round=-1\nablations.active.pool_samples=6\nrounds=1\n"
    "ablations.active.held_out_samples=4\nablations.active.sizes=[2,4]\nablations.active.selector_solutions=4\n"
    'ablations.active.settings=["added","scratch"]\n'
    "ablations.active.updates=1\nablations.active.step_samples=2\nablations.active.resamples=40\n"
    "verifier=null\nfirst_prm.batch_size=4\nlater_prm.batch_size=4\n"
    "first_prm.probability_edges=[-8.0,-2.0,0.0]\nlater_prm.probability_edges=[-8.0,-2.0,0.0]"
)


def pool() -> tuple[pl.DataFrame, pl.DataFrame]:
    """20 problems with 8 samples: 5 times one right solution, and three wrong ones; their scores."""
    rows, scores = [], []
    for p in range(20):
        for sample in range(8):
            wrong = max(0, sample - 4)
            identity = f"{p:02d}-{sample}"
            rows.append((f"p{p:02d}", sample, f"text {wrong}", wrong == 0, identity))
            scores.append((identity, 0.9 - 0.01 * p - 0.1 * wrong, 0.5 - abs(0.3 - 0.1 * wrong)))
    samples = pl.DataFrame(
        rows, schema=["problem_id", "sample", "text", "correct", "solution_id"], orient="row"
    )
    table = pl.DataFrame(scores, schema=["solution_id", "score", "doubt"], orient="row")
    first = samples.unique(["problem_id", "text"], keep="first")["solution_id"]
    return samples, table.filter(pl.col("solution_id").is_in(first.to_list()))


def test_doubt_is_that_of_the_least_certain_step_up_to_the_first_predicted_error() -> None:
    assert doubt([0.99, 0.8, 0.95]) == pytest.approx(0.2)
    assert doubt([0.99, 0.1, 0.51]) == pytest.approx(0.1)
    assert doubt([0.4, 0.51]) == pytest.approx(0.4) and doubt([]) == 0.0


def test_a_draw_holds_each_solution_once_and_often_what_is_written_often() -> None:
    samples, _ = pool()
    long, short = draw(samples, 2, seed=3), draw(samples, 2, seed=3).head(7)
    assert long.height == 40 and long.unique(["problem_id", "text"]).height == 40
    assert long.group_by("problem_id").len()["len"].to_list() == [2] * 20
    assert short.equals(long.head(7)) and not draw(samples, 2, seed=4).equals(long)
    first = pl.concat([draw(samples, 1, seed) for seed in range(20)])
    # 5 of 8 samples are the right solution, though only one of 4 different ones is right.
    assert first.select(pl.col("correct").mean()).item() == pytest.approx(5 / 8, abs=0.08)


def test_each_strategy_chooses_what_it_is_named_for() -> None:
    samples, scores = pool()
    wrong = choose("convincing_wrong", samples, scores, 10, 2, 0.8, seed=0)
    assert wrong["correct"].to_list() == [False] * 8 + [True] * 2
    assert wrong["problem_id"].to_list()[:3] == ["p00", "p01", "p02"] and set(wrong["text"][:8]) == {"text 1"}
    unsure = choose("uncertain", samples, scores, 10, 1, 0.8, seed=0)
    assert set(unsure["text"]) == {"text 3"} and unsure["problem_id"].n_unique() == 10
    assert choose("uniform", samples, pl.DataFrame(), 10, 2, 0.8, seed=0).equals(draw(samples, 2, 0).head(10))
    with pytest.raises(ValueError, match=r"20 solutions .* not 30; set ablations.active.sizes"):
        choose("uncertain", samples, scores, 30, 1, 0.8, seed=0)


def test_labels_stop_at_the_first_wrong_step(test_problems: Path, checkpoints: dict[str, Path]) -> None:
    from o1_assets.engine.checkpoint import load_tokenizer

    table = pl.read_parquet(test_problems / "problems.parquet")
    problems, tokenizer = problems_of(table), load_tokenizer(checkpoints["generator"])
    first = table["problem_id"][0]  # 3 * 4 - 5
    steps = ["3*4=12", "12-5=6", "answer 6"]
    assert sparse(problems[first], steps) == [1, -1] and sparse(problems[first], ["3*4=12"]) == [1]
    chosen = pl.DataFrame({"problem_id": [first], "solution_id": ["s"], "steps": [steps]})
    (one,) = examples(chosen, problems, tokenizer, PromptFormat(), 1)
    assert one.labels == ((2, 0),) and len(one.sequences[0].ends) == 2 and one.round == 1
    with pytest.raises(ValueError, match=r"exact checker.*problems\.source"):
        problems_of(table.with_columns(metadata=pl.lit("{}")))


def lines(start: float, slope: float, sizes: int = 4) -> np.ndarray[Any, Any]:
    """Accuracy [sizes, 3 seeds, 60 problems] whose means are on a line."""
    noise = np.random.default_rng(1).normal(size=(1, 3, 60)) * 0.02
    return start + slope * np.arange(sizes)[:, None, None] + noise - noise.mean()


def test_twice_the_slope_is_a_ratio_of_two_and_a_doubling_ahead_an_efficiency_of_two() -> None:
    x = [5.0, 6.0, 7.0, 8.0]
    uniform = lines(0.5, 0.05)
    steep = saving(lines(0.5, 0.1), x, uniform, x, 200, 0)
    assert steep.ratio and steep.slope.mean == pytest.approx(0.1) and steep.ratio.mean == pytest.approx(2.0)
    assert steep.ratio.low > 1.9
    ahead = saving(lines(0.55, 0.05), x, uniform, x, 200, 0)
    assert ahead.ratio and ahead.efficiency
    assert ahead.ratio.mean == pytest.approx(1.0) and ahead.efficiency.mean == pytest.approx(2.0)
    half = saving(lines(0.55, 0.05), [4.0, 5.0, 6.0, 7.0], uniform, x, 200, 0)
    assert half.efficiency and half.efficiency.mean == pytest.approx(4.0)


def test_what_is_behind_everywhere_may_rise_faster_but_saves_no_labels() -> None:
    x = [5.0, 6.0, 7.0, 8.0]
    behind = saving(lines(0.2, 0.12), x, lines(0.6, 0.05), x, 200, 0)
    assert behind.ratio and behind.efficiency
    assert behind.ratio.low > 1.5 and behind.efficiency.high < 0.1


def test_there_is_no_ratio_to_a_line_that_does_not_rise() -> None:
    x, rng = [5.0, 6.0, 7.0, 8.0], np.random.default_rng(0)
    level = lines(0.6, 0.0) + rng.normal(size=(4, 3, 60)) * 0.1
    found = saving(lines(0.5, 0.1), x, level, x, 200, 0)
    assert found.ratio is None and found.efficiency is None and found.slope.low > 0.09


def test_slope_weights_are_those_of_least_squares() -> None:
    x, y = [3.0, 4.5, 7.0], np.array([0.2, 0.9, 0.4])
    assert float(slope_weights(x) @ y) == pytest.approx(np.polyfit(x, y, 1)[0])


class Made:
    """Every artifact of the small experiment, made on demand from the world of evaluation's tests."""

    def __init__(self, root: Path, checkpoints: dict[str, Path], problems: Path) -> None:
        self.root = root
        self.graph = {a.key: a for a in artifacts(load_profile("nano", SMALL))}
        self.folders = {
            "generator/model": checkpoints["generator"],
            "r00/prm": checkpoints["prm_00"],
            "r00/labels": root / "labels",
            "problems/train": problems,
            "problems/test": problems,
        }
        (root / "labels").mkdir()

    def folder(self, key: str) -> Path:
        if key not in self.folders:
            self.compute(self.graph[key], self.root / key)
            self.folders[key] = self.root / key
        return self.folders[key]

    def task(self, artifact: Artifact, out: Path) -> Task:
        out.mkdir(parents=True)
        inputs = {name: self.folder(key) for name, key in artifact.inputs.items()}
        return Task(inputs, out, artifact.seed, open_engine=Pupil)

    def compute(self, artifact: Artifact, out: Path) -> Outcome:
        return artifact.compute(self.task(artifact, out), artifact.config)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path) -> Made:
    world = Made(tmp_path_factory.mktemp("active"), checkpoints, test_problems)
    problem = pl.read_parquet(test_problems / "problems.parquet").row(0, named=True)
    pl.DataFrame(
        [
            {"problem_id": problem["problem_id"], "solution_id": "a", "question": problem["question"],
             "step": step, "completion": completion, "text": text, "rating": rating}
            for step, completion, text, rating in
            [(0, 0, "3*4=12", 1), (0, 1, "3*4=11", -1), (1, 0, "12-5=7", 1)]
        ]
    ).write_parquet(world.root / "labels" / "labels.parquet")  # fmt: skip
    return world


def test_the_whole_experiment_ends_in_claims_tables_and_charts(made: Made) -> None:
    result = read_result(made.folder("ablations/active/result"))
    claims = {claim.name: claim for claim in result.claims}
    assert {"active_slope_ratio", "active_label_efficiency", "active_slope_ratio_added_uncertain"} <= set(
        claims
    )
    assert [name for name, claim in claims.items() if claim.target is not None] == ["active_slope_ratio"]
    sizes = result.tables["sizes"].frame
    assert sizes.height == 2 * 3 * 2 and set(sizes["solutions"]) == {2, 4}
    assert sizes.select(pl.col("accuracy").is_between(0, 1).all()).item()
    # One wrong step at most is rated of a solution, and none has more than three steps.
    assert sizes.select(
        pl.col("rated_steps").is_between(pl.col("solutions"), 4 * pl.col("solutions")).all()
    ).item()
    assert {"scratch_solutions", "scratch_steps", "added_solutions", "added_steps"} == set(result.charts)
    assert any("is ahead at" in note for note in result.notes)


def test_a_killed_arm_goes_on_after_the_sizes_that_are_done(made: Made, tmp_path: Path) -> None:
    arm = made.graph["ablations/active/added_convincing_wrong_0"]
    whole = made.folder(arm.key) / "sizes.parquet"

    def killed(line: str) -> None:
        if line.startswith("4 solutions"):
            raise KeyboardInterrupt

    first = replace(made.task(arm, tmp_path / "a"), unfinished=tmp_path / "unfinished", progress=killed)
    with pytest.raises(KeyboardInterrupt):
        make_arm(first, arm.config)
    assert [path.name for path in (tmp_path / "unfinished").glob("*.json")] == ["size_2.json"]
    lines: list[str] = []
    again = replace(made.task(arm, tmp_path / "b"), unfinished=tmp_path / "unfinished", progress=lines.append)
    make_arm(again, arm.config)
    assert pl.read_parquet(tmp_path / "b" / "sizes.parquet").equals(pl.read_parquet(whole))
    assert lines and not any(line.startswith("2 solutions") for line in lines)


def test_selectors_score_every_different_solution_of_the_pool_once(made: Made) -> None:
    scores = pl.read_parquet(made.folder("ablations/active/scores_0") / "scores.parquet")
    samples = pl.read_parquet(made.folder("ablations/active/pool") / "solutions.parquet")
    assert scores.height == samples.unique(["problem_id", "text"]).height
    assert scores.select(pl.col("added_doubt", "scratch_doubt").is_between(0, 0.5).all()).row(0) == (
        True,
        True,
    )


def test_who_knows_the_answer_is_never_fooled_and_picks_right_ones(made: Made) -> None:
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.score import open_generator

    samples = pl.read_parquet(made.folder("ablations/active/held_out") / "solutions.parquet")
    problems = problems_of(pl.read_parquet(made.folder("problems/test") / "problems.parquet"))
    generator = made.folder("generator/model")
    config: Any = made.graph["ablations/active/scratch_uniform_0"].config
    world = World(problems, samples, load_tokenizer(generator), open_generator(generator), config.prm)
    held_out = HeldOut.of(samples, problems, world, 2)
    right = dict(zip(held_out.which.tolist(), held_out.pool.correct.ravel().tolist(), strict=True))
    assert len(right) == len(held_out.packed.sequences) < samples.height
    best = f"best_of_{held_out.pool.samples}"
    good = held_out.measure([np.array([0.9 if right[i] else 0.1]) for i in range(len(right))])
    bad = held_out.measure([np.array([0.1 if right[i] else 0.9]) for i in range(len(right))])
    assert good[best] == held_out.pool.correct.any(1).tolist() and good["fooled"] == 0.0
    assert bad[best] == held_out.pool.correct.all(1).tolist() and bad["fooled"] == 1.0


def test_the_pool_is_of_the_last_policy_there_is_and_held_out_problems_only_judge() -> None:
    assert policy_key(load_profile("nano", "")) == "r03/policy"
    assert policy_key(load_profile("nano", "rounds=2")) == "r02/policy"
    assert policy_key(load_profile("nano", "ablations.active.round=-1")) == "generator/model"
    both = 'ablations.active.settings=["scratch","added"]'
    graph = {a.key: a for a in artifacts(load_profile("nano", both))}
    starts = {graph[f"ablations/active/{name}_0"].inputs["init"] for name in ("scores", "scratch_uniform")}
    assert starts == {"base/verifier"}, "the selector starts as the PRMs do that are trained on its choice"
    for artifact in graph.values():
        sees = (
            "problems/test" in artifact.inputs.values()
            or "ablations/active/held_out" in artifact.inputs.values()
        )
        assert sees == (artifact.compute is make_arm or artifact.key == "ablations/active/held_out")
    assert graph["ablations/active/result"].compute is make_result
    seeds = {key: a.seed for key, a in graph.items() if key.endswith("_0") and a.compute is make_arm}
    assert len(seeds) == 6 and len(set(seeds.values())) == 1
    usual = {a.key for a in artifacts(load_profile("nano", ""))}
    assert usual == {key for key in graph if "/added_" not in key}
    with pytest.raises(ProfileError, match="the claim is read off scratch"):
        load_profile("nano", 'ablations.active.settings=["added"]')


def test_nothing_of_the_experiment_is_a_model(made: Made) -> None:
    made.folder("ablations/active/result")
    files = {path.suffix for path in (made.root / "ablations").rglob("*") if path.is_file()}
    assert files <= {".parquet", ".json", ".png"}
