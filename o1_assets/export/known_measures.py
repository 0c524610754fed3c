"""Figures of measures that others know (ProcessBench, lm-eval's tasks), kept beside the store for the model's card.

    HOME/measures/DIGEST.json: {"ProcessBench": {"gsm8k F1": 0.71, ...}, "lm-eval": {"gsm8k exact_match": 0.4, ...}}

They are no artifacts: their data are not the project's, and nothing is computed from them.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.execution.project import Project
from o1_assets.export.export import export

Measures = dict[str, dict[str, float]]


class MeasureError(O1Error):
    """lm-eval could not measure; the message has its last line."""


def known_measures(home: Path, digest: str) -> Measures:
    """What was measured of the model with this digest, by measure."""
    file = home / "measures" / f"{digest}.json"
    measures: Measures = json.loads(file.read_bytes()) if file.is_file() else {}
    return measures


def keep_measures(home: Path, digest: str, measure: str, figures: Mapping[str, float]) -> None:
    """Adds figures to those of the model, and replaces those of the same name."""
    measures = known_measures(home, digest)
    measures[measure] = {**measures.get(measure, {}), **figures}
    folder = home / "measures"
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{digest}.json", json_bytes(measures))


def measured_section(measures: Measures) -> str:
    """The section of a card; empty without any measures."""
    if not measures:
        return ""
    lines = ["## Measures that others know", "", "| measure | figure | value |", "|---|---|---:|"]
    for measure, figures in sorted(measures.items()):
        lines += [f"| {measure} | {name} | {value:.4f} |" for name, value in sorted(figures.items())]
    return "\n".join([*lines, "", ""])


def run_lm_eval(
    project: Project,
    model: str,
    tasks: str,
    python: Path,
    include: Path | None = None,
    limit: int | None = None,
) -> dict[str, float]:
    """Task and metric -> value, of a key of the store or an export's folder. Raises MeasureError, StoreError.

    python: one that has lm-eval, which need not be this environment's.
    """
    if not python.is_file():
        raise MeasureError(
            f"there is no {python}; `make .lm-eval/ready` sets lm-eval up, --python or O1_LM_EVAL name another Python"
        )
    with tempfile.TemporaryDirectory(prefix="o1-lm-eval-") as scratch:
        folder, digest = Path(model), None
        if not (folder / "config.json").is_file():
            folder = Path(scratch, "model")
            digest = export(project.store, model, folder).digest
        arguments = ["--model", "hf", "--model_args", f"pretrained={folder.absolute()},dtype=float32"]
        arguments += [
            "--tasks",
            tasks,
            "--output_path",
            f"{scratch}/out",
            "--device",
            "cpu",
            "--batch_size",
            "8",
        ]
        arguments += ["--include_path", str(include.absolute())] if include else []
        arguments += ["--limit", str(limit)] if limit else []
        # Absolute, and no link followed: a virtual environment's Python is a link to another's.
        command = [str(python.absolute()), "-m", "lm_eval", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        results = list(Path(scratch, "out").rglob("results_*.json"))
        if done.returncode or len(results) != 1:
            last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            raise MeasureError(f"lm-eval ended with exit code {done.returncode}: {last[:300]}")
        figures = figures_of(json.loads(results[0].read_bytes()))
    if digest is not None:
        keep_measures(project.settings.home, digest, "lm-eval", figures)
    return figures


def figures_of(document: Mapping[str, Any]) -> dict[str, float]:
    """The metrics in a results file of lm-eval, with their standard errors; "metric,filter" is how it names them."""
    return {
        f"{task} {name.replace(',none', '').replace(',', ' ')}": float(value)
        for task, metrics in document["results"].items()
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and "," in name
    }
