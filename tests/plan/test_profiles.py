"""The larger profiles have a plan too, and docs/qwen.md and the plan say the same of the same model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from o1_assets.cli import plan as planning
from o1_assets.cli.plan import notes
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.plan.hardware import Speed, gpu_of
from o1_assets.plan.memory import SHAPES
from o1_assets.plan.plan import Plan, make_plan
from o1_assets.profiles.load import load_profile

DOC = (Path(__file__).parents[2] / "docs" / "qwen.md").read_text()


CASES = [
    "micro",
    "smol",
    "smol-hub",
    "smol-smoke",
    "qwen",
    "qwen-7b",
    "qwen-full",
]


QWEN = {"qwen": ("1.5B", "lora"), "qwen-full": ("1.5B", "full"), "qwen-7b": ("7B", "lora")}
"""Profile -> its model and tuning, as docs/qwen.md calls them."""


def whole(name: str, settings: str = "", everything: bool = True) -> Plan:
    """With every optional part."""
    profile, where = load_profile(name, settings), Settings(name, Path("nowhere"))
    graph = build_graph(profile, where)
    return make_plan(profile, graph, {a.part for a in graph.values() if a.part} if everything else ())


@pytest.mark.parametrize("name", CASES)
def test_every_artifact_has_an_estimate(name: str) -> None:
    made = whole(name)
    assert made.unknown == [] and {"eval/thinking", "r01/q_value"} < set(made.made)
    idle = {key for key, one in made.made.items() if one == type(one)()}
    assert idle == set() and made.total().cost.flops > 5e13


def test_countdown_takes_no_more_than_nano() -> None:
    made = whole("countdown")
    assert made.unknown == [] and not [key for key, one in made.made.items() if one == type(one)()]
    here, there = (whole(name, everything=False).total().cost.flops for name in ("countdown", "nano"))
    assert 0.4 < here / there < 1.3


def test_code_has_an_experiment_of_its_own_and_takes_about_as_much_as_nano() -> None:
    made = whole("code")
    assert made.unknown == [] and not [key for key, one in made.made.items() if one == type(one)()]
    assert "ablations/code/result" in made.made
    here, there = (whole(name, everything=False).total().cost.flops for name in ("code", "nano"))
    assert 0.5 < here / there < 1.6


@pytest.mark.parametrize(
    ("name", "gpu", "parts"),
    [
        ("smol", "cpu", ("thinking",)),
        ("qwen-7b", "h100", ("thinking",)),
        ("micro", "h100", ("thinking", "ablations")),
    ],
)
def test_the_table_shows_every_number_whole(
    name: str,
    gpu: str,
    parts: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, speed = planning.plan(Project(Settings.load(name, tmp_path), ""), parts, gpu, 0.3, ())
    planning.print_plan(made, speed)
    shown = capsys.readouterr().out
    assert "…" not in shown and f"Plan of profile {name}" in shown and "No estimate" not in shown
    assert ("search_in_rl  expert_sampled" in shown) == ("ablations" in parts)
    assert ("a model this small" in shown.lower()) == (name == "micro")


def test_parameters_of_docs_qwen_are_the_plan_s() -> None:
    stated = re.search(r"\*\*Weights\*\*: ([\d.]+)B and ([\d.]+)B parameters", DOC)
    lora = re.search(r"LoRA's own (\d+)M and (\d+)M", DOC)
    assert stated and lora
    for at, name in enumerate(("qwen", "qwen-7b"), start=1):
        made = whole(name, everything=False)
        assert made.shape == SHAPES[QWEN[name][0]]
        assert f"{made.shape.total / 1e9:.2f}" == stated[at]
        tuning = made.profile.policy.tuning.lora
        assert tuning and f"{made.shape.lora_parameters(tuning.rank, tuning.targets) / 1e6:.0f}" == lora[at]
        assert f"{made.shape.kv_bytes() // 1024} KiB" in DOC


@pytest.mark.parametrize("name", QWEN)
def test_memory_that_the_plan_says_is_in_the_table_of_docs_qwen(name: str) -> None:
    size, tuning = QWEN[name]
    made = whole(name, everything=False)
    speed = Speed("h100", 1e14, "", gpu_of("h100").memory)
    (line,) = (line for line in notes(made, speed) if line.startswith("Memory"))
    said = re.search(r"weights in \w+ ([\d.]+), gradients ([\d.]+), AdamW's moments ([\d.]+)", line)
    (row,) = (row for row in DOC.splitlines() if row.startswith(f"| policy | {size} | {tuning} |"))
    assert said and list(said.groups()) == [cell.strip() for cell in row.split("|")[4:7]]


def test_disk_that_docs_qwen_asks_for_is_what_the_plan_adds_up() -> None:
    """35 checkpoints: base, GPT*, and of 11 rounds a PRM, an ORM and a policy."""
    each = re.search(
        r"a checkpoint is ([\d.]+) GB \(1.5B in bfloat16\), ([\d.]+) GB .* or ([\d.]+) GB \(7B", DOC
    )
    stated = re.search(r"with all else ([\d.]+), ([\d.]+) or ([\d.]+) TB", DOC)
    assert each and stated
    for at, name in enumerate(("qwen", "qwen-full", "qwen-7b"), start=1):
        made = whole(name, everything=False)
        sizes = [one.stored for one in made.made.values() if one.stored > 1e9]
        assert len(sizes) == 35 and f"{max(sizes) / 1e9:.1f}" == each[at]
        assert f"{made.total().stored / 1e12:.2f}" == stated[at]


def test_worked_solutions_stand_in_where_no_sample_is_right() -> None:
    made = whole("smol", everything=False)
    own = whole("smol", "sft_set.references=null", everything=False)
    problems = made.made["generator/samples"].problems
    assert 0 < made.made["generator/sft_set"].examples - own.made["generator/sft_set"].examples < problems


def test_micro_is_more_than_a_hundred_times_nano_and_its_page_says_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "micro.md").read_text()
    micro, nano = (whole(name, everything=False).total().cost.flops for name in ("micro", "nano"))
    stated = re.search(r"(\d+) times nano's ([\d.]+e\+?\d+);", page)
    size = re.search(r"([\d.]+)M parameters", page)
    assert stated and size
    assert float(stated[1]) == pytest.approx(micro / nano, rel=0.1) and 100 < micro / nano < 1000
    assert float(stated[2]) == pytest.approx(nano, rel=0.1)
    assert float(size[1]) * 1e6 == pytest.approx(whole("micro").shape.total, rel=0.01)
