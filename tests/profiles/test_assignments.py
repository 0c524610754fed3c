"""O1_SET and --set as people write them: one assignment a line or an option, values as JSON or text."""

from __future__ import annotations

import json
import os
import re

import pytest

from o1_assets.cli.common import open_project
from o1_assets.profiles.load import ProfileError, assignments, load_profile

SPACED = '{"r03": "human", "r04": "human"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  rounds=2\n\n\tprm.updates=100 ", [("rounds", 2), ("prm.updates", 100)]),
        (f"annotators={SPACED}\nrounds=2", [("annotators", json.loads(SPACED)), ("rounds", 2)]),
        ('a=[1, 2]\nb="x y=3"\nc.d=null', [("a", [1, 2]), ("b", "x y=3"), ("c.d", None)]),
        ("folder=/my data/a b=c\nrounds=", [("folder", "/my data/a b=c"), ("rounds", "")]),
        ("prompt={question}\na=it's b=\"half", [("prompt", "{question}"), ("a", "it's b=\"half")]),
    ],
)
def test_an_assignment_is_a_line_whose_value_is_json_or_the_text_itself(
    text: str, expected: list[tuple[str, object]]
) -> None:
    assert assignments(text) == expected


def test_several_set_options_keep_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O1_SET", "rounds=5\nthreads=1")
    lines = "prompt.template=Solve\n{question}\n:"
    project = open_project(None, [f"annotators={SPACED}", "annotators.r05=human", lines, "rounds=7"])
    assert os.environ["O1_SET"] == "rounds=5\nthreads=1", "what starts other processes alone writes to it"
    profile = project.profile
    assert (profile.rounds, profile.threads) == (7, 1)
    assert profile.annotators == {**json.loads(SPACED), "r05": "human"}
    assert profile.prompt.template == lines.removeprefix("prompt.template=")


def test_an_option_that_assigns_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O1_SET", "")
    with pytest.raises(ProfileError, match=r"'oops' sets nothing; write FIELD=VALUE"):
        open_project(None, ["annotator=human", "oops"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "smol",
            "base.kind=bogus",
            "base.kind is 'bogus'; it should be one of 'pretrain', 'instructed', 'world', 'hub', 'gguf', 'folder'",
        ),
        ("nano", 'base={"kind":["x"]}', "base.kind is \"['x']\"; it should be one of"),
        ("nano", 'base={"layrs":1}', "there is no field base.layrs"),
        ("nano", "base=5", "base is 5; it should be a JSON object, with fields"),
        (
            "nano",
            "problems.source.kind=csv",
            "problems.source.kind is 'csv'; it should be one of 'reasoning_gym',",
        ),
        ("nano", 'problems.source={"path":"x"}', "there is no field problems.source.path"),
        ("nano", 'problems.source={"kind":"file"}', "problems.source.path is missing"),
        ("nano", 'problems.source={"kind":"math","x":1}', "there is no field problems.source.x"),
        (
            "nano",
            "problems.source.generators=[]",
            "problems.source.generators has 0 items; it should have at least 1",
        ),
        ("nano", 'problems.shares={"a":1}', "problems.shares.a is 'a'; it should be a valid integer"),
        ("nano", "rounds=abc", "rounds is 'abc'; it should be a valid integer"),
        ("nano", "rounds=1.5", "rounds is 1.5; it should be a valid integer"),
        (
            "nano",
            "policy.reward.form=x",
            "policy.reward.form is 'x'; it should be 'both_sum', 'both_minimum', ",
        ),
        ("nano", "policy.updates=" + "9" * 500 + "x", "9...; it should be a valid integer"),
        ("nano", "policy.upates=1", "there is no field policy.upates; the nearest is policy.updates"),
        ("nano", "polcy.updates=1", "there is no field polcy; the nearest is policy"),
        ("nano", "rewards.upates=1", "there is no field rewards.upates; the nearest is rewards.updates"),
        ("nano", "later_prm.solutions=1", "there is no field later_prm.solutions; the nearest is"),
        ("nano", "rounds.first.x=1", "rounds is {'first': {'x': 1}}; it should be a valid integer"),
        ("nano", "rounds=2 threads=1", "rounds is '2 threads=1'; it should be a valid integer"),
        ("nano", "tuning=full", "tuning is 'full'; it sets sft.tuning, first_prm.tuning"),
    ],
)
def test_what_does_not_fit_is_said_of_the_value_without_words_of_pydantics(
    name: str, text: str, says: str
) -> None:
    with pytest.raises(ProfileError, match=re.escape(says)) as refused:
        load_profile(name, text)
    leaks = r"using|Input|discriminator|_kind|tag|Config|pydantic|\n"
    assert len(str(refused.value)) < 300 and not re.search(leaks, str(refused.value).replace(text, ""))


def test_the_prompt_is_set_once_and_every_stage_has_it() -> None:
    profile = load_profile("nano", "prompt.max_tokens=40")
    stages = (profile.samples, profile.policy, profile.first_prm, profile.thinking, profile.monte_carlo)
    assert {stage.prompt.max_tokens for stage in (*stages, profile.ablations.judge)} == {40}
    assert load_profile("nano", "policy.updates=3").policy.prompt == load_profile("nano", "").prompt


@pytest.mark.parametrize(
    "text",
    [
        "policy.prompt.max_tokens=40",
        'policy.prompt={"max_tokens":40}',
        'thinking={"prompt":{"max_tokens":40}}',
    ],
)
def test_a_stages_copy_of_the_prompt_cannot_be_set(text: str) -> None:
    with pytest.raises(ProfileError, match=r"\.prompt.* is a copy of `prompt`, .* set prompt\.FIELD"):
        load_profile("nano", text)


def test_a_template_without_a_question_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"nano: prompt: template has no \{question\}"):
        load_profile("nano", "prompt.template=Solve:")
