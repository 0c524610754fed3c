"""How hard and in which way a question is thought about: what `--effort`, `--tokens` and `--strategy` come to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.base.config import TrainedBase
from o1_assets.core.errors import O1Error
from o1_assets.problems.worlds.registry import WORLDS
from o1_assets.search.interface import Budget, Strategy
from o1_assets.search.run import CACHE_TOKENS
from o1_assets.search.strategies import EFFORTS, IN_SECONDS, STRATEGIES, strategy_for

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


class AskError(O1Error):
    """An option of `o1 ask`, or a field of a request, has a value that it cannot have; the message lists those that it
    can."""


@dataclass(frozen=True)
class Thinking:
    """How a question is thought about: a strategy, its name, its budget, and the time-out of all questions together."""

    name: str
    strategy: Strategy
    budget: Budget
    seconds: float | None = None


def choose_thinking(
    profile: Profile,
    effort: str,
    tokens: int | None,
    strategy: str | None,
    seconds: float | None = None,
) -> Thinking:
    """The strategy to think with, and its budget, which is never exceeded.

    tokens: a budget instead of the effort's. seconds: a time-out instead of either, or beside `tokens`. strategy:
    instead of the one that makes the most of the budget. Raises AskError on an unknown effort or strategy, on a budget
    below one token, or on a time-out that is none.
    """
    # Efforts are multiples of the longest solution, so that one effort means the same in every profile.
    longest = profile.prompt.max_tokens
    if effort not in EFFORTS:
        raise AskError(f"there is no effort {effort!r}; choose one of: {', '.join(EFFORTS)}")
    if tokens is not None and tokens < 1:
        raise AskError(f"{tokens} tokens are none to think with; give --tokens a number above 0")
    if seconds is not None and not 0 < seconds < math.inf:
        raise AskError(f"{seconds:g} seconds are none to think in; give --seconds a number above 0")
    budget = Budget(
        # A time-out alone: as many tokens as the models' caches may hold, however fast the machine is.
        tokens or (EFFORTS[effort].tokens(longest) if seconds is None else CACHE_TOKENS),
        steps=profile.policy.max_steps,
        step_tokens=profile.later_selection.max_step_tokens,
        solution_tokens=longest,
        hard=True,
    )
    # Where an answer can be checked, no estimate of its chance to be right is worth as much.
    base = profile.base
    checked = "checked" if isinstance(base, TrainedBase) and WORLDS[base.world].checkable else None
    by_tokens = strategy_for(tokens, longest) if tokens else EFFORTS[effort].strategy
    name = strategy or checked or (by_tokens if seconds is None else IN_SECONDS)
    if name not in STRATEGIES:
        raise AskError(f"there is no strategy {name!r}; choose one of: {', '.join(STRATEGIES)}")
    return Thinking(name, STRATEGIES[name].strategy, budget, seconds)
