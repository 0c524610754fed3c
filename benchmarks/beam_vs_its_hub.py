"""Step beam: ours against its_hub's, same models, width, branch, step and solution limits, end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.registry import Figure

NAME = "beam_vs_its_hub"


PROBLEMS, REPETITIONS = 60, 5


WIDTH, BRANCH = 2, 4


def compare() -> Mapping[str, Figure]:
    from benchmarks import its_hub_beam
    from benchmarks.models import finished
    from benchmarks.ours import contender
    from benchmarks.race import STEPS, race, times_faster, two_processes, with_threads
    from benchmarks.rivals import Generate, import_rivals
    from o1_assets.search.beam import StepBeam

    import_rivals()
    settings: dict[str, Any] = {"width": WIDTH, "branch": BRANCH, "steps": STEPS}
    alone, together = {**settings, "together": False}, {**settings, "together": True}
    with finished(PROBLEMS) as given, two_processes(given, its_hub_beam.solve, **together) as shared:
        models = Generate(given)
        runs = race(
            {
                "ours": contender(given, StepBeam(WIDTH, BRANCH)),
                "all at once, 1 thread": with_threads(its_hub_beam.solve, models, given, 1, **together),
                "all at once, 2 threads": with_threads(its_hub_beam.solve, models, given, 2, **together),
                "all at once, 2 processes": shared,
                "one by one, 1 thread": with_threads(its_hub_beam.solve, models, given, 1, **alone),
                "one by one, 2 threads": with_threads(its_hub_beam.solve, models, given, 2, **alone),
            },
            REPETITIONS,
            given,
        )
    at_once = [name for name in runs if name.startswith("all at once")]
    one_by_one = [name for name in runs if name.startswith("one by one")]
    says = f"its_hub 1.2.0, {PROBLEMS} problems, width {WIDTH}, branch {BRANCH}"
    return {
        NAME: times_faster(runs, "ours", at_once, says, "at least 3"),
        f"{NAME}_one_by_one": times_faster(runs, "ours", one_by_one, says, "at least 3"),
    }
