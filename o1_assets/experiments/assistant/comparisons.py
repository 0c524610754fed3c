"""assistant/comparisons: several answers to each request, ranked by people or by an annotator with a constitution."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import polars as pl

from o1_assets.core.artifact import Compute, Outcome, Task, Waiting
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.experiments.assistant.config import ComparisonsConfig
from o1_assets.experiments.assistant.constitution import pairs, quality, ranking, with_errors
from o1_assets.experiments.assistant.rankings import Asked, Ranking, Rankings, filed_by_machine
from o1_assets.experiments.assistant.requests import expression
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.problems.instructions import Request

SCHEMA: dict[str, Any] = {
    "problem_id": pl.String,
    "question": pl.String,
    "answers": pl.List(pl.String),
    "exact_ranks": pl.List(pl.Int32),
    "ranks": pl.List(pl.Int32),
    "labeler": pl.String,
}
ORACLE = "oracle"


def answers_to_rank(requests: pl.DataFrame, answers: pl.DataFrame) -> tuple[Asked, dict[str, list[int]]]:
    """Request -> its different answers; and the ranks that the constitution gives them, without any error.

    Requests of whose answers none is better than another teach nothing, and are left out.
    """
    rows = {row["problem_id"]: row for row in requests.iter_rows(named=True)}
    asked, exact = dict[str, tuple[str, list[str]]](), dict[str, list[int]]()
    # Of an answer without any text nothing can be read.
    written = answers.filter(pl.col("text").str.strip_chars() != "")
    different = written.unique(subset=["problem_id", "text"], keep="first", maintain_order=True)
    for (key,), group in different.group_by("problem_id", maintain_order=True):
        row = rows[name := str(key)]
        request, operations = Request.parse(row["question"]), len(expression(row).ops)
        ranks = ranking(
            [
                quality(request, answer["steps"], answer["finished"], answer["correct"], operations)
                for answer in group.iter_rows(named=True)
            ]
        )
        if max(ranks) > 0:
            asked[name], exact[name] = (row["question"], group["text"].to_list()), ranks
    return asked, exact


def comparisons(rankings: Rankings) -> Compute:
    """The compute function of assistant/comparisons for this inbox."""

    def make_comparisons(task: Task, config: ComparisonsConfig) -> Outcome:
        """Inputs "answers" (solutions.parquet) and "requests". Writes comparisons.parquet, a row a ranking: problem_id,
        question, answers, exact_ranks (by the constitution, 0 for the best), ranks (as they were given), labeler.

        Raises Waiting where people are to rank and too few requests have come back.
        """
        requests = read_parquet(task.inputs["requests"] / "problems.parquet")
        answers = read_parquet(task.inputs["answers"] / "solutions.parquet")
        asked, exact = answers_to_rank(requests, answers)
        version = rankings.version()
        given = rankings.read(rankings.accepted(PEOPLE), asked) if config.uses_people else []
        missing = asked.keys() - {each.comparison for each in given}
        if config.annotator == "human" and len(missing) > (1 - config.min_ranked_share) * len(asked):
            raise Waiting(
                f"{len(asked) - len(missing)} of {len(asked)} requests are ranked: `o1 labels export-rankings FILE`, "
                "have them ranked, then `o1 labels submit-rankings FILE`",
                {"ranked": len(asked) - len(missing), "requests": len(asked)},
            )
        if config.annotator != "human" and missing:
            made = _by_oracle(
                {name: asked[name] for name in asked if name in missing}, exact, config, task.seed
            )
            given += rankings.read([filed_by_machine(rankings, made, asked, ORACLE)], asked)
        rows = [(r.comparison, r.question, r.answers, exact[r.comparison], r.ranks, r.labeler) for r in given]
        table = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort(
            "problem_id", "labeler", maintain_order=True
        )
        table.write_parquet(task.out / "comparisons.parquet")
        return Outcome(
            {**_figures(table), "without_difference": answers["problem_id"].n_unique() - len(asked)},
            rows=len(rows),
            sample=table.head(5).to_dicts(),
            external=version if config.uses_people else None,
        )

    return make_comparisons


def _by_oracle(
    asked: Asked, exact: Mapping[str, list[int]], config: ComparisonsConfig, seed: int
) -> list[Ranking]:
    return [
        Ranking(
            name,
            question,
            list(texts),
            with_errors(exact[name], config.swap_rate, Random(derive_seed(seed, name))),
            ORACLE,
        )
        for name, (question, texts) in asked.items()
    ]


def _figures(table: pl.DataFrame) -> dict[str, float | int | str | None]:
    ordered = [
        ranks[i] < ranks[j]
        for exact, ranks in table.select("exact_ranks", "ranks").iter_rows()
        for i, j in pairs(exact)
    ]
    return {
        "comparisons": table.height,
        "by_people": table.filter(pl.col("labeler") != ORACLE).height,
        "pairs": len(ordered),
        # Of the pairs of which the constitution prefers one.
        "flipped_share": 1 - sum(ordered) / len(ordered) if ordered else None,
    }
