"""A judge: a language model behind an OpenAI-compatible server reads a solution and rates its steps, with reasons.

AI feedback in the place of people's (RLAIF: Bai et al. 2022, arXiv:2212.08073; Lee et al. 2023, arXiv:2309.00267), by
steps. A solution's own steps are one question, up to the first wrong one; an alternative is a question of its own.
Several votes on a question are counted step by step, and a step on which they are tied is unsure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.formatting import printable
from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.annotator import Request, SolutionPath
from o1_assets.labels.annotators.judge_answers import Answers
from o1_assets.labels.annotators.judge_prompt import JudgeError, check_judge, prompt_text, text_digest
from o1_assets.labels.annotators.judge_server import JudgeServer, Stopped
from o1_assets.labels.config import JudgeConfig, JudgeLimits
from o1_assets.labels.inbox.reader import JUDGE
from o1_assets.labels.selection import Selection

TRIED = 20
"""A judge none of whose first votes can be read will not be understood later either."""

VOTES: dict[str, Any] = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "vote": pl.Int32, "rating": pl.Int8,
    "reason": pl.String, "fault": pl.String,
}  # fmt: skip
"""judge.parquet: a row for each step in each vote. fault: why the vote could not be read; its rating is then null."""


@dataclass(frozen=True)
class Question:
    """steps: to rate, after those in `before`."""

    problem: str
    answer: str
    before: tuple[str, ...]
    steps: tuple[str, ...]

    def prompt(self, template: str) -> str:
        first = len(self.before) + 1
        before = f"Steps before, which are right:\n{_numbered(self.before, 1)}\n\n" if self.before else ""
        values = {
            "problem": self.problem, "answer": self.answer, "before": before, "first": str(first),
            "steps": _numbered(self.steps, first),
        }  # fmt: skip
        # In one pass, so that a solution that says {answer} is shown as it is.
        return re.sub(r"\{(problem|answer|before|first|steps)\}", lambda name: values[name[1]], template)


@dataclass(frozen=True)
class Vote:
    """ratings, reasons: of the first steps of a question, to the first wrong one or to the end. fault: see VOTES."""

    ratings: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    fault: str | None = None


@dataclass
class Judge:
    """A PathAnnotator. url, model, prompt and sampling are in `config`; `seed` is for the votes."""

    config: JudgeConfig
    limits: JudgeLimits
    seed: int
    answers: Answers
    server: JudgeServer
    progress: Callable[[str], None] = lambda line: None
    votes: dict[Question, tuple[Vote, ...]] = field(default_factory=dict)

    labeler = JUDGE

    def __post_init__(self) -> None:
        self.template = prompt_text(self.config.template)

    @property
    def prompt_digest(self) -> str:
        return text_digest(self.template)

    def covers(self, problem: Mapping[str, Any]) -> bool:
        return True

    def rate_paths(self, paths: Sequence[SolutionPath]) -> list[list[int | None]]:
        questions = [self._question(path.problem, (), path.steps) for path in paths]
        self._ask(questions)
        return [decided(self.votes[question], len(question.steps)) for question in questions]

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        questions = [self._question(r.problem, r.prefix, (r.text,)) for r in requests]
        self._ask(questions)
        return [decided(self.votes[question], 1)[0] for question in questions]

    def table(self, selection: Selection) -> pl.DataFrame:
        """Every vote on the selection, with its reasons: columns of VOTES."""
        rows: list[tuple[Any, ...]] = []
        for solution in selection.solution_ids:
            problem, steps = selection.problem_of[solution], selection.steps[solution]
            own = tuple(texts[0] for texts in steps)
            rows += self._rows(solution, 0, 0, self._question(problem, (), own))
            for step, texts in enumerate(steps):
                for completion, text in enumerate(texts[1:], 1):
                    question = self._question(problem, own[:step], (text,))
                    rows += self._rows(solution, step, completion, question)
        return pl.DataFrame(rows, schema=VOTES, orient="row").sort(
            "solution_id", "step", "completion", "vote"
        )

    def _rows(
        self, solution: str, step: int, completion: int, question: Question
    ) -> Iterable[tuple[Any, ...]]:
        for number, vote in enumerate(self.votes.get(question, ())):
            if vote.fault is not None:
                yield solution, step, completion, number, None, None, vote.fault
            for i, (rating, reason) in enumerate(zip(vote.ratings, vote.reasons, strict=True)):
                yield solution, step + i, completion, number, rating, reason, None

    def _question(self, problem: Mapping[str, Any], before: Sequence[str], steps: Sequence[str]) -> Question:
        answer = str(problem.get("answer") or "") if self.config.shows_answer else ""
        return Question(str(problem["question"]), answer or "not given", tuple(before), tuple(steps))

    def _ask(self, questions: Sequence[Question]) -> None:
        """Fills `votes` for the questions: all votes in parallel, at most limits.concurrency at once."""
        new = [question for question in dict.fromkeys(questions) if question not in self.votes]
        votes: dict[Question, list[Vote]] = {question: [Vote()] * self.config.votes for question in new}
        pool = ThreadPoolExecutor(self.limits.concurrency)
        places: dict[Future[Vote], tuple[Question, int]] = {
            pool.submit(self._vote_or_stop, question, number): (question, number)
            for question in new
            for number in range(self.config.votes)
        }
        usable = 0
        try:
            for done, future in enumerate(as_completed(places), 1):
                question, number = places[future]
                try:
                    vote = votes[question][number] = future.result()
                except Stopped:  # by another vote's error, which is among the futures too
                    continue
                usable += vote.fault is None
                if usable == 0 and done in (TRIED, len(places)):
                    raise JudgeError(
                        f"none of {done} answers of {self.config.model} could be used (the last one: {vote.fault}); "
                        "try another model, a larger judge.max_tokens, or judge.template"
                    )
                if done % 10 == 0 or done == len(places):
                    self.progress(self._state(done, len(places)))
        finally:
            # Also on Ctrl-C: nothing more is sent, and a request on its way is waited for, so that its answer is kept.
            pool.shutdown(wait=False, cancel_futures=True)
            if len(places) and not all(future.done() for future in places):
                self.server.stop()
            pool.shutdown(wait=True)
        self.votes.update({question: tuple(of_question) for question, of_question in votes.items()})

    def _state(self, done: int, total: int) -> str:
        calls, cost = self.answers.spent
        money = f", {cost:.4g} spent in all" if cost else ""
        return (
            f"judge: {done} of {total} votes ({self.answers.found} known, {self.answers.asked} asked, "
            f"{self.server.retries} attempts repeated; {calls} answers kept{money})"
        )

    def _vote_or_stop(self, question: Question, number: int) -> Vote:
        """As `_vote`; after an error no other vote is asked for."""
        try:
            return self._vote(question, number)
        except BaseException:
            self.server.stop()
            raise

    def _vote(self, question: Question, number: int) -> Vote:
        """One vote; an answer that cannot be read is asked for again, a refusal is not."""
        vote = Vote(fault="nothing was asked")
        for attempt in range(self.config.attempts):
            body = self._body(question, derive_seed(self.seed, "vote", number, attempt))
            reply = self.answers.answer(self.config.url, body, self.server.ask)
            if reply.refused:
                return Vote(fault=f"refused: {printable(reply.text, 200)}")
            try:
                return read_vote(reply.text, len(question.before) + 1, len(question.steps))
            except ValueError as error:
                cut = "; it was cut off at judge.max_tokens" if reply.finish == "length" else ""
                vote = Vote(fault=f"{error}{cut}")
        return vote

    def _body(self, question: Question, seed: int) -> dict[str, Any]:
        config = self.config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [{"role": "user", "content": question.prompt(self.template)}],
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            "seed": seed,
            **config.parameters,
        }
        return {name: value for name, value in body.items() if value is not None}


@contextmanager
def open_judge(
    config: JudgeConfig, limits: JudgeLimits, file: Path, seed: int, progress: Callable[[str], None]
) -> Iterator[Judge]:
    """The judge of a configuration. file: of its answers. Raises JudgeError if it can rate nothing."""
    check_judge(config)
    with closing(Answers(file, limits)) as answers, JudgeServer(config, limits) as server:
        yield Judge(config, limits, seed, answers, server, progress)


def decided(votes: Sequence[Vote], count: int) -> list[int | None]:
    """The ratings of a question's `count` steps by majority, up to the first wrong or undecided one.

    A vote that ended before a step has no say in it. None: no vote, or a tie.
    """
    ratings: list[int | None] = []
    for step in range(count):
        said = Counter(vote.ratings[step] for vote in votes if step < len(vote.ratings))
        best = said.most_common(2)
        tied = len(best) > 1 and best[0][1] == best[1][1]
        rating = best[0][0] if best and not tied else None
        ratings.append(rating)
        if rating is None or rating < 0:
            break
    return ratings


_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
_PLUS = re.compile(r'("rating"\s*:\s*)\+1')


def read_vote(text: str, first: int, count: int) -> Vote:
    """The ratings in an answer about steps first, first + 1, ... Raises ValueError, which says what is wrong with it.

    Around the JSON there may be a thought, a code fence or words: servers without structured output give these.
    """
    ratings: list[int] = []
    reasons: list[str] = []
    for entry in _entries(_PLUS.sub(r"\g<1>1", _THOUGHT.sub("", text))):
        number, rating = entry.get("step"), entry.get("rating")
        if number != first + len(ratings):
            raise ValueError(
                f"step {printable(str(number))} is rated where step {first + len(ratings)} is next"
            )
        if isinstance(rating, bool) or rating not in (-1, 0, 1):
            raise ValueError(f"step {number} is rated {printable(str(rating))}")
        ratings.append(int(rating))
        reasons.append(str(entry.get("reason") or ""))
        if rating < 0:
            # What follows on a wrong step is not asked for.
            return Vote(tuple(ratings), tuple(reasons))
    if len(ratings) != count:
        raise ValueError(f"{len(ratings)} of {count} steps are rated")
    return Vote(tuple(ratings), tuple(reasons))


def _entries(text: str) -> list[dict[str, Any]]:
    """The list under "ratings" of the first object of JSON in the text that has one."""
    decoder, at = json.JSONDecoder(), -1
    while (at := text.find("{", at + 1)) >= 0:
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        entries = found.get("ratings")
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return entries
    raise ValueError(f"no JSON with ratings in {printable(text.strip(), 60)!r}")


def _numbered(steps: Sequence[str], first: int) -> str:
    return "\n".join(f"Step {number}: {text}" for number, text in enumerate(steps, first))
