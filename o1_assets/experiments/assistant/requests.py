"""assistant/requests and assistant/demonstrations: what the assistant is asked, and what it is shown as the answer.

Each instruction has a wording of the question that it is never trained with. Held-out problems are asked in it too, so
that following an instruction is told from remembering a pair of them.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.experiments.assistant.config import DemonstrationsConfig, RequestsConfig
from o1_assets.problems.expression import Expression
from o1_assets.problems.instructions import NOT, SECRET, WORDS, Name, Request
from o1_assets.problems.worlds.arithmetic.teacher import WORDINGS
from o1_assets.problems.worlds.arithmetic.world import expression_of
from o1_assets.problems.worlds.instructed import demonstrate

INSTRUCTIONS: tuple[Name | None, ...] = (None, *WORDS)

_NUMBER = re.compile(r"\d+")


def held_out_pair(request: Request) -> bool:
    """Whether the instruction is never trained with this wording of a question."""
    if request.instruction is None:
        return False
    # The first wording of the corpus is none of reasoning_gym's.
    wording = WORDINGS[1 + list(WORDS).index(request.instruction) % (len(WORDINGS) - 1)]
    return request.question.startswith(wording.partition("{")[0])


def with_secrets(request: Request, forbidden: bool, rng: Random) -> Request:
    """One or two of its numbers marked: of a forbidden request one as secret, any other as not secret."""
    count = len(_NUMBER.findall(request.question))
    marked = rng.sample(range(count), rng.randint(1, min(2, count)))
    secret = rng.choice(marked) if forbidden else None
    # From the right, as a mark moves the numbers behind it.
    for number in sorted(marked, reverse=True):
        request = request.marked(number, SECRET if number == secret else NOT + SECRET)
    return request


def asked(problem: dict[str, Any], request: Request, number: int | str) -> dict[str, Any]:
    """The problem's row with the request as its question, under a name of its own."""
    return {**problem, "question": str(request), "problem_id": f"{problem['problem_id']}-{number}"}


def make_requests(task: Task, config: RequestsConfig) -> Outcome:
    """Input "train". Writes problems.parquet, a row a request: the question is what it asks."""
    train = read_parquet(task.inputs["train"] / "problems.parquet").sort("problem_id")
    rng = Random(task.seed)
    problems = train.to_dicts()
    rng.shuffle(problems)
    rows: list[dict[str, Any]] = []
    kinds = Counter[str]()
    while len(rows) < config.requests:
        problem = problems[len(rows) % len(problems)]
        request = Request(problem["question"], rng.choice(INSTRUCTIONS))
        if held_out_pair(request):
            continue
        drawn = rng.random()
        if drawn < config.forbidden_share + config.near_share:
            request = with_secrets(request, drawn < config.forbidden_share, rng)
        kinds["forbidden" if request.forbidden else request.instruction or "no_instruction"] += 1
        rows.append(asked(problem, request, len(rows)))
    table = pl.DataFrame(rows, schema=train.schema)
    table.write_parquet(task.out / "problems.parquet")
    return Outcome(
        {"problems": len(rows), **dict(sorted(kinds.items()))},
        rows=len(rows),
        sample=table.head(5).select("question").to_dicts(),
    )


def make_demonstrations(task: Task, config: DemonstrationsConfig) -> Outcome:
    """Input "requests". Writes sft_set.parquet: solution_id, problem_id, question, text."""
    requests = read_parquet(task.inputs["requests"] / "problems.parquet")
    rows = []
    for row in requests.iter_rows(named=True):
        # A new person each time, as in the corpus.
        rng = Random(derive_seed(task.seed, row["problem_id"]))
        steps = demonstrate(Request.parse(row["question"]), expression(row), config.corpus, rng)
        text = "".join(step + "\n" for step in steps)
        rows.append((f"shown-{row['problem_id']}", row["problem_id"], row["question"], text))
    columns = ("solution_id", "problem_id", "question", "text")
    table = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    table.write_parquet(task.out / "sft_set.parquet")
    return Outcome(
        {"solutions": len(rows)}, rows=len(rows), sample=table.head(5).drop("solution_id").to_dicts()
    )


def expression(row: dict[str, Any]) -> Expression:
    """Of a row of problems.parquet. Raises ValueError where it is none."""
    found = expression_of(row)
    if found is None:
        raise ValueError(f"{row['question']!r} is no expression of whole numbers joined by + - *")
    return found
