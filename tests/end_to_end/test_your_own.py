"""docs/your-own.md, command by command, on random models of several architectures.

One architecture is part of the suite; `make test-architectures` takes them all, `make bench NAME=own_data_minutes`
measures how long it takes from a clean clone.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import forked
from tests.end_to_end import reader
from tests.labels.judging import serving

ALL = bool(os.environ.get("O1_TEST_ARCHITECTURES"))
IN_THE_SUITE = "gemma3_text"


def o1(
    arguments: list[str], environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    return forked.o1(*arguments, environment=environment, cwd=folder, timeout=600)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", list(reader.ARCHITECTURES) if ALL else [IN_THE_SUITE])
def test_the_page_leads_from_problems_and_a_checkpoint_to_a_report(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "Größe und Maß"
    folder.mkdir()
    template = reader.files(folder, kind, reader.ARCHITECTURES[kind])
    assert ("<|im_start|>assistant" in template) == bool(reader.ARCHITECTURES[kind].get("chat"))
    with serving() as judge:
        judge.answer = reader.judge_every_second_step_right
        person = reader.Reader(folder, judge, 2, template, o1=o1)
        for command in reader.commands():
            person.follow(command)
        assert judge.bodies
    home = folder / "home" / "mine"
    assert (home / "report.html").stat().st_size > 10_000
    status = json.loads(person.follow("o1 status --profile mine.toml --json"))
    assert {row["state"] for row in status["artifacts"] if row["key"].startswith("r0")} <= {
        "fresh",
        "missing",
    }
    raters = [status["rounds"][name]["annotator"] for name in ("r00", "r01", "r02")]
    assert raters == ["human", "monte_carlo", "judge"]
    assert not status["waits"]
    _loads_elsewhere(folder / "baby-o1")


def _loads_elsewhere(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer("Tom has 3 apples and gets 4 so then?\n", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert written.shape[1] > prompt["input_ids"].shape[1]
    assert tokenizer.pad_token_id is not None
