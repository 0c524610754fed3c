"""What the server answers with: the models of a home, opened when they are first asked for, and their searches."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from o1_assets.cli.serving.batches import Batches, Job
from o1_assets.cli.serving.chat import NEWEST, ApiError, ChatRequest
from o1_assets.cli.thinker import Problems, load_thinker
from o1_assets.execution.project import Project
from o1_assets.search.asked import Asked
from o1_assets.search.models import OF_NO_ROUND, ModelVersions, UnknownModel, choose_models
from o1_assets.search.question import Question, UnreadableQuestion, read_question
from o1_assets.search.strategies import EFFORTS
from o1_assets.search.thinking import AskError, choose_thinking
from o1_assets.search.trace import Trace
from o1_assets.store.store import MissingInput

if TYPE_CHECKING:
    from o1_assets.search.running import SearchModels

# Sets of models that are open at the same time: the newest policy, and one more that somebody compares it with.
MOST_OPEN = 3

# `o1 ask` as a request. They are passed on as they are.
OPTIONS = ("effort", "tokens", "seconds", "strategy", "model")


@dataclass(frozen=True)
class Asking:
    """A request on its way. versions: key -> digest of the models that think about it."""

    job: Job
    versions: dict[str, str]

    @property
    def question(self) -> Question:
        return self.job.problems.questions[0]


class Service:
    """The models of one home, and one search at a time."""

    def __init__(self, project: Project) -> None:
        self.project, self.profile, self.store = project, project.profile, project.store
        self.batches = Batches()
        self._open: OrderedDict[tuple[tuple[str, str], ...], SearchModels] = OrderedDict()
        self._opening = threading.Lock()

    def warm_up(self) -> dict[str, str]:
        """Opens the models that the default effort needs; key -> digest. Raises MissingInput, StoreError."""
        thinking = choose_thinking(self.profile, "medium", None, None)
        chosen = choose_models(self.store, self.profile, thinking.strategy)
        self._thinker(chosen)
        return chosen.digests()

    def models(self) -> list[dict[str, Any]]:
        """The models that can be asked, as OpenAI lists its own."""
        keys = [*(f"r{k:02d}/policy" for k in range(self.profile.rounds + 1)), *OF_NO_ROUND]
        heads = {key: head for key in keys if (head := self.store.head(key)) is not None}
        newest = [head for key, head in heads.items() if key.endswith("/policy")][-1:]
        named = [(NEWEST, head) for head in newest] + list(heads.items())
        return [
            {"id": name, "object": "model", "created": _seconds(head.finished), "owned_by": "o1-assets"}
            for name, head in named
        ]

    def chat(self, request: ChatRequest) -> Asking:
        """The request, on its way to the search. Raises ApiError."""
        effort = request.reasoning_effort or "medium"
        try:
            options = {"effort": effort, "tokens": self._tokens(effort, request.tokens)}
            question = read_question(request.messages[-1].text, self.profile)
            if not question.known:
                raise UnreadableQuestion(
                    f'"{question.asked[:60]}" is no problem of the kind that the model knows: '
                    f'{"; ".join(question.unusual)}. Ask one such as "{question.usual}"'
                )
            model = None if request.model == NEWEST else request.model
            problems = Problems.of([question], self.profile, request.seed or 0)
            return self._submit(problems, {**options, "model": model})
        except AskError as error:
            raise ApiError(400, str(error), "reasoning_effort", "invalid_value") from None
        except UnreadableQuestion as error:
            raise ApiError(400, str(error), "messages", "unreadable_question") from None
        except (UnknownModel, MissingInput) as error:
            raise ApiError(404, f"{error} (`{NEWEST}` is the newest)", "model", "model_not_found") from None

    def ask(self, request: dict[str, Any]) -> Asking:
        """The request of an `o1 ask`. Raises O1Error where that would, ApiError if it would not answer the same."""
        settings = self.project.settings
        # A profile's file may have changed since the server started, and `o1 ask` means the new one.
        meant = Project(settings, request["overrides"])
        if request["profile"] != settings.reference or meant.profile != self.profile:
            raise ApiError(409, "this server was started with other settings", code="other_profile")
        problems = Problems.read(request["questions"], request["places"], self.profile, request["seed"])
        return self._submit(problems, {name: request[name] for name in OPTIONS}, alone=True)

    def _tokens(self, effort: str, most: int | None) -> int | None:
        """The budget instead of the effort's, where a client wants a smaller one."""
        if most is None or effort not in EFFORTS:
            return None
        return most if most < EFFORTS[effort].tokens(self.profile.prompt.max_tokens) else None

    def _submit(self, problems: Problems, options: dict[str, Any], alone: bool = False) -> Asking:
        thinking = choose_thinking(
            self.profile,
            options["effort"],
            options["tokens"],
            options.get("strategy"),
            options.get("seconds"),
        )
        chosen = choose_models(self.store, self.profile, thinking.strategy, options["model"])
        thinker = self._thinker(chosen)
        job = Job(problems.readable(thinker, thinking), thinking, thinker, alone)
        if not self.batches.submit(job):
            raise ApiError(
                503, "the server has too many requests waiting, or is about to end; try again later"
            )
        return Asking(job, chosen.digests())

    def _thinker(self, chosen: ModelVersions) -> SearchModels:
        key = tuple((role, manifest.digest) for role, manifest in sorted(chosen.by_role.items()))
        with self._opening:
            if key not in self._open:
                thinker = load_thinker(self.store, self.profile, chosen)
                # A search may still compute with models that make room here: they are closed when the last one ends.
                weakref.finalize(thinker, _close, thinker.policy, thinker.generator)
                self._open[key] = thinker
            self._open.move_to_end(key)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return self._open[key]


def _seconds(time: str) -> int:
    """Since 1970, of a manifest's time."""
    return int(datetime.fromisoformat(time).timestamp()) if time else 0


def _close(*engines: Any) -> None:
    for engine in engines:
        if engine is not None:
            engine.close()


def answered(asking: Asking, traces: list[Trace], seconds: float, page: bool) -> dict[str, Any]:
    """What an `o1 ask` prints. Loading took no time: the models were open."""
    job = asking.job
    asked = Asked(
        job.problems.questions, traces, job.thinking, asking.versions, 0.0, seconds, job.problems.refused
    )
    return {
        "document": asked.to_json(),
        "lines": list(asked.lines()),
        "warnings": job.problems.warnings(),
        "page": asked.page() if page else None,
    }
