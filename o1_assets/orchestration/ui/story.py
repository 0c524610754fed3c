"""What `o1 ui` adds to Dagster's pages: it opens with the graph of the loop, and serves the newest versions' plots."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from o1_assets.execution.project import Project
from o1_assets.orchestration.story import PICTURES, chapters

WIDTH = 480
"""Pixels of a picture: a page shows some 260 pixels of a description before it asks to "show more"."""

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
        return Response(_reduced(file), media_type="image/png", headers={"Cache-Control": "no-cache"})


def _reduced(file: Path) -> bytes:
    """The picture, no wider than WIDTH."""
    from PIL import Image

    with Image.open(file) as image:
        if image.width <= WIDTH:
            return file.read_bytes()
        small = image.convert("RGB").resize(
            (WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS
        )
    content = io.BytesIO()
    small.save(content, "PNG")
    return content.getvalue()


def first_page(project: Project) -> str:
    """The address of the lineage graph of the loop: a box for each chapter, of which OPENED are open.

    Dagster's layout of more boxes is larger than the screen, and of all rounds nobody can read it.
    """
    groups = [group for name, group in chapters(project.loaded).items() if name in OPENED]
    return "/asset-groups/?expanded=" + quote(",".join(f"global@global:{group}" for group in groups))
