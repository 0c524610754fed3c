"""One sensor for all rounds: a new label batch in the inbox re-runs what depends on that round's labels."""

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg


def label_batches_sensor(
    inbox_root: Path, rounds: int, pull: Callable[[], object] | None = None
) -> dg.SensorDefinition:
    """pull: fetches labels from elsewhere into the inbox, called first in every tick.

    At least once by design: the store's cache makes a repeated request cost nothing.

    A tick lists batch manifests and never parses labels. All rounds that changed make one run; the run key
    is the digest of the inbox's whole state, so the same state is never requested twice.
    """

    @dg.sensor(
        name="label_batches",
        asset_selection="*",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Requests one run for every round whose accepted label batches changed.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        from o1_assets.labels.inbox import Inbox
        from o1_assets.store.digest import sha256_json

        if pull is not None:
            pull()
        inbox = Inbox(inbox_root)
        versions = {f"r{k:02d}": inbox.version(f"r{k:02d}") for k in range(rounds + 1)}
        seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        changed = sorted(
            name for name, version in versions.items() if inbox.accepted(name) and seen.get(name) != version
        )
        if not changed:
            return dg.SkipReason("no new label batches")
        graph = context.repository_def.asset_graph if context.repository_def else None
        keys = [dg.AssetKey([name, "label_batches"]) for name in changed]
        selection = dg.AssetSelection.assets(*keys).downstream()
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=sha256_json(versions),
                    asset_selection=sorted(selection.resolve(graph)) if graph else keys,
                    tags={"o1/rounds": ",".join(changed)},
                )
            ],
            cursor=json.dumps(versions, sort_keys=True),
        )

    return sensor
