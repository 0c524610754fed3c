"""`o1 labels serve`, `invite` and `disagreements`: the labelling page, who may open it, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from o1_assets.cli.common import Answer, command
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.execution.project import Project
from o1_assets.labels.protocol import place_name
from o1_assets.labels.round_inputs import known_round, round_inputs, selected_rounds

app = typer.Typer()

PORT = 8090
WORDS = {1: "right", 0: "neutral", -1: "wrong", None: "unsure"}


@command(app, "serve")
def serve_page(
    project: Project,
    rounds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROUND]...", help="without any, all that people rate and that have a selection"
        ),
    ] = None,
    labelers: Annotated[int, typer.Option(min=1, help="how many people rate each solution")] = 1,
    screening: Annotated[
        bool, typer.Option("--screening", help="have new labellers rate the screening solutions first")
    ] = False,
    port: Annotated[int, typer.Option(help="0 takes any free one")] = PORT,
    host: Annotated[
        str, typer.Option(help="the address to listen on; 0.0.0.0 lets other machines connect")
    ] = "127.0.0.1",
    address: Annotated[
        str | None,
        typer.Option(
            help="what labellers type, such as https://labels.example.org, if it is not http://HOST:PORT"
        ),
    ] = None,
    as_json: bool = False,
) -> None:
    """Serve the labelling page until Ctrl-C; labellers open the links that `o1 labels invite` prints."""
    from o1_assets.cli.labeling_page.server import serve

    serve(project, rounds_to_label(project, rounds or []), labelers, screening, host, port, address, as_json)


def rounds_to_label(project: Project, names: list[str]) -> list[str]:
    """The rounds that are given out, the oldest first. Raises LabelsError if there is none, MissingInput."""
    for name in names:
        round_inputs(project.profile, project.store, name)
    if names:
        return sorted(set(names))
    made = sorted(selected_rounds(project.profile, project.store))
    rounds = [name for name in made if project.profile.batches(int(name[1:])).uses_people]
    if not rounds:
        example = made[-1] if made else "r00"
        raise LabelsError(
            f"no round of profile {project.profile.name} waits for people: name one that they rate all the same "
            f"(`o1 labels serve {example}`), switch one (`o1 labels switch {example} human`), or have people rate "
            "all with `--set annotator=human`"
            if made
            else "no round has a selection to rate yet: `o1 run --set annotator=human` makes the first"
        )
    return rounds


@command(app, "invite")
def invite_labeler(
    project: Project,
    name: Annotated[str, typer.Argument(metavar="NAME", help="how the labeller's ratings are signed")],
    lead: Annotated[bool, typer.Option("--lead", help="also shows disagreements and agreement")] = False,
    renew: Annotated[bool, typer.Option("--renew", help="a new link; the old one stops working")] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="the link stops working; ratings stay")
    ] = False,
) -> Answer:
    """Print the link by which somebody opens the labelling page. It is shown once: the home keeps a hash of it."""
    from o1_assets.labels.page.database import ADDRESS, Database
    from o1_assets.labels.page.labelers import invite, uninvite

    project.settings.make_home()
    database = Database(project.settings.labeling_page)
    if withdraw:
        uninvite(database, name)
        return Answer({"name": name, "url": None}, [f"{name}'s link works no more; what they rated stays"])
    token = invite(database, name, lead, renew)
    address = database.fact(ADDRESS) or f"http://127.0.0.1:{PORT}"
    url = f"{address}/#{token}"
    return Answer({"name": name, "lead": lead, "url": url}, [url])


@command(app, "disagreements")
def show_disagreements(project: Project, round_: Annotated[str, typer.Argument(metavar="ROUND")]) -> Answer:
    """Where people rate a step differently, why, and whether a majority settles it; then their agreement by day."""
    from o1_assets.labels.opinions import Opinions

    name = known_round(project.profile, round_)
    inputs = round_inputs(project.profile, project.store, name)
    opinions = Opinions.read(inputs.config, inputs.load(), project.inbox)
    document = {
        "round": name,
        "disagreements": [each.to_json() for each in opinions.disagreements()],
        "agreement": opinions.agreement_by_day(),
    }
    return Answer(document, disagreement_lines(document))


def disagreement_lines(document: dict[str, Any]) -> Iterator[str]:
    """The lines for a labelling lead."""
    disagreements = document["disagreements"]
    open_ = sum(each["settled"] is None for each in disagreements)
    count = f"{len(disagreements)} completions are rated differently"
    yield f"{document['round']}: {count}, {open_} of them are not settled"
    for each in disagreements:
        place = place_name(each["step"], each["completion"])
        outcome = "not settled" if each["settled"] is None else f"settled: {WORDS[each['settled']]}"
        yield f"  {each['question']} -> {each['answer']}; {place}: {each['text']}  ({outcome})"
        for opinion in each["opinions"]:
            note = f": {opinion['note']}" if opinion["note"] else ""
            yield f"    {opinion['labeler']} says {WORDS[opinion['rating']]}{note}"
    for day in document["agreement"]:
        share = "-" if day["agreement"] is None else f"{day['agreement']:.0%}"
        alpha = "-" if day["alpha"] is None else f"{day['alpha']:.2f}"
        yield (
            f"{day['day']}: {day['ratings']} ratings, {day['shared']} completions rated by several, "
            f"agreement {share}, alpha {alpha}"
        )
