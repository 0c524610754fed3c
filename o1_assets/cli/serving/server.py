"""`o1 serve`: the HTTP side. Chat completions as OpenAI's, and `o1 ask` of the same home."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from o1_assets.cli.serving.batches import Stopped
from o1_assets.cli.serving.chat import ApiError, Reply, event, read_request
from o1_assets.cli.serving.running import LOCK, PATH, program
from o1_assets.cli.serving.service import Asking, Service, answered
from o1_assets.core.errors import O1Error
from o1_assets.execution.project import Project
from o1_assets.orchestration.ui.guard import Guard
from o1_assets.orchestration.ui.serve import home_lock, listener
from o1_assets.search.trace import Trace

MOST_BYTES = 1_000_000
# While a search runs, a stream says this often that it is alive, so that no proxy closes it.
ALIVE_SECONDS = 10.0
STOP_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ServeError(O1Error):
    """The models cannot be served; the message says why."""


def serve(
    project: Project,
    host: str,
    port: int,
    allow_remote: bool,
    ready: Callable[[str, dict[str, str]], None],
) -> None:
    """Serves until a signal. Raises ServeError, UIError, MissingInput, StoreError.

    port: 0 is any free one. allow_remote: whether other machines may connect. ready: called when requests are
    answered, with the address and key -> digest of the models that are open.
    """
    check_host(host, allow_remote)
    project.settings.make_home()
    with (
        home_lock(project.settings.home, LOCK) as lock,
        listener(port, "o1 serve --port ", host) as listening,
    ):
        # Before the address is told: whoever reads it is answered at once.
        service = Service(project)
        models = service.warm_up()
        address = f"{host}:{listening.getsockname()[1]}"
        app = Guard(
            application(service),
            origins(host, listening.getsockname()[1]),
            "--host HOST --allow-remote serves other machines",
            lambda status, sentence: _error(ApiError(status, sentence)),
        )
        server = _Server(service, uvicorn.Config(app, log_level="warning", lifespan="off"))
        for number in STOP_SIGNALS:
            # uvicorn raises the signals that ended it once more, for those who had handlers before.
            signal.signal(number, lambda *_: None)
        print(f"http://{address}\n{program()}", end="", file=lock, flush=True)
        ready(f"http://{address}", models)
        try:
            server.run([listening])
        finally:
            lock.truncate(0)


class _Server(uvicorn.Server):
    """A server that first ends the search: those who wait for it are answered before their connections close."""

    def __init__(self, service: Service, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.service = service
        config.timeout_graceful_shutdown = int(STOP_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await run_in_threadpool(self.service.batches.stop, STOP_SECONDS)
        await super().shutdown(sockets)


def check_host(host: str, allow_remote: bool) -> None:
    """Raises ServeError on an address that other machines could connect to, unless that is wanted."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        raise ServeError(f"{host!r} is no address of this machine; 127.0.0.1 is one") from None
    if not (loopback or allow_remote):
        raise ServeError(
            f"whoever reaches {host} could use the models, as the server has no accounts; "
            "add --allow-remote if that is meant, or leave --host out"
        )


def origins(host: str, port: int) -> list[str]:
    """What browsers and clients call the server."""
    hosts = {"127.0.0.1", "localhost", "[::1]"}
    if host != "localhost" and not ip_address(host).is_loopback:
        addresses = [a.address for interface in psutil.net_if_addrs().values() for a in interface]
        reached = [host] if not ip_address(host).is_unspecified else addresses
        hosts |= {socket.gethostname(), *(f"[{a}]" if ":" in a else a for a in reached)}
    return [f"http://{name.lower()}" + ("" if port == 80 else f":{port}") for name in sorted(hosts)]


def application(service: Service) -> Starlette:
    """The routes. Every error is in OpenAI's shape."""

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": await run_in_threadpool(service.models)})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        for known in await run_in_threadpool(service.models):
            if known["id"] == name:
                return JSONResponse(known)
        raise ApiError(
            404, f"there is no model {name!r}; GET /v1/models lists them", "model", "model_not_found"
        )

    async def chat(request: Request) -> Response:
        body = await _body(request)
        # From here on, and not only once a thread reads it: on a busy machine a burst waits longer for its threads than
        # the first call would wait for it.
        with service.batches.coming():
            wanted = read_request(body)
            asking = await run_in_threadpool(service.chat, wanted)

        def reply(traces: Sequence[Trace]) -> Reply:
            return Reply(wanted.model, traces[0], asking.question.warning())

        if not wanted.stream:
            return JSONResponse(reply(await _finished(request, asking)).to_json())
        usage = wanted.stream_options is not None and wanted.stream_options.include_usage
        return StreamingResponse(
            _events(asking, lambda traces: reply(traces).events(usage)), media_type="text/event-stream"
        )

    async def ask(request: Request) -> Response:
        started = time.perf_counter()
        wanted = json.loads(await _body(request))
        try:
            asking = await run_in_threadpool(service.ask, wanted)
        except ApiError:
            raise
        except O1Error as error:
            raise ApiError(422, str(error)) from None
        traces = await _finished(request, asking)
        spent = time.perf_counter() - started
        return JSONResponse(await run_in_threadpool(answered, asking, traces, spent, wanted["page"]))

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route(PATH, ask, methods=["POST"]),
        ],
        exception_handlers={
            ApiError: _handle,
            HTTPException: _handle,
            O1Error: _handle,
            ClientDisconnect: _handle,
            Exception: _handle,
        },
    )


async def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return _error(error)
    if isinstance(error, HTTPException):
        paths = "this server has GET /v1/models and POST /v1/chat/completions"
        return _error(ApiError(error.status_code, f"{request.method} {request.url.path}: {paths}"))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    if isinstance(error, O1Error):
        return _error(ApiError(500, str(error)))
    return _error(
        ApiError(500, f"the search failed ({type(error).__name__}); the server's terminal says why")
    )


def _error(error: ApiError) -> Response:
    return JSONResponse(error.to_json(), status_code=error.status)


async def _body(request: Request) -> bytes:
    """Raises ApiError on a body that is longer than any question."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ApiError(413, f"the request has more than {MOST_BYTES:,} bytes; ask a shorter question")
    return body


async def _finished(request: Request, asking: Asking) -> list[Trace]:
    """The answer. A client that goes away meanwhile ends the search. Raises ApiError."""
    answer = asyncio.ensure_future(_traces(asking))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        asking.job.cancel()
        gone.cancel()
        answer.cancel()


async def _disconnected(request: Request) -> None:
    receive: Callable[[], Awaitable[Any]] = request.receive
    while (await receive())["type"] != "http.disconnect":
        pass


async def _traces(asking: Asking) -> list[Trace]:
    try:
        return await asyncio.wrap_future(asking.job.future)
    except Stopped:
        raise ApiError(503, "the server is about to end; ask again when it runs") from None


async def _events(asking: Asking, events: Callable[[list[Trace]], Any]) -> AsyncIterator[str]:
    """Server-sent events. Starlette ends this where the client goes away, and that ends the search.

    The answer is chosen among many solutions when all are thought, so its steps come together at the end.
    """
    answer = asyncio.ensure_future(_traces(asking))
    try:
        while not answer.done():
            await asyncio.wait([answer], timeout=ALIVE_SECONDS)
            if not answer.done():
                yield ": thinking\n\n"
        for text in events(answer.result()):
            yield text
    except ApiError as error:
        yield event(error.to_json())
    finally:
        asking.job.cancel()
        answer.cancel()
