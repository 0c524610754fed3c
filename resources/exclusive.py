"""An executor that computes under the run lock, so that runs of the UI, the sensor and `o1 run` never collide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from o1_assets.execution.run_lock import RunLock

Before = Callable[[dg.DagsterInstance], object]

Tell = Callable[[Any], object]


def _nothing(about: Any) -> None:
    pass


def exclusive(
    inner: dg.ExecutorDefinition,
    lock: RunLock,
    before: Before = _nothing,
    check: Callable[[set[str]], None] = _nothing,
    tell: Tell = _nothing,
) -> dg.ExecutorDefinition:
    """`inner`, but each run first waits, visibly and cancellably, until no other run is at work on the store.

    The second of two runs then finds in the cache what the first one made. `o1 run` holds the lock itself.
    before: called under the lock; its failure is a warning. check: called with the keys that the run is to make, and
    raises where the run must not begin. It is not called under a lent lock, whose holder has checked. tell: called
    with each event of the run, wherever its steps compute.
    """
    create = inner.executor_creation_fn
    assert create is not None, "dagster's own executors all have one"
    return dg.ExecutorDefinition(
        name=inner.name,
        config_schema=inner.config_schema,  # type: ignore[arg-type]  # it takes a made schema as well
        requirements=inner.get_requirements,
        executor_creation_fn=lambda context: _Exclusive(create(context), lock, before, check, tell),
        description=inner.description,
    )


class _Exclusive(dg.Executor):
    def __init__(
        self,
        inner: dg.Executor,
        lock: RunLock,
        before: Before = _nothing,
        check: Callable[[set[str]], None] = _nothing,
        tell: Tell = _nothing,
    ) -> None:
        self.inner, self.lock, self.before, self.check, self.tell = inner, lock, before, check, tell

    @property
    def retries(self) -> Any:
        return self.inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self.inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        announced = False

        def on_wait() -> None:
            nonlocal announced
            # Asked here because a run that waits has no step yet that Dagster could interrupt.
            run = plan_context.instance.get_run_by_id(plan_context.run_id)
            if run is None or run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
                raise dg.DagsterExecutionInterruptedError("terminated while it waited for another run to end")
            if not announced:
                plan_context.log.info("another run is at work on this store; waiting for it to end")
                announced = True

        with self.lock.hold(plan_context.run_id, on_wait):
            try:
                self.before(plan_context.instance)
            except Exception as error:
                plan_context.log.warning(f"what earlier runs left could not be put in order: {error}")
            if not self.lock.lent:  # the command that lends the lock has asked already
                self.check({key.replace("__", "/") for key in execution_plan.step_keys_to_execute})
            for event in self.inner.execute(plan_context, execution_plan):
                self.tell(event)
                yield event
