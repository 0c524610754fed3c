"""What keeps right answers: the pull towards GPT*, replay, resampled groups, pass@k's weights and the early stop."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.steps import step_ends
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.policy.config import (
    EarlyStopConfig,
    PolicyConfig,
    ReplayConfig,
    ReplaySource,
    ResamplingConfig,
    RewardConfig,
    round_inputs,
)
from o1_assets.policy.early_stop import split_problems
from o1_assets.policy.replay import Replay, ReplayFormat, replay_table, right_shares
from o1_assets.policy.rollouts import Collector, Rollout, has_contrast
from o1_assets.policy.train import Safeguards, draw_problems, train_policy
from tests.engine.training.interrupted import killed_after
from tests.policy.world import QUESTIONS, RIGHT, WRONG, ExactRewards, tiny_policy

CONFIG = PolicyConfig(
    updates=4, problems_per_update=4, group_size=6, learning_rate=2e-3, prompt=PromptFormat(max_tokens=24)
)
PROMPTS = [question + "\n" for question in QUESTIONS]
PROBLEMS = [
    {"problem_id": q, "question": q, "answer": "2", "grader": "math", "metadata": "{}"} for q in QUESTIONS
]


@pytest.fixture(scope="module")
def world() -> tuple[Any, Any]:
    return tiny_policy()


def collector(world: tuple[Any, Any], config: PolicyConfig, **fields: Any) -> Collector:
    return Collector(TransformersEngine(*world), ExactRewards(world[1]), config, seed=3, **fields)


def test_the_pull_towards_gpt_is_the_gradient_of_the_kl_term(world: tuple[Any, Any]) -> None:
    model = copy.deepcopy(world[0])
    with torch.no_grad():
        model.lm_head.weight += 0.05 * torch.randn(
            model.lm_head.weight.shape, generator=torch.Generator().manual_seed(0)
        )
    reference = world[0]
    config = CONFIG.model_copy(update={"kl_coefficient": 0.5})
    plain = collector((model, world[1]), config).groups(PROMPTS[:2], 0)
    pulled = collector((model, world[1]), config, reference=reference).groups(PROMPTS[:2], 0)
    read = TransformersEngine(*world)
    moved = 0.0
    for group, group_pulled in zip(plain, pulled, strict=True):
        for without, rollout in zip(group, group_pulled, strict=True):
            prompt = world[1].encode(rollout.prompt, add_special_tokens=False)
            apart = read.logprobs([prompt + rollout.token_ids], [len(prompt)])[0]
            np.testing.assert_allclose(rollout.reference, apart, atol=1e-4)
            own = torch.tensor(rollout.logprobs, dtype=torch.float64, requires_grad=True)
            log_ratio = torch.tensor(rollout.reference) - own
            (0.5 * (log_ratio.exp() - log_ratio - 1)).sum().backward()
            np.testing.assert_allclose(rollout.advantages - without.advantages, -own.grad, atol=1e-6)
            moved = max(moved, float(own.grad.abs().max()))
    assert moved > 0.01


def test_a_pull_without_gpt_is_refused(world: tuple[Any, Any]) -> None:
    config = CONFIG.model_copy(update={"kl_coefficient": 0.5})
    with pytest.raises(ValueError, match="GPT"):
        train_policy(*world, ExactRewards(world[1]), PROBLEMS, config, 0)


def test_groups_without_contrast_are_replaced_from_the_reserve_as_far_as_it_goes(
    world: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"group_size": 2, "resampling": ResamplingConfig(reserve=0.5)})
    # Two samples of one problem often agree; which of the problems that are, the rewards say.
    groups = collector(world, config).groups(PROMPTS[:4], 0)
    contrast = [has_contrast(group) for group in groups]
    assert 0 < sum(contrast) < 4
    bounded = collector(world, config, reserve=[PROMPTS[4:]])
    after = bounded.groups(PROMPTS[:4], 0)
    assert len(after) == 4
    assert sum(map(has_contrast, after)) == sum(contrast) + bounded.resampled
    places = zip(after, PROMPTS[:4], contrast, strict=True)
    assert all(group[0].prompt == prompt for group, prompt, kept in places if kept)
    assert sum(group[0].prompt in PROMPTS[4:] for group in after) == bounded.resampled
    # A reserve that always has contrast replaces every group that has none.
    asked: list[str] = []
    monkeypatch.setattr("o1_assets.policy.rollouts.has_contrast", lambda g: g[0].prompt in PROMPTS[3:])
    sample = bounded._sample
    monkeypatch.setattr(bounded, "_sample", lambda p, *args: asked.extend(p) or sample(p, *args))
    assert [group[0].prompt for group in bounded.groups(PROMPTS[:4], 0)] == [
        *PROMPTS[4:], PROMPTS[2], PROMPTS[3]
    ]  # fmt: skip
    assert asked == PROMPTS


@pytest.mark.parametrize("form", ["outcome", "both_sum", "both_minimum"])
def test_where_a_grader_judges_the_outcome_it_alone_tells_which_groups_have_contrast(
    world: tuple[Any, Any], form: Any
) -> None:
    """The ORM is not read, and what the PRM thinks of the steps changes no group's place."""

    def grade(solutions: list[tuple[str, str]]) -> list[bool]:
        # Whatever is in them: contrast in the first problem and in all of the reserve.
        return [
            i % 2 == 0 and prompt in (PROMPTS[0], *PROMPTS[4:]) for i, (prompt, _) in enumerate(solutions)
        ]

    reward = RewardConfig(form=form, outcome="grader")
    config = CONFIG.model_copy(
        update={"group_size": 2, "resampling": ResamplingConfig(reserve=1.0), "reward": reward}
    )

    class WithoutOrm(ExactRewards):
        def outcome_probabilities(self, prompts: Any, completions: Any) -> Any:
            pytest.fail("the ORM was read")

        def step_probabilities(self, prompts: Any, completions: Any) -> Any:
            assert form != "outcome"
            return [p[:, ::-1] for p in super().step_probabilities(prompts, completions)]

    graded = Collector(
        TransformersEngine(*world), WithoutOrm(world[1]), config, 3, grade=grade, reserve=[PROMPTS[4:]]
    )
    after = graded.groups(PROMPTS[:4], 0)
    assert [group[0].prompt for group in after] == [PROMPTS[0], *PROMPTS[4:], PROMPTS[3]]
    for group in after:
        assert [r.belief for r in group] == [r.outcome * r.finished for r in group]


def test_pass_k_leaves_problems_alone_that_are_solved_and_negatives_outweigh_positives(
    world: tuple[Any, Any],
) -> None:
    def advantages(**changes: Any) -> tuple[list[float], list[Rollout]]:
        group = collector(world, CONFIG.model_copy(update=changes)).groups(PROMPTS[:1], 0)[0]
        return [float(r.advantages[0]) for r in group], group

    plain, group = advantages()
    right = np.mean([r.belief for r in group])
    assert 0 < right < 1
    np.testing.assert_allclose(advantages(pass_k=3)[0], np.array(plain) * (1 - right) ** 2)
    np.testing.assert_allclose(
        advantages(positive_weight=0.25)[0], [a * (0.25 if a > 0 else 1) for a in plain]
    )


def test_a_replay_has_the_right_solutions_of_its_sources_a_few_of_a_problem(
    tmp_path: Path, world: tuple[Any, Any]
) -> None:
    for name in ("sft_set", "train", "solutions_00", "solutions_01"):
        (tmp_path / name).mkdir()
    pl.DataFrame(PROBLEMS).write_parquet(tmp_path / "train" / "problems.parquet")
    chosen = [{"problem_id": QUESTIONS[0], "question": QUESTIONS[0], "text": RIGHT[0]}]
    pl.DataFrame(chosen).write_parquet(tmp_path / "sft_set" / "sft_set.parquet")
    steps = [*RIGHT[0].split()[:1], "answer 2"]

    def solution(problem: str, *texts: str, correct: bool = True, finished: bool = True) -> dict[str, Any]:
        return {"problem_id": problem, "steps": list(texts), "correct": correct, "finished": finished}

    old = [solution(QUESTIONS[1], "1+1=2", "answer 2"), solution(QUESTIONS[1], "1", correct=False)]
    new = [
        *[solution(QUESTIONS[1], *steps)] * 2,
        solution(QUESTIONS[2], "answer 2"),
        solution(QUESTIONS[5], *steps),
        solution(QUESTIONS[1], "1+1=2", correct=False),
        solution(QUESTIONS[3], *steps, correct=False),
        solution(QUESTIONS[4], *steps, finished=False),
    ]
    for name, rows in (("solutions_00", old), ("solutions_01", new)):
        pl.DataFrame(rows).write_parquet(tmp_path / name / "solutions.parquet")
    config = ReplayConfig(weight=1.0, rows=2, sources=("generator", "rounds"), per_problem=1, most_right=0.9)
    table = replay_table(
        {path.name: path for path in tmp_path.iterdir()}, config, ReplayFormat(CONFIG.prompt, "\n")
    )
    assert table.select("problem_id", "steps", "source").rows() == [
        (QUESTIONS[0], steps, "generator"), (QUESTIONS[1], steps, "rounds")
    ]  # fmt: skip
    unknown = table.head(1).with_columns(
        steps=pl.lit([["é", "answer 2"]]).list.first(), source=pl.lit("written")
    )
    replay = Replay.of(pl.concat([table, unknown]), world[1], CONFIG.prompt, config, seed=0)
    assert world[1].decode(replay.solutions[0][1], skip_special_tokens=True) == RIGHT[0]
    assert replay.of_source == {"generator": 1, "rounds": 1}
    # Right answers by wrong steps are left out, but for what people wrote.
    steps = ["1+1=2", "answer 2"]
    rows = [(QUESTIONS[0], QUESTIONS[0], steps, source) for source in ("written", "generator", "rounds")]
    table = pl.concat([table, pl.DataFrame(rows, schema=table.schema, orient="row")])
    config = config.model_copy(update={"least_score": 0.5})
    replay = Replay.of(table, world[1], CONFIG.prompt, config, 0, ExactRewards(world[1]), updates=9)
    assert replay.of_source == {"generator": 1, "rounds": 1, "written": 1}
    assert len(Replay.of(table, world[1], CONFIG.prompt, config, 0, updates=1).solutions) == config.rows + 1


def test_a_searched_solution_is_no_sample_of_how_often_a_problem_is_solved(tmp_path: Path) -> None:
    (tmp_path / "solutions_00").mkdir()
    rows = [("a", True, "sampled"), ("a", False, "sampled"), *[("a", False, "beam")] * 2]
    table = pl.DataFrame(rows, ("problem_id", "correct", "source"), orient="row")
    table.write_parquet(tmp_path / "solutions_00" / "solutions.parquet")
    assert right_shares({"solutions_00": tmp_path / "solutions_00"}) == {"a": 0.5}


def test_every_solution_has_its_turn_and_processes_share_the_rows() -> None:
    replay = Replay([([i], [i]) for i in range(6)], rows=4, seed=1)
    drawn = [row[0][0] for update in range(3) for row in replay.drawn(update)]
    assert sorted(drawn[:6]) == sorted(drawn[6:]) == list(range(6))
    shared = [replay.drawn(1, process, 2) for process in range(2)]
    assert sorted(shared[0] + shared[1]) == sorted(replay.drawn(1))
    assert Replay([], rows=4, seed=1).drawn(0) == []


@pytest.mark.parametrize(
    ("sources", "names"),
    [(("generator",), {"sft_set"}), (("rounds",), {"s"}), (("written",), {"l", "s"})],
)
def test_only_what_the_replay_reads_is_an_input(sources: tuple[ReplaySource, ...], names: set[str]) -> None:
    config = PolicyConfig(replay=ReplayConfig(weight=1.0, sources=sources))
    assert set(round_inputs(config, {"l": "r00/labels"}, {"s": "r00/solutions"})) == names
    assert not round_inputs(PolicyConfig(), {"l": "r00/labels"}, {"s": "r00/solutions"})
    curriculum = PolicyConfig(curriculum=1.0)
    assert set(round_inputs(curriculum, {"l": "r00/labels"}, {"s": "r00/solutions"})) == {"s"}


def guarded(world: tuple[Any, Any], changes: dict[str, Any], checkpoints: Checkpoints | None = None) -> Any:
    """(policy, curve) of a training with a replay and an early stop that knows the answers."""
    model, tokenizer = copy.deepcopy(world[0]), world[1]
    config = CONFIG.model_copy(update=changes)
    solutions = [
        (tokenizer.encode(prompt), [*tokenizer.encode(RIGHT[0]), tokenizer.eos_token_id])
        for prompt in PROMPTS
    ]
    safeguards = Safeguards(None, Replay(solutions, 6, 0), PROBLEMS)
    problems = [PROBLEMS[i % 6] for i in range(config.updates * 4)]
    curve, collector, tokens = train_policy(
        model, tokenizer, ExactRewards(tokenizer), problems, config, 5,
        checkpoints=checkpoints, safeguards=safeguards,
    )  # fmt: skip
    return model.state_dict(), curve, collector.tokens_generated, tokens


STOP = EarlyStopConfig(every=1, samples=8, patience=2)


def test_replayed_solutions_are_learned_and_a_killed_training_ends_alike(
    world: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No solution is liked more than another, so that the replay alone can teach anything.
    monkeypatch.setattr(
        ExactRewards, "outcome_probabilities", lambda self, prompts, completions: [0.5] * len(prompts)
    )
    monkeypatch.setattr(
        ExactRewards,
        "step_probabilities",
        lambda self, prompts, c: [np.full((len(step_ends(ids, self.tokenizer)), 3), 1 / 3) for ids in c],
    )
    changes = {"replay": ReplayConfig(weight=1.0), "early_stop": STOP, "pass_k": 2}
    whole = guarded(world, changes)
    curve = whole[1]
    assert curve[-1]["replay_loss"] < curve[0]["replay_loss"] - 0.05
    assert curve[-1]["held_out_pass_1"] > 0.8
    with killed_after(2, monkeypatch):
        guarded(world, changes, Checkpoints(tmp_path))
    again = guarded(world, changes, Checkpoints(tmp_path))
    assert all(torch.equal(whole[0][name], again[0][name]) for name in whole[0])
    assert whole[1:] == again[1:]


def test_a_training_that_takes_right_answers_away_stops_and_keeps_its_best_weights(
    world: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.policy.world.RIGHT", WRONG)
    monkeypatch.setattr(
        ExactRewards, "outcome_probabilities",
        lambda self, p, c: [float("answer 1" in self.tokenizer.decode(ids)) for ids in c],
    )  # fmt: skip
    weights, curve, *_ = guarded(world, {"early_stop": STOP, "updates": 4})
    assert [point["update"] for point in curve] == [0, 1]
    assert curve[-1]["kept_update"] == 0
    assert all(torch.equal(weights[name], value) for name, value in world[0].state_dict().items())


def test_held_out_problems_are_those_of_their_ids_and_none_without_a_stop() -> None:
    problems = pl.DataFrame({"problem_id": [str(i) for i in range(200)]})
    trained, checked = split_problems(problems, EarlyStopConfig(every=2, share=0.2, problems=20))
    assert checked.height == 20
    assert 140 < trained.height < 180
    assert not set(trained["problem_id"]) & set(checked["problem_id"])
    trained, checked = split_problems(problems, EarlyStopConfig())
    assert (trained.height, checked.height) == (200, 0)


def test_problems_that_are_solved_half_the_time_come_earlier() -> None:
    problems = pl.DataFrame({"problem_id": [str(i) for i in range(300)]})
    shares = {str(i): i % 3 / 2 for i in range(300)}  # 0, 1/2 and 1
    config = PolicyConfig(updates=5, problems_per_update=20, curriculum=9.0)
    drawn = [int(row["problem_id"]) for row in draw_problems(problems, config, 0, shares)]
    assert len(set(drawn)) == 100
    # A third of the problems has ten of twelve parts of the chances at first, and is used up on the way.
    assert 60 < sum(i % 3 == 1 for i in drawn) < 90
    assert draw_problems(problems, config, 0, shares) == draw_problems(problems, config, 0, shares)
