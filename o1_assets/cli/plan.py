"""`o1 plan`: what a profile will take, before it is spent; and how far off such a plan was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, command, refuse_together
from o1_assets.core.estimate import Estimate
from o1_assets.core.formatting import byte_size, compact
from o1_assets.execution.project import Project
from o1_assets.plan import PlanError
from o1_assets.plan.check import WITHIN, Comparison, Usage, compare, usage
from o1_assets.plan.hardware import Speed, speed_of
from o1_assets.plan.memory import training_bytes
from o1_assets.plan.plan import Plan, make_plan

if TYPE_CHECKING:
    from rich.console import Console


app = typer.Typer()

WIDTH = 132

# Of a GPU's peak, where nothing else is said.
UTILISATION = 0.3

# Parameters below which FLOPs say little about a GPU's time.
SMALL = 20_000_000


@command(app, "plan")
def plan_command(
    project: Project,
    gpu: Annotated[
        str | None,
        typer.Option(help="h100, a100, l40s, ...: an unknown name lists them; cpu, as measured, without it"),
    ] = None,
    utilisation: Annotated[
        float | None, typer.Option(help="share of the GPU's peak that is reached; 0.3 without it")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="compare the plan with what the store's versions really took")
    ] = False,
    assume: Annotated[
        list[str] | None, typer.Option(help="another assumption: --assume solution_tokens=300")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="an optional part of the graph as well: thinking")
    ] = None,
) -> Answer:
    """What the profile will take, before it is spent: tokens, FLOPs, hours, labels and people's hours, disk.

    With --check the exit code is 1 if a stage was off by more than a factor of 1.5.
    """
    if check:
        given = {"--gpu": gpu, "--utilisation": utilisation, "--with": with_}
        refuse_together(
            "--check", given, "everything that was made is compared with what it took where it was made"
        )
        return _check_answer(project, assume or ())
    share = UTILISATION if utilisation is None else utilisation
    made, speed = plan(project, with_ or (), gpu or "cpu", share, assume or ())
    return Answer(plan_json(made, speed), lambda: print_plan(made, speed))


def _check_answer(project: Project, assume: Sequence[str]) -> Answer:
    compared, taken = check(project, assume)
    bad = not all(one.good for one in compared)
    return Answer(
        check_json(compared, taken),
        lambda: print_check(compared, taken),
        typer.Exit(1) if bad else None,
    )


def plan(
    project: Project, parts: Collection[str], gpu: str, utilisation: float, assume: Sequence[str]
) -> tuple[Plan, Speed]:
    """Raises PlanError, ProfileError, StoreError."""
    speed = speed_of(gpu, utilisation, project.store, project.graph)
    try:
        return make_plan(project.profile, project.settings, parts, list(assume)), speed
    except ValueError as error:
        raise PlanError(str(error)) from None


def check(project: Project, assume: Sequence[str]) -> tuple[list[Comparison], Usage]:
    """A plan of everything against what the store's versions took. Raises PlanError if there are none to compare."""
    taken = usage(project.store, project.graph)
    if not taken.made:
        raise PlanError(
            f"nothing in {project.settings.store} was made with this configuration; `o1 run` first, or check with "
            "its --set"
        )
    parts = {artifact.part for artifact in project.graph.values() if artifact.part}
    return compare(make_plan(project.profile, project.settings, parts, list(assume)).made, taken.made), taken


def plan_json(made: Plan, speed: Speed) -> dict[str, Any]:
    rows = {stage: _row(one, made, speed) for stage, one in made.rows().items()}
    return {
        "profile": made.profile.name,
        "parameters": {"total": made.shape.total, "non_embedding": made.shape.non_embedding},
        "speed": asdict(speed),
        "assumptions": made.assumptions.model_dump(),
        "stages": rows,
        "total": _row(made.total(), made, speed),
        "hours_if_people_rated_everything": _hours(made.total().labels, made),
        "no_estimate": made.unknown,
    }


def check_json(compared: Sequence[Comparison], taken: Usage) -> dict[str, Any]:
    return {
        "within": WITHIN,
        "stages": [{**asdict(one), "factor": one.factor, "good": one.good} for one in compared],
        "left_out": taken.left_out,
        "used": {
            key: {**asdict(one.cost), "labels": one.labels, "stored": one.stored}
            for key, one in taken.made.items()
        },
    }


def print_plan(made: Plan, speed: Speed) -> None:
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"Plan of profile {made.profile.name}",
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    names = (
        "problems",
        "samples",
        "written",
        "scored",
        "trained on",
        "FLOPs",
        "hours",
        "labels",
        "people's h",
        "disk",
    )
    table.add_column("stage", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    rows = made.rows()
    for stage, one in rows.items():
        last = stage == list(rows)[-1]
        table.add_row(stage, *_cells(one, made, speed), end_section=last)
    # The same problems are solved again and again: their sum would say nothing.
    table.add_row("all", *_cells(replace(made.total(), problems=0), made, speed))
    console = _console()
    console.print(table)
    for line in notes(made, speed):
        console.print(line, highlight=False, soft_wrap=True)


def notes(made: Plan, speed: Speed) -> list[str]:
    """What the table rests on."""
    total, shape = made.total(), made.shape
    larger = (
        ", by models of nano's size; larger ones reach several times that"
        if speed.is_guess_for(shape.total)
        else ""
    )
    lines = [
        f"Model: {_billions(shape.total)} parameters, {_billions(shape.non_embedding)} of them without embeddings. "
        f"Tokens written, scored and trained on; a FLOP count of 2, 2 and 6 a token and parameter.",
        f"Hours on {speed.name}: {speed.words}{larger}. Start-up and waiting come on top; writing is bound by "
        "memory bandwidth and often reaches less than training does.",
    ]
    if speed.memory is not None and shape.total < SMALL:
        lines.append("A model this small cannot fill a GPU: starting its kernels takes longer than they do.")
    elif speed.memory is not None:
        lines.append(_memory(made, speed.memory))
    people = (
        f"People are asked for {total.asked:,.0f} ratings" if total.asked else "Nobody is asked for ratings"
    )
    lines.append(
        f"{people}; by people, all {total.labels:,.0f} labels would take {_hours(total.labels, made):,.1f} hours at "
        f"{made.assumptions.seconds_a_rating:g} s each, one opinion a rating."
    )
    kept = 3 * training_bytes(shape, made.profile.policy.tuning, tokens=0)["gradients"]
    lines.append(
        f"Disk: what the artifacts hold; a training keeps up to {byte_size(kept)} more while under way."
    )
    lines.append(f"Assumed (`--assume NAME=VALUE`): {_assumed(made)}. Source: {made.assumptions.source}.")
    if any(recomputes(config) for config in (made.profile.sft, made.profile.later_prm, made.profile.policy)):
        lines.append(
            "Gradient checkpointing computes each forward pass of a training twice; that is not counted."
        )
    if made.unknown:
        lines.append(f"No estimate, and counted as nothing: {', '.join(made.unknown)}.")
    return lines


def _memory(made: Plan, memory: float) -> str:
    """What the policy's training holds whatever its batch is, counted as docs/qwen.md does."""
    tuning = made.profile.policy.tuning
    held = {name: size / 2**30 for name, size in training_bytes(made.shape, tuning, tokens=0).items()}
    trained = f"LoRA of rank {tuning.lora.rank}" if tuning.lora else "all weights trained"
    return (
        f"Memory, of {memory / 2**30:.1f} GiB: weights in {tuning.weights} {held['weights']:.1f}, gradients "
        f"{held['gradients']:.1f}, AdamW's moments {held['optimizer']:.1f} ({trained}). Activations and logits come on "
        "top, and in RL two reward models and the sampler's cache (docs/qwen.md counts them)."
    )


def recomputes(config: object) -> bool:
    """Whether a stage trains with gradient checkpointing."""
    return bool(getattr(getattr(config, "tuning", None), "gradient_checkpointing", False))


def print_check(compared: Sequence[Comparison], taken: Usage) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title="Planned and used", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("stage", "figure", "planned", "used", "planned / used", ""):
        table.add_column(name, justify="left" if name in ("stage", "figure", "") else "right", no_wrap=True)
    for one in compared:
        ratio = f"{one.planned / one.used:.2f}" if one.used else "-"
        mark = "" if one.good else f"off by more than {WITHIN}"
        table.add_row(one.stage, one.quantity, compact(one.planned), compact(one.used), ratio, mark)
    console = _console()
    console.print(table)
    console.print(verdict(compared), highlight=False)
    if taken.left_out:
        console.print(
            f"Left out, because never made or made with another configuration: {len(taken.left_out)} artifacts.",
            highlight=False,
        )


def verdict(compared: Sequence[Comparison]) -> str:
    bad = [one for one in compared if not one.good]
    if not bad:
        return f"All {len(compared)} figures are within a factor of {WITHIN}."
    worst = max(bad, key=lambda one: one.factor)
    return (
        f"{len(bad)} of {len(compared)} figures are off by more than a factor of {WITHIN}; worst: {worst.quantity} of "
        f"{worst.stage}, by {worst.factor:.2f}."
    )


def _console() -> Console:
    """Wide enough for every column: a cell that is cut says something else."""
    from rich.console import Console

    return Console(width=max(WIDTH, Console().width))


def _row(one: Estimate, made: Plan, speed: Speed) -> dict[str, float]:
    return {
        "problems": one.problems,
        "samples": one.samples,
        **asdict(one.cost),
        "hours": speed.hours(one.cost.flops),
        "labels": one.labels,
        "asked_of_people": one.asked,
        "hours_of_people": _hours(one.asked, made),
        "bytes": one.stored,
    }


def _cells(one: Estimate, made: Plan, speed: Speed) -> list[str]:
    hours = speed.hours(one.cost.flops)
    return [
        compact(one.problems),
        compact(one.samples),
        compact(one.cost.tokens_generated),
        compact(one.cost.tokens_scored),
        compact(one.cost.tokens_trained),
        f"{one.cost.flops:.2g}" if one.cost.flops else "",
        f"{hours:,.3g}" if hours else "",
        compact(one.labels),
        f"{_hours(one.asked, made):,.1f}" if one.asked else "",
        byte_size(one.stored),
    ]


def _hours(ratings: float, made: Plan) -> float:
    return ratings * made.assumptions.seconds_a_rating / 3600


def _assumed(made: Plan) -> str:
    values = made.assumptions.model_dump(exclude={"source"})
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _billions(parameters: int) -> str:
    """Parameters of a model as its name would say them."""
    return compact(parameters).replace("G", "B")
