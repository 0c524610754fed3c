"""`o1 gc`: lists what can be removed and its size; with --yes, removes it. Never while a run is at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import READS_THE_STORE_ALONE, Answer, command, refuse_together
from o1_assets.core.formatting import byte_size
from o1_assets.execution.ledger import old_records
from o1_assets.execution.project import Project
from o1_assets.store.ancestry import find_version
from o1_assets.store.gc import Garbage, find_garbage, remove_garbage
from o1_assets.store.pins import Pin, pin, pins, unpin
from o1_assets.store.scratch import DAY, Leftover, find_leftovers, remove_leftovers, store_trash

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from o1_assets.orchestration.event_log import OldRuns

app = typer.Typer()
KEEP_DAYS = 30.0


@command(app, "gc", options=READS_THE_STORE_ALONE)
def gc_command(
    project: Project,
    yes: Annotated[bool, typer.Option("--yes", help="remove it; without, only say what would go")] = False,
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="keep every version and run younger than this; 30 without it")
    ] = None,
    pin: Annotated[str | None, typer.Option(metavar="KEY[@VERSION]", help="keep it for ever")] = None,
    unpin: Annotated[str | None, typer.Option(metavar="KEY[@VERSION]", help="no longer")] = None,
    reason: Annotated[str, typer.Option(help="of a pin, for those who come after you")] = "",
) -> Answer:
    """Remove what no kept version needs: old versions, what killed runs left, Dagster's old runs.

    Kept are today's versions, pinned ones, those younger than --keep-days, and all that these were made from, so
    that their audit stays complete. Label batches and the answers of a judge are never touched.
    """
    if pin or unpin:
        given = {"--unpin": pin and unpin, "--yes": yes or None, "--keep-days": keep_days}
        refuse_together(
            "--pin" if pin else "--unpin", given, "a pin is set or taken away in a call of its own"
        )
    if reason and not pin:
        raise typer.BadParameter("it is the reason of a --pin", param_hint="--reason")
    # Months later nobody else can tell whether a pin without a reason may go.
    if pin and not reason:
        raise typer.BadParameter("say why with --reason, for those who come after you", param_hint="--pin")
    if pin or unpin:
        changed = add_pin(project, pin, reason) if pin else remove_pin(project, unpin or "")
        document = {"pins": [vars(entry) for entry in pins(project.store)]}
        return Answer(
            document, [f"{'pinned' if pin else 'no longer pinned'}: {changed.key} {changed.version}"]
        )
    result = collect(project, keep_days=KEEP_DAYS if keep_days is None else keep_days, yes=yes)
    return Answer(result.document(), result.lines())


@dataclass(frozen=True)
class Collected:
    """What a collection removed, or would remove (`removed` is False).

    records: files of the ledger. runs: Dagster's. held: files of Dagster's databases that were in use.
    """

    removed: bool
    keep_days: float
    garbage: Garbage
    leftovers: list[Leftover]
    records: list[Path]
    runs: OldRuns | None
    held: list[str]

    @property
    def bytes(self) -> int:
        store = sum(key.bytes for key in self.garbage.keys.values()) + sum(self.garbage.orphans.values())
        store += sum(entry.size for entry in self.garbage.temporary)
        return store + sum(entry.bytes for entry in self.leftovers) + (self.runs.bytes if self.runs else 0)

    def document(self) -> dict[str, Any]:
        garbage, kinds = self.garbage, sorted({entry.kind for entry in self.leftovers})
        return {
            "removed": self.removed,
            "keep_days": self.keep_days,
            "bytes": self.bytes,
            "keys": {key: vars(entry) for key, entry in sorted(garbage.keys.items())},
            "objects": len(garbage.objects),
            "orphans": {"objects": len(garbage.orphans), "bytes": sum(garbage.orphans.values())},
            "cache_pointers": len(garbage.pointers),
            "model_cards": len(garbage.cards),
            "temporary_files": len(garbage.temporary),
            "leftovers": {
                kind: {
                    "folders": sum(entry.kind == kind for entry in self.leftovers),
                    "bytes": sum(entry.bytes for entry in self.leftovers if entry.kind == kind),
                }
                for kind in kinds
            },
            "run_records": len(self.records),
            "dagster_runs": {
                "runs": len(self.runs.ids),
                "bytes": self.runs.bytes,
                "kept": self.runs.remaining,
            }
            if self.runs
            else None,
            "in_use": self.held,
            "kept": {**garbage.roots, "versions": len(garbage.reachable)},
        }

    def lines(self) -> Iterator[str]:
        garbage = self.garbage
        for key, entry in sorted(garbage.keys.items()):
            yield f"{key:24} {entry.versions:7} versions {byte_size(entry.bytes):>10}"
        for words, count, size in (
            ("objects that no version names", len(garbage.orphans), sum(garbage.orphans.values())),
            ("cache pointers", len(garbage.pointers), 0),
            ("model cards", len(garbage.cards), 0),
            ("half-written files", len(garbage.temporary), sum(e.size for e in garbage.temporary)),
            *((f"folders in {e.kind}: {e.path.name[:12]}", 1, e.bytes) for e in self.leftovers),
            ("records of runs", len(self.records), 0),
            (
                "runs in Dagster's event log",
                len(self.runs.ids) if self.runs else 0,
                self.runs.bytes if self.runs else 0,
            ),
        ):
            if count:
                yield f"{words:34} {count:6} {byte_size(size) if size else '':>10}"
        roots = garbage.roots
        yield (
            f"kept: {roots['today']} of today, {roots['pinned']} pinned, {roots['young']} younger than "
            f"{self.keep_days:g} days; with what they were made from {len(garbage.reachable)} versions"
        )
        for name in self.held:
            yield f"{name} was in use and keeps its size; the next gc shrinks it"
        if self.removed:
            yield f"removed {byte_size(self.bytes)}"
        else:
            yield f"would remove {byte_size(self.bytes)}; nothing was removed: `o1 gc --yes` does it"


def collect(project: Project, *, keep_days: float = KEEP_DAYS, yes: bool = False) -> Collected:
    """Finds what can be removed and, with `yes`, removes it.

    Raises StoreError when it cannot be known what is needed, and with `yes` also Busy when a run is at work.
    """
    lock = project.lock
    with ExitStack() as stack:
        # A run could find in the cache just what is being removed. Only looking needs no lock.
        if yes:
            stack.enter_context(lock.hold_now("nothing is removed"))
        instance = stack.enter_context(_instance(project))
        if yes and instance is not None:
            # A killed run looks unfinished for ever, and unfinished runs are kept.
            from sensors.recovery import fail_killed_runs

            fail_killed_runs(instance, lock)
        result = _find(project, instance, keep_days, yes)
        if not yes:
            return result
        remove_garbage(project.store, result.garbage)
        remove_leftovers(result.leftovers)
        # At least a day, whatever --keep-days says: a younger file may belong to another machine's run.
        for path in [*result.records, *lock.strangers(time.time() - max(keep_days, 1) * DAY)]:
            path.unlink(missing_ok=True)
        if instance is not None and result.runs is not None:
            from o1_assets.orchestration.event_log import remove_runs, shrink

            remove_runs(instance, result.runs.ids)
            result.held.extend(shrink(project.settings.home / "dagster"))
        return result


def _find(project: Project, instance: DagsterInstance | None, keep_days: float, yes: bool) -> Collected:
    now = time.time()
    store, settings = project.store, project.settings
    garbage = find_garbage(store, keep_days, now)
    # Local copies of a remote store's objects stay for today's versions, which the next run reads.
    heads = {manifest.digest for name, manifest in garbage.reachable.items() if name in garbage.heads}
    leftovers = find_leftovers(
        settings.work,
        store_trash(store.backend.root, store.backend.local),
        now=now,
        keep_days=keep_days,
        computed=store.knows,
        today=heads,
    )
    # The report adds up the time of the runs that made what is there, so their records stay with it.
    needed = {manifest.cache_key for manifest in garbage.reachable.values()}
    records = old_records(settings.runs, now - max(keep_days, 1) * DAY, needed)
    runs = None
    if instance is not None:
        # Here, because Dagster takes a second or two to import and a store may have no instance. The sensor's last run
        # stays: the sensor reads from it what a failed run left undone.
        from o1_assets.orchestration.event_log import find_old_runs
        from sensors.label_batches import NAME
        from sensors.recovery import SENSOR_TAG

        runs = find_old_runs(instance, keep_days, now, {SENSOR_TAG: NAME})
    return Collected(yes, keep_days, garbage, leftovers, records, runs, [])


@contextmanager
def _instance(project: Project) -> Iterator[DagsterInstance | None]:
    """The profile's Dagster instance, if it was ever used."""
    # Opening it would create the databases of a profile that never ran.
    if not (project.settings.home / "dagster" / "dagster.yaml").exists():
        yield None
        return
    from o1_assets.orchestration.instance import open_instance

    with open_instance(project.settings) as instance:
        yield instance


def add_pin(project: Project, wanted: str, reason: str) -> Pin:
    """Pins a version. wanted: KEY or KEY@VERSION; without a version today's."""
    key, _, version = wanted.partition("@")
    return pin(project.store, key, find_version(project.store, key, version or None), reason)


def remove_pin(project: Project, wanted: str) -> Pin:
    """Removes a pin. wanted: KEY if it has one pin, else KEY@VERSION."""
    key, _, version = wanted.partition("@")
    return unpin(project.store, key, version or None)
