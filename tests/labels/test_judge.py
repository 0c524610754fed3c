"""A judge behind a real HTTP server on loopback: what it rates, what it is not asked twice, and how it fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome
from o1_assets.labels.annotators.judge import Vote, decided, read_vote
from o1_assets.labels.annotators.judge_prompt import JudgeError, check_judge
from o1_assets.labels.config import JudgeConfig, JudgeLimits, LabelBatchesConfig, LabelsConfig, QualityConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import JudgeAccess, label_batches
from o1_assets.labels.label_table import make_labels
from tests.labels import world
from tests.labels.judging import KEY, Answer, FakeJudge, chat, error, ratings_in, serving
from tests.labels.world import ROUND

SOON = format_datetime(datetime.now(UTC) + timedelta(seconds=1))
SPARSE_QUESTIONS = 7
"""Three solutions, and the alternatives of the two that go wrong at once: 2 + 2."""


@pytest.fixture
def server() -> Iterator[FakeJudge]:
    with serving() as judge:
        yield judge


@pytest.fixture
def run(
    tmp_path: Path, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Outcome, Path]]:
    """Makes rNN/label_batches with a judge: the outcome and the folder. Every call is a run of its own."""
    monkeypatch.setenv("O1_JUDGE_API_KEY", KEY)
    folders, inbox = world.write_selection(tmp_path), Inbox(tmp_path / "inbox")
    outs = iter(tmp_path / f"out{i}" for i in range(99))

    def make(limits: dict[str, Any] | None = None, lines: list[str] | None = None, **config: Any) -> Any:
        judge = JudgeConfig(url=server.url, model="m", **config)
        access = JudgeAccess(JudgeLimits(**{"first_wait": 0.01, **(limits or {})}), tmp_path / "judge.sqlite")
        batches = LabelBatchesConfig(
            round=ROUND, protocol="sparse", annotator="judge", judge=judge, quality=QualityConfig(screening=2)
        )
        task = world.task({"selection": folders[0], "train": folders[1]}, next(outs))
        if lines is not None:
            task.progress = lines.append
        return label_batches(inbox, access=access)(task, batches), task.out

    return make


def labels(tmp_path: Path, batches: Path) -> tuple[pl.DataFrame, Outcome]:
    task = world.task(
        {"selection": tmp_path / "selection", "batches": batches}, batches.with_suffix(".labels")
    )
    outcome = make_labels(
        task, LabelsConfig(round=ROUND, protocol="sparse", quality=QualityConfig(screening=2))
    )
    return pl.read_parquet(task.out / "labels.parquet"), outcome


def test_a_perfect_judge_rates_as_the_exact_checker_and_a_second_run_asks_nothing(
    run: Any, server: FakeJudge, tmp_path: Path
) -> None:
    lines: list[str] = []
    outcome, out = run(lines=lines)
    assert len(server.bodies) == SPARSE_QUESTIONS and outcome.figures["annotator"] == "judge"
    assert server.bodies[0]["response_format"]["json_schema"]["strict"] is True
    table, made = labels(tmp_path, out)
    ratings = {solution: [r for *_, r in rows.rows()] for (solution,), rows in
               table.select("solution_id", "step", "rating").group_by("solution_id", maintain_order=True)}  # fmt: skip
    assert ratings == {"direct": [-1, 1, 1], "right": [1, 1, 1], "wrong": [-1, 1, -1]}
    assert made.figures["judge_gold_agreement"] == 1.0 and made.figures["labels"] == 9
    quality = pl.read_parquet(out.with_suffix(".labels") / "quality.parquet").row(0, named=True)
    assert quality["labeler"] == "judge" and quality["gold_ratings"] == made.figures["judge_gold_ratings"] > 0
    votes = pl.read_parquet(out / "judge.parquet")
    assert votes.height == 9 and votes["reason"].str.starts_with("because of").all()
    assert "{problem}" in (out / "judge_prompt.txt").read_text()
    assert lines[-1].startswith("judge: 4 of 4 votes (0 known, 7 asked")

    again, second = run()
    assert len(server.bodies) == SPARSE_QUESTIONS and again.figures == outcome.figures
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in second.iterdir()
    }


def test_several_votes_are_several_questions_with_seeds_of_their_own(run: Any, server: FakeJudge) -> None:
    run(votes=3, temperature=0.7, limits={"concurrency": 2})
    assert len(server.bodies) == 3 * SPARSE_QUESTIONS and len({body["seed"] for body in server.bodies}) == 3
    assert server.busiest <= 2


@pytest.mark.parametrize(
    "script",
    [
        [error(429, Retry_After="0.05"), error(500), (503, {"retry-after": SOON}, ""), (502, {}, "<html>")],
        [error(400, "response_format json_schema is not supported"), error(400, "no response_format")],
        [chat("Sure! I rate them all."), chat('{"ratings": [{"step": 9, "rating": 1}]}')],
        [chat('{"ratings": []}', finish="length"), chat('{"ratings": [{"step": 1, "rating": 2}]}')],
    ],
)
def test_what_goes_by_or_cannot_be_read_is_asked_again(
    run: Any, server: FakeJudge, tmp_path: Path, script: list[Answer]
) -> None:
    server.script = list(script)
    _, out = run(limits={"concurrency": 1})
    assert len(server.bodies) == SPARSE_QUESTIONS + len(script)
    assert labels(tmp_path, out)[0].height == 9
    if script[0][0] == 400:
        assert [body.get("response_format", {}).get("type") for body in server.bodies[:4]] == [
            "json_schema", "json_object", None, None,
        ]  # fmt: skip


def test_a_silent_server_is_asked_again_and_then_given_up_in_one_sentence(
    run: Any, server: FakeJudge
) -> None:
    server.seconds = 0.3
    with pytest.raises(JudgeError, match=r"did not answer after 2 attempts \(no answer within 0.05 s\)"):
        run(limits={"timeout": 0.05, "retries": 1, "concurrency": 1})


def test_a_refusal_leaves_the_solution_unrated_and_is_kept_with_its_words(
    run: Any, server: FakeJudge, tmp_path: Path
) -> None:
    server.script = [chat(None, refusal="I cannot help with that.")]
    _, out = run(limits={"concurrency": 1})
    votes = pl.read_parquet(out / "judge.parquet")
    assert votes["fault"].drop_nulls().to_list() == ["refused: I cannot help with that."]
    table, made = labels(tmp_path, out)
    assert table["solution_id"].n_unique() == 2 and made.figures["dropped_give_up_records"] == 1


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([error(401, f"Incorrect API key provided: {KEY}.")], r"HTTP 401.*\*\*\*.*set O1_JUDGE_API_KEY"),
        ([error(404, "no such model")], r"judge\.url .* or judge\.model \(m\) is wrong"),
        ([error(429, "quota", Retry_After="86400")], r"asks for a wait of 86400 s .*`o1 run` goes on"),
        ([(200, {}, "<html>hello")], "answers in another form than OpenAI's chat completions"),
        ([chat("no idea")] * 99, r"none of 3 answers of m could be used .*no JSON with ratings in 'no idea'"),
    ],
)
def test_what_does_not_go_by_is_one_sentence_without_the_key(
    run: Any, server: FakeJudge, tmp_path: Path, answers: list[Answer], message: str, caplog: Any, capfd: Any
) -> None:
    server.script = list(answers)
    with caplog.at_level(logging.DEBUG), pytest.raises(JudgeError, match=message) as raised:
        run(limits={"concurrency": 1})
    assert server.keys[0] == f"Bearer {KEY}"
    printed = capfd.readouterr()
    assert KEY not in f"{raised.getrepr(showlocals=False)}{caplog.text}{printed.out}{printed.err}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_limits_stop_with_a_sentence_and_the_next_run_goes_on(
    run: Any, server: FakeJudge, tmp_path: Path
) -> None:
    with pytest.raises(JudgeError, match=r"asked 2 times in all, and judge_limits.max_calls is 2: raise it"):
        run(limits={"max_calls": 2})
    assert len(server.bodies) == 2
    prices = {"price_read": 1000.0, "price_written": 1000.0}
    # An answer costs 0.11; what is asked may cost more, so a limit is never exceeded.
    with pytest.raises(JudgeError, match=r"have cost .*exceed judge_limits.max_cost, 3: raise it"):
        run(limits={**prices, "max_cost": 3.0})
    asked = len(server.bodies)
    assert 2 <= asked < SPARSE_QUESTIONS
    _, out = run(limits={**prices, "max_cost": 9.0})
    assert len(server.bodies) == SPARSE_QUESTIONS and labels(tmp_path, out)[0].height == 9


def test_a_kill_loses_no_answer(run: Any, server: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = FakeJudge.reply, [4]

    def dies(self: FakeJudge, body: dict[str, Any]) -> Answer:
        left[0] -= 1
        return real(self, body) if left[0] >= 0 else error(401)

    monkeypatch.setattr(FakeJudge, "reply", dies)
    with pytest.raises(JudgeError):
        run(limits={"concurrency": 1})
    left[0] = 99
    run()
    assert len(server.bodies) == SPARSE_QUESTIONS + 1


def test_a_profiles_own_prompt_is_asked_and_a_changed_one_asks_again(
    run: Any, server: FakeJudge, tmp_path: Path
) -> None:
    own = tmp_path / "prompt.txt"
    own.write_text("Is it right? {problem}\nSteps to rate:\n{steps}\nthe answer {is} {answer}")
    first, _ = run(template=str(own), limits={"concurrency": 1})
    assert server.bodies[0]["messages"][0]["content"].endswith("the answer {is} 7")
    own.write_text(own.read_text() + "!")
    second, _ = run(template=str(own))
    assert len(server.bodies) == 2 * SPARSE_QUESTIONS
    assert first.figures["judge_prompt"] != second.figures["judge_prompt"]
    for text, message in (("{problem}", "has no {steps}"), (None, "cannot be read")):
        own.write_text(text) if text else own.unlink()
        with pytest.raises(JudgeError, match=message):
            run(template=str(own))


def test_a_judge_without_a_model_and_damaged_answers_are_one_sentence(run: Any, tmp_path: Path) -> None:
    (tmp_path / "judge.sqlite").write_text("no database" * 99)
    with pytest.raises(JudgeError, match="moved away, everything is asked again"):
        run()
    with pytest.raises(JudgeError, match=r"judge\.model=NAME"):
        check_judge(JudgeConfig())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"url": "http://me:pw@host/v1"}, "holds no user, password or key"),
        ({"url": "https://host/v1?key=x"}, "holds no user, password or key"),
        ({"url": "localhost:8000"}, "is no address of a server"),
        ({"votes": 3}, "several votes at temperature 0 are one vote"),
        ({"parameters": {"messages": []}}, "they make the question"),
    ],
)
def test_settings_that_cannot_be_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JudgeConfig(**config)


def test_votes_are_counted_step_by_step() -> None:
    def vote(*ratings: int) -> Vote:
        return Vote(ratings, ("",) * len(ratings))

    assert decided([vote(1, 1, 1), vote(1, -1), vote(1, 0, 1)], 3) == [1, None]
    assert decided([vote(1, -1), vote(1, -1), vote(1, 1, 1)], 3) == [1, -1]
    assert decided([vote(-1), vote(1, 1), vote(1, 1), Vote(fault="x")], 2) == [1, 1]
    assert decided([Vote(fault="x")], 2) == [None]


def test_an_answer_is_read_through_thoughts_fences_and_plus_signs() -> None:
    entries = '{"step": 4, "reason": "r", "rating": +1}, {"step": 5, "rating": -1}, {"step": 6, "rating": 1}'
    text = f'<think>{{"ratings": 3}} hm</think>Here it is:\n```json\n{{"ratings": [{entries}]}}\n```'
    assert read_vote(text, 4, 3) == Vote((1, -1), ("r", ""))
    for bad, why in (
        ('{"ratings": [{"step": 1, "rating": 1}]}', "1 of 2 steps are rated"),
        ('{"ratings": [{"step": 1, "rating": true}]}', "is rated True"),
        ('{"ratings": [1, 1]}', "no JSON with ratings"),
    ):
        with pytest.raises(ValueError, match=why):
            read_vote(bad, 1, 2)
    assert json.dumps(ratings_in("Calculate 1 + 1.\nSteps to rate:\nStep 1: answer 2\n")).count("step") == 1
