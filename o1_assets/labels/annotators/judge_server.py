"""One OpenAI-compatible server that a judge asks: requests, waits between attempts, and what it answers.

The key comes from O1_JUDGE_API_KEY alone. It stands in one header, and in no message, file or configuration.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from o1_assets.core.formatting import printable
from o1_assets.core.seeds import derive_seed
from o1_assets.labels.annotators.judge_prompt import JudgeError
from o1_assets.labels.config import JudgeConfig, JudgeLimits

if TYPE_CHECKING:
    import httpx

KEY_VARIABLE = "O1_JUDGE_API_KEY"

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that go by: the request was right, and the server could not answer it now."""

LONGEST_WAIT = 60.0
"""Seconds between two attempts, unless the server asks for more."""
PATIENCE = 600.0
"""A server that asks for a longer wait in seconds (a daily quota) ends the run, which goes on another time."""

FORMS = ("json_schema", "json_object", "none")
"""How an answer's form is asked for, the strictest first."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ratings": {
            "type": "array",
            "items": {
                "type": "object",
                # The reason comes first, so that the rating follows from it.
                "properties": {
                    "step": {"type": "integer"},
                    "reason": {"type": "string"},
                    "rating": {"type": "integer", "enum": [-1, 0, 1]},
                },
                "required": ["step", "reason", "rating"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["ratings"],
    "additionalProperties": False,
}


class Stopped(Exception):
    """Another request has ended the run; this one is not sent any more."""


@dataclass(frozen=True)
class Reply:
    """text: what the model wrote, or why it refused. tokens: read and written, as the server counts them."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def refused(self) -> bool:
        return self.finish in ("refusal", "content_filter")


class JudgeServer:
    """Safe with several threads. `stop` ends all waits; every request that is made afterwards raises Stopped."""

    def __init__(self, config: JudgeConfig, limits: JudgeLimits) -> None:
        import httpx

        self.config, self.limits = config, limits
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not self._key.isascii() or not self._key.isprintable():
            raise JudgeError(f"{KEY_VARIABLE} is no key; copy it again from your provider's page")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(limits.timeout, connect=10.0),
            limits=httpx.Limits(max_connections=limits.concurrency),
        )
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._form, self._form_works = FORMS.index(config.structured), False
        self._pause_until = 0.0
        self.retries = 0

    def __enter__(self) -> JudgeServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._http.close()

    @property
    def form(self) -> str:
        """How the form of answers is asked for by now."""
        return FORMS[self._form]

    def stop(self) -> None:
        self._stopped.set()

    def ask(self, body: dict[str, Any]) -> Reply:
        """The model's answer to one request. Raises JudgeError, Stopped."""
        failures = 0
        while True:
            self._wait_for_pause()
            form = self._form
            try:
                response = self._post({**body, **_response_format(FORMS[form])})
            except OSError as error:
                reason, asked_wait = str(error), None
            else:
                if response.status_code == 200:
                    self._form_works = True
                    return self._read(response, body)
                reason, asked_wait = self._error_text(response), _retry_after(response)
                if self._falls_back(response.status_code, form, reason):
                    continue
                if response.status_code not in PASSING:
                    raise JudgeError(self._refusal(response.status_code, reason))
            failures += 1
            if failures > self.limits.retries or (asked_wait or 0) > PATIENCE:
                wait = f" and asks for a wait of {asked_wait:.0f} s" if (asked_wait or 0) > PATIENCE else ""
                raise JudgeError(
                    f"the judge at {self.config.url} did not answer after {failures} attempts{wait} ({reason}); its "
                    "answers so far are kept, and `o1 run` goes on with the others"
                )
            self.retries += 1
            self._pause(failures, asked_wait)

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        """Raises OSError on anything that may go by: no connection, no answer in time, a broken answer."""
        import httpx

        if self._stopped.is_set():
            raise Stopped
        try:
            return self._http.post(f"{self.config.url.rstrip('/')}/chat/completions", json=body)
        except httpx.TimeoutException:
            raise OSError(f"no answer within {self.limits.timeout:g} s") from None
        except httpx.HTTPError as error:
            # Not chained: the request in the exception holds the key's header.
            raise OSError(self._without_key(f"{type(error).__name__}: {error}")) from None

    def _read(self, response: httpx.Response, body: dict[str, Any]) -> Reply:
        try:
            answer = response.json()
            choice = answer["choices"][0]
            message = choice["message"]
            refusal = message.get("refusal")
            text = str(refusal or message.get("content") or "")
            finish = "refusal" if refusal else str(choice.get("finish_reason") or "")
            usage = answer.get("usage") or {}
            counted = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        except (ValueError, LookupError, TypeError, AttributeError):
            text = printable(self._without_key(response.text), 100)
            raise JudgeError(
                f"{self.config.url} answers in another form than OpenAI's chat completions ({text!r}); judge.url ends "
                "in /v1 with most servers"
            ) from None
        # Four bytes a token are assumed where a server does not count.
        assumed = [len(json.dumps(body["messages"])) // 4, len(text.encode()) // 4]
        tokens = [
            number if isinstance(number, int) else guess
            for number, guess in zip(counted, assumed, strict=True)
        ]
        return Reply(text, finish, tokens[0], tokens[1])

    def _falls_back(self, status: int, form: int, reason: str) -> bool:
        """Whether the request is to be sent again in a simpler form, because the server does not know this one."""
        with self._lock:
            if self._form > form:  # another thread was told so before
                return True
            names_it = any(
                word in reason for word in ("response_format", "json_schema", "json_object", "schema")
            )
            if status not in (400, 404, 415, 422, 501) or not names_it or self._form_works:
                return False
            if form + 1 == len(FORMS):
                return False
            self._form = form + 1
            return True

    def _refusal(self, status: int, reason: str) -> str:
        url, model = self.config.url, self.config.model
        remedy = {
            401: f"set {KEY_VARIABLE} to a key that is valid there",
            403: f"set {KEY_VARIABLE} to a key that may use the model",
            402: "the account there has no credit left",
            404: f"judge.url ({url}) or judge.model ({model}) is wrong",
        }.get(
            status,
            "change the settings of the judge accordingly (judge.parameters adds and leaves out fields)",
        )
        return f"the judge at {url} refuses the request (HTTP {status}: {reason}); {remedy}; what it answered is kept"

    def _error_text(self, response: httpx.Response) -> str:
        text = self._without_key(response.text)
        try:
            error = json.loads(text)["error"]
            text = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, LookupError, TypeError):
            pass
        return printable(f"HTTP {response.status_code}" if not text.strip() else text.strip(), 200)

    def _without_key(self, text: str) -> str:
        """Servers repeat a key that they refuse."""
        return text.replace(self._key, "***") if self._key else text

    def _pause(self, failures: int, asked: float | None) -> None:
        """Has all requests wait: a server that is too busy for one is too busy for the others."""
        # Exponential, with a jitter of a half so that several machines do not come back at the same moment.
        backoff = min(LONGEST_WAIT, self.limits.first_wait * 2 ** (failures - 1))
        jitter = derive_seed(os.getpid(), threading.get_ident(), self.retries) / 2**31
        wait = max(asked or 0.0, backoff * (0.5 + jitter / 2))
        with self._lock:
            self._pause_until = max(self._pause_until, time.monotonic() + wait)

    def _wait_for_pause(self) -> None:
        while (left := self._pause_until - time.monotonic()) > 0:
            if self._stopped.wait(left):
                raise Stopped


def _response_format(form: str) -> dict[str, Any]:
    if form == "none":
        return {}
    if form == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema = {"name": "ratings", "strict": True, "schema": SCHEMA}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, section 10.2.3: a number or a date); None if it asks for none."""
    text = response.headers.get("retry-after", "").strip()
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
