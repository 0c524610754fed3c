"""`o1 serve`: one server with untrained models, asked by openai's own client, by `o1 ask`, and by what it refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from o1_assets.cli.serving import batches
from o1_assets.cli.serving.batches import Batches, Job, Stopped
from o1_assets.cli.serving.server import ServeError, application, check_host, origins
from o1_assets.cli.serving.service import Asking
from o1_assets.cli.thinker import Problems
from o1_assets.search import run
from o1_assets.search.beam import StepBeam
from o1_assets.search.interface import Budget
from o1_assets.search.question import Question
from o1_assets.search.run import SearchModels, search
from o1_assets.search.thinking import Thinking
from o1_assets.search.vote import Chains
from tests import forked
from tests.search.test_ask import home
from tests.search.test_search import answer_of
from tests.search.test_strategies import Everywhere
from tests.search.toy import PathScorer, TablePolicy

QUESTION = "What is 3 * 4 - 5?"
__all__ = ["home"]  # the fixture of `o1 ask`'s tests


@dataclass(frozen=True)
class Server:
    process: BaseProcess
    environment: dict[str, str]
    address: str
    stderr: Path

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.address, api_key="unused", max_retries=0)

    def ask(self, question: str = QUESTION, **options: Any) -> Any:
        body = {"model": "baby-o1", "messages": [{"role": "user", "content": question}], **options}
        return self.client.chat.completions.create(**body)

    def o1(self, *arguments: str, **environment: str) -> Any:
        return forked.o1(*arguments, environment={**self.environment, **environment})


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"O1_HOME": str(home), "O1_SET": "threads=1", "O1_PROFILE": "nano"}
    arguments = ("serve", "--port", "0", "--json")
    folder = tmp_path_factory.mktemp("server")
    with forked.started(*arguments, environment=environment, folder=folder) as (process, stdout, stderr):
        while not (stdout.exists() and stdout.read_text().endswith("}\n")):
            assert process.is_alive(), stderr.read_text()
            time.sleep(0.05)
        yield Server(process, environment, json.loads(stdout.read_text())["address"], stderr)
        print(stderr.read_text())


def test_openais_client_gets_models_reasoning_answer_and_usage(server: Server) -> None:
    names = [model.id for model in server.client.models.list()]
    assert names == ["baby-o1", "r00/policy", "r01/policy", "generator/model"]
    assert server.client.models.retrieve("r01/policy").id == "r01/policy"
    reply = server.ask(reasoning_effort="low", seed=1)
    [choice] = reply.choices
    details = reply.usage.completion_tokens_details
    assert choice.message.role == "assistant" and choice.finish_reason in ("stop", "length")
    assert isinstance(choice.message.reasoning_content, str) and choice.message.content is not None
    assert 0 < details.reasoning_tokens <= reply.usage.completion_tokens <= 160
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert server.ask(max_completion_tokens=20).usage.completion_tokens <= 20
    assert server.ask(model="r00/policy", reasoning_effort="low", seed=1).choices[0] != choice


def test_a_stream_says_the_same_in_parts(server: Server) -> None:
    whole = server.ask(seed=3)
    parts = list(server.ask(seed=3, stream=True, stream_options={"include_usage": True}))
    deltas = [part.choices[0].delta for part in parts if part.choices]
    reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert reasoning == whole.choices[0].message.reasoning_content
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert (
        parts[-1].usage == whole.usage
        and parts[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    )
    assert len({part.id for part in parts}) == 1 and deltas[0].role == "assistant"


def test_requests_at_once_are_each_answered_as_alone(server: Server) -> None:
    questions = [f"What is {k} * 2 - 3?" for k in range(6)]
    alone = [server.ask(question).choices[0].message for question in questions[:2]]
    with ThreadPoolExecutor(6) as pool:
        together = [reply.choices[0].message for reply in pool.map(server.ask, questions)]
    assert [m.content for m in together[:2]] == [m.content for m in alone]
    assert [m.reasoning_content for m in together[:2]] == [m.reasoning_content for m in alone]


LONG = "What is " + "1 + " * 200 + "1?"


@pytest.mark.parametrize(
    ("options", "status", "param", "says"),
    [
        ({"model": "gpt-4"}, 404, "model", "'gpt-4' answers no questions; choose base/model"),
        ({"model": "r07/policy"}, 404, "model", "r07/policy has not been made"),
        ({"reasoning_effort": "huge"}, 400, "reasoning_effort", "choose one of: low, medium, high"),
        ({"temperature": 0}, 400, "temperature", "does not support temperature=0; it can only be 1"),
        ({"tools": [{"type": "function"}]}, 400, "tools", "does not support tools="),
        ({"messages": []}, 400, "messages", "the last message must be the user's"),
        ({"messages": "hello"}, 400, "messages", "messages cannot be used: input should be a valid array"),
        ({"max_tokens": 0}, 400, "max_tokens", "max_tokens=0 leaves no token to think with; give 1 or more"),
        ({"max_completion_tokens": -1}, 400, "max_completion_tokens", "max_completion_tokens=-1 leaves no"),
        ({"question": "Who is it?"}, 400, "messages", "no problem of the kind that the model knows"),
        ({"question": LONG}, 400, "messages", "leave no room for a solution"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence_in_openais_shape(
    server: Server, options: dict[str, Any], status: int, param: str, says: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        server.ask(**options)
    body: Any = caught.value.body
    assert caught.value.status_code == status and body["param"] == param
    assert says in body["message"] and "\n" not in body["message"]
    assert body["type"] == "invalid_request_error"


def test_other_bodies_paths_and_the_pages_of_other_sites_are_refused(server: Server) -> None:
    url = f"{server.address}/chat/completions"
    kind = {"Content-Type": "application/json"}
    for body, headers, status, says in (
        (b"{", kind, 400, "no valid JSON"),
        (b" " * 1_000_001, kind, 413, "1,000,000 bytes"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "application/json"),
        (b"{}", {**kind, "Origin": "https://evil.example"}, 403, "must not use"),
        (b"{}", {**kind, "Host": "evil.example"}, 421, "This server is opened as http://127.0.0.1"),
    ):
        answer = httpx.post(url, content=body, headers=headers)
        assert answer.status_code == status and says in answer.json()["error"]["message"]
    assert "GET /v1/models" in httpx.get(f"{server.address}/embeddings").json()["error"]["message"]
    assert httpx.get(url).status_code == 405
    assert server.stderr.read_text() == ""


def test_o1_ask_takes_the_answer_of_the_server_and_the_same_bytes(server: Server, tmp_path: Path) -> None:
    arguments = ("ask", QUESTION, "what is 12 * 12", "--json", "--tree", str(tmp_path / "tree.html"))
    served = server.o1(*arguments)
    assert json.loads(served.stdout)["loading_seconds"] == 0 and served.stderr.count("12 is not from") == 1
    page = (tmp_path / "tree.html").read_text()
    # Other settings than the server's: this process computes by itself.
    alone = server.o1(*arguments, "--set", "policy.updates=3")
    assert json.loads(alone.stdout)["loading_seconds"] > 0 and alone.stderr == served.stderr
    assert (tmp_path / "tree.html").read_text() == page
    documents = [json.loads(answer.stdout) for answer in (served, alone)]
    for document in documents:
        del document["seconds"], document["loading_seconds"]
    assert documents[0] == documents[1]
    some = server.o1("ask", "Who is it?", QUESTION, "--effort", "low")
    assert some.returncode == 1 and "no tokens for" in some.stderr and QUESTION in some.stdout
    refused = server.o1("ask", "Who is it?")
    assert refused.returncode == 1 and "no tokens for" in refused.stderr


def test_a_home_and_a_port_are_served_once(server: Server, tmp_path: Path) -> None:
    again = server.o1("serve", "--port", "0")
    assert again.returncode == 1 and "is served already, on http://127.0.0.1:" in again.stderr
    port = server.address.removesuffix("/v1").rpartition(":")[2]
    other = server.o1("serve", "--port", port, O1_HOME=str(tmp_path))
    assert f"port {port} is in use" in other.stderr and f"o1 serve --port {int(port) + 1}" in other.stderr


def test_other_machines_connect_only_where_that_is_meant() -> None:
    for host, says in (
        ("0.0.0.0", "add --allow-remote"),
        ("192.0.2.7", "no accounts"),
        ("nowhere", "no address"),
    ):
        with pytest.raises(ServeError, match=says):
            check_host(host, allow_remote=False)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_host(host, allow_remote=False)
    check_host("0.0.0.0", allow_remote=True)
    assert "http://192.0.2.7:8000" in origins("192.0.2.7", 8000)
    assert "http://192.0.2.7:8000" not in origins("127.0.0.1", 8000)


class Watched(TablePolicy):
    """Notes which questions each call is about, and answers none that is "broken"."""

    def __init__(self) -> None:
        super().__init__(Everywhere())
        self.calls: list[set[str]] = []

    def sample(self, prompts: Any, params: Any, seeds: Any) -> Any:
        about = {self.tokenizer.decode(prompt).partition("\n")[0] for prompt in prompts}
        self.calls.append(about)
        time.sleep(0.001)
        if "broken" in about:
            raise RuntimeError
        return super().sample(prompts, params, seeds)


def models() -> Any:
    return SearchModels(Watched(), PathScorer(""), answer_of=answer_of, answer_start="answer ")


# Goes on until nobody wants it any more.
ENDLESS = Thinking("consistency", Chains("majority", at_once=2), Budget(10**9))
CHAINS = Thinking("posterior", Chains("best"), Budget(500, solution_tokens=60, hard=True))


def job(text: str, thinker: Any, thinking: Thinking = CHAINS, **options: Any) -> Job:
    return Job(Problems([Question(text, text)], [f"{text}\n"], [0]), thinking, thinker, **options)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_arrives_while_others_are_searched_joins_their_next_call() -> None:
    queue, thinker, other = Batches(), models(), models()
    calls = thinker.policy.calls
    endless = job("endless", thinker, ENDLESS)
    queue.submit(endless)
    wait_for(lambda: calls)
    waiting = [*(job(text, thinker) for text in "abc"), job("x", other), job("own", thinker, alone=True)]
    gone = job("gone", thinker)
    gone.cancel()
    for item in (*waiting, gone):
        queue.submit(item)
    answers = [item.future.result(20)[0].result for item in waiting]
    assert not endless.future.done() and queue.largest == 4
    assert any({"endless", "a"} <= call for call in calls) and any({"b", "c"} <= call for call in calls)
    assert all(call == {"own"} for call in calls if "own" in call)
    assert other.policy.calls and all(call == {"x"} for call in other.policy.calls)
    assert not any("gone" in call for call in calls)
    # Whoever else was there, and since when, a request gets what it would have got without them.
    alone = [search(CHAINS.strategy, [f"{t}\n"], models(), CHAINS.budget, [0])[0] for t in "abc"]
    assert [one.completion for one in answers[:3]] == [one.completion for one in alone]
    assert [one.tree.tokens_generated for one in answers[:3]] == [one.tree.tokens_generated for one in alone]
    endless.cancel()  # the client went away: its search ends
    with pytest.raises(Stopped):
        endless.future.result(20)
    queue.stop(20)


def test_a_search_that_fails_fails_its_own_request_alone() -> None:
    queue, thinker = Batches(), models()
    broken = job("broken", thinker)
    queue.submit(broken)
    with pytest.raises(RuntimeError):
        broken.future.result(20)
    good = job("a", thinker)
    queue.submit(good)
    assert good.future.result(20)
    queue.stop(20)


def test_where_nothing_runs_a_request_that_is_still_read_is_waited_for() -> None:
    queue, thinker = Batches(), models()
    with queue.coming():
        early, late = job("early", thinker), job("late", thinker)
        queue.submit(early)
        time.sleep(0.05)
        assert thinker.policy.calls == []
        queue.submit(late)
    assert late.future.result(20) and thinker.policy.calls[0] == {"early", "late"}
    queue.stop(20)


def test_a_stopped_queue_ends_what_runs_and_takes_nothing_more() -> None:
    queue, thinker = Batches(), models()
    running = job("endless", thinker, ENDLESS)
    queue.submit(running)
    wait_for(lambda: thinker.policy.calls)
    queue.stop(20)
    with pytest.raises(Stopped):
        running.future.result(20)
    assert not queue.submit(job("late", thinker))


def test_a_burst_that_arrives_one_by_one_is_searched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "GATHER_SECONDS", 0.3)
    monkeypatch.setattr(batches, "MOST_GATHER_SECONDS", 10)
    queue, thinker = Batches(), models()
    burst = []
    for text in "abc":  # within .3 s of each other, and not of the first
        burst.append(job(text, thinker))
        queue.submit(burst[-1])
        time.sleep(0.2)
    assert all(item.future.result(20) for item in burst) and thinker.policy.calls[0] == {*"abc"}
    monkeypatch.setattr(batches, "MOST_GATHER_SECONDS", 0.1)  # but nobody waits for ever
    queue.submit(early := job("early", thinker))
    with queue.coming():
        assert early.future.result(20)
    queue.stop(20)


def test_what_the_caches_have_no_room_for_waits_until_all_others_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue, thinker = Batches(), models()
    budget = Budget(300, solution_tokens=60, hard=True)
    # A tree takes all of its budget.
    trees = [job(text, thinker, Thinking("beam", StepBeam(again=True), budget)) for text in "abc"]
    monkeypatch.setattr(run, "CACHE_TOKENS", 600)
    with queue.coming():
        for item in trees:
            queue.submit(item)
        assert all(item.future.result(20) for item in trees)
    about = [call for call in thinker.policy.calls if call]
    assert {"a", "b"} in about and {"c"} in about and not any("c" in call and len(call) > 1 for call in about)
    queue.stop(20)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_its_work(stream: bool) -> None:
    class Endless:
        batches = Batches()

        def chat(self, request: Any) -> Asking:
            return asking

    class Policy:
        tokenizer = type("T", (), {"encode": staticmethod(lambda text, **_: [1])})

    asking = Asking(job("endless", type("M", (), {"policy": Policy})), {})
    asking.job.future.set_running_or_notify_cancel()
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}], "stream": stream}
    messages = iter(
        [{"type": "http.request", "body": json.dumps(body).encode()}, {"type": "http.disconnect"}]
    )

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return next(messages)

    async def send(message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [],
        "query_string": b"",
    }
    service: Any = Endless()
    asyncio.run(asyncio.wait_for(application(service)(scope, receive, send), 5))
    assert asking.job.gone


def test_a_signal_ends_it_and_its_address_is_forgotten(server: Server) -> None:
    """The last test: it ends the server."""
    pid = server.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    server.process.join(20)
    assert server.process.exitcode == 0 and server.stderr.read_text() == ""
    cold = server.o1("ask", QUESTION, "--json", "--effort", "low")
    assert json.loads(cold.stdout)["loading_seconds"] > 0
