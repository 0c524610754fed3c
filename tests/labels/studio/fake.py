"""As much of a Label Studio server as the client uses, in this process; its tasks were recorded from a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.tasks import mark

RECORDED = Path(__file__).parent / "recorded"
TOKEN = "0123456789"


def recorded(name: str) -> list[dict[str, Any]]:
    """Answers of Label Studio 1.23.2 to GET /api/tasks, after tests/labels/world.py's solutions were labelled
    in a browser: dense.json as round r03, sparse.json as round r04."""
    return json.loads((RECORDED / f"{name}.json").read_text())["tasks"]


class FakeStudio:
    """projects: id -> fields. tasks: project id -> tasks. asked: paths of all requests so far.

    extra: what is added to the first page of tasks. fail: the status of an error by the parameters of a request for
    tasks.
    """

    url = "http://studio.test"

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.extra: list[Any] = []
        self.fail: Callable[[httpx.QueryParams], int | None] = lambda _: None
        self.users = [{"id": 1, "email": "lead@example.com"}]

    def add_recorded(self, name: str, round_name: str, profile: str = "nano") -> int:
        number = len(self.projects) + 1
        self.projects[number] = {"id": number, "description": f"...\n{mark(profile, round_name, 'ab12')}"}
        self.tasks[number] = recorded(name)
        return number

    def connect(self) -> LabelStudio:
        return LabelStudio(self.url, TOKEN, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, asked = request.url.path.rstrip("/"), request.url.params
        self.asked.append(f"{request.method} {path}")
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return httpx.Response(401, json={"detail": "Invalid token."})
        if path.startswith("/api/invite"):
            token = "second" if path.endswith("reset-token") else "first"
            return httpx.Response(200, json={"invite_url": f"/user/signup/?token={token}"})
        if request.method == "POST":
            return self._post(path, json.loads(request.content))
        if path == "/api/projects":
            return httpx.Response(
                200, json={"count": len(self.projects), "results": [*self.projects.values()]}
            )
        if path == "/api/users":
            return httpx.Response(200, json=self.users)
        assert path == "/api/tasks"
        status = self.fail(asked)
        if status is not None:
            return httpx.Response(status, json={"detail": "busy"})
        rows = self.tasks[int(asked["project"])]
        for item in json.loads(asked["query"])["filters"]["items"]:
            column = item["filter"].removeprefix("filter:tasks:")
            strict = item["operator"] == "greater"
            rows = [
                row
                for row in rows
                if row[column] > item["value"] or (not strict and row[column] == item["value"])
            ]
        size, page = int(asked["page_size"]), int(asked["page"])
        total, rows = len(rows), [*self.extra, *rows[size * (page - 1) : size * page]]
        return httpx.Response(200, json={"total": total + len(self.extra), "tasks": rows})

    def _post(self, path: str, content: Any) -> httpx.Response:
        if path == "/api/projects":
            number = len(self.projects) + 1
            self.projects[number], self.tasks[number] = {"id": number, **content}, []
            return httpx.Response(201, json=self.projects[number])
        project = int(path.split("/")[3])
        for task in content:
            self.tasks[project].append({"id": len(self.tasks[project]) + 1, "annotations": [], **task})
        return httpx.Response(201, json={"task_count": len(content)})
