"""The labelling page as a Starlette application: four addresses of JSON, three files, and who asks.

A labeller signs in with the token of an invitation. It stands behind the # of the link, which no browser sends to a
server and no log holds; the page sends it once and gets a cookie, which no script can read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from o1_assets.core.commands import with_profile
from o1_assets.core.errors import O1Error
from o1_assets.labels.page.desk import Desk, NoSuchTask, StaleAct
from o1_assets.labels.page.draft import ActRefused
from o1_assets.labels.page.labelers import Labeler, labeler_of
from o1_assets.labels.page.progress import labeler_progress, lead_progress
from o1_assets.orchestration.ui.guard import Guard

PAGE = Path(__file__).parent
FILES = {"/": "page.html", "/lead": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

REMEDY = "`o1 labels serve --address` says what labellers type"

LONGEST_BODY = 200_000
"""Bytes; the longest text that may be written, as JSON, is below."""
YEAR = 365 * 24 * 3600
FILING_SECONDS, PAUSE_AFTER_ERROR = 5.0, 60.0

Answerer = Callable[[Labeler, Mapping[str, Any]], dict[str, Any]]


def application(desk: Desk, profile: str, origins: list[str]) -> Starlette:
    """profile: part of the cookie's name, because a browser sends the cookies of all ports of a machine."""
    cookie = f"o1_labeler_{profile}"

    def route(path: str, answer: Answerer, lead: bool = False) -> Route:
        async def respond(request: Request) -> Response:
            labeler = await run_in_threadpool(labeler_of, desk.database, request.cookies.get(cookie, ""))
            if labeler is None:
                return _error(401, "You are not signed in: open the link of your invitation again.")
            if lead and not labeler.is_lead:
                return _error(403, "Only a lead sees this page.")
            try:
                body = await _body(request)
                return JSONResponse(await run_in_threadpool(answer, labeler, body), headers=HEADERS)
            except StaleAct as error:
                task = await run_in_threadpool(_task, desk, labeler, body)
                return JSONResponse({"error": str(error), "task": task}, 409, headers=HEADERS)
            except O1Error as error:
                return _error(_STATUS.get(type(error), 500), str(error))

        return Route(path, respond, methods=["POST"])

    async def join(request: Request) -> Response:
        try:
            token = str((await _body(request)).get("token"))
        except ActRefused as error:
            return _error(422, str(error))
        labeler = await run_in_threadpool(labeler_of, desk.database, token)
        if labeler is None:
            return _error(401, "This invitation is not good any more: ask for a new link.")
        answer = JSONResponse({"name": labeler.name, "lead": labeler.is_lead}, headers=HEADERS)
        secure = request.headers.get("origin", "").startswith("https:")
        answer.set_cookie(cookie, token, max_age=YEAR, httponly=True, samesite="strict", secure=secure)
        return answer

    async def leave(_: Request) -> Response:
        answer = JSONResponse({}, headers=HEADERS)
        answer.delete_cookie(cookie, httponly=True, samesite="strict")
        return answer

    def next_task(labeler: Labeler, body: Mapping[str, Any]) -> dict[str, Any]:
        skip = body.get("skip")
        task = desk.next_task(labeler.name, skip if isinstance(skip, list) else ())
        return {"task": task, "progress": labeler_progress(desk.assignment, labeler.name), **_who(labeler)}

    def act(labeler: Labeler, body: Mapping[str, Any]) -> dict[str, Any]:
        task = desk.act(labeler.name, dict(body))
        is_finished = body.get("what") in ("finish", "end")
        return {
            "task": task,
            **({"progress": labeler_progress(desk.assignment, labeler.name)} if is_finished else {}),
        }

    def task(labeler: Labeler, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"task": _task(desk, labeler, body)}

    return Starlette(
        routes=[
            *(Route(path, _file(name), methods=["GET"]) for path, name in FILES.items()),
            Route("/api/join", join, methods=["POST"]),
            Route("/api/leave", leave, methods=["POST"]),
            route("/api/next", next_task),
            route("/api/act", act),
            route("/api/task", task),
            route(
                "/api/lead", lambda labeler, _: {**lead_progress(desk.assignment), **_who(labeler)}, lead=True
            ),
        ],
        middleware=[Middleware(Guard, origins=origins, remedy=with_profile(REMEDY), refuse=_error)],
        lifespan=_filing(desk),
    )


_STATUS = {ActRefused: 422, NoSuchTask: 404}


def _who(labeler: Labeler) -> dict[str, Any]:
    return {"name": labeler.name, "lead": labeler.is_lead}


def _task(desk: Desk, labeler: Labeler, body: Mapping[str, Any]) -> dict[str, Any]:
    return desk.task(labeler.name, str(body.get("round")), str(body.get("solution")))


def _file(name: str) -> Callable[[Request], Response]:
    content = (PAGE / name).read_bytes()

    def respond(_: Request) -> Response:
        return Response(content, media_type=KINDS[Path(name).suffix], headers=HEADERS)

    return respond


async def _body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises ActRefused on anything else."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise ActRefused("The request is too long.")
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ActRefused("The request is not a JSON object.")
    return content


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers=HEADERS)


def _filing(desk: Desk) -> Callable[[Starlette], Any]:
    """Files what is finished while the server runs, what an earlier one left, and at its end the rest."""

    async def keep_filing() -> None:
        while True:
            # A disk that is full now may not be in a minute; what is finished stays in the database.
            try:
                await run_in_threadpool(desk.file_finished)
            except (O1Error, OSError) as error:
                print(f"o1: finished solutions were not filed, and are tried again: {error}", file=sys.stderr)
                await anyio.sleep(PAUSE_AFTER_ERROR)
            await anyio.sleep(FILING_SECONDS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_filing)
            yield
            tasks.cancel_scope.cancel()
        await run_in_threadpool(desk.file_finished, True)

    return lifespan
