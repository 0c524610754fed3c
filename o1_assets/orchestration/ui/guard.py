"""Keeps the pages of other sites out of Dagster's web interface, which has neither accounts nor CSRF tokens.

Any page that a browser shows can send requests to ports of the same machine. Dagster executes a mutation in the
address of an image or in a form, and a name that resolves to 127.0.0.1 (DNS rebinding) lets a page read the answers.
Programs other than browsers, such as curl, can forge every header; against people a proxy with accounts helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTECTION = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Response headers that stop other sites from framing, embedding or holding a window of the interface."""

Refusal = tuple[int, str]
"""HTTP status and a sentence."""


class Guard:
    """ASGI middleware that answers only the pages of `origins`, such as http://127.0.0.1:3000.

    Starlette's TrustedHostMiddleware ignores the port, and nothing of Starlette's checks Origin on a WebSocket.

    remedy: what adds another address. refuse: the response to a refused request, from its status and sentence.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Iterable[str],
        remedy: str = "O1_UI_ORIGINS adds the addresses of a proxy",
        refuse: Callable[[int, str], Response] = lambda status, sentence: PlainTextResponse(
            f"{sentence}\n", status_code=status
        ),
    ) -> None:
        self.app = app
        self.origins = sorted(origins)
        self.remedy, self.refuse = remedy, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(PROTECTION)
                # Appended: a browser obeys several policies together, and Dagster's page brings its own.
                headers.append("Content-Security-Policy", "frame-ancestors 'self'")
            await send(message)

        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is None:
            await self.app(scope, receive, send_protected)
        elif scope["type"] == "websocket":
            # Closed before it was accepted, which the server turns into HTTP 403.
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            status, sentence = refusal
            await self.refuse(status, sentence)(scope, receive, send_protected)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        return (
            self._wrong_host(headers)
            or self._wrong_origin(headers, scope)
            or (_wrong_request(headers, scope) if scope["type"] == "http" else None)
        )

    def _wrong_host(self, headers: Headers) -> Refusal | None:
        if len(self._origins_of_host(headers)) > 0:
            return None
        return 421, (
            f"This server is opened as {' or '.join(self.origins)}, not as {_quoted(headers, 'host')}; "
            f"{self.remedy}."
        )

    def _wrong_origin(self, headers: Headers, scope: Scope) -> Refusal | None:
        """A page of another origin than the one it asks, also if that is another address of this server."""
        if senders := headers.getlist("origin"):
            if len(senders) == 1 and senders[0] in self._origins_of_host(headers):
                return None
            return 403, f"A page of {_quoted(headers, 'origin')} must not use {_quoted(headers, 'host')}."
        if scope["type"] == "websocket":
            return 403, "A WebSocket without an Origin is refused: every browser sends one."
        # Browsers send no Origin where a page loads an image, a script or a frame, and where somebody follows a link.
        sites = headers.getlist("sec-fetch-site")
        if set(sites) <= {"same-origin", "none"} or _is_link(headers, scope):
            return None
        return 403, f"A page of another site ({_quoted(headers, 'sec-fetch-site')}) must not load this."

    def _origins_of_host(self, headers: Headers) -> list[str]:
        """The allowed origins whose host and port are those of the request's one Host header."""
        hosts = [host.lower() for host in headers.getlist("host")]
        return [origin for origin in self.origins if hosts == [origin.partition("://")[2]]]


def _wrong_request(headers: Headers, scope: Scope) -> Refusal | None:
    """A request that can change something, unless a page of another site cannot send it without being asked first."""
    if scope["method"] == "POST":
        # Dagster looks for "application/json" anywhere in the type, and text/plain; x=application/json needs no
        # preflight. A request with a body of no type, or of a form, would take its query from the address.
        if [_media_type(value) for value in headers.getlist("content-type")] != ["application/json"]:
            return 415, "A POST needs the header Content-Type: application/json."
    elif scope["method"] not in ("GET", "HEAD"):
        return 405, f"{scope['method']} is not used here: GET, HEAD and POST are."
    # Not a comparison of paths: a route also matches its path with a newline (%0A) behind it. Dagster decides by the
    # same word whether it shows the page GraphiQL, which executes nothing by itself, or executes the query.
    elif "graphql" in scope["path"].lower() and "text/html" not in headers.get("accept", ""):
        return 405, "GraphQL is asked by POST."
    return None


def _is_link(headers: Headers, scope: Scope) -> bool:
    """Whether somebody follows another site's link to a page; but not to GraphiQL, where it would fill in a query."""
    purpose = [headers.get(name) for name in ("sec-fetch-mode", "sec-fetch-dest")]
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and purpose == ["navigate", "document"]
        and "graphql" not in scope["path"].lower()
    )


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _quoted(headers: Headers, name: str) -> str:
    values = headers.getlist(name)
    return " and ".join(repr(value[:100]) for value in values) or f"no {name.capitalize()}"


def local_origins(port: int) -> list[str]:
    """What a browser of this machine calls the server."""
    # Of the port 80 neither a Host nor an Origin header speaks.
    ending = "" if port == 80 else f":{port}"
    return [f"http://{host}{ending}" for host in ("127.0.0.1", "localhost", "[::1]")]
