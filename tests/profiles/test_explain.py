"""What `o1 profile` says of a profile's fields, and the files that it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from o1_assets.cli.main import app, main
from o1_assets.cli.profile import summary
from o1_assets.core.settings import Settings, built_in_profiles
from o1_assets.graph import build_graph, descendants
from o1_assets.plan.readers import readers
from o1_assets.profiles.explain import NOT_SET, explained, meaning, new_file
from o1_assets.profiles.fields import Config, rows, tables
from o1_assets.profiles.load import load_profile, read_profile
from o1_assets.profiles.profile import Profile

NANO = read_profile("nano", "")


def o1(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["profile", *arguments])


def configs(config: Config, seen: set[Config]) -> set[Config]:
    """Every table that a profile may hold."""
    if config not in seen:
        seen.add(config)
        for field in config.model_fields.values():
            for inner in (*tables(field.annotation).values(), *rows(field.annotation).values()):
                configs(inner, seen)
    return seen


def test_every_field_says_what_it_is() -> None:
    """In its description, or in the docstring below it, which `o1 profile show` and `new` print."""
    silent = [
        f"{config.__name__}.{name}"
        for config in configs(Profile, set())
        for name, field in config.model_fields.items()
        if not tables(field.annotation) and not rows(field.annotation) and not meaning(config, name)
    ]
    assert sorted(silent) == []


def test_what_show_prints_below_a_heading_is_of_that_table_as_in_a_file() -> None:
    table, shown = "", []
    for line in o1("show").output.splitlines():
        if heading := re.fullmatch(r"\[([\w.]+)\]", line):
            table = f"{heading[1]}."
        elif field := re.match(r"  (\w+) = ", line):
            shown.append(f"{table}{field[1]}")
    assert sorted(shown) == sorted(field.path for field in explained(NANO) if not field.is_table)


@pytest.mark.parametrize("name", built_in_profiles())
def test_a_new_file_changes_nothing_whether_its_settings_are_comments_or_not(
    tmp_path: Path, name: str
) -> None:
    loaded = read_profile(name, "rounds=3")
    text = new_file(loaded, "mine", name)
    assert re.findall(r"^(\w+) =", text, re.MULTILINE) == ["extends", "rounds"], "what --set set is set"
    assert text.count("\n#") > 100 and max(map(len, text.split("\n# "))) < 2500
    uncommented = re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)
    for at, content in enumerate((text, uncommented)):
        (tmp_path / f"{at}.toml").write_text(content)
        profile = load_profile(str(tmp_path / f"{at}.toml"), "")
        assert profile.model_copy(update={"name": name}) == loaded.profile


@pytest.mark.parametrize(
    ("path", "direct", "made_from_it"),
    [
        ("policy.updates", "rNN/policy (11)", "r00/policy"),
        ("threads", "", ""),
        ("problems.test_fraction", "problems/train, problems/test, problems/longer", "r05/labels"),
        ("later_prm.newest_share", "rNN/prm (10)", "eval/summary"),
        ("label_source", "rNN/selection (11), rNN/label_batches (11)", "r03/labels"),
    ],
)
def test_who_reads_a_field_is_who_is_made_of_it(path: str, direct: str, made_from_it: str) -> None:
    settings = Settings("nano", Path("nowhere"))
    (field,) = (field for field in explained(NANO) if field.path == path)
    who = readers(NANO, settings, path, field.value)
    loop = [key for key in who.direct if not key.startswith("ablations/")]
    assert summary(loop) == direct and not who.refused
    graph = build_graph(NANO.profile, settings)
    assert set(who.stale) == descendants(graph, set(who.direct))
    assert (made_from_it in who.stale) == bool(made_from_it)


def test_rounds_that_are_added_and_fields_that_cannot_be_changed_alone() -> None:
    settings = Settings("nano", Path("nowhere"))
    assert "r11/policy" in readers(NANO, settings, "rounds", 10).added
    refused = readers(NANO, settings, "policy.objective.clip_low", 0.2).refused
    assert "has no effect where a batch is used for one update" in refused


def test_show_prints_the_meaning_the_range_and_who_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O1_HOME", str(tmp_path))
    monkeypatch.delenv("O1_SET", raising=False)
    shown = o1("show", "policy.updates", "--set", "policy.updates=7").output
    assert re.search(r"value +7  \(--set\)\n +default +14\n +allowed +a whole number, at least 1\n", shown)
    everything = o1("show").output
    assert "[policy.reward]" in everything and "outcome_weight = 1.0  (nano)" in everything
    assert o1("show", "prm").output.count("\n  updates = ") == 2, "a group is its tables"
    assert "whose base is of another kind" in o1("show", "base.folder").output
    monkeypatch.setattr("sys.argv", ["o1", "profile", "show", "policy.upates"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1


def test_new_and_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("O1_SET", raising=False)
    (tmp_path / "a").mkdir()
    first, second = str(tmp_path / "a" / "first.toml"), str(tmp_path / "second.toml")
    assert "extends smol-smoke" in o1("new", first, "--from", "smol-smoke").output
    assert o1("new", second, "--profile", first, "--set", "policy.updates=3", "--json").exit_code == 0
    assert 'extends = "a/first.toml"' in Path(second).read_text()
    assert o1("diff", "smol-smoke", first).output == "no field differs\n"
    (row,) = json.loads(o1("diff", first, second, "--json").output)["differences"]
    assert (row["field"], row["a"], row["b"]) == ("policy.updates", 2, 3)
    assert "base.sha256: " in o1("diff", "smol", "smol-hub").output
    assert "is already there" in str(o1("new", first).exception)
    assert "is no name for a profile" in str(o1("new", str(tmp_path / "nano.toml")).exception)
    assert {field.path for field in explained(NANO)}.isdisjoint(NOT_SET)
