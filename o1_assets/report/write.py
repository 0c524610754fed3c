"""The report: what the store holds and what the runs took, on one page and as headline figures."""

from __future__ import annotations

from pathlib import Path

from o1_assets.core.files import replace_file
from o1_assets.core.settings import Settings
from o1_assets.evaluation.headline import Headline, run_headlines
from o1_assets.evaluation.summary import headline_of as summary_headline
from o1_assets.execution.ledger import wall_seconds
from o1_assets.experiments.result import headlines, is_result, read_result
from o1_assets.graph import asked_for, build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.report import ReportData, render
from o1_assets.report.collect import collect
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, MissingInput


def headline_of(settings: Settings) -> dict[str, Headline]:
    """Every headline figure of the profile. Raises MissingInput until eval/summary was made."""
    return _headline(settings, *_current(settings))


def write_report(settings: Settings) -> dict[str, Headline]:
    """Writes the HTML page and the DuckDB catalogue, each in one step; returns the headline figures."""
    store, manifests = _current(settings)
    headline = _headline(settings, store, manifests)
    replace_file(settings.report, render(_data(settings, store, manifests, headline)).encode())
    rebuild_catalogue(store, manifests, settings.catalogue)
    return headline


def _current(settings: Settings) -> tuple[ArtifactStore, dict[str, Manifest]]:
    store = ArtifactStore(settings.store, settings.work)
    graph = build_graph(load_profile(settings.profile), settings)
    manifests = {key: head for key in graph if (head := store.head(key))}
    if "eval/summary" not in manifests:
        raise MissingInput("there is nothing to report yet: eval/summary was never made; run `o1 run`")
    return store, manifests


def _headline(
    settings: Settings, store: ArtifactStore, manifests: dict[str, Manifest]
) -> dict[str, Headline]:
    loop = asked_for(build_graph(load_profile(settings.profile), settings))
    made = {key: manifest for key, manifest in manifests.items() if key in loop}
    wall, overhead = wall_seconds(settings.runs, made)
    rss = max(manifest.cost.peak_rss_gib for manifest in made.values())
    summary = store.verified(manifests["eval/summary"].digest)
    return {**run_headlines(wall, overhead / wall if wall else 0.0, rss), **summary_headline(summary)}


def _data(
    settings: Settings, store: ArtifactStore, manifests: dict[str, Manifest], headline: dict[str, Headline]
) -> ReportData:
    summary = manifests["eval/summary"]
    environment = summary.environment
    loop = asked_for(build_graph(load_profile(settings.profile), settings))
    costs = [
        {
            "asset": key,
            "seconds": m.cost.seconds,
            "flops": m.cost.flops,
            "tokens": m.cost.tokens_generated + m.cost.tokens_scored + m.cost.tokens_trained,
            "optional": key not in loop,
        }
        for key, m in manifests.items()
    ]
    facts = {
        "profile seed": str(load_profile(settings.profile).seed),
        "made": summary.finished,
        "git commit": f"{environment.git_commit}{' with local changes' if environment.git_dirty else ''}",
        "hardware": f"{environment.hardware}, {environment.threads} threads",
        "libraries": ", ".join(f"{name} {version}" for name, version in environment.libraries.items()),
    }
    thinking = manifests.get("eval/thinking")
    return collect(
        settings.profile,
        store.verified(summary.digest),
        headline,
        costs,
        facts,
        store.verified(thinking.digest) if thinking else None,
        _results(store, manifests),
    )


def ablations_of(settings: Settings) -> dict[str, Headline]:
    """Every claim of every experiment that was made, by its name, in the shape of the headline."""
    return headlines([read_result(folder) for folder in _results(*_current(settings)) if is_result(folder)])


def _results(store: ArtifactStore, manifests: dict[str, Manifest]) -> list[Path]:
    return [
        store.verified(manifest.digest)
        for key, manifest in manifests.items()
        if key.startswith("ablations/") and key.endswith("/result")
    ]
