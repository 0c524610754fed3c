"""MCTS and step beam: ours against those of llm-reasoners, same models and limits, end to end.

Its MCTS goes on from a leaf to an end in every iteration, ours makes one step; so both are given the same tokens:
ours stops at what the other used in its warm-up, and times are compared a generated token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.registry import Figure

if TYPE_CHECKING:
    from benchmarks.models import Finished
    from benchmarks.rivals import Generate


NAME = "mcts_vs_llm_reasoners"


PROBLEMS, REPETITIONS = 60, 5


WIDTH, BRANCH, ITERATIONS = 2, 4, 8


def compare() -> Mapping[str, Figure]:
    from benchmarks.models import finished
    from benchmarks.rivals import Generate, import_rivals

    import_rivals()
    with finished(PROBLEMS) as given:
        models = Generate(given)
        return {**_mcts(given, models), **_beam(given, models)}


def _mcts(given: Finished, models: Generate) -> dict[str, Figure]:
    from benchmarks import llm_reasoners_search as theirs
    from benchmarks.ours import contender
    from benchmarks.race import STEPS, race, times_faster, two_processes, with_threads
    from o1_assets.search.mcts import PuctSearch

    settings: dict[str, Any] = {
        "algorithm": "mcts",
        "branch": BRANCH,
        "steps": STEPS,
        "iterations": ITERATIONS,
    }
    tokens = with_threads(theirs.solve, models, given, 1, **settings)(0).tokens // PROBLEMS
    with two_processes(given, theirs.solve, **settings) as shared:
        runs = race(
            {
                "ours": contender(given, PuctSearch(simulations=None, branch=BRANCH), tokens),
                "1 thread": with_threads(theirs.solve, models, given, 1, **settings),
                "2 threads": with_threads(theirs.solve, models, given, 2, **settings),
                "2 processes": shared,
            },
            REPETITIONS,
            given,
        )
    says = f"llm-reasoners 1.0.2, {PROBLEMS} problems, {ITERATIONS} iterations, branch {BRANCH}"
    others = [name for name in runs if name != "ours"]
    return {NAME: times_faster(runs, "ours", others, says, "at least 10")}


def _beam(given: Finished, models: Generate) -> dict[str, Figure]:
    from benchmarks import llm_reasoners_search as theirs
    from benchmarks.ours import contender
    from benchmarks.race import STEPS, race, times_faster, two_processes, with_threads
    from o1_assets.search.beam import StepBeam

    settings: dict[str, Any] = {"algorithm": "beam", "branch": BRANCH, "steps": STEPS, "width": WIDTH}
    with two_processes(given, theirs.solve, **settings) as shared:
        runs = race(
            {
                "ours": contender(given, StepBeam(WIDTH, BRANCH)),
                "1 thread": with_threads(theirs.solve, models, given, 1, **settings),
                "2 threads": with_threads(theirs.solve, models, given, 2, **settings),
                "2 processes": shared,
            },
            REPETITIONS,
            given,
        )
    says = f"llm-reasoners 1.0.2, {PROBLEMS} problems, width {WIDTH}, branch {BRANCH}"
    others = [name for name in runs if name != "ours"]
    return {"beam_vs_llm_reasoners": times_faster(runs, "ours", others, says, "at least 8")}
