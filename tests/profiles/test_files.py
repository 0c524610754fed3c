"""Profiles as files: what extends what, what is refused and how, and whose home it is."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from o1_assets.core.settings import BadSetting, Settings, built_in_profiles
from o1_assets.execution.project import Project
from o1_assets.profiles.explain import explained
from o1_assets.profiles.load import ProfileError, load_profile, read_profile

RECORDED = {
    "assistant": "da0e593ed8b2abaf",
    "code": "087ea111f0aa4816",
    "countdown": "f07d16d1ab5d55c4",
    "letters": "c0ac9a49cda349b2",
    "micro": "784022fa88a55133",
    "nano": "6de256007eda17f5",
    "qwen": "86f0d74a2183dfa9",
    "qwen-7b": "c9645ca0d6cede93",
    "qwen-full": "45535253450859e9",
    "smol": "b2ddc816e272628b",
    "smol-hub": "4006d397c4b60980",
    "smol-smoke": "ac6532a21d1ea2a0",
    "sudoku": "b875c7c2a4aef133",
    "tic-tac-toe": "270e2a811e6ace88",
}


@pytest.mark.parametrize("name", built_in_profiles())
def test_the_numbers_of_the_built_in_profiles_are_those_on_record(name: str) -> None:
    """Whoever changes one on purpose changes the record; a new field of a config, left at its default, does not."""
    fields = [field for field in explained(read_profile(name, "")) if not field.is_table]
    content = json.dumps({f.path: f.value for f in fields if f.value != f.default}, sort_keys=True)
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == RECORDED.get(name)


def written(folder: Path, text: str, name: str = "mine.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_file_says_what_differs_and_its_parents_say_the_rest(tmp_path: Path) -> None:
    written(
        tmp_path, 'extends = "nano"\nrounds = 3\nproblems.shares = { 3 = 1 }\npolicy.updates = 5', "ours.toml"
    )
    file = written(
        tmp_path,
        'extends = "ours.toml"\nverifier = "none"\npolicy.reward.form = "process"\nrewards.batch_size = 8\n'
        'first_prm.batch_size = 4\nclasses.gpu1.at_once = 3\n[base]\nkind = "folder"\nfolder = "model"',
    )
    mine, nano = load_profile(file, "threads=1"), load_profile("nano", "")
    assert (mine.name, mine.rounds, mine.threads, mine.verifier) == ("mine", 3, 1, None)
    assert mine.problems.shares == {3: 1.0}, "a mapping is replaced as a whole"
    assert mine.policy == nano.policy.model_copy(
        update={"updates": 5, "reward": nano.policy.reward.model_copy(update={"form": "process"})}
    )
    assert [config.batch_size for config in (mine.first_prm, mine.later_prm, mine.q_value)] == [4, 8, 8]
    assert (mine.classes.gpu1.at_once, mine.classes.gpu1.cpus) == (3, 4), "what a default sets stays set"
    assert mine.base.model_dump(exclude_defaults=True) == {"folder": str(tmp_path / "model")}, "another kind"
    assert read_profile(file, "threads=1").origins["policy.updates"] == str(tmp_path / "ours.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('extends = "nano"\n[policy]\nupates = 3\nupdates = 0\n[reward]\nform = "x"', [
            "no field policy.upates; the nearest is policy.updates", "no field reward; the nearest is rewards"]),
        ('extends = "nano"\nrounds = "x"\n[policy]\nupdates = 0\nreward.form = "x"', [
            "rounds is 'x'; it should be a valid integer",
            "policy.updates is 0; it should be greater than or equal to 1",
            "policy.reward.form is 'x'; it should be 'both_sum', 'both_minimum', "]),
        ('extends = "nano"\n[[later_solutions.searches]]\nnmae = "x"', ["no field later_solutions.searches.0.nmae"]),
        ('extends = "nano"\nname = "theirs"', ["name cannot be set"]),
        ('extends = "nono"', ["extends is 'nono', and there is no profile 'nono'"]),
        ('extends = "mine.toml"', ["extends itself: mine.toml extends mine.toml"]),
        ("rounds = 3", ["it extends no profile and lacks threads, annotator"]),
        ("extends = smol", ["is not TOML: Invalid value (at line 1, column 11)"]),
    ],
)  # fmt: skip
def test_all_that_does_not_fit_is_said_with_the_file_the_field_and_what_is_allowed(
    tmp_path: Path, text: str, says: list[str]
) -> None:
    with pytest.raises(ProfileError) as refused:
        load_profile(written(tmp_path, text), "")
    message = str(refused.value)
    assert message.startswith(str(tmp_path / "mine.toml")), message
    assert [clause for clause in says if clause not in message] == [], message


def test_profiles_of_one_name_do_not_share_a_home(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    mine, theirs = written(tmp_path, 'extends = "nano"'), written(tmp_path / "other", 'extends = "nano"')
    settings = Settings.load(mine, tmp_path / "home")
    assert settings.home == tmp_path / "home" / "mine" and settings.reference == mine
    Settings.load(theirs, tmp_path / "home")  # nobody has written there yet
    settings.make_home()
    with pytest.raises(
        BadSetting, match=rf"belongs to the profile {re.escape(mine)}.* rename {re.escape(theirs)}"
    ):
        Settings.load(theirs, tmp_path / "home")
    Path(mine).rename(tmp_path / "elsewhere.toml")
    Settings.load(theirs, tmp_path / "home")  # the file was moved: there is no other one


def test_other_processes_find_the_same_profile_and_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("O1_HOME", "O1_PROFILE", "O1_SET"):
        monkeypatch.setenv(name, "")
    (tmp_path / "mine.toml").write_text('extends = "nano"\nrounds = 3')
    monkeypatch.chdir(tmp_path)
    here = Project(Settings.load("mine.toml", tmp_path / "home"), "policy.updates=3\nthreads=1")
    here.export_to_environment()
    monkeypatch.chdir("/")
    there = Project(Settings.load())
    assert there.settings == here.settings and there.profile == here.profile
    assert (there.profile.rounds, there.profile.policy.updates, there.profile.threads) == (3, 3, 1)


def test_a_file_named_as_a_built_in_profile_or_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"nano\.toml is called as the built-in profile nano"):
        Settings.load(written(tmp_path, 'extends = "smol"', "nano.toml"), tmp_path)
    with pytest.raises(BadSetting, match=r"there is no file .*absent\.toml; `o1 profile new "):
        Settings.load(str(tmp_path / "absent.toml"), tmp_path)
    with pytest.raises(
        ProfileError, match="there is no profile 'nani'; choose one of: assistant, code, countdown, letters"
    ):
        load_profile("nani")
