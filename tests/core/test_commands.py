"""A command that a message tells people to run is about the profile that the message is about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from o1_assets.cli.errors import run
from o1_assets.cli.main import app
from o1_assets.core import commands
from o1_assets.core.commands import name_profile, with_profile


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("O1_PROFILE", raising=False)
    monkeypatch.setattr(commands, "_named", None)
    yield


def test_a_command_gets_the_profile_unless_it_is_the_default_or_says_one() -> None:
    message = "r00 waits: `o1 labels export r00` writes it, `o1 labels submit FILE --round r00` takes it back"
    assert with_profile(message) == message
    name_profile("nano")
    assert with_profile(message) == message
    name_profile("/my profiles/mine.toml")
    assert with_profile(message) == (
        "r00 waits: `o1 labels export r00 --profile '/my profiles/mine.toml'` writes it, "
        "`o1 labels submit FILE --round r00 --profile '/my profiles/mine.toml'` takes it back"
    )
    assert with_profile(with_profile(message)) == with_profile(message)
    for plain in ("`o1 run --profile smol`", "`o1 run --help`", "`git checkout c0ffee`", "`o1`"):
        assert with_profile(plain) == plain


def test_the_environments_profile_is_named_too_because_another_shell_may_lack_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("O1_PROFILE", "smol")
    assert with_profile("`o1 run`") == "`o1 run --profile smol`"
    name_profile("nano")
    assert with_profile("`o1 run`") == "`o1 run --profile nano`", "a plain one would be about smol"


def test_it_is_so_in_every_text_of_a_document() -> None:
    name_profile("smol")
    document = {"waits": {"r00": "`o1 run`"}, "notes": ["`o1 gc`", 3], "made": None, "state": ("a", True)}
    assert with_profile(document) == {
        "waits": {"r00": "`o1 run --profile smol`"},
        "notes": ["`o1 gc --profile smol`", 3],
        "made": None,
        "state": ["a", True],
    }
    assert with_profile(b"`o1 run`") == b"`o1 run`"


@pytest.mark.parametrize("options", [("--profile", "smol"), ("--profile", "mine.toml")])
def test_every_command_that_the_command_line_names_has_the_profile(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('extends = "nano"\nannotator = "human"\n')
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    reference = options[1] if options[1] == "smol" else str(tmp_path / "mine.toml")
    outputs = []
    for arguments in (["labels", "export", "r00"], ["labels", "withdraw", "abcdef"], ["report"]):
        monkeypatch.setattr("sys.argv", ["o1", *arguments, *options])
        with pytest.raises(SystemExit):
            run(app)
        outputs.append(capsys.readouterr().err)
    for arguments in (["status"], ["status", "--json"]):
        done = CliRunner().invoke(app, [*arguments, *options])
        outputs.append(json.dumps(json.loads(done.stdout)) if "--json" in arguments else done.output)
    named = [re.findall(r"`(o1 [a-z][^`]*)`", output) for output in outputs]
    assert all(named), outputs
    assert {command.endswith(f" --profile {reference}") for each in named for command in each} == {True}, (
        named
    )
