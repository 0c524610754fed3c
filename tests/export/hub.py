"""A stand-in for the Hub on loopback: repositories and commits as huggingface_hub asks for them.

It wants all files inside of the commit. The real Hub takes large ones by Xet, a protocol of a library of its own.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """repositories: name -> private. files: of the last commit to any. token: the one that may write."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.repositories: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.summaries: list[str] = []
        self.asked: list[str] = []
        self.authorizations: set[str] = set()

    @contextmanager
    def serve(self) -> Iterator[str]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(length)
                hub.asked.append(f"{self.command} {self.path}")
                hub.authorizations.add(self.headers.get("Authorization", ""))
                status, document = hub.respond(
                    self.command,
                    self.path,
                    body,
                    self.headers.get("Authorization"),
                    f"http://{self.headers['Host']}",
                )
                encoded = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                if status == 404:
                    self.send_header("X-Error-Code", "RepoNotFound")
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    def respond(
        self, method: str, path: str, body: bytes, authorization: str | None, address: str
    ) -> tuple[int, Any]:
        if authorization != f"Bearer {self.token}":
            return 401, {"error": f"Invalid token {authorization}"}
        if path == "/api/validate-yaml":
            assert json.loads(body)["content"].startswith("---")
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.repositories[name] = asked.get("private", asked.get("visibility") == "private")
            return 200, {"url": f"{address}/{name}", "name": name}
        name = "/".join(
            path.removeprefix("/api/models/").split("?")[0].strip("/").split("/")[:2]
        ).removesuffix(".git")
        if name not in self.repositories:
            return 404, {"error": "Repository not found"}
        rest = path.split("?")[0].partition(name)[2].removeprefix(".git")
        if rest.startswith("/preupload"):
            files = json.loads(body)["files"]
            keep = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            modes = [{"path": file["path"], **keep} for file in files]
            return 200, {"files": modes}
        if rest.startswith("/commit"):
            self._commit(body)
            return 200, {
                "commitUrl": f"{address}/{name}/commit/abc",
                "commitOid": "abc",
                "pullRequestUrl": None,
            }
        if rest.startswith("/tree"):
            return 200, [
                {"type": "file", "path": p, "size": len(c), "oid": "0" * 40} for p, c in self.files.items()
            ]
        info = {"id": name, "modelId": name, "private": self.repositories[name], "sha": "abc"}
        return 200, {**info, "siblings": [{"rfilename": path} for path in self.files], "tags": []}

    def _commit(self, body: bytes) -> None:
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "header":
                self.summaries.append(value["summary"])
            elif operation["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "deletedFile":
                self.deleted.append(value["path"])
                del self.files[value["path"]]
