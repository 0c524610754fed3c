"""`o1 serve` against the sampler and the search that it uses, and how long `o1 ask` takes with a server and without.

16 clients ask at once, at high effort: each question's budget of 32 chains, sampled, scored by the PRM and sent by
HTTP. The search does the same without HTTP. The sampler is given 32 prompts a question in one call and does nothing
else; and once more, sharing what samples begin with as the search does. They take turns. Seconds of `o1 ask` are of
whole processes.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from statistics import median

from benchmarks.registry import Figure

NAME = "serve_tokens_per_second"
CLIENTS, REPETITIONS, ASKED = 16, 5, 5
O1 = (sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()")
QUESTION = "What is 3 * 4 - 5?"


def compare() -> Mapping[str, Figure]:
    from benchmarks.models import finished
    from o1_assets.core.engine import SamplingParams
    from o1_assets.profiles.load import load_profile
    from o1_assets.search.run import search
    from o1_assets.search.strategies import EFFORTS
    from o1_assets.search.thinking import choose_thinking

    with finished(CLIENTS) as given:
        thinker = given.thinker()
    engine, thinking = thinker.policy, choose_thinking(load_profile("nano"), "high", None, None)
    chains, longest = EFFORTS["high"].solutions, given.prompt.max_tokens
    prompts = [
        engine.tokenizer.encode(p, add_special_tokens=False) for p in given.prompts for _ in range(chains)
    ]
    questions = [problem["question"] for problem in given.problems]

    def sampled(repetition: int, shared: bool = False) -> float:
        seeds = [repetition * len(prompts) + i for i in range(len(prompts))]
        params = SamplingParams(longest, shared=shared)
        started = time.perf_counter()
        tokens = sum(len(s.token_ids) for s in engine.sample(prompts, params, seeds))
        return tokens / (time.perf_counter() - started)

    def searched(repetition: int) -> float:
        seeds = [repetition * CLIENTS + i for i in range(CLIENTS)]
        started = time.perf_counter()
        results = search(thinking.strategy, given.prompts, thinker, thinking.budget, seeds)
        return sum(r.tree.tokens_generated for r in results) / (time.perf_counter() - started)

    cold = _ask_seconds()
    rates: list[tuple[float, float, float, float]] = []
    with served() as address, ThreadPoolExecutor(CLIENTS) as pool:
        for repetition in range(REPETITIONS + 1):
            started = time.perf_counter()
            tokens = sum(pool.map(partial(_chat, address, seed=repetition), questions))
            ours = tokens / (time.perf_counter() - started)
            if repetition:  # the first one warms both up
                rates.append(
                    (ours, sampled(repetition), searched(repetition), sampled(repetition, shared=True))
                )
        warm = _ask_seconds()
    ratios = [ours / sampler for ours, sampler, *_ in rates]
    of_search = [ours / in_process for ours, _, in_process, _ in rates]
    of_sharing = [ours / sharing for ours, *_, sharing in rates]
    own = median(sampler for _, sampler, *_ in rates)
    return {
        NAME: Figure(
            median(ours for ours, *_ in rates),
            max(ours for ours, *_ in rates) - min(ours for ours, *_ in rates),
            "tokens/s",
            f"the sampler's own {own:,.0f} tokens/s",
        ),
        "serve_of_sampler": Figure(
            median(ratios), max(ratios) - min(ratios), "of the sampler", "at least 0.8"
        ),
        "serve_of_sharing_sampler": Figure(
            median(of_sharing),
            max(of_sharing) - min(of_sharing),
            "of the sampler",
            "that shares beginnings too",
        ),
        "serve_of_search": Figure(
            median(of_search),
            max(of_search) - min(of_search),
            "of the search",
            "the same search without HTTP",
        ),
        "ask_warm_seconds": Figure(median(warm), max(warm) - min(warm), "s", "at most 1"),
        "ask_cold_seconds": Figure(median(cold), max(cold) - min(cold), "s", "at most 4"),
    }


@contextmanager
def served() -> Iterator[str]:
    """HOST:PORT of `o1 serve` on the finished run."""
    process = subprocess.Popen([*O1, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or lines[-1].rstrip() != "}":
            line = process.stdout.readline()
            if not line:
                raise SystemExit("o1 serve ended before it answered; what it printed says why")
            lines.append(line)
        yield json.loads("".join(lines))["address"].removeprefix("http://").removesuffix("/v1")
    finally:
        process.terminate()
        process.wait()


def _chat(address: str, question: str, seed: int) -> int:
    """The tokens of one answer."""
    body = {
        "model": "baby-o1",
        "reasoning_effort": "high",
        "seed": seed,
        "messages": [{"role": "user", "content": question}],
    }
    connection = http.client.HTTPConnection(address)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    tokens: int = answer["usage"]["completion_tokens"]
    return tokens


def _ask_seconds() -> Sequence[float]:
    seconds = []
    for _ in range(ASKED):
        started = time.perf_counter()
        subprocess.run([*O1, "ask", QUESTION], check=True, stdout=subprocess.DEVNULL, env=os.environ)
        seconds.append(time.perf_counter() - started)
    return seconds
