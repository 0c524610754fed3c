"""OpenAI's chat completions as baby-o1 speaks them: what a request may ask for, and how the answer is written.

The format is that of https://platform.openai.com/docs/api-reference/chat; `reasoning_content` is what DeepSeek, vLLM
and their clients call the reasoning, which OpenAI's own models do not show. What a request asks for and the models
here cannot do (tools, another temperature, several choices) is refused and never left out silently.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from o1_assets.core.errors import O1Error
from o1_assets.search.trace import Trace

NEWEST = "baby-o1"
"""What a client calls the newest policy; every other model goes by its key."""


@dataclass
class ApiError(O1Error):
    """An answer in OpenAI's error shape. sentence: what happened and what to do now."""

    status: int
    sentence: str
    param: str | None = None
    code: str | None = None

    def to_json(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code},
        }


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: str
    content: str | list[Part]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The fields of a request that are obeyed; see FIXED and NO_MATTER for the others."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[Message]
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def tokens(self) -> int | None:
        return getattr(self, self.tokens_field)

    @property
    def tokens_field(self) -> str:
        """The name that the request gives its budget: OpenAI's newer one counts where it gives both."""
        return "max_tokens" if self.max_completion_tokens is None else "max_completion_tokens"


# Fields that have one value here, which a client may name.
FIXED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "temperature": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
# Fields about the bookkeeping of OpenAI's own service.
NO_MATTER = (
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)


def read_request(body: bytes) -> ChatRequest:
    """Raises ApiError on what is no such request, or asks for what cannot be had here."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise _malformed(error) from None
    for name, value in (request.model_extra or {}).items():
        if value is None or name in NO_MATTER or value in FIXED.get(name, ()):
            continue
        only = f"; it can only be {json.dumps(FIXED[name][0])}" if name in FIXED else ""
        raise ApiError(
            400, f"this model does not support {name}={_short(value)}{only}", name, "unsupported_parameter"
        )
    if request.tokens is not None and request.tokens < 1:
        name = request.tokens_field
        sentence = (
            f"{name}={request.tokens} leaves no token to think with; give 1 or more, or leave {name} out"
        )
        raise ApiError(400, sentence, name, "invalid_value")
    if not request.messages or request.messages[-1].role != "user":
        raise ApiError(
            400, "the last message must be the user's, with the question that is to be answered", "messages"
        )
    return request


def _malformed(error: ValidationError) -> ApiError:
    problem = error.errors(include_url=False, include_input=False)[0]
    if problem["type"] == "json_invalid":
        return ApiError(
            400, "the body of the request is no valid JSON; send an object with model and messages"
        )
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return ApiError(400, f"{where or 'the request'} cannot be used: {message}", where or None)


def _short(value: Any) -> str:
    return json.dumps(value)[:60]


@dataclass(frozen=True)
class Reply:
    """The answer to one question.

    trace: of its search, all of whose tokens are counted, as OpenAI counts its own.
    warning: that the answer is a guess, and why.
    """

    model: str
    trace: Trace
    warning: str = ""
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def content(self) -> str:
        return self.trace.result.answer.answer or ""

    @property
    def reasoning(self) -> list[str]:
        """The steps before the one with the answer, a line each."""
        steps = self.trace.path()
        return [seen.node.text.strip("\n") for seen in (steps[:-1] if self.content else steps)]

    @property
    def finish_reason(self) -> str:
        """ "length" where the tokens ran out before the model answered by itself."""
        node = self.trace.result.answer
        return "length" if node.answer is None or node.forced else "stop"

    @property
    def usage(self) -> dict[str, Any]:
        tree = self.trace.result.tree
        asked, generated = len(tree.prompt_ids), tree.tokens_generated
        answer = len(self.trace.result.answer.token_ids) if self.content else 0
        return {
            "prompt_tokens": asked,
            "completion_tokens": generated,
            "total_tokens": asked + generated,
            "completion_tokens_details": {"reasoning_tokens": max(0, generated - answer)},
        }

    @property
    def more(self) -> dict[str, Any]:
        """What no field of OpenAI's has: P(right) of each step by the PRM, and what is to be known of the answer."""
        return {
            "right": [seen.right for seen in self.trace.path()],
            "passes": self.trace.result.answer.passes,
            "warning": self.warning or None,
        }

    def to_json(self) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": self.content,
            "reasoning_content": "\n".join(self.reasoning),
            "refusal": None,
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {
            **_envelope(self, "chat.completion"),
            "choices": [choice],
            "usage": self.usage,
            "o1_assets": self.more,
        }

    def events(self, include_usage: bool) -> Iterator[str]:
        """Server-sent events: the reasoning step by step, the answer, how it ended, the usage if it is wanted."""
        yield _chunk(self, {"role": "assistant", "content": ""})
        for i, step in enumerate(self.reasoning):
            yield _chunk(self, {"reasoning_content": "\n" * (i > 0) + step})
        yield _chunk(self, {"content": self.content})
        yield _chunk(self, {}, self.finish_reason)
        if include_usage:
            usage = {**_envelope(self, "chat.completion.chunk"), "choices": [], "usage": self.usage}
            yield event(usage)
        yield "data: [DONE]\n\n"


def _envelope(reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": reply.id, "object": kind, "created": reply.created, "model": reply.model}


def _chunk(reply: Reply, delta: dict[str, Any], finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event({**_envelope(reply, "chat.completion.chunk"), "choices": [choice]})


def event(document: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(document)}\n\n"
