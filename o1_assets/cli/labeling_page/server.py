"""`o1 labels serve`: takes the port and serves the page until it is asked to stop."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import uvicorn

from o1_assets.cli.label_batches import unused_lines
from o1_assets.cli.labeling_page.app import application
from o1_assets.core.commands import with_profile
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project
from o1_assets.labels.page.database import ADDRESS, Database
from o1_assets.labels.page.desk import Desk
from o1_assets.labels.page.labelers import labelers
from o1_assets.labels.round_inputs import RoundInputs, round_inputs
from o1_assets.orchestration.ui.guard import local_origins
from o1_assets.orchestration.ui.serve import HOST, home_lock, listener


class BadAddress(O1Error, ValueError):
    """The page cannot be opened at this address; the message says what to give instead."""


def serve(
    project: Project,
    rounds: list[str],
    opinions: int,
    screening: bool,
    host: str,
    port: int,
    address: str | None,
    as_json: bool = False,
) -> None:
    """Serves until Ctrl-C or SIGTERM; then files what is finished. Raises BadAddress, UIError."""
    project.settings.make_home()
    # Two servers of one home would file what is finished twice.
    with (
        home_lock(project.settings.home, "labeling.lock") as lock,
        listener(port, "o1 labels serve --port ", host) as listening,
    ):
        port = listening.getsockname()[1]
        origins = origins_of(host, port, address)
        print(origins[0], end="", file=lock, flush=True)
        database = Database(project.settings.labeling_page)
        database.keep_fact(ADDRESS, origins[0])

        def inputs_of(name: str) -> RoundInputs:
            return round_inputs(project.profile, project.store, name)

        desk = Desk(database, project.inbox, rounds, inputs_of, opinions, screening)
        app = application(desk, project.profile.name, origins)
        # An access log would name who rates when.
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        invited = [each.name for each in labelers(database)]
        if as_json:
            print(json.dumps({"url": origins[0], "rounds": rounds, "invited": invited}), flush=True)
        else:
            for line in introduction(project, rounds, opinions, invited):
                print(with_profile(line))
            print(f"Labelling {', '.join(rounds)}: {origins[0]} (Ctrl-C ends it)", flush=True)
        uvicorn.Server(config).run([listening])
        database.close()


def introduction(project: Project, rounds: list[str], opinions: int, invited: list[str]) -> list[str]:
    """What whoever starts it has to know, before the address."""
    lines = list(unused_lines(project, set(rounds)))
    lines.append(
        f"invited: {', '.join(invited)}"
        if invited
        else "nobody is invited yet: `o1 labels invite NAME` prints a link"
    )
    if opinions > 1:
        lines.append(f"{opinions} labellers rate each solution, and one more where they disagree")
    return lines


def origins_of(host: str, port: int, address: str | None) -> list[str]:
    """What browsers call the page, the address of invitations first. Raises BadAddress."""
    local = local_origins(port)
    if address is not None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise BadAddress(
                f"--address is {address!r}; write it as https://labels.example.org, without a path"
            )
        return [f"{parts.scheme}://{parts.netloc.lower()}", *local]
    if host in ("0.0.0.0", "::"):
        raise BadAddress(
            f"--host {host} listens on every address of this machine; say by which one labellers open the page, "
            f"such as --address http://192.168.1.5:{port}"
        )
    if host == HOST:
        return local
    name = f"[{host}]" if ":" in host else host
    return [f"http://{name}:{port}" if port != 80 else f"http://{name}", *local]
