"""Problems that are drawn from a world (`worlds/`). Endless."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from o1_assets.problems.config import WorldSource
from o1_assets.problems.problem import LeftOut, RawProblem
from o1_assets.problems.worlds.registry import WORLDS


class WorldProblems:
    endless = True

    def __init__(self, config: WorldSource) -> None:
        self.config = config

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        rng, world = Random(seed), WORLDS[self.config.world]
        while True:
            problem = world.draw(self.config.corpus, rng)
            question = world.question(problem)
            yield RawProblem(
                question=question,
                answer=world.answer(problem),
                canonical=f"{world.name} {question}",
                grader=f"world:{world.name}",
                difficulty=world.difficulty(problem),
                source=f"world/{world.name}",
                metadata={"world": world.name, "question": question},
                group=world.content(problem),
            )
