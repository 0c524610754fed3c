"""The report: what the store holds and what the runs took, on one page and as headline figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1_assets.core.files import replace_file
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.headline import Headline, headline, run_headlines
from o1_assets.evaluation.summary import headline_of as summary_headline
from o1_assets.execution.ledger import wall_seconds
from o1_assets.execution.project import Project
from o1_assets.experiments.mini.config import TIME_SHARE
from o1_assets.experiments.result import headlines, is_result, read_result
from o1_assets.graph import asked_for
from o1_assets.report.experiments import Ablation
from o1_assets.report.render import ReportData, render
from o1_assets.report.thinking import ThinkingTables, accuracy_in_seconds
from o1_assets.report.versions import training_points
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import MissingInput

MINI = "mini/eval"
ASSISTANT = "assistant/eval"


@dataclass(frozen=True)
class StoredRun:
    """What was made of a profile's graph. manifests: key -> the newest version, in graph order. loop: keys of the
    artifacts that are no optional part."""

    project: Project
    manifests: Mapping[str, Manifest]
    loop: frozenset[str]

    @classmethod
    def read(cls, project: Project) -> StoredRun:
        """Raises MissingInput until eval/summary was made."""
        graph = project.outlines
        read = project.store.read_heads(graph)
        heads = read.manifests
        objects = project.store.states(head.digest for head in heads.values())
        # A report of what is whole is worth having. Status and runs name what is damaged.
        lost = objects.gone | objects.damaged.keys()
        manifests = {key: heads[key] for key in graph if key in heads and heads[key].digest not in lost}
        # The headline figures and every chart of the loop are read from it.
        if "eval/summary" in read.faults:
            raise read.faults["eval/summary"]
        if "eval/summary" not in manifests:
            why = "is damaged" if "eval/summary" in heads else "was never made"
            raise MissingInput(f"there is nothing to report yet: eval/summary {why}; run `o1 run`")
        return cls(project, manifests, frozenset(asked_for(graph)))

    def folder(self, key: str) -> Path:
        return self.project.store.verified(self.manifests[key].digest)

    def results(self) -> list[Path]:
        """Folders of the experiments' results."""
        return [
            self.folder(key) for key in self.manifests if key.endswith("/result") or key in (MINI, ASSISTANT)
        ]

    def timed(self) -> dict[str, Headline]:
        """What a clock said of o1-mini. It is in the manifest alone: no two computations take equally long."""
        figures = self.manifests[MINI].figures if MINI in self.manifests else {}
        timed = {
            name: float(value) for name, value in figures.items() if "seconds" in name and value is not None
        }
        return {
            name: headline(
                value,
                None,
                TIME_SHARE if "_share_" in name else None,
                "higher" if "_vote" in name else "lower",
            )
            for name, value in timed.items()
        }

    def headline(self) -> dict[str, Headline]:
        # Experiments take longer than the loop: a target for the loop's time must not count them.
        manifests = {key: manifest for key, manifest in self.manifests.items() if key in self.loop}
        wall, overhead = wall_seconds(self.project.settings.runs, manifests)
        rss = max(manifest.cost.peak_rss_gib for manifest in manifests.values())
        run = run_headlines(wall, overhead / wall if wall else 0.0, rss)
        return {**run, **written_headlines(manifests), **summary_headline(self.folder("eval/summary"))}

    def thinking(self) -> ThinkingTables:
        if (manifest := self.manifests.get("eval/thinking")) is None:
            return ThinkingTables()
        return ThinkingTables.read(self.folder("eval/thinking"), manifest.figures)

    def labels(self) -> list[float]:
        """How many completions were rated in each round."""
        rounds = [m.figures for key, m in self.manifests.items() if key.endswith("/labels")]
        return [float(figures.get("labels") or 0) for figures in rounds]

    def costs(self) -> list[dict[str, Any]]:
        """A row an artifact: asset, seconds, flops, tokens, optional (no part of the loop)."""
        return [
            {
                "asset": key,
                "seconds": m.cost.seconds,
                "flops": m.cost.flops,
                "tokens": m.cost.tokens_generated + m.cost.tokens_scored + m.cost.tokens_trained,
                "optional": key not in self.loop,
            }
            for key, m in self.manifests.items()
        ]

    def facts(self) -> dict[str, str]:
        summary = self.manifests["eval/summary"]
        environment = summary.environment
        return {
            "profile seed": str(self.project.profile.seed),
            "made": summary.finished,
            # A figure made from uncommitted code cannot be made again from the commit alone.
            "git commit": f"{environment.git_commit}{' with local changes' if environment.git_dirty else ''}",
            "hardware": f"{environment.hardware}, {environment.threads} threads",
            "libraries": ", ".join(f"{name} {version}" for name, version in environment.libraries.items()),
        }


def written_headlines(manifests: Mapping[str, Manifest]) -> dict[str, Headline]:
    """What labellers wrote in all rounds, beside what they rated; empty where nobody was asked to write."""
    rounds = [manifest.figures for key, manifest in manifests.items() if key.endswith("/labels")]
    if not any("written_steps" in figures for figures in rounds):
        return {}
    names = {"labels": "labels_rated", "written_steps": "steps_written", "written_whole": "solutions_written"}
    return {
        shown: headline(sum(float(figures.get(name) or 0) for figures in rounds))
        for name, shown in names.items()
    }


def headline_of(project: Project) -> dict[str, Headline]:
    """Every headline figure of the profile. Raises MissingInput until eval/summary was made."""
    return StoredRun.read(project).headline()


def ablations_of(project: Project) -> dict[str, Headline]:
    """Every claim of every experiment that was made, by its name, in the shape of the headline."""
    made = StoredRun.read(project)
    claims = headlines([read_result(folder) for folder in made.results() if is_result(folder)])
    return {**claims, **accuracy_in_seconds(made.thinking()), **made.timed()}


def write_report(project: Project) -> dict[str, Headline]:
    """Writes the HTML page and the DuckDB catalogue, each in one step; returns the headline figures."""
    settings, made = project.settings, StoredRun.read(project)
    headline = made.headline()
    data = collect(
        settings.profile,
        made.folder("eval/summary"),
        headline,
        made.costs(),
        made.facts(),
        made.thinking(),
        made.results(),
        made.labels(),
    )
    # Renamed into place: whoever has the page open never reads half of one.
    replace_file(settings.report, render(data).encode())
    rebuild_catalogue(project.store, dict(made.manifests), settings.catalogue)
    return headline


def tables_of(project: Project) -> dict[str, list[dict[str, Any]]]:
    """Every round's figures, pass@k of every version, and best of N of GPT* and the last version, as rows."""
    summary = StoredRun.read(project).folder("eval/summary")
    return {name: rows_of(summary, name) for name in ("rounds", "pass_at_k", "best_of_n")}


def rows_of(summary: Path, name: str) -> list[dict[str, Any]]:
    """A table of the summary. Empty where an earlier version did not write it: its report must still be written."""
    file = summary / f"{name}.parquet"
    return read_parquet(file).to_dicts() if file.exists() else []


def write_catalogue(project: Project) -> None:
    """Writes the catalogue alone, of a home that was moved. Raises MissingInput until eval/summary was made."""
    rebuild_catalogue(project.store, dict(StoredRun.read(project).manifests), project.settings.catalogue)


def collect(
    profile: str,
    summary: Path,
    run: Mapping[str, Headline],
    costs: Sequence[Mapping[str, Any]],
    facts: Mapping[str, str],
    thinking: ThinkingTables | None = None,
    ablations: Sequence[Path] = (),
    labels: Sequence[float] = (),
) -> ReportData:
    """run: `headline.run_headlines(...)`; costs: asset, seconds, flops, tokens, optional (no part of the loop), in
    graph order.

    thinking: eval/thinking's, where it was made. Tables that an earlier version did not write are empty.
    ablations: folders of the experiments' results. labels: how many of each round.
    """
    curves = read_parquet(summary / "curves.parquet")
    solved = summary / "solved.parquet"
    return ReportData(
        profile=profile,
        # The run's own figures first: they are what a newcomer's machine has just shown.
        headline={**run, **summary_headline(summary)},
        rounds=rows_of(summary, "rounds"),
        curves={
            part["chart"][0]: part.to_dicts() for part in curves.partition_by("chart", maintain_order=True)
        },
        examples=json.loads((summary / "examples.json").read_text()),
        pass_at_k=rows_of(summary, "pass_at_k"),
        best_of_n=rows_of(summary, "best_of_n"),
        costs=costs,
        training=training_points(read_parquet(solved), costs) if solved.exists() else (),
        corrections=rows_of(summary, "corrections"),
        thinking=thinking or ThinkingTables(),
        ablations=[result for folder in ablations if (result := Ablation.read(folder))],
        labels=labels,
        facts=facts,
    )
