"""What `o1 ui` adds to Dagster's pages: it opens with the graph of the loop, and serves the newest versions' plots."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from o1_assets.execution.project import Project
from o1_assets.orchestration.story import PICTURES, chapters

OPENED = ("generator", "phase_1")


class Story:
    """ASGI middleware before Dagster's application. The project's graph is built at the first request that needs it."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self.app = app
        self.project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._response(scope) if scope["type"] == "http" else None
        await (response or self.app)(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if path == "/" and "text/html" in Request(scope).headers.get("accept", ""):
            return RedirectResponse(first_page(self.project), status_code=302)
        if path.startswith(f"{PICTURES}/"):
            return self._picture(path.removeprefix(f"{PICTURES}/").removesuffix(".png"))
        return None

    def _picture(self, name: str) -> Response:
        """name: KEY/PLOT, of the key's newest version."""
        key, _, plot = name.rpartition("/")
        # Only keys of the graph and plain names: nothing else of this machine can be asked for.
        head = self.project.store.head(key) if key in self.project.graph and plot.isidentifier() else None
        file = self.project.store.path(head.digest) / "plots" / f"{plot}.png" if head else None
        if file is None or not file.is_file():
            return PlainTextResponse(f"{key} has no plot {plot} yet\n", status_code=404)
        # The same address shows the next version once there is one.
        return FileResponse(file, media_type="image/png", headers={"Cache-Control": "no-cache"})


def first_page(project: Project) -> str:
    """The address of the lineage graph of the loop: a box for each chapter, of which OPENED are open.

    Dagster's layout of more boxes is larger than the screen, and of all rounds nobody can read it.
    """
    groups = [group for name, group in chapters(project.loaded).items() if name in OPENED]
    return "/asset-groups/?expanded=" + quote(",".join(f"global@global:{group}" for group in groups))
