"""docs/your-own.md, command by command, on random models of several architectures.

One architecture is part of the suite; `make test-architectures` takes them all.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.labels.judging import FakeJudge, chat, serving
from tests.profiles import tiny
from tests.profiles.shrunk import SIZES

PAGE = Path(__file__).parents[2] / "docs" / "your-own.md"
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
ALL = bool(os.environ.get("O1_TEST_ARCHITECTURES"))

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gemma3_text": {"tied": True, "padding": True},
    "llama": {"tied": False, "padding": True, "chat": True},
    "qwen3": {"tied": True, "padding": False, "chat": True},
    "gpt2": {"tied": True, "padding": False},
}
IN_THE_SUITE = "gemma3_text"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody who follows the page in a folder of their own."""

    def __init__(self, folder: Path, judge: FakeJudge, rounds: int, template: str = "") -> None:
        self.folder, self.shown = folder, dict[str, str]()
        sizes = [SIZES, f"rounds={rounds}", f"judge.url={judge.url}", "difficulty.samples=2", "threads=1"]
        sizes += ["round_eval.problems=3", "headline_eval.problems=4", "summary.pool_solutions=6"]
        # In words that the tiny tokenizer has: `o1 ask` refuses others.
        sizes += [
            f"prompt.template={json.dumps(template or '{question}' + chr(10))}",
            "samples.template=none",
        ]
        sizes += ['base.end_tokens=["<|im_end|>"]'] if template else []
        self.environment = {"O1_HOME": str(folder / "home"), "O1_SET": "\n".join(sizes), "O1_PROFILE": ""}

    def follow(self, command: str) -> str:
        words = shlex.split(command)
        target = words[words.index(">") + 1] if ">" in words else ""
        words = words[: words.index(">")] if target else words
        if words[0] == "o1":
            done = forked.o1(*words[1:], environment=self.environment, cwd=self.folder, timeout=600)
        else:
            ratings = "\n".join(islice(cycle(["1", "1", "-1", "1"]), 400))
            done = subprocess.run(
                [sys.executable, *words[1:]], cwd=self.folder, input=ratings, capture_output=True, text=True
            )
        assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"
        if target:
            (self.folder / target).write_text(done.stdout)
        return self.shown.setdefault(command, done.stdout + done.stderr)


def files(folder: Path, kind: Any, options: dict[str, Any]) -> str:
    """Writes what the page begins with; returns the prompt's template if the model has one for chats."""
    options = dict(options)
    with_chat = options.pop("chat", False)
    tiny.save_checkpoint(folder / "checkpoint", kind, **options, more=(" ", "and", "then", "?"))
    if with_chat:
        (folder / "checkpoint" / "chat_template.jinja").write_text(CHAT)
    tiny.save_problems(folder / "problems.jsonl", 200)
    (toml,) = blocks("toml")
    (folder / "mine.toml").write_text(toml)
    for code in blocks("python"):
        name = re.match(r"# (\w+\.py):", code)
        assert name is not None
        (folder / name[1]).write_text(code)
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "chat.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    ) if with_chat else None  # fmt: skip
    return told.stdout[:-1] if told else ""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", list(ARCHITECTURES) if ALL else [IN_THE_SUITE])
def test_the_page_leads_from_problems_and_a_checkpoint_to_a_report(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "Größe und Maß"
    folder.mkdir()
    template = files(folder, kind, ARCHITECTURES[kind])
    assert ("<|im_start|>assistant" in template) == bool(ARCHITECTURES[kind].get("chat"))
    with serving() as judge:
        judge.reply = lambda body: chat(json.dumps({"ratings": _verdicts(body)}))  # type: ignore[method-assign]
        reader = Reader(folder, judge, 2, template)
        for command in (line for block in blocks("sh") for line in block.splitlines()):
            reader.follow(command)
        assert judge.bodies
    home = folder / "home" / "mine"
    assert (home / "report.html").stat().st_size > 10_000
    status = json.loads(reader.follow("o1 status --profile mine.toml --json"))
    assert {row["state"] for row in status["artifacts"] if row["key"].startswith("r0")} <= {
        "fresh",
        "missing",
    }
    raters = [status["rounds"][name]["annotator"] for name in ("r00", "r01", "r02")]
    assert raters == ["human", "monte_carlo", "judge"]
    assert not status["waits"]
    _loads_elsewhere(folder / "baby-o1")


def _verdicts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """A judge that finds every second step right."""
    asked = body["messages"][0]["content"].partition("Steps to rate:\n")[2]
    numbers = [int(number) for number in re.findall(r"^Step (\d+):", asked, re.MULTILINE)]
    verdicts = [{"step": n, "reason": "so", "rating": 1 if i % 2 == 0 else -1} for i, n in enumerate(numbers)]
    wrong = next((i for i, verdict in enumerate(verdicts) if verdict["rating"] == -1), len(verdicts))
    return verdicts[: wrong + 1]


def _loads_elsewhere(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer("Tom has 3 apples and gets 4 so then?\n", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert written.shape[1] > prompt["input_ids"].shape[1]
    assert tokenizer.pad_token_id is not None
