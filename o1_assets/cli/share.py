"""`o1 evaluate` and `o1 publish`: measures that others know, and what others can load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from o1_assets.cli.common import READS_THE_STORE_ALONE, Answer, command
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project

if TYPE_CHECKING:
    from o1_assets.reward.score import Scorer

app = typer.Typer()
evaluate = typer.Typer(
    help="Measures that others know: ProcessBench for a PRM, lm-eval's tasks for a policy."
)


class EvaluateError(O1Error):
    """What cannot be evaluated, and what can."""


@command(app, "publish", options=READS_THE_STORE_ALONE)
def publish_command(
    project: Project,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an export, as `o1 export` writes it")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="of the Hugging Face Hub")],
    public: Annotated[bool, typer.Option("--public", help="let everybody read it; else private")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be uploaded, and stop")] = False,
) -> Answer:
    """Push an export to the Hugging Face Hub, with its card; the token comes from HF_TOKEN."""
    from o1_assets.export.publish import publish

    done = publish(folder, repository, public=public, dry_run=dry_run)

    def lines() -> Iterator[str]:
        who = "private" if done.private else "public"
        verb = "would be" if done.commit is None else "is"
        yield (
            f"{done.key} ({done.digest[:12]}) {verb} on {done.url}, {who}: {len(done.files)} files, "
            f"{done.megabytes:.1f} MB"
        )
        if dry_run:
            yield from (f"  {name}" for name in done.files)

    return Answer(vars(done), lines())


@command(evaluate, "processbench")
def process_bench(
    project: Project,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="rNN/prm, or the folder of any PRM")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="of ProcessBench: JSON or JSONL")],
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="P(right) below which a step is wrong")
    ] = None,
    fit_on: Annotated[
        Path | None, typer.Option(help="fit the threshold on this file, as the paper does on GSM8K's")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(help=r"prompt with {question}; else the profile's, or {question}\n for a folder"),
    ] = None,
) -> Answer:
    """F1 on ProcessBench (arXiv:2412.06559); without a threshold, each half of the problems has the other's best."""
    from o1_assets.evaluation.process_bench import document, measure, read_items, step_chances, table
    from o1_assets.execution.environment import prepare_compute
    from o1_assets.export.known_measures import keep_measures

    if threshold is not None and fit_on is not None:
        raise EvaluateError("a threshold is given or fitted: leave --threshold or --fit-on out")
    paths = [*files, *([fit_on] if fit_on else [])]
    names = {path: path.stem for path in paths}
    if len(set(names.values())) < len(paths):
        raise EvaluateError("two of the files have one name; each is measured by itself, under its name")
    items = {names[path]: read_items(path) for path in paths}
    prepare_compute(project.profile.threads)
    scorer, prompt, digest = _scorer(project, model)
    asked = template.replace("\\n", "\n") if template else prompt
    if "{question}" not in asked:
        raise EvaluateError(
            f"the template {template!r} has no {{question}}, so that no problem would be read"
        )
    chances = {name: step_chances(scorer, of_file, asked) for name, of_file in items.items()}
    measured = measure(items, chances, threshold, names[fit_on] if fit_on else None)

    if digest is not None:
        keep_measures(
            project.settings.home, digest, "ProcessBench", {f"{m.name} F1": m.result.f1 for m in measured}
        )

    def lines() -> Iterator[str]:
        yield from table(measured)
        for m in measured:
            if m.unreadable:
                yield (
                    f"{m.unreadable} solutions of {m.name} have words or a length that the model cannot read; they "
                    "count as missed"
                )

    return Answer({"model": model, **document(measured)}, lines())


def _scorer(project: Project, model: str) -> tuple[Scorer, str, str | None]:
    """A PRM of the store or in a folder, its prompt, and its digest in the store. Raises EvaluateError, StoreError."""
    from o1_assets.export.export import GENERATOR, is_reward_model, reads_generator
    from o1_assets.reward.score import load_scorer

    folder, generator, template, digest = Path(model), Path(model) / GENERATOR, "{question}\n", None
    if not (folder / "config.json").is_file():
        head = project.store.head(model)
        if head is None:
            raise EvaluateError(
                f"{model} is neither a folder with a config.json nor a key that has been made; `o1 status` lists keys"
            )
        digest = head.digest
        folder = project.store.verified(digest)
        if "generator" in head.inputs:
            generator = project.store.verified(head.inputs["generator"].digest)
        template = project.profile.prompt.template
    if not is_reward_model(folder):
        raise EvaluateError(
            f"{model} classifies no tokens; ProcessBench is for PRMs, which are token classifiers as ours and TRL's are"
        )
    if reads_generator(folder) and not (generator / "config.json").is_file():
        raise EvaluateError(
            f"{model} reads a generator's log-probabilities, and {generator} holds no generator"
        )
    scorer = load_scorer(folder, generator)
    if scorer.models[0].classes not in (2, 3):
        raise EvaluateError(
            f"{model} has {scorer.models[0].classes} classes; a PRM has wrong and right, or ours three"
        )
    return scorer, template, digest


@command(evaluate, "lm-eval")
def lm_eval(
    project: Project,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="a key such as r10/policy, or the folder of an export")
    ],
    tasks: Annotated[str, typer.Option(help="of lm-eval, with commas: gsm8k,arithmetic")],
    python: Annotated[Path, typer.Option(help="a Python that has lm-eval", envvar="O1_LM_EVAL")] = Path(
        ".lm-eval/bin/python"
    ),
    include: Annotated[Path | None, typer.Option(help="a folder with tasks of your own, YAML files")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="examples of each task")] = None,
) -> Answer:
    """Run lm-eval's tasks on a policy; `make .lm-eval/ready` sets lm-eval up. An export's card then has the table."""
    from o1_assets.export.known_measures import run_lm_eval

    figures = run_lm_eval(project, model, tasks, python, include, limit)
    rows = [f"| {name} | {value:.4f} |" for name, value in figures.items()]
    return Answer({"model": model, "figures": figures}, ["| task, metric | value |", "|---|---:|", *rows])
