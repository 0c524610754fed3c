"""Ways of prompting, in a world where each outcome is known."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.evaluation.thinking import prompting
from o1_assets.evaluation.thinking.config import PromptingConfig
from o1_assets.evaluation.thinking.examples import Example, Examples
from o1_assets.evaluation.thinking.prompting import ANY, BOTH, CONSTRAINED, ITSELF, PLAIN, SIMILAR, Prompted
from o1_assets.problems.worlds.arithmetic.teacher import ARITHMETIC
from tests.search.toy import TablePolicy, ToyTokenizer


class Tokenizer(ToyTokenizer):
    model_max_length = 80

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": self.encode(text)}


ANSWERS = {"q\n": "4", "ab\nanswer 1\nq\n": "4", "qq\nanswer 3\nq\n": "3"}
TABLE: dict[str, dict[str, float]] = {
    "q\nstep\nwait ": {"no\n": 1.0},
    "q\nstep\nwait no\n": {"answer 3\n": 1.0},
    "q\nstep\nwait no\nanswer 3\n": {"": 1.0},
}
for prompt, answer in ANSWERS.items():
    TABLE[prompt] = {"step\n": 1.0}
    TABLE[f"{prompt}step\n"] = {f"answer {answer}\n": 1.0}
    TABLE[f"{prompt}step\nanswer {answer}\n"] = {"": 1.0}

EXAMPLES = [Example("ab", "answer 1"), Example("qq", "answer 3")]


def prompted(worked: list[Example] = EXAMPLES, **config: Any) -> Prompted:
    policy = TablePolicy(TABLE)
    policy.tokenizer = Tokenizer()
    problems = [
        {"problem_id": f"{i}", "question": "q", "answer": "3", "grader": "math", "metadata": "{}"}
        for i in range(2)
    ]
    sizes = {"examples": 1, "chains": 2, "doubts": ("wait ",), **config}
    return Prompted(policy, problems, worked, PromptingConfig(**sizes), seed=0)


def test_each_way_is_measured_with_its_tokens() -> None:
    asked = prompted()
    rows = {way: asked.measured(chains()) for way, chains in asked.ways().items()}
    # Its own solution cannot be shown, since nobody knows one; what is constrained has a pattern here, which the table
    # does not read.
    assert list(rows) == [PLAIN, ANY, SIMILAR, CONSTRAINED, BOTH, 'asked to "wait"']
    assert rows[PLAIN]["right"] == [0, 0] and rows[SIMILAR]["right"] == [1, 1]
    assert rows['asked to "wait"']["right"] == [1, 1]
    assert rows[PLAIN]["read"] == len("q\n") and rows[SIMILAR]["read"] == len("qq\nanswer 3\nq\n")
    whole = len("step\nanswer 4\n") + 1
    assert rows[PLAIN]["generated"] == whole and rows[PLAIN]["flops"] == 2 * (whole + 2)
    assert rows['asked to "wait"']["generated"] > whole
    assert all(row["answered"] == row["well_formed"] == 1 for row in rows.values())
    assert asked.answer_of_the_nearest() == 1, "the nearest example has the same answer"
    assert asked.cost.tokens_generated == sum(4 * row["generated"] for row in rows.values())


def test_a_prompt_keeps_the_most_similar_of_examples_that_are_too_many() -> None:
    long = [Example("q" * 50, "answer 1"), *EXAMPLES]
    asked = prompted(long, examples=3, prompt={"max_tokens": 30})
    shown = [example.question for example in asked.similar(0)]
    assert shown[-1] != "ab" and set(shown) == {"ab", "qq", "q" * 50}
    [text, _] = [asked.engine.tokenizer.decode(ids) for ids in asked._shown(asked.similar)]
    assert len(text) <= 50 and text.endswith("q\n") and "q" * 50 not in text


def test_similar_is_what_shares_operators_with_their_operands() -> None:
    questions = ["Calculate 3 - 2.", "Calculate 2 * 3 + 4.", "Calculate 4 + 3 - 2 * 2."]
    examples = Examples([Example(q, "") for q in questions], make_tokenizer(64, ARITHMETIC))
    assert examples.similar("What is 1 + 2 * 3?", 1)[0].question == questions[1]
    assert [e.question for e in examples.similar("Calculate 4 + 3 - 2 * 2.", 3)][-1] == questions[2]
    # the same for everyone, and of other problems others
    drawn = [[e.question for e in examples.any_of(2, 0, str(i))] for i in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1] and len({tuple(d) for d in drawn}) > 1


def test_a_world_shows_its_own_solution_as_a_control() -> None:
    problem = {"problem_id": "1", "question": "q", "answer": "7", "grader": "arithmetic"}
    problem["metadata"] = '{"metadata": {"expression": "1 + 2 * 3"}}'
    asked = prompted()
    asked.problems = [problem]
    assert re.fullmatch(asked._pattern, "2*3=6 left 1+6\n1+6=7\nanswer 7\n") and not re.fullmatch(
        asked._pattern, "answer 7"
    )
    assert prompted(pattern="[0-9]+")._pattern == "[0-9]+", "what the profile says comes first"
    assert ITSELF in asked.ways() and asked._solutions == ["2*3=6 left 1+6\n1+6=7\nanswer 7"]


@pytest.mark.parametrize(
    "wrong", [{"example": "{question}\n"}, {"template": "{question}\n"}, {"template": "{examples}"}]
)
def test_a_template_without_its_parts_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"has no \{"):
        PromptingConfig(**wrong)


def test_low_rank_and_all_weights_stand_beside_the_base(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    row = {"problem_id": "0", "question": "q", "answer": "3", "grader": "math", "metadata": "{}"}
    pl.DataFrame([row, {**row, "problem_id": "1"}]).write_parquet(tmp_path / "problems.parquet")
    pl.DataFrame({"problem_id": ["9"], "question": ["qq"], "text": ["answer 3\n"]}).write_parquet(
        tmp_path / "sft_set.parquet"
    )

    def opened(path: Any) -> Any:
        policy = TablePolicy(TABLE)
        policy.tokenizer = Tokenizer()
        return SimpleNamespace(
            sample=policy.sample,
            tokenizer=policy.tokenizer,
            parameters=1,
            constrains=False,
            close=lambda: None,
        )

    names = ("base", "generator", "policy", "low_rank", "test", "sft_set")
    task = SimpleNamespace(
        inputs=dict.fromkeys(names, tmp_path),
        out=tmp_path,
        seed=0,
        open_engine=opened,
        progress=lambda line: None,
    )
    config = PromptingConfig(problems=2, chains=1, examples=1, doubts=())
    outcome = prompting.make_prompting(task, config)
    of_base = [r["way"] for r in outcome.sample if r["model"] == "base"]
    assert of_base[-2:] == [prompting.LOW_RANK, prompting.ALL_WEIGHTS]
    assert outcome.figures["baby-o1, similar examples"] == 1 and outcome.figures["base, no example"] == 0
