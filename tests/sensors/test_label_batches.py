"""Stories of ticks: what the sensor requests as batches arrive and as runs continue, fail and recover."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from o1_assets.execution.run_lock import RunLock
from o1_assets.labels import label_batches as batches
from o1_assets.labels.config import Switch
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.progress import Listing
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.switches import Switches
from o1_assets.orchestration.keys import asset_key
from sensors import recovery
from sensors.label_batches import _Cursor, label_batches_sensor
from tests.sensors.stub import Lab, asked, quiet_report

Open = Callable[..., Lab]
HUMAN, MIXED = 'annotator="human"', 'annotator="human+oracle"'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A home by overrides, in which everything was made that can be."""
    homes = {}
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        quiet_report(patch)
        for overrides in (MIXED, HUMAN):
            homes[overrides] = tmp_path_factory.mktemp("home")
            lab = Lab(homes[overrides], instance, overrides)
            assert all(lab.run().values()) and lab.success
    return homes


@pytest.fixture
def opened(made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A copy of such a home with its own Dagster instance; the overrides may go on from there."""
    quiet_report(monkeypatch)
    with dg.DagsterInstance.ephemeral() as instance:

        def open_copy(overrides: str, more: str = "") -> Lab:
            shutil.copytree(made[overrides], tmp_path / "home")
            return Lab(tmp_path / "home", instance, f"{overrides}\n{more}")

        yield open_copy


@pytest.fixture
def lab(opened: Open) -> Lab:
    """Everything was made once, labels by the oracle where people have not rated."""
    return opened(MIXED)


@pytest.fixture
def people(opened: Open) -> Lab:
    """Everything was made that can be before people have rated anything."""
    return opened(HUMAN)


def test_a_finished_store_asks_for_nothing_at_the_first_tick(lab: Lab) -> None:
    assert lab.tick() == "no new label batches"


def test_a_batch_asks_for_its_round_and_what_follows_and_nothing_else(lab: Lab) -> None:
    lab.submit("r01")
    request = lab.tick()
    assert asked(request) == lab.follows("r01")
    assert not asked(request) & {"r01/solutions", "r01/selection", "r00/policy", "base/model"}
    assert (
        lab.tick() == "no new label batches"
    )  # the daemon has the request; asking twice would start two runs
    computed = {key for key, miss in lab.run(request).items() if miss}
    assert lab.success
    assert {"r01/label_batches", "r01/labels", "r01/prm", "r01/policy", "r02/solutions"} <= computed
    # The ORM learns from outcomes, not from labels; round 1's solutions are as they were.
    assert not computed & {"r01/orm", "r01/solutions"}
    assert lab.tick() == "no new label batches"


def test_batches_for_several_rounds_make_one_run(lab: Lab) -> None:
    for name in ("r02", "r00", "r02"):
        lab.submit(name)
    request = lab.tick()
    assert asked(request) == lab.follows("r00", "r02")
    assert isinstance(request, dg.RunRequest) and request.tags[recovery.ROUNDS_TAG] == "r00,r02"
    lab.run(request)
    assert lab.success and lab.tick() == "no new label batches"


def test_the_same_batch_again_asks_for_nothing(lab: Lab) -> None:
    lab.submit("r01")
    lab.run(lab.tick())
    assert lab.inbox.submit(lab.settings.home / "sent.jsonl", *lab.taking("r01")).known
    assert lab.tick() == "no new label batches"


def test_a_forgotten_cursor_asks_for_nothing_that_was_done(lab: Lab) -> None:
    lab.submit("r01")
    lab.run(lab.tick())
    lab.cursor = None
    assert lab.tick() == "no new label batches"


def test_what_the_command_line_has_taken_in_is_no_news(lab: Lab) -> None:
    lab.submit("r01")
    lab.run()
    assert lab.tick() == "no new label batches"


def test_a_batch_during_a_run_waits_for_its_end_and_is_not_lost(lab: Lab) -> None:
    lab.submit("r01")
    first = lab.tick()
    assert isinstance(first, dg.RunRequest)
    run = start(lab, first)
    lab.submit("r00")
    assert lab.tick() == f"run {run.run_id[:8]} is not finished; its end is waited for"
    lab.instance.report_run_canceled(run)
    lab.run(first)
    assert asked(lab.tick()) == lab.follows("r00")


def test_a_batch_that_arrives_while_the_inbox_is_read_is_taken_in_by_the_next_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = batches.people_batches

    def read_then_another_arrives(inbox: Inbox, round_name: str) -> Listing:
        listing = read(inbox, round_name)
        if round_name == "r01":
            lab.submit("r01")
        return listing

    lab.submit("r01")
    request = lab.tick()
    with monkeypatch.context() as patch:
        patch.setattr(batches, "people_batches", read_then_another_arrives)
        lab.run(request)
    again = lab.tick()
    assert asked(again) == lab.follows("r01")
    lab.run(again)
    head = lab.store.head("r01/label_batches")
    assert (
        head is not None
        and head.figures["batches_from_people"] == 2
        and lab.inbox.version("r01") == head.external
    )
    assert lab.tick() == "no new label batches"


def test_during_a_run_of_somebody_else_nothing_is_asked_for(lab: Lab) -> None:
    lab.submit("r01")
    with RunLock(lab.settings.lock).hold("somebody"):
        assert lab.tick() == "another run is at work; its end is waited for"
    assert asked(lab.tick()) == lab.follows("r01")


def test_a_failed_run_is_tried_again_later_and_makes_only_what_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.submit("r01")
    lab.broken = {"r01/policy"}
    first = lab.tick()
    lab.run(first)
    assert not lab.success
    assert "failed; it is tried again in" in str(lab.tick())
    pass_time(monkeypatch, 61)
    lab.broken = set()
    again = lab.tick()
    assert asked(again) == asked(first)
    assert isinstance(again, dg.RunRequest) and isinstance(first, dg.RunRequest)
    assert again.run_key != first.run_key  # Dagster would skip a key that has had a run, also a failed one
    computed = {key for key, miss in lab.run(again).items() if miss}
    assert lab.success and "r01/policy" in computed and not computed & {"r01/labels", "r01/prm"}
    assert lab.tick() == "no new label batches"


def test_a_run_that_fails_again_and_again_is_given_up_until_a_batch_arrives(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.submit("r01")
    lab.broken = {"r01/prm"}
    for seconds in (0, 61, 601):
        pass_time(monkeypatch, seconds)
        lab.run(lab.tick())
    pass_time(monkeypatch, 10**6)
    assert "failed, 3 times in all; `o1 run` or a new batch tries again" in str(lab.tick())
    lab.broken = set()
    lab.submit("r03")
    request = lab.tick()
    assert asked(request) == lab.follows("r01")  # with what r01 still lacks; r03 is part of that
    lab.run(request)
    assert lab.success and lab.tick() == "no new label batches"


def test_a_run_that_is_interrupted_is_never_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.submit("r01")
    for seconds in range(0, 200, 61):
        pass_time(monkeypatch, seconds)
        request = lab.tick()
        assert asked(request) == lab.follows("r01")
        run = start(lab, request)
        lab.instance.add_run_tags(run.run_id, {"dagster/failure_reason": "UNEXPECTED_TERMINATION"})
        lab.instance.report_run_failed(run)
        assert "failed; it is tried again in" in str(lab.tick())


def test_a_failed_run_that_somebody_repaired_is_not_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.submit("r01")
    lab.broken = {"r01/prm"}
    lab.run(lab.tick())
    lab.broken = set()
    lab.run()
    pass_time(monkeypatch, 61)
    assert lab.tick() == "no new label batches"


def test_a_run_that_somebody_cancelled_is_not_tried_again(lab: Lab) -> None:
    lab.submit("r01")
    request = lab.tick()
    assert isinstance(request, dg.RunRequest)
    lab.instance.report_run_canceled(start(lab, request))
    assert lab.tick() == "no new label batches"


def test_a_run_killed_with_its_server_is_found_dead_and_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.submit("r01")
    request = lab.tick()
    assert isinstance(request, dg.RunRequest)
    run = start(lab, request)
    lock = RunLock(lab.settings.lock)
    lock.alive.mkdir(exist_ok=True)
    lock._file_of(run.run_id).touch()  # what a killed process leaves: its file, unlocked
    assert "is not finished" in str(lab.tick())  # so young a file may be about to be locked
    pass_time(monkeypatch, 11)
    assert "failed; it is tried again in" in str(lab.tick())
    pass_time(monkeypatch, 61)
    assert asked(lab.tick()) == lab.follows("r01")
    assert list(lock.alive.iterdir()) == []


def test_a_thousand_waiting_batches_are_one_run_and_a_quick_tick(lab: Lab) -> None:
    file, taking = lab.file("r01", ("right",), "labeller 0").read_text(), lab.taking("r01")
    for number in range(1000):
        (lab.settings.home / "sent.jsonl").write_text(file.replace("labeller 0", f"labeller {number}"))
        lab.inbox.submit(lab.settings.home / "sent.jsonl", *taking)
    assert len(lab.inbox.accepted("r01", PEOPLE)) == 1000
    started = time.perf_counter()
    request = lab.tick()
    assert time.perf_counter() - started < 5  # Dagster ends a tick after 60 s
    assert asked(request) == lab.follows("r01")


def test_no_tick_opens_labels(lab: Lab) -> None:
    report = lab.submit("r01")
    assert report.digest is not None
    lab.inbox.batch("r01", report.digest).unlink()
    assert asked(lab.tick()) == lab.follows("r01")


def test_batches_for_a_round_that_was_not_reached_wait(lab: Lab) -> None:
    lab.submit("r02")
    (Path(lab.settings.store) / "heads" / "r02" / "selection.json").unlink()
    assert lab.tick() == "r02 waits: its selection was never made; `o1 run` makes it"


def test_a_pull_that_fails_does_not_keep_batches_from_being_seen(lab: Lab) -> None:
    def unreachable() -> None:
        raise ConnectionError("no such host")

    lab.submit("r01")
    sensor = label_batches_sensor(lab.project, unreachable)
    result = sensor(dg.build_sensor_context(instance=lab.instance, definitions=lab.definitions))
    assert isinstance(result, dg.SensorResult) and result.run_requests


def test_what_a_pull_brings_is_seen_in_the_same_tick(lab: Lab) -> None:
    sensor = label_batches_sensor(lab.project, lambda: lab.submit("r01"))
    result = sensor(dg.build_sensor_context(instance=lab.instance, definitions=lab.definitions))
    assert isinstance(result, dg.SensorResult) and result.run_requests


def test_a_round_of_people_goes_on_when_all_of_its_selection_has_come_back(people: Lab) -> None:
    people.submit("r00", ("right", "wrong"))
    assert people.tick() == "r00 waits: 2 of 3 solutions rated, 3 needed, 1 batch accepted"
    (shown,) = people.events  # how far it is, in the UI, without a run
    assert isinstance(shown, dg.AssetCheckEvaluation) and not shown.passed
    assert (shown.metadata["rated"].value, shown.metadata["needed"].value) == (2, 3)
    assert "r00 waits" in str(people.tick()) and people.events == []  # and once
    people.submit("r00", ("direct",))
    request = people.tick()
    computed = {key for key, miss in people.run(request).items() if miss}
    assert people.success and {"r00/labels", "r00/policy", "r01/selection"} <= computed
    assert "r01/labels" not in computed  # it waits for people again
    assert people.tick() == "no new label batches"


def test_a_round_that_waits_is_a_warning_in_a_run_that_succeeds(people: Lab) -> None:
    people.submit("r00", ("right",))
    people.run()
    assert people.success
    key = dg.AssetCheckKey(asset_key("r00/label_batches"), "enough_rated")
    (record,) = people.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    evaluation = record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    assert not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.WARN
    assert "o1 labels export r00" in (evaluation.description or "")
    assert evaluation.metadata["rated"].value == 1 and evaluation.metadata["solutions"].value == 3
    assert people.instance.get_latest_materialization_event(key.asset_key) is None


def test_the_share_that_has_to_be_rated_can_be_set(opened: Open) -> None:
    lab = opened(HUMAN, "min_rated_share=0.6")
    lab.submit("r00", ("right",))
    assert "1 of 3 solutions rated, 2 needed" in str(lab.tick())
    lab.submit("r00", ("direct",))
    assert "r00/labels" in lab.run(lab.tick())


def test_where_a_machine_rates_labels_are_shown_and_used_once_the_round_is_switched_to_people(
    opened: Open,
) -> None:
    lab = opened(MIXED, "annotator=oracle")
    lab.submit("r01", ("right", "wrong"))
    said = str(lab.tick())
    assert said.startswith(
        "no new label batches; r01 is rated by oracle: people's labels of 2 solutions are kept"
    )
    (event,) = lab.events
    assert (event.check_name, event.passed) == ("inbox", False)
    assert event.metadata["batches_from_people_not_used"].value == 1
    assert str(lab.tick()) == said and lab.events == [], "it is shown once"
    switches = Switches(lab.inbox.root)
    switches.add("r01", Switch(annotator="human", who="lead", when="2026-01-01T00:00:00+00:00"))
    assert "r01 waits: 2 of 3 solutions rated, 3 needed" in str(lab.tick())
    lab.submit("r01", ("direct",))
    assert asked(lab.tick()) == lab.follows("r01")
    (lab.inbox.root / "annotators.json").write_text("{")
    assert "switch each of those rounds again with `o1 labels switch`" in str(lab.tick())


def test_a_damaged_batch_stops_no_tick_and_no_other_batch(lab: Lab) -> None:
    digest = str(lab.submit("r01", ("right",)).digest)
    assert asked(lab.tick()) == lab.follows("r01")
    (lab.inbox.find("r01", digest) / "manifest.json").write_text('{"digest": ')
    said = str(lab.tick())
    assert digest in said and "nothing of it counts" in said and lab.events[0].metadata["damaged"].value == 1
    assert lab.inbox.submit(lab.settings.home / "sent.jsonl", *lab.taking("r01")).digest == digest
    assert lab.tick() == "no new label batches" and lab.events[0].passed
    lab.submit("r00", ("right",))
    assert "r00/label_batches" in asked(lab.tick())


def start(lab: Lab, request: dg.RunRequest) -> dg.DagsterRun:
    """A run as the daemon would have started it, still at work."""
    job = lab.definitions.resolve_implicit_global_asset_job_def()
    return lab.instance.create_run_for_job(job, tags=dict(request.tags))


def pass_time(patch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time
    patch.setattr("time.time", lambda: now() + seconds)


@pytest.mark.parametrize("cursor", ["1234", '{"r00": 3}', "not JSON", '{"asked": []}', "[" * 100_000])
def test_a_cursor_that_is_not_ours_is_replaced_and_named(cursor: str) -> None:
    warnings: list[str] = []
    assert _Cursor.parse(cursor, warnings.append) == _Cursor()
    assert len(warnings) == 1 and cursor[:60] in warnings[0]


def test_a_tick_goes_on_without_its_cursor(lab: Lab) -> None:
    lab.cursor = "1234"
    assert lab.tick() == "no new label batches"
    lab.submit("r01")
    lab.cursor = '{"r00": 3}'
    assert asked(lab.tick()) == lab.follows("r01")
