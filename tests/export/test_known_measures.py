"""lm-eval in another environment, stood in for by a script: what it is told, what is kept, and what the card shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.export.export import export, export_card
from o1_assets.export.known_measures import (
    MeasureError,
    keep_measures,
    known_measures,
    measured_section,
    run_lm_eval,
)
from tests.execution.toy import make
from tests.export.world import graph

RESULTS = {
    "results": {"gsm8k": {"alias": "gsm8k", "exact_match,strict": 0.25, "exact_match_stderr,strict": 0.01}}
}
SCRIPT = """#!/bin/sh
echo "$@" > "$0.told"
while [ "$1" != "--output_path" ]; do shift; done
mkdir -p "$2/model" && cp "$0.json" "$2/model/results_1.json"
"""


def test_lm_evals_figures_are_read_and_kept_for_the_models_card(tmp_path: Path) -> None:
    project = Project(Settings.load("nano", tmp_path), "")
    make(project.store, graph()["generator/model"])
    python = tmp_path / "python"
    python.write_text(SCRIPT)
    python.chmod(0o755)
    (tmp_path / "python.json").write_text(json.dumps(RESULTS))
    figures = run_lm_eval(project, "generator/model", "gsm8k", python, limit=3)
    assert figures == {"gsm8k exact_match strict": 0.25, "gsm8k exact_match_stderr strict": 0.01}
    told = (tmp_path / "python.told").read_text()
    assert "-m lm_eval --model hf" in told and "--tasks gsm8k" in told and "--limit 3" in told
    digest = project.store.head("generator/model").digest  # type: ignore[union-attr]
    assert known_measures(project.settings.home, digest) == {"lm-eval": figures}
    keep_measures(project.settings.home, digest, "ProcessBench", {"math F1": 0.5})
    section = measured_section(known_measures(project.settings.home, digest))
    assert "| lm-eval | gsm8k exact_match strict | 0.2500 |" in section
    export(
        project.store,
        "generator/model",
        tmp_path / "out",
        measured=lambda of: section if of == digest else "",
    )
    assert section in (tmp_path / "out" / "README.md").read_text()
    assert measured_section({}) == "" and section not in export_card("a ## Training compute b", [], [])


def test_without_lm_eval_or_with_its_error_one_sentence_says_so(tmp_path: Path) -> None:
    project = Project(Settings.load("nano", tmp_path), "")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MeasureError, match="sets lm-eval up"):
        run_lm_eval(project, str(tmp_path), "gsm8k", tmp_path / "python")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho a trace >&2; echo no such task >&2; exit 2\n")
    python.chmod(0o755)
    with pytest.raises(MeasureError, match="exit code 2: no such task"):
        run_lm_eval(project, str(tmp_path), "nothing", python)
