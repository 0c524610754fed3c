"""`o1 plan`: estimates what a profile will take before it is spent, and checks how far off such a plan was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o1_assets.cli.common import Answer, command, refuse_together
from o1_assets.core.commands import with_profile
from o1_assets.core.estimate import Estimate
from o1_assets.core.formatting import byte_size, compact
from o1_assets.execution.project import Project
from o1_assets.graph import asked_for
from o1_assets.labels.config import JudgeLimits
from o1_assets.plan import PlanError
from o1_assets.plan.check import WITHIN, Comparison, Usage, compare, usage
from o1_assets.plan.hardware import Speed, speed_of
from o1_assets.plan.memory import training_bytes
from o1_assets.plan.plan import Plan, make_plan
from o1_assets.profiles.requirements import failed_preflights, missing_checkpoint

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


app = typer.Typer()
WIDTH = 140

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
        float | None,
        typer.Option(
            help="share of the GPU's peak that is reached; without it 0.3, and 0.05 to 0.1 while writing"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="compare the plan with what the store's versions really took")
    ] = False,
    assume: Annotated[
        list[str] | None, typer.Option(help="another assumption: --assume solution_tokens=300")
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="an optional part of the graph as well: thinking, ablations, mini, circle, all of "
            "these as experiments, or one experiment: "
            "ablations/rounds",
        ),
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
    made, speed = plan(project, with_ or (), gpu or "cpu", utilisation, assume or ())
    unusable = list(failed_preflights(project.graph, asked_for(project.graph, with_ or ()), quick=True))

    def show() -> None:
        print_plan(made, speed)
        for sentence in unusable:
            print(with_profile(sentence))

    return Answer({**plan_json(made, speed), "cannot_be_made": unusable}, show)


def _check_answer(project: Project, assume: Sequence[str]) -> Answer:
    compared, actual = check(project, assume)
    bad = not all(row.good for row in compared)
    return Answer(
        check_json(compared, actual),
        lambda: print_check(compared, actual),
        typer.Exit(1) if bad else None,
    )


def plan(
    project: Project, parts: Collection[str], gpu: str, utilisation: float | None, assume: Sequence[str]
) -> tuple[Plan, Speed]:
    """The plan with its optional `parts`, and the speed that its hours are counted with.

    Raises PlanError, ProfileError, StoreError.
    """
    if missing := missing_checkpoint(project.profile):
        raise PlanError(missing)
    speed = speed_of(gpu, utilisation, project.store, project.graph)
    try:
        return make_plan(project.profile, project.graph, parts, assume), speed
    except ValueError as error:  # an unknown part or a base of unknown shape: the user's input, and no defect
        raise PlanError(str(error)) from None


def check(project: Project, assume: Sequence[str]) -> tuple[list[Comparison], Usage]:
    """Compares a plan of everything with what the store's versions took. Raises PlanError if there are none."""
    actual = usage(project.store, project.graph)
    if not actual.made:
        raise PlanError(
            f"nothing in {project.settings.store} was made with this configuration; `o1 run` first, or check with "
            "its --set"
        )
    # Planned with every part; what was never made is left out of the comparison.
    parts = {artifact.part for artifact in project.graph.values() if artifact.part}
    return compare(make_plan(project.profile, project.graph, parts, assume).made, actual.made), actual


def plan_json(made: Plan, speed: Speed) -> dict[str, Any]:
    return {
        "profile": made.profile.name,
        "parameters": {"total": made.shape.total, "non_embedding": made.shape.non_embedding},
        "speed": asdict(speed),
        "assumptions": made.assumptions.model_dump(),
        "stages": {stage: _row(estimate, made, speed) for stage, estimate in made.rows().items()},
        "total": _row(made.total(), made, speed),
        "hours_if_people_rated_everything": _hours(made.total().labels, made),
        "no_estimate": made.unknown,
    }


def check_json(compared: Sequence[Comparison], actual: Usage) -> dict[str, Any]:
    return {
        "within": WITHIN,
        "stages": [{**asdict(row), "factor": row.factor, "good": row.good} for row in compared],
        "left_out": actual.left_out,
        "used": {
            key: {**asdict(used.cost), "labels": used.labels, "stored": used.stored}
            for key, used in actual.made.items()
        },
    }


def _row(estimate: Estimate, made: Plan, speed: Speed) -> dict[str, float]:
    return {
        "problems": estimate.problems,
        "samples": estimate.samples,
        **asdict(estimate.cost),
        "hours": speed.hours(estimate.cost.flops, estimate.cost.tokens_generated, made.shape.non_embedding),
        "labels": estimate.labels,
        "asked_of_people": estimate.asked,
        "hours_of_people": _hours(estimate.asked, made),
        "bytes": estimate.stored,
        "questions_to_judge": estimate.questions,
        "judge_reads": estimate.judge_reads,
        "judge_writes": estimate.judge_writes,
    }


# Column of the table -> the figure of `_row` that it shows, and how. Nothing is an empty cell.
COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "problems": ("problems", compact),
    "samples": ("samples", compact),
    "written": ("tokens_generated", compact),
    "scored": ("tokens_scored", compact),
    "trained on": ("tokens_trained", compact),
    "FLOPs": ("flops", lambda flops: f"{flops:.2g}"),
    "hours": ("hours", lambda hours: _rounded_hours(hours)),
    "labels": ("labels", compact),
    "people's h": ("hours_of_people", lambda hours: f"{hours:,.1f}"),
    "disk": ("bytes", byte_size),
}


def print_plan(made: Plan, speed: Speed) -> None:
    table = _table(f"Plan of profile {made.profile.name}", ("stage",), tuple(COLUMNS))
    rows = made.rows()
    # The same problems are solved again and again: their sum would say nothing.
    for stage, estimate in {**rows, "all": replace(made.total(), problems=0)}.items():
        figures = _row(estimate, made, speed)
        cells = (text(figures[name]) if figures[name] else "" for name, text in COLUMNS.values())
        table.add_row(stage, *cells, end_section=stage == list(rows)[-1])
    console = _console()
    console.print(table)
    for line in notes(made, speed):
        console.print(line, highlight=False, soft_wrap=True)


def _judge_note(total: Estimate, limits: JudgeLimits) -> Iterator[str]:
    """What a judge is asked, and what that costs at the profile's prices; nothing where no judge rates."""
    if total.questions:
        price = (total.judge_reads * limits.price_read + total.judge_writes * limits.price_written) / 1e6
        cost = f", for {price:,.3g} at judge_limits' prices" if price else ""
        yield (
            f"The judge is asked {total.questions:,.0f} times at most, reads some {compact(total.judge_reads)} tokens "
            f"and writes {compact(total.judge_writes)}{cost}; thoughts come on top."
        )


def notes(made: Plan, speed: Speed) -> list[str]:
    """The lines below the table: speed, memory, people's hours and the assumptions that it rests on."""
    total, shape, policy = made.total(), made.shape, made.profile.policy
    guess = ", by models of nano's size; larger ones reach several times that"
    hours = _hours(total.labels, made)
    people = f"People are asked for {total.asked:,.0f}" if total.asked else "Nobody is asked for"
    # A training's checkpoint holds each weight and AdamW's two moments, until its artifact is stored.
    unfinished = 3 * training_bytes(shape, policy.tuning, tokens=0)["gradients"]
    assumed = made.assumptions.model_dump(exclude={"source"})
    lines = [
        f"Model: {_billions(shape.total)} parameters, {_billions(shape.non_embedding)} of them without embeddings. "
        "Tokens written, scored and trained on; a FLOP count of 2, 2 and 6 a token and parameter.",
        f"Hours on {speed.name}: {speed.words}{guess if speed.is_guess_for(shape.total) else ''}. Start-up and "
        "waiting come on top.",
        _memory(made, speed.memory),
        f"{people} ratings; by people, all {total.labels:,.0f} labels would take {hours:,.1f} hours at "
        f"{made.assumptions.seconds_a_rating:g} s each, one opinion a rating.",
        *_judge_note(total, made.profile.judge_limits),
        f"Disk: what the artifacts hold; a training keeps up to {byte_size(unfinished)} more while under way.",
        "Assumed (`--assume NAME=VALUE`): "
        + ", ".join(f"{name} {value:g}" for name, value in assumed.items())
        + f". Source: {made.assumptions.source}.",
    ]
    trained = (made.profile.sft.tuning, made.profile.later_prm.tuning, policy.tuning)
    if any(tuning.gradient_checkpointing for tuning in trained):
        lines.append(
            "Gradient checkpointing computes each forward pass of a training twice; that is not counted."
        )
    if made.unknown:
        lines.append(f"No estimate, and counted as nothing: {', '.join(made.unknown)}.")
    return [line for line in lines if line]


def _memory(made: Plan, memory: float | None) -> str:
    """The memory that the policy's training needs for any batch, counted as in docs/qwen.md; nothing on a CPU."""
    if memory is None:
        return ""
    if made.shape.total < SMALL:
        return "A model this small cannot fill a GPU: starting its kernels takes longer than they do."
    # The policy's: RL also holds the reward models and the sampler's cache, so no other training needs as much.
    tuning = made.profile.policy.tuning
    held = {name: size / 2**30 for name, size in training_bytes(made.shape, tuning, tokens=0).items()}
    trained = f"LoRA of rank {tuning.lora.rank}" if tuning.lora else "all weights trained"
    return (
        f"Memory, of {memory / 2**30:.1f} GiB: weights in {tuning.weights} {held['weights']:.1f}, gradients "
        f"{held['gradients']:.1f}, AdamW's moments {held['optimizer']:.1f} ({trained}). Activations and logits come on "
        "top, and in RL two reward models and the sampler's cache (docs/qwen.md counts them)."
    )


def print_check(compared: Sequence[Comparison], actual: Usage) -> None:
    table = _table("Planned and used", ("stage", "figure"), ("planned", "used", "planned / used", ""))
    for row in compared:
        # The plan may expect a cost where a run had none.
        ratio = f"{row.planned / row.used:.2f}" if row.used else "-"
        mark = "" if row.good else f"off by more than {WITHIN}"
        table.add_row(row.stage, row.quantity, compact(row.planned), compact(row.used), ratio, mark)
    console = _console()
    console.print(table)
    console.print(verdict(compared), highlight=False)
    if actual.left_out:
        console.print(
            f"Left out, because never made or made with another configuration: {len(actual.left_out)} artifacts.",
            highlight=False,
        )


def verdict(compared: Sequence[Comparison]) -> str:
    bad = [row for row in compared if not row.good]
    if not bad:
        return f"All {len(compared)} figures are within a factor of {WITHIN}."
    worst = max(bad, key=lambda row: row.factor)
    return (
        f"{len(bad)} of {len(compared)} figures are off by more than a factor of {WITHIN}; worst: {worst.quantity} of "
        f"{worst.stage}, by {worst.factor:.2f}."
    )


def _table(title: str, names: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in (*names, *numbers):
        table.add_column(name, justify="left" if name in names else "right", no_wrap=True)
    return table


def _console() -> Console:
    from rich.console import Console

    # Wide enough for every column, because a number that is cut off is another number.
    return Console(width=max(WIDTH, Console().width))


def _rounded_hours(hours: float) -> str:
    if hours < 0.01:
        return "< 0.01"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def _hours(ratings: float, made: Plan) -> float:
    return ratings * made.assumptions.seconds_a_rating / 3600


def _billions(parameters: int) -> str:
    """A number of parameters as the names of models write it, with B for 10^9."""
    return compact(parameters).replace("G", "B")
