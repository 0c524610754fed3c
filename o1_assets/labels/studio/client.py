"""The part of Label Studio's REST interface that is used here. Knows nothing about rounds or labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.settings import Settings

# Apart from the client, so that a command that prints errors does not import an HTTP library.


class LabelStudioError(O1Error):
    """What is wrong with the server, its address or the token, in one sentence."""


START = "start one with `make labeling`, or set O1_LABEL_STUDIO_URL"


PAGE = 100


class LabelStudio:
    """A connection to one server. Every call raises LabelStudioError.

    token: of an account page, legacy or personal (a personal one is a JWT and is exchanged for short-lived
    ones). connect, timeout: seconds until a server that does not answer is given up.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        connect: float = 2.0,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token.strip()
        if not self._token.isascii() or not self._token:
            raise LabelStudioError(
                "O1_LABEL_STUDIO_TOKEN is no token; copy it from Label Studio's page Account & Settings"
            )
        try:
            self._http = httpx.Client(
                base_url=self.url, timeout=httpx.Timeout(timeout, connect=connect), transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise LabelStudioError(f"O1_LABEL_STUDIO_URL={url!r} is not an address: {error}") from None
        self._authorization: str | None = None

    def __enter__(self) -> LabelStudio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def projects(self, title: str = "") -> list[dict[str, Any]]:
        """Id, title and description of all projects whose title contains `title`."""
        asked = {"page_size": PAGE, "include": "id,title,description", **({"title": title} if title else {})}
        return list(self._pages("/api/projects/", "results", asked))

    def create_project(self, **fields: Any) -> int:
        """fields: title, description, label_config and other fields of a project. Returns its id."""
        return int(self._call("POST", "/api/projects/", json=fields)["id"])

    def import_tasks(self, project: int, tasks: Sequence[dict[str, Any]]) -> None:
        """tasks: one `data` object each. One request is one transaction of the server."""
        body = [{"data": task} for task in tasks]
        self._call("POST", f"/api/projects/{project}/import", params={"commit_to_project": "true"}, json=body)

    def tasks(
        self, project: int, *, updated_since: str | None = None, after: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Tasks with their data and annotations, by ascending id.

        updated_since: only those changed at or after this ISO 8601 moment. after: only those with a greater id.
        """
        items: list[dict[str, Any]] = []
        if updated_since is not None:
            items.append(_filter("updated_at", "greater_or_equal", "Datetime", updated_since))
        if after:
            items.append(_filter("id", "greater", "Number", after))
        query = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
        asked = {"project": project, "page_size": PAGE, "fields": "all", "query": json.dumps(query)}
        yield from self._pages("/api/tasks/", "tasks", asked)

    def users(self) -> dict[int, str]:
        """E-mail address by user id."""
        return {int(user["id"]): str(user["email"]) for user in self._call("GET", "/api/users/")}

    def _pages(self, path: str, field: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        page, seen = 1, 0
        while True:
            answer = self._call("GET", path, params={**asked, "page": page})
            rows = answer[field]
            yield from rows
            seen += len(rows)
            if not rows or seen >= int(answer.get("total", answer.get("count", 0))):
                return
            page += 1

    def _call(self, method: str, path: str, **request: Any) -> Any:
        if self._authorization is None:
            self._authorization = self._authorize()
        headers = {"Authorization": self._authorization}
        answer = self._send(method, path, headers=headers, **request)
        if answer.status_code in (401, 403):
            raise LabelStudioError(
                f"Label Studio at {self.url} refuses the token; "
                "set O1_LABEL_STUDIO_TOKEN to one of its page Account & Settings"
            )
        return self._content(answer)

    def _authorize(self) -> str:
        if self._token.count(".") != 2:
            return f"Token {self._token}"
        answer = self._send("POST", "/api/token/refresh", json={"refresh": self._token})
        if answer.status_code in (400, 401, 403):
            raise LabelStudioError(
                f"Label Studio at {self.url} refuses the personal token in O1_LABEL_STUDIO_TOKEN; "
                "make a new one on its page Account & Settings"
            )
        return f"Bearer {self._content(answer)['access']}"

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.UnsupportedProtocol:
            raise LabelStudioError(
                f"O1_LABEL_STUDIO_URL={self.url!r} is not an address; it starts with http:// or https://"
            ) from None
        except httpx.TimeoutException:
            raise LabelStudioError(f"Label Studio at {self.url} does not answer in time; {START}") from None
        except httpx.HTTPError as error:
            raise LabelStudioError(f"no Label Studio at {self.url} ({error}); {START}") from None

    def _content(self, answer: httpx.Response) -> Any:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if content is None or answer.status_code == 404:
            raise LabelStudioError(
                f"what answers at {self.url} is not Label Studio "
                f"(HTTP {answer.status_code}); correct O1_LABEL_STUDIO_URL"
            )
        if answer.is_error:
            raise LabelStudioError(
                f"Label Studio at {self.url} says {answer.status_code}: {_detail(content)}"
            )
        return content


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _detail(content: Any) -> str:
    if isinstance(content, dict):
        content = content.get("validation_errors") or content.get("detail") or content
    return json.dumps(content)[:300]


# Which Label Studio is ours: the one named by environment variables, else the one `make labeling` started.


@dataclass(frozen=True)
class Connection:
    url: str
    token: str


@dataclass(frozen=True)
class LocalServer:
    """The server that `make labeling` starts, with the account it makes."""

    url: str
    token: str
    user: str
    password: str


def labeling_home(settings: Settings) -> Path:
    """Data of the local server: one for all profiles."""
    return settings.home.parent / "labeling"


def connection(home: Path) -> Connection | None:
    """O1_LABEL_STUDIO_URL and O1_LABEL_STUDIO_TOKEN, else the local server if it was ever started, else None.

    home: labeling_home().
    """
    url, token = os.environ.get("O1_LABEL_STUDIO_URL"), os.environ.get("O1_LABEL_STUDIO_TOKEN")
    local = read_local(home)
    if url or token:
        return Connection(url or (local.url if local else ""), token or (local.token if local else ""))
    return Connection(local.url, local.token) if local else None


def read_local(home: Path) -> LocalServer | None:
    try:
        return LocalServer(**json.loads((home / "server.json").read_text()))
    except FileNotFoundError:
        return None


def write_local(home: Path, server: LocalServer) -> None:
    """Readable by its owner only: it holds a password and a token."""
    replace_file(home / "server.json", json_bytes(asdict(server)), mode=0o600)
