"""The oracle: an annotator that rates by the exact checker. It is never unsure, and errs only when told to.

Asked to write, it writes right steps as the corpus does: from the left, a product when it comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.annotator import Request
from o1_assets.labels.annotators.exact_checker import covers, rate, right_next_steps
from o1_assets.labels.protocol import Writing

RATINGS = (-1, 0, 1)

FREE_ORDER = 0.05
"""Chance of another right step than the leftmost one, as in the corpus (`CorpusConfig.free_order_rate`)."""


class Oracle:
    """An Annotator for problems that have an exact checker (`exact_checker.py`).

    error_rate: probability that a rating is replaced by one of the two others, drawn from the seed and what
    is rated, so the order of rating does not matter. At 2/3 every rating is equally likely, as by a labeller who
    does not look.
    """

    def __init__(self, error_rate: float = 0.0, seed: int = 0, labeler: str = "oracle") -> None:
        self.error_rate, self.seed, self.labeler = error_rate, seed, labeler

    def covers(self, problem: Mapping[str, Any]) -> bool:
        return covers(problem)

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        return [
            self._replaced(request, rate(request.problem, request.prefix, request.text))
            for request in requests
        ]

    def write(self, request: Request, writing: Writing) -> list[str]:
        """Its errors are of ratings only, so that what it writes is right; nothing where no right step leads on."""
        texts: list[str] = []
        while steps := right_next_steps(request.problem, (*request.prefix, *texts)):
            draw = derive_seed(self.seed, "writes", request.solution_id, request.step + len(texts))
            is_free = derive_seed(draw, "order") < FREE_ORDER * 2**31
            texts.append(steps[draw % len(steps) if is_free else 0])
            if writing == "step":
                break
        return texts

    def _replaced(self, request: Request, rating: int) -> int:
        if self.error_rate == 0:
            return rating
        completion = (request.solution_id, request.step, request.completion)
        # A seed is below 2**31, so this is a uniform number against the rate.
        if derive_seed(self.seed, "errs", *completion) >= self.error_rate * 2**31:
            return rating
        others = [other for other in RATINGS if other != rating]
        return others[derive_seed(self.seed, "as", *completion) % 2]
