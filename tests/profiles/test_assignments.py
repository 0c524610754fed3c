"""O1_SET and --set as people write them: several assignments in a line, values with spaces, values as JSON."""

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
        ("  rounds=2\n\tprm.updates=100 ", [("rounds", "2"), ("prm.updates", "100")]),
        ('annotators={"r03":"human"} rounds=2', [("annotators", '{"r03":"human"}'), ("rounds", "2")]),
        (f"annotators={SPACED} rounds=2", [("annotators", SPACED), ("rounds", "2")]),
        ('a=[1, 2] b="x y=3" c.d=null', [("a", "[1, 2]"), ("b", '"x y=3"'), ("c.d", "null")]),
        ("folder=/my data/a b rounds=2", [("folder", "/my data/a b"), ("rounds", "2")]),
        ("folder= rounds=2", [("folder", ""), ("rounds", "2")]),
        ("prompt={question} a=it's b=\"half", [("prompt", "{question}"), ("a", "it's"), ("b", '"half')]),
        ('a="x" y b=z', [("a", '"x" y'), ("b", "z")]),
        ("a=b=c d=/x/y=1", [("a", "b=c"), ("d", "/x/y=1")]),
    ],
)
def test_an_assignment_ends_where_the_next_begins_outside_of_a_whole_json_value(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert assignments(text) == expected


def test_values_without_spaces_are_what_splitting_at_spaces_gives() -> None:
    text = 'rounds=12 annotators={"r03":"human"} label_source=null problems.source.folder=/a-b/c policy.updates=3'
    assert assignments(text) == [tuple(word.split("=", 1)) for word in text.split()]


def test_values_with_spaces_reach_the_profile() -> None:
    assert load_profile("nano", f"annotators={SPACED} rounds=4").annotators == json.loads(SPACED)
    smol = load_profile("smol", "size=20 problems.source.folder=/my data")
    assert smol.problems.source.model_dump()["folder"] == "/my data"


def test_several_set_options_keep_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O1_SET", "rounds=5")
    project = open_project(None, [f"annotators={SPACED}", "policy.updates=7"])
    assert project.overrides == f"rounds=5 annotators={SPACED} policy.updates=7"
    assert os.environ["O1_SET"] == "rounds=5", "only what starts other processes writes to the environment"
    profile = project.profile
    assert (profile.rounds, profile.policy.updates) == (5, 7) and profile.annotators == json.loads(SPACED)


def test_an_option_that_assigns_nothing_is_refused_and_not_taken_into_the_value_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("O1_SET", "")
    with pytest.raises(ProfileError, match=r"'oops' sets nothing; write FIELD\.FIELD=VALUE"):
        open_project(None, ["annotator=human", "oops"])
    assert os.environ["O1_SET"] == ""


def test_text_that_looks_like_another_assignment_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        ProfileError, match=r"'b=c' sets nothing in profile nano: it has no field b.* in JSON's quotes"
    ):
        load_profile("nano", "annotator=a b=c")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "smol",
            "base.kind=bogus",
            "base.kind is 'bogus'; it should be one of 'pretrain', 'world', 'hub', 'gguf', 'folder'",
        ),
        ("nano", 'base={"kind":["x"]}', "base.kind is \"['x']\"; it should be one of"),
        ("nano", 'base={"layrs":1}', "there is no field base.layrs"),
        ("nano", "base=5", "base is 5; it should be a JSON object, with fields"),
        (
            "nano",
            "problems.source.kind=csv",
            "problems.source.kind is 'csv'; it should be one of 'reasoning_gym',",
        ),
        ("nano", "problems.source={}", "problems.source.kind is missing"),
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
        ("nano", "policy.upates=1", "policy has no field upates (there is updates"),
        ("nano", "polcy.updates=1", "it has no field polcy (there is policy"),
        ("nano", "rounds.first.x=1", "rounds has no field first; write FIELD"),
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
