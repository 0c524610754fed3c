"""`o1 problems difficulty`: how much of the train problems a model solves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, StatusLine, command
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project

if TYPE_CHECKING:
    import polars as pl

    from o1_assets.core.artifact import Artifact
    from o1_assets.generator.config import Band
    from o1_assets.store.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Look at the problems.")

BASE = "base/model"
BAR = 40
"""Letters of the longest bar."""


class DifficultyError(O1Error):
    """The difficulty cannot be measured; the message says what to do."""


@app.callback()
def _group() -> None:
    """Look at the problems."""


@command(app, "difficulty")
def difficulty(
    project: Project,
    model: Annotated[
        str, typer.Option(help="key of the model that solves them: base/model, generator/model, rNN/policy")
    ] = BASE,
) -> Answer:
    """How many of a model's samples solve each train problem; measured once, and read again after that.

    `--set difficulty.samples=16` samples more. `difficulty.band` of a profile trains on problems in a band of it.
    """
    from o1_assets.core.tables import read_parquet
    from o1_assets.generator.config import Band
    from o1_assets.generator.difficulty import TABLE

    manifest = _measured(project, model)
    folder = project.store.verified(manifest.digest)
    table = read_parquet(folder / TABLE)
    band = project.profile.difficulty.band or Band()
    document = _document(table, band) | {
        "model": model,
        "model_digest": manifest.inputs["model"].digest,
        "table": str(folder / TABLE),
        "plot": str(folder / "plots" / "difficulty.png"),
        "worked_solutions": _worked_solutions(project, manifest),
    }
    return Answer(document, _lines(document, project.profile.sft_set.references is not None))


def _worked_solutions(project: Project, manifest: Manifest) -> int:
    """How many of the problems that were measured came with a worked solution."""
    from o1_assets.core.tables import read_parquet
    from o1_assets.problems.problem import stored_solution

    problems = project.store.verified(manifest.inputs["problems"].digest) / "problems.parquet"
    return sum(bool(stored_solution(metadata)) for metadata in read_parquet(problems)["metadata"])


def _measured(project: Project, model: str) -> Manifest:
    """The newest measurement, made now where there is none of today's model and problems."""
    from o1_assets.generator.assets import DIFFICULTY

    if model == BASE:
        from o1_assets.cli.run import run

        run(project, keys=(DIFFICULTY,))
        head = project.store.head(DIFFICULTY)
        if head is None:
            raise DifficultyError(f"{DIFFICULTY} was not made; `o1 status` says what it waits for")
        return head
    return _of_another(project, model)


def _of_another(project: Project, model: str) -> Manifest:
    """Of a model that is no input of the graph's own measurement. It has to be made already."""
    from o1_assets.engine.open import open_engine, require_engine
    from o1_assets.execution.environment import prepare_compute
    from o1_assets.execution.materialize import materialize
    from o1_assets.generator.assets import difficulty_artifact

    profile, store = project.profile, project.store
    graph = project.graph
    if model not in graph or not model.endswith(("/policy", "/model")):
        raise DifficultyError(
            f"{model!r} solves no problems; give base/model, generator/model or r00/policy to "
            f"r{profile.rounds:02d}/policy"
        )
    missing = [key for key in (model, "problems/train") if store.head(key) is None]
    if missing:
        raise DifficultyError(f"{' and '.join(missing)} was not made yet; run `o1 run`")
    require_engine(profile.engine)
    artifact: Artifact = difficulty_artifact(profile, model)
    lines = StatusLine("            ...    ")
    project.settings.make_home()
    with project.lock.hold_now("nothing was measured"):
        prepare_compute(profile.threads)
        return materialize(
            artifact,
            store,
            profile=profile.name,
            open_engine=lambda folder: open_engine(folder, profile.engine),
            threads=profile.threads,
            engine=profile.engine,
            progress=lambda line: lines.replace(f"{artifact.key}: {line}"),
        ).manifest


def _document(table: pl.DataFrame, band: Band) -> dict[str, Any]:
    from o1_assets.generator.difficulty import histogram, in_band

    return {
        "problems": table.height,
        "samples": max(table["samples"].to_list(), default=0),
        "pass_rate": round(float(table["pass_rate"].mean() or 0), 4),  # type: ignore[arg-type]
        "never_solved": int((table["right"] == 0).sum()),
        "always_solved": int((table["right"] == table["samples"]).sum()),
        "band": {**band.model_dump(), "problems": in_band(table, band).height},
        "histogram": histogram(table),
    }


def _lines(document: dict[str, Any], references: bool) -> Iterator[str]:
    """references: whether the profile has the base learn from worked solutions (sft_set.references)."""
    problems, band = document["problems"], document["band"]
    yield (
        f"{document['model']} solves {document['pass_rate']:.1%} of {document['samples']} samples of {problems} train "
        f"problems; never {document['never_solved']}, always {document['always_solved']}"
    )
    most = max(bar["problems"] for bar in document["histogram"]) or 1
    for bar in document["histogram"]:
        low, high = bar["lowest"], bar["highest"]
        share = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
        yield f"{share:>11}  {'█' * round(BAR * bar['problems'] / most):{BAR}} {bar['problems']}"
    yield (
        f"{band['problems']} of them in the band from {band['lowest']:.0%} to {band['highest']:.0%} "
        f"(difficulty.band = {{ lowest = {band['lowest']}, highest = {band['highest']} }} trains on these alone)"
    )
    if not band["problems"]:
        yield _remedy(document["model"], document["worked_solutions"], references)
    yield f"table: {document['table']}"


def _remedy(model: str, worked_solutions: int, references: bool) -> str:
    """What to do where no problem is in the band."""
    easier = "take easier problems, sample more (difficulty.samples)"
    if references and worked_solutions and model == BASE:
        return (
            f"The base is still to learn from {worked_solutions} worked solutions (sft_set.references): leave "
            "difficulty.band=null, run `o1 run`, and then `o1 problems difficulty --model generator/model`"
        )
    if worked_solutions and not references:
        return (
            f"That band would leave none to train on: {easier}, or teach the base from the {worked_solutions} worked "
            "solutions that these problems have (sft_set.references)"
        )
    if worked_solutions:
        return f"That band would leave none to train on: {easier}, or take a stronger base"
    return (
        f"That band would leave none to train on: {easier}, take a stronger base, or give the problems worked "
        "solutions (sft_set.references)"
    )
