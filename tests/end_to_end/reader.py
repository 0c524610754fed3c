"""Somebody who follows docs/your-own.md at a tiny size: the page's commands, files, and a judge of steps."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tests.labels.judging import Answer, FakeJudge, chat
from tests.profiles import tiny
from tests.profiles.shrunk import SIZES

PAGE = Path(__file__).parents[2] / "docs" / "your-own.md"
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gemma3_text": {"tied": True, "padding": True},
    "llama": {"tied": False, "padding": True, "chat": True},
    "qwen3": {"tied": True, "padding": False, "chat": True},
    "gpt2": {"tied": True, "padding": False},
}

Command = Callable[[list[str], Mapping[str, str], Path], subprocess.CompletedProcess[str]]
"""Runs `o1` with these arguments, these environment variables beside the process's own, in this folder."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


class Reader:
    """Somebody who follows the page in a folder of their own.

    python: the interpreter that runs the page's programs.
    """

    def __init__(
        self,
        folder: Path,
        judge: FakeJudge,
        rounds: int,
        template: str = "",
        *,
        o1: Command,
        python: str = sys.executable,
    ) -> None:
        self.folder, self.o1, self.python, self.shown = folder, o1, python, dict[str, str]()
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
        """What it printed. Raises AssertionError with its last words if it fails."""
        words = shlex.split(command)
        target = words[words.index(">") + 1] if ">" in words else ""
        words = words[: words.index(">")] if target else words
        if words[0] == "o1":
            done = self.o1(words[1:], self.environment, self.folder)
        else:
            ratings = "\n".join(islice(cycle(["1", "1", "-1", "1"]), 400))
            done = subprocess.run(
                [self.python, *words[1:]], cwd=self.folder, input=ratings, capture_output=True, text=True
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


def judge_every_second_step_right(body: Mapping[str, Any]) -> Answer:
    """What a judge answers that finds every second step right."""
    asked = body["messages"][0]["content"].partition("Steps to rate:\n")[2]
    numbers = [int(number) for number in re.findall(r"^Step (\d+):", asked, re.MULTILINE)]
    verdicts = [{"step": n, "reason": "so", "rating": 1 if i % 2 == 0 else -1} for i, n in enumerate(numbers)]
    wrong = next((i for i, verdict in enumerate(verdicts) if verdict["rating"] == -1), len(verdicts))
    return chat(json.dumps({"ratings": verdicts[: wrong + 1]}))
