"""One training as several processes, one for each GPU: started by Dagster through Pipes, or by hand.

    accelerate launch --multi_gpu --num_processes 8 -m o1_assets.orchestration.train r03/policy

O1_HOME, O1_PROFILE and O1_SET name the project. Process 0 finds the inputs, stores the artifact and writes its
manifest, as `o1 run` would. The others compute their share of each batch and write nothing that stays.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from o1_assets.core.artifact import Artifact, Task
from o1_assets.core.engine import Engine
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import prepare_compute
from o1_assets.execution.materialize import Made, materialize
from o1_assets.execution.project import Project

Say = Callable[[str], None]


class NotShared(O1Error):
    """The key is not that of a training which several processes can share."""


class Abandoned(O1Error):
    """This process failed while others may wait for it. It has to exit with a failure, so that all are ended."""


# How long the others wait for process 0, which fetches and verifies the inputs; NCCL's own is ten minutes.
PATIENCE = timedelta(hours=6)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(
            "usage: accelerate launch ... -m o1_assets.orchestration.train KEY; got "
            f"{' '.join(sys.argv[1:]) or 'no key'}"
        )
    with _listener() as (say, report):
        try:
            project = Project(Settings.load())
            made = make(_trained_here(sys.argv[1], project), project, say)
        except Abandoned as error:
            # Only a process that fails makes accelerate end the others, which wait in a collective call.
            say(str(error))
            sys.exit(f"o1: {error}")
        except (O1Error, FileNotFoundError) as error:
            report({"error": str(error)})
            return
        if made is not None:
            report({"version": made.manifest.version, "cached": made.cached})


def make(artifact: Artifact, project: Project, say: Say) -> Made | None:
    """What process 0 made or found in the cache; None in the others.

    Raises what `materialize` does, but Abandoned instead of an expected error once several processes compute.
    """
    from accelerate import PartialState
    from torch import cuda

    from o1_assets.engine.open import open_engine
    from o1_assets.engine.training.processes import processes, rank

    profile = project.profile

    def opened(checkpoint: Path) -> Engine:
        return open_engine(checkpoint, profile.engine)

    prepare_compute(profile.threads, artifact.resource_class)
    # Joins the processes; without GPUs they talk through gloo.
    PartialState(cpu=not cuda.is_available(), timeout=PATIENCE)
    if rank():
        _assist(artifact, opened)
        return None
    is_computing = False

    def on_start(task: Task) -> None:
        nonlocal is_computing
        is_computing = True
        _hand_out(sendable(task))

    try:
        return materialize(
            artifact,
            project.store,
            profile=profile.name,
            open_engine=opened,
            threads=profile.threads,
            engine=profile.engine,
            progress=say,
            on_start=on_start,
        )
    except (O1Error, FileNotFoundError) as error:
        if is_computing and processes() > 1:
            raise Abandoned(str(error)) from error
        raise
    finally:
        # The others wait for a task in a collective call: without one they would wait for hours.
        if not is_computing:
            _hand_out(None)


def _assist(artifact: Artifact, opened: Callable[[Path], Engine]) -> None:
    """Computes with process 0, on the same inputs, into a temporary folder."""
    # A training writes its model in every process; only what process 0 writes is stored.
    task = _hand_out(None)
    if task is not None:
        with tempfile.TemporaryDirectory() as folder:
            here = replace(task, out=Path(folder), open_engine=opened)
            try:
                artifact.compute(here, artifact.config)
            except (O1Error, FileNotFoundError) as error:
                raise Abandoned(str(error)) from error


def _hand_out(task: Task | None) -> Task | None:
    """Process 0's task, in every process; None when there is nothing to compute."""
    # Every process has to make this call: it is collective.
    from o1_assets.engine.training.processes import all_gather_object

    return all_gather_object(task)[0]


def sendable(task: Task) -> Task:
    """The task without its functions, which hold the store and Dagster's context and cannot be pickled."""
    return replace(task, open_engine=_nothing, progress=_nothing, ancestry=_nothing)


def _nothing(about: Any) -> Any:
    """A placeholder for a task's functions in other processes."""


def _trained_here(key: str, project: Project) -> Artifact:
    graph = project.graph
    able = [key for key, artifact in graph.items() if artifact.launches]
    if key not in able:
        raise NotShared(f"{key!r} is not trained by several processes here; {', '.join(able)} are")
    return graph[key]


@contextmanager
def _listener() -> Iterator[tuple[Say, Callable[[dict[str, Any]], None]]]:
    """Two functions that report a line and the result: to Dagster under Pipes, else to the terminal.

    Only process 0 reports anything.
    """
    if os.environ.get("RANK", "0") != "0":
        yield _nothing, _nothing
    elif "DAGSTER_PIPES_CONTEXT" in os.environ:
        from dagster_pipes import open_dagster_pipes

        with open_dagster_pipes() as pipes:
            yield pipes.log.info, pipes.report_custom_message
    else:
        yield _print, _finish


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _finish(result: dict[str, Any]) -> None:
    if "error" in result:
        sys.exit(f"o1: {result['error']}")
    print(result["version"])


if __name__ == "__main__":
    main()
