"""Label Studio: the part of its REST interface that is used here, which server is ours, and `make labeling`.

Nothing here knows about rounds or labels.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from o1_assets.core.commands import with_profile
from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.settings import Settings

# Where it is used httpx is imported inside functions: commands that have nothing to do with Label Studio import this
# module too, and should not wait for an HTTP library.
if TYPE_CHECKING:
    import httpx


class LabelStudioError(O1Error):
    """The server, its address or the token does not work; the message says why and what to do."""


class StudioUnreachable(LabelStudioError):
    """Nothing answers, or the token is refused: whatever else is asked of the server would fail too."""


HOST = "127.0.0.1"
START = "start one with `make labeling`, or set O1_LABEL_STUDIO_URL"
PAGE = 100


class LabelStudio:
    """A connection to one server. Every call raises LabelStudioError.

    token: of an account page, legacy or personal. connect, timeout: seconds to wait for a server that does not answer.
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
        import httpx

        # Shown in messages and kept in files, so it must hold no secret.
        if "@" in url:
            raise LabelStudioError(
                "O1_LABEL_STUDIO_URL holds a user or a password; write the address only, O1_LABEL_STUDIO_TOKEN signs in"
            )
        # Part of the key under which a pull remembers its progress.
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
        query = {"page_size": PAGE, "include": "id,title,description", **({"title": title} if title else {})}
        projects: dict[int, dict[str, Any]] = {}
        for page in itertools.count(1):
            rows, total = self._page("/api/projects/", "results", {**query, "page": page})
            more = {number: row for row in rows if (number := id_of(row)) is not None}
            # A server that knows no pages gives the same ones for ever.
            if more.keys() <= projects.keys():
                break
            projects |= more
            if len(projects) >= total:
                break
        return list(projects.values())

    def create_project(self, **fields: Any) -> int:
        """fields: title, description, label_config and other fields of a project. Returns its id."""
        number = id_of(self._call("POST", "/api/projects/", json=fields))
        if number is None:
            raise self._stranger("it made a project without an id")
        return number

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
        view: dict[str, Any] = {"ordering": ["tasks:id"]}
        query = {"project": project, "page_size": PAGE, "page": 1, "fields": "all"}
        while True:
            # Always the first page of those behind the last one: with numbered pages, a task that is deleted
            # meanwhile would move another one from the next page to this one, where it is not read.
            items = [_filter("id", "greater", "Number", after)] if after else []
            if updated_since is not None:
                items.append(_filter("updated_at", "greater_or_equal", "Datetime", updated_since))
            view["filters"] = {"conjunction": "and", "items": items}
            rows, total = self._page("/api/tasks/", "tasks", {**query, "query": json.dumps(view)})
            yield from rows
            if not rows or len(rows) >= total:
                return
            last = max(id_of(row) or 0 for row in rows)
            if last <= after:
                raise self._stranger(f"it lists the same tasks of project {project} again and again")
            after = last

    def invitation(self, renew: bool = False) -> str:
        """The address where new accounts sign up. renew: a new one, and the old one is good no more."""
        answer = self._call(*(("POST", "/api/invite/reset-token") if renew else ("GET", "/api/invite")))
        path = answer.get("invite_url") if isinstance(answer, dict) else None
        if not isinstance(path, str):
            raise self._stranger("it gives no invitation")
        return self.url + path

    def users(self) -> dict[int, str]:
        """E-mail address by user id, of the accounts that were not deleted."""
        rows = self._call("GET", "/api/users/")
        if not isinstance(rows, list):
            raise self._stranger("it does not list its users")
        # Of a deleted account the server gives the word "Deleted" as its address.
        return {
            number: str(row["email"])
            for row in rows
            if (number := id_of(row)) is not None and "@" in str(row.get("email"))
        }

    def _page(self, path: str, field: str, query: dict[str, Any]) -> tuple[list[Any], float]:
        """The rows of a page, and how many rows all pages have together."""
        answer = self._call("GET", path, params=query)
        rows = answer.get(field) if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise self._stranger(f"its answer to {path} has no {field}")
        total = answer.get("total", answer.get("count"))
        return rows, total if isinstance(total, int) else float("inf")

    def _stranger(self, why: str) -> LabelStudioError:
        return LabelStudioError(
            f"what answers at {self.url} is not a Label Studio of a known kind: {why}; correct O1_LABEL_STUDIO_URL"
        )

    def _call(self, method: str, path: str, **request: Any) -> Any:
        if self._authorization is None:
            self._authorization = self._authorize()
        headers = {"Authorization": self._authorization}
        answer = self._send(method, path, headers=headers, **request)
        if answer.status_code in (401, 403):
            raise StudioUnreachable(
                f"Label Studio at {self.url} refuses the token; "
                "set O1_LABEL_STUDIO_TOKEN to one of its page Account & Settings"
            )
        return self._content(answer)

    def _authorize(self) -> str:
        # A personal token is a JWT, which has two points; it is exchanged for a short-lived one.
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
        import httpx

        try:
            return self._http.request(method, path, **request)
        except httpx.UnsupportedProtocol:
            raise LabelStudioError(
                f"O1_LABEL_STUDIO_URL={self.url!r} is not an address; it starts with http:// or https://"
            ) from None
        except httpx.TimeoutException:
            raise StudioUnreachable(f"Label Studio at {self.url} does not answer in time; {START}") from None
        except httpx.HTTPError as error:
            raise StudioUnreachable(f"no Label Studio at {self.url} ({error}); {START}") from None

    def _content(self, answer: httpx.Response) -> Any:
        try:
            content = answer.json()
        except (ValueError, RecursionError):
            content = None
        # A proxy or another service answers with a page; its status says nothing about Label Studio.
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


def id_of(row: Any) -> int | None:
    """The id of a project, task, annotation or user; None where it is none."""
    number = row.get("id") if isinstance(row, dict) else None
    return number if type(number) is int else None


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _detail(content: Any) -> str:
    if isinstance(content, dict):
        content = content.get("validation_errors") or content.get("detail") or content
    return json.dumps(content)[:300]


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
    """Folder of the local server's data: one server for all profiles."""
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
    """Raises LabelStudioError if what is known of the server is damaged."""
    file = home / "server.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=LocalServer)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabelStudioError(f"{file} is damaged ({error}); {_LOST_ACCOUNT.format(home)}") from None


_LOST_ACCOUNT = "it holds the account of the data there: put a copy of it back, or move {} away to begin anew"


def write_local(home: Path, server: LocalServer) -> None:
    # Readable by its owner only: it holds a password and a token.
    replace_file(home / "server.json", json_bytes(asdict(server)), mode=0o600)


def serve(settings: Settings, executable: Path, port: int) -> None:
    """Replaces this process by the server (`make labeling`). Its first use makes an account, a password and a token.

    Label Studio runs in an environment of its own, with SQLite under O1_HOME, in a folder that nobody else can read.
    Raises FileNotFoundError if the executable is not there, LabelStudioError if the account is lost.
    """
    executable = executable.absolute()
    if not executable.exists():
        raise FileNotFoundError(
            f"{executable} is not there; `make labeling` installs Label Studio and starts it"
        )
    home = labeling_home(settings)
    known = read_local(home)
    if known is None and (home / "label_studio.sqlite3").exists():
        raise LabelStudioError(f"{home / 'server.json'} is missing; {_LOST_ACCOUNT.format(home)}")
    server = LocalServer(
        url=f"http://{HOST}:{port}",
        # Kept from the first start: its data knows the account by them.
        token=known.token if known else secrets.token_hex(20),
        user=known.user if known else "lead@example.com",
        password=known.password if known else secrets.token_urlsafe(9),
    )
    # Everything that is written from here on is private; the folder of an earlier version may not be.
    os.umask(0o077)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    write_local(home, server)
    # Where the output goes to a file, others may read it.
    password = server.password if sys.stdout.isatty() else f"in {home / 'server.json'}"
    print(f"Label Studio: {server.url} in about a minute; sign in as {server.user}, password {password}")
    print(with_profile("labellers sign up by the link that `o1 labels studio invite` prints"))
    # The process is replaced, and with it everything in Python's buffers.
    sys.stdout.flush()
    os.execve(executable, arguments(executable, port), environment(server, home))


def arguments(executable: Path, port: int) -> list[str]:
    return [
        str(executable), "start", "--no-browser", "--internal-host", HOST, "--port", str(port),
        "--enable-legacy-api-token", "--log-level", "WARNING",
    ]  # fmt: skip


def environment(server: LocalServer, data: Path) -> dict[str, str]:
    """The server's environment variables.

    They hold the account, which arguments would show to everybody on the machine, and name the settings with the
    guard. They stop its analytics, crash reports and search for newer versions.
    """
    return {
        **os.environ,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": server.user,
        "LABEL_STUDIO_PASSWORD": server.password,
        "LABEL_STUDIO_USER_TOKEN": server.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "DJANGO_SETTINGS_MODULE": "o1_settings",
        "PYTHONPATH": str(Path(__file__).parent / "server"),
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
    }
