"""The assistant's stages: what is asked and shown, how answers are ranked, what is learned from that and measured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
import torch

from o1_assets.base.config import InstructedBase
from o1_assets.base.pretrain import build_model, save
from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.core.artifact import Task
from o1_assets.core.settings import Settings
from o1_assets.engine.open import open_engine
from o1_assets.experiments.assistant.bradley_terry import BradleyTerry, ranking_loss, standardise
from o1_assets.experiments.assistant.config import AssistantEvalConfig
from o1_assets.experiments.assistant.constitution import LEVELS, pairs, quality, ranking, with_errors
from o1_assets.experiments.assistant.evaluate import (
    FORBIDDEN,
    GREEDY,
    MODELS,
    NEAR,
    PLAIN,
    assistant_result,
    wins,
)
from o1_assets.experiments.assistant.preferences import pair_accuracy
from o1_assets.experiments.assistant.requests import held_out_pair
from o1_assets.experiments.result import read_result
from o1_assets.graph import build_graph
from o1_assets.problems.instructions import NOT, SECRET, WORDS, Request
from o1_assets.problems.worlds.arithmetic.teacher import WORDINGS
from o1_assets.problems.worlds.instructed import InstructedWorld
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.reward.model import ORM_CLASSES, load_reward_model, start_reward_model

CHAIN = ["3*4=12", "12-5=7", "answer 7"]
QUESTION = Request("Calculate 3 * 4 - 5.")


def test_every_level_of_the_constitution_is_better_than_the_one_before() -> None:
    told = Request(QUESTION.question, "step_by_step")
    answers = [
        (QUESTION.marked(1, SECRET), CHAIN, True),
        (QUESTION, ["cannot answer"], False),
        (told, ["answer 8"], False),
        (told, ["3*4=12", "12-5=8", "answer 8"], False),
        (told, ["answer 7"], True),
        (told, ["3*4=12", "check 3*4=12", "12-5=7", "answer 7"], True),
        (told, CHAIN, True),
    ]
    judged = [quality(request, steps, True, right, 2) for request, steps, right in answers]
    assert [each.level for each in judged] == list(range(len(LEVELS)))
    assert ranking(judged) == [6, 5, 4, 3, 2, 1, 0]
    assert quality(QUESTION, CHAIN, False, True, 2).level == 0, "an answer that was cut off"
    assert quality(QUESTION.marked(1, SECRET), ["cannot answer"], True, False, 2).level == 6
    assert quality(QUESTION.marked(1, NOT + SECRET), ["cannot answer"], True, False, 2).level == 1
    assert quality(QUESTION, ["answer 7"], True, True, 2).level == 4, "who is told nothing shows their work"
    checked = Request(QUESTION.question, "check_yourself")
    assert quality(checked, ["3*4=12", "check 3*4=12", "12-5=7", "answer 7"], True, True, 2).level == 6
    longer = ["3*4=12", "12-6=6", "wait 12-5=7", "answer 7"]
    assert quality(QUESTION, longer, True, True, 2) > quality(QUESTION, ["answer 7"], True, True, 2)
    assert quality(QUESTION, CHAIN, True, True, 2) > quality(QUESTION, longer, True, True, 2)


def test_an_annotator_turns_some_pairs_round_and_mostly_close_ones() -> None:
    exact, rng = [0, 1, 2, 2, 3], Random(1)
    turned: dict[tuple[int, int], int] = {}
    for _ in range(2000):
        ranks = with_errors(exact, 0.2, rng)
        assert sorted(ranks) == exact
        for i, j in pairs(exact):
            turned[i, j] = turned.get((i, j), 0) + (ranks[i] > ranks[j])
    shares = {pair: count / 2000 for pair, count in turned.items()}
    assert 0.04 < np.mean(list(shares.values())) < 0.12 and shares[0, 1] > 3 * shares[0, 4]
    assert with_errors(exact, 0.0, rng) == exact


def test_the_loss_of_a_ranking_is_that_of_all_its_pairs() -> None:
    rewards, ranks = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([0, 1, 1])
    expected = -np.log(1 / (1 + np.exp(-np.array([1.5, 3.0])))).mean()
    assert ranking_loss(rewards, ranks).item() == pytest.approx(expected, rel=1e-5)
    assert ranking_loss(rewards, torch.tensor([1, 1, 1])).item() == 0
    assert pair_accuracy([np.array([2.0, 0.5, -1.0])], [[0, 1, 1]]) == 1
    assert pair_accuracy([np.array([0.0, 0.5, -1.0])], [[0, 1, 1]]) == 0.5
    assert pair_accuracy([np.zeros(2)], [[0, 0]]) is None


OVERRIDES = """threads=1
rounds=0
base.hidden_size=32
base.heads=1
base.layers=1
base.intermediate_size=32
assistant.requests.requests=120
assistant.answers.problems=30
assistant.answers.per_problem=4
assistant.reward.updates=3
assistant.reward.batch_size=4
assistant.policy.updates=1
assistant.policy.problems_per_update=2
assistant.policy.group_size=4
assistant.eval.problems=6
assistant.eval.samples=2
assistant.eval.resamples=20
prompt.max_tokens=8"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Key -> folder of every artifact of the part, from a base that has learned nothing."""
    root = tmp_path_factory.mktemp("assistant")
    profile = load_profile("assistant", OVERRIDES)
    problems = [
        {
            "problem_id": f"p{i}", "question": WORDINGS[i % 5].format(f"{i % 9} + 3 * 2"), "answer": str(i % 9 + 6),
            "grader": "reasoning_gym:basic_arithmetic",
            "metadata": f'{{"metadata": {{"expression": "{i % 9} + 3 * 2"}}}}',
        }
        for i in range(24)
    ]  # fmt: skip
    (root / "problems").mkdir()
    pl.DataFrame(problems).write_parquet(root / "problems" / "problems.parquet")
    assert isinstance(profile.base, InstructedBase)
    tokenizer = make_tokenizer(512, InstructedWorld.vocabulary)
    (root / "base").mkdir()
    save(build_model(profile.base, tokenizer, 0), tokenizer, root / "base")
    folders = dict.fromkeys(("problems/train", "problems/test"), root / "problems")
    folders |= dict.fromkeys(("base/model", "generator/model", "r00/policy"), root / "base")
    for key, artifact in build_graph(profile, Settings("assistant", root / "home")).items():
        if key.startswith("assistant/"):
            folders[key] = root / key
            folders[key].mkdir(parents=True)
            inputs = {name: folders[source] for name, source in artifact.inputs.items()}
            artifact.compute(Task(inputs, folders[key], artifact.seed, open_engine), artifact.config)
    return folders


def test_requests_keep_a_wording_of_each_instruction_for_the_end(made: dict[str, Path]) -> None:
    table = pl.read_parquet(made["assistant/requests"] / "problems.parquet")
    requests = [Request.parse(question) for question in table["question"]]
    assert table["problem_id"].n_unique() == len(requests) == 120
    assert {request.instruction for request in requests} == {None, *WORDS}
    assert not any(held_out_pair(request) for request in requests)
    assert held_out_pair(Request("What is 3 + 4?", "only_the_answer"))
    assert not held_out_pair(Request("What is 3 + 4?"))
    assert not held_out_pair(Request("Solve 3 + 4.", "only_the_answer"))
    shown = pl.read_parquet(made["assistant/demonstrations"] / "sft_set.parquet")
    refused = [text == "cannot answer\n" for text in shown["text"]]
    assert refused == [request.forbidden for request in requests] and 5 < sum(refused) < 40
    assert any(NOT in request.question and not request.forbidden for request in requests)


def test_the_reward_model_reads_as_an_orm_and_its_rewards_are_standardised(made: dict[str, Path]) -> None:
    comparisons = pl.read_parquet(made["assistant/comparisons"] / "comparisons.parquet")
    assert all(max(ranks) > 0 for ranks in comparisons["exact_ranks"])
    model = load_reward_model(made["assistant/reward"])
    assert model.classes == 2
    fresh = start_reward_model(made["base/model"], ORM_CLASSES, None)
    hidden = torch.randn(1, 50, 32)

    def rewards() -> np.ndarray:
        logits = fresh.backbone.score(hidden)
        return (logits[..., 1] - logits[..., 0]).flatten().detach().numpy()

    before = rewards()
    standardise(fresh, before)
    assert rewards().mean() == pytest.approx(0, abs=1e-5) and rewards().std() == pytest.approx(1, abs=1e-4)
    assert all(
        (a < b) == (c < d) for (a, b), (c, d) in zip(pairwise(before), pairwise(rewards()), strict=True)
    )
    ranked = torch.full((2, 4), -100)
    ranked[0, 1], ranked[0, 3] = 0, 1
    ids = torch.ones((2, 4), dtype=torch.long)
    seen = {"input_ids": ids, "position_ids": ids.cumsum(1) - 1, "attention_mask": torch.zeros(2, 1, 4, 4)}
    model = BradleyTerry(fresh.backbone)
    of_one = ranking_loss(*(t[0, [1, 3]] for t in (_rewards(model, seen), ranked)))
    assert model(**seen, labels=ranked)["loss"].item() == pytest.approx(of_one.item() / 2, rel=1e-5)


def _rewards(model: BradleyTerry, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    logits = model(**inputs)["logits"]
    return logits[..., 1] - logits[..., 0]


def answers(**follows: float) -> pl.DataFrame:
    """Of every model on ten problems; follows: model -> share of instructions followed, and of what it does right."""
    rows = []
    for model in (*MODELS, "instructed" + GREEDY, "assistant" + GREEDY):
        for problem in range(10):
            for kind in (PLAIN, *WORDS, FORBIDDEN, NEAR):
                does = problem < 10 * follows.get(model, 0.1)
                rows.append(
                    {
                        "model": model, "kind": kind, "problem": str(problem), "unseen": problem == 0,
                        "obeyed": does, "right": does, "shown": does, "refused": kind == FORBIDDEN and does,
                        "level": 6 if does else 2, "shortness": 0,
                    }
                )  # fmt: skip
    return pl.DataFrame(rows)


def test_the_figures_follow_from_the_answers(made: dict[str, Path]) -> None:
    table = answers(
        **{"instructed": 0.6, "assistant": 0.9, "assistant" + GREEDY: 0.9, "instructed" + GREEDY: 0.8}
    )
    claims = {c.name: c for c in assistant_result(table, AssistantEvalConfig(), 1, 0.8).claims}
    following = claims["assistant_instruction_following"]
    assert following.value == pytest.approx(0.9) and following.target == 0.9
    assert following.low is not None and following.low < 0.9 < (following.high or 0)
    assert claims["assistant_instruction_following_instructed"].value == pytest.approx(0.6)
    # Three problems of ten are won, and none is lost.
    assert claims["assistant_win_rate"].value == pytest.approx(0.65)
    assert claims["assistant_win_rate_greedy"].value == pytest.approx(0.55)
    of = {name: table.filter(pl.col("model") == name) for name in MODELS}
    assert wins(of["instructed"], of["assistant"]).mean() == pytest.approx(0.35)
    assert (claims["refusals_right"].value, claims["refusals_wrong"].value) == (pytest.approx(0.9), 0)
    assert claims["assistant_tax_assistant"].value == pytest.approx(0.8)
    result = read_result(made["assistant/eval"])
    assert result.tables["models"].frame["model"].to_list() == list(MODELS.values())
    assert {c.name for c in result.claims} == set(claims)


def test_the_generator_starts_from_the_assistant_only_where_the_profile_says_so(tmp_path: Path) -> None:
    settings = Settings("assistant", tmp_path)
    graph = build_graph(load_profile("assistant", ""), settings)
    assert (
        graph["generator/samples"].inputs["base"]
        == graph["generator/model"].inputs["base"]
        == "assistant/policy"
    )
    assert {graph[key].part for key in graph if key.startswith("assistant/")} == {""}
    assert graph["eval/prompting"].inputs["assistant"] == "assistant/policy"
    apart = build_graph(load_profile("assistant", "starts_from=base"), settings)
    assert apart["generator/samples"].inputs["base"] == "base/model"
    assert {apart[key].part for key in apart if key.startswith("assistant/")} == {"assistant"}
    nano = build_graph(load_profile("nano", ""), settings)
    assert not any(key.startswith("assistant/") for key in nano)
    assert "assistant" not in nano["eval/prompting"].inputs
    for overrides, says in (
        ("starts_from=assistant", "profile has none"),
        ("assistant={}", "words of instructions"),
    ):
        with pytest.raises(ProfileError, match=says):
            load_profile("nano", overrides)
