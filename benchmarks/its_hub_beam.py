"""its_hub's step beam on nano's models: one problem after another, or all at once through its async interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.rivals import Generate

ANSWER = "answer"


class Gathered:
    """Calls that wait at the same time are answered by one call of `work`: what a batching server does."""

    def __init__(self, work: Callable[[list[Any]], Sequence[Any]]) -> None:
        self.work = work
        self._waiting: list[tuple[list[Any], asyncio.Future]] = []

    async def __call__(self, items: list[Any]) -> list[Any]:
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        self._waiting.append((items, reply))
        if len(self._waiting) == 1:
            loop.call_soon(self._answer)
        found: list[Any] = await reply
        return found

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        done = iter(self.work([item for items, _ in waiting for item in items]))
        for items, reply in waiting:
            reply.set_result([next(done) for _ in items])


def solve(
    models: Generate, prompts: Sequence[str], width: int, branch: int, steps: int, together: bool
) -> list[str]:
    """The chosen solution of each prompt. steps: longest solution. together: all problems advance at once."""
    from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel
    from its_hub.core.algorithms.beam_search import BeamSearch
    from its_hub.core.lms.step_generation import StepGeneration

    next_steps = Gathered(models.steps)
    scores = Gathered(lambda pairs: models.scores(*zip(*pairs, strict=True)))

    class LanguageModel(AbstractLanguageModel):
        async def agenerate(self, messages: Any, stop: Any = None, **options: Any) -> Any:
            texts = ["".join(message.content for message in one) for one in messages]
            return [{"role": "assistant", "content": step} for step in await next_steps(texts)]

    class RewardModel(AbstractProcessRewardModel):
        async def ascore(self, prompt: Any, responses: Any) -> Any:
            return await scores([(prompt, response) for response in responses])

        def score(self, prompt: Any, responses: Any) -> Any:
            raise NotImplementedError("its_hub's beam search asks asynchronously only")

    # Its solutions have one step more than it is told.
    generation = StepGeneration(
        steps - 1, step_token="\n", stop_token=ANSWER, temperature=1.0, include_stop_str_in_output=True
    )
    beam = BeamSearch(generation, RewardModel(), width)

    async def one(prompt: str) -> str:
        reply = await beam.ainfer(LanguageModel(), prompt, width * branch)
        return str(reply["content"])

    async def everything() -> list[str]:
        if together:
            return list(await asyncio.gather(*(one(prompt) for prompt in prompts)))
        return [await one(prompt) for prompt in prompts]

    return asyncio.run(everything())
