"""Where steps run: the executor of a run, and the op tags and pool of a resource class.

Assets name a resource class (cpu, gpu1, gpu8), never an engine or an executor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class ResourceClass:
    """op_tags go to the executor; pool limits how many steps of the class run at once on an instance."""

    op_tags: Mapping[str, str]
    pool: str | None


CLASSES = {
    "cpu": ResourceClass({"o1/resource": "cpu"}, None),
    "gpu1": ResourceClass({"o1/resource": "gpu1"}, "gpu"),
    "gpu8": ResourceClass({"o1/resource": "gpu8"}, "gpu"),
}


def executor(name: str) -> dg.ExecutorDefinition:
    """`in_process` (0.06 s a step; what nano uses) or `multiprocess` (a process a step, 6 s each)."""
    executors = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}
    if name not in executors:
        raise ValueError(
            f"executor {name!r} is not one of {', '.join(sorted(executors))}; correct the profile"
        )
    return executors[name]
