"""A small OpenAI-compatible server on loopback that judges by the exact checker, and misbehaves as told to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from o1_assets.labels.annotators.exact_checker import rate
from tests.labels.world import problem

KEY = "sk-this-is-a-secret"

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and the content: an object, or text that is sent as it is."""


def ratings_in(prompt: str) -> list[dict[str, Any]]:
    """What a perfect judge answers to the built-in prompt about a problem of the tests' world."""
    expression = re.search(r"\d+(?: [-+*] \d+)+", prompt)
    before, _, asked = prompt.partition("Steps to rate:\n")
    steps = [re.findall(r"^Step (\d+): (.*)$", part, re.MULTILINE) for part in (before, asked)]
    row, texts = problem(expression[0] if expression else ""), [text for _, text in steps[0]]
    entries = []
    for number, text in steps[1]:
        rating = rate(row, texts, text)
        entries.append({"step": int(number), "reason": f"because of {text}", "rating": rating})
        texts.append(text)
        if rating < 0:
            break
    return entries


def chat(content: str | None, finish: str = "stop", **message: Any) -> Answer:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }
    return 200, {}, {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}


def error(status: int, message: str = "no", **headers: str) -> Answer:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        {"error": {"message": message}},
    )


def _right_answer(body: Mapping[str, Any]) -> Answer:
    return chat(json.dumps({"ratings": ratings_in(body["messages"][0]["content"])}))


class FakeJudge(ThreadingHTTPServer):
    """answer: what a judge says to a request; as `ratings_in` unless it is set.

    script: what the next requests get in place of that, the first first. seconds: that an answer takes.

    bodies, keys: of all requests so far. busiest: the most requests that were answered at once.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[Mapping[str, Any]], Answer] = _right_answer
        self.script: list[Answer] = []
        self.seconds = 0.0
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.lock, self.at_once, self.busiest = threading.Lock(), 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def reply(self, body: dict[str, Any]) -> Answer:
        with self.lock:
            if self.script:
                return self.script.pop(0)
        return self.answer(body)


class Handler(BaseHTTPRequestHandler):
    server: FakeJudge

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.append(self.headers.get("authorization"))
            self.server.at_once += 1
            self.server.busiest = max(self.server.busiest, self.server.at_once)
        time.sleep(self.server.seconds)
        status, headers, content = self.server.reply(body)
        with self.server.lock:
            self.server.at_once -= 1
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status if self.path == "/v1/chat/completions" else 404)
        for name, value in {**headers, "content-length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[FakeJudge]:
    server = FakeJudge()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
