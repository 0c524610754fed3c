"""The oracle: rates with the exact checker of the nano world, never unsure and never wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from o1_assets.labels.annotator import Request
from o1_assets.labels.arithmetic_judge import expression_of, rate


class Oracle:
    """An Annotator for problems that have an exact checker; today those whose metadata holds an expression."""

    labeler = "oracle"

    def covers(self, problem: Mapping[str, Any]) -> bool:
        return expression_of(problem) is not None

    def rate(self, requests: Sequence[Request]) -> list[int | None]:
        return [rate(request.problem, request.prefix, request.text) for request in requests]
