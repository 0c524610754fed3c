"""What every command takes, what it refuses, and that nothing that was given is dropped silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from o1_assets.cli.common import PageError
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.cli.main import app, main
from o1_assets.core.settings import Settings
from o1_assets.labels.round_inputs import UnknownRound


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("O1_SET", "")
    monkeypatch.setenv("COLUMNS", "300")
    return Settings.load("nano")


def o1(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def test_every_command_takes_profile_and_json_and_those_about_the_profile_s_numbers_set() -> None:
    found = {
        path: {option for parameter in command.params for option in parameter.opts}
        for path, command in commands(typer.main.get_command(app))
    }
    assert ("labels", "close") in found and ("report",) in found
    assert {path for path, options in found.items() if not {"--profile", "--json"} <= options} == set()
    without = {path for path, options in found.items() if "--set" not in options}
    assert without == {("card",), ("export",), ("gc",), ("publish",)}, "which read the store alone"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("ask", "missing argument 'QUESTION...'; `o1 ask --help` lists"),
        ("ask 1+1 --tokens many", "--tokens is 'many'; it should be a valid integer; `o1 ask --help` lists"),
        (
            "gc --keep-days -1",
            "--keep-days is '-1'; it should be greater than or equal to 0; `o1 gc --help` lists",
        ),
        ("ask 1+1 --stratgy mcts", "no such option: --stratgy (Possible options: --strategy); "),
        ("labels sbmit", "no such command 'sbmit'"),
        ("status now", "unexpected extra argument(s) (now)"),
    ],
)
def test_a_command_line_that_cannot_be_is_one_sentence(
    arguments: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["o1", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert ended.value.code in (1, 2) and not output.out
    [line] = output.err.splitlines()
    assert line.startswith("o1: ") and says in line and "nput" not in line


def test_a_folder_that_cannot_be_one_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("O1_HOME", "/dev/null/x")
    monkeypatch.setattr("sys.argv", ["o1", "labels", "close", "r00"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "o1: /dev/null/x/nano/inbox/r00: not a directory; give another path\n"


def test_a_round_that_only_an_override_makes_can_be_closed_and_reopened() -> None:
    assert isinstance(o1("labels", "close", "r12").exception, UnknownRound)
    closed = o1("labels", "close", "r12", "--set", "rounds=12", "--reason", "final", "--json")
    assert json.loads(closed.stdout) == {"round": "r12", "closed": True, "reason": "final"}
    opened = o1("labels", "reopen", "r12", "--set", "rounds=12", "--json")
    assert json.loads(opened.stdout) == {"round": "r12", "closed": False}


def test_an_export_to_stdout_has_no_room_for_json() -> None:
    refused = o1("labels", "export", "r03", "--json")
    assert refused.exit_code == 2 and "name a file with --output" in refused.output
    both = o1("labels", "export", "r03", "--screening", "--missing", "--json")
    assert isinstance(both.exception, LabelsError)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("gc --pin a --reason x --unpin b", "--unpin: not together with --pin"),
        ("gc --pin a --reason x --yes", "--yes: not together with --pin"),
        ("gc --unpin a --keep-days 0", "--keep-days: not together with --unpin"),
        ("gc --reason x", "--reason: it is the reason of a --pin"),
        ("plan --check --gpu h100", "--gpu: not together with --check"),
        (
            "plan --check --with thinking --utilisation 0.4",
            "--utilisation, --with: not together with --check",
        ),
        ("audit r03/prm --replay --html page.html", "--html: not together with --replay"),
    ],
)
def test_options_of_which_one_would_be_dropped_are_refused(arguments: str, named: str) -> None:
    refused = o1(*arguments.split())
    assert refused.exit_code == 2 and named in refused.output, (refused.output, refused.exception)


@pytest.mark.parametrize("command", [("audit", "r03/prm", "--html"), ("ask", "1 + 1", "--tree")])
def test_where_no_page_can_be_written_is_said_before_any_work(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """The home is empty, so that any work would end in another error."""
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for place, why in (
        (tmp_path, "is a folder; name a file for"),
        (tmp_path / "file" / "a", "Not a directory"),
    ):
        error = o1(*command, str(place)).exception
        assert isinstance(error, PageError) and why in str(error) and command[-1] in str(error)
    fine = o1(*command, str(tmp_path / "new" / "page.html")).exception
    assert fine is not None and not isinstance(fine, PageError)
    assert sorted(tmp_path.rglob("*")) == before, "looking leaves nothing"
