from __future__ import annotations

from benchmarks.hostile_programs import FAMILIES, run, traps


def test_no_family_of_hostile_programs_escapes_or_passes_or_takes_long() -> None:
    with traps() as set_traps:
        passed, slow, raised, _, families = run(2 * len(FAMILIES), set_traps, seed=1)
        assert (passed, slow, raised, set_traps.sprung()) == ([], [], [], [])
    assert len(families) == len(FAMILIES)


def test_the_traps_would_notice() -> None:
    import socket

    with traps() as set_traps:
        (set_traps.folder / "new").touch()
        (set_traps.folder / "secret").write_text("changed")
        with socket.create_connection(("127.0.0.1", set_traps.port)) as call:
            call.settimeout(10)
            call.recv(1)  # the listener has accepted once it drops the connection
        assert len(set_traps.sprung()) == 3
